import { type Refused, refused, type WriteReply, type WriteRequest } from './messages.js';
import type { Write } from './write.js';
import type { WriteLog } from './write-log.js';

/**
 * What a request is answered whose client time names an operation that is here already: a retry gets the first answer again;
 * another operation, or a blind one that a later one of its client has overtaken, is refused. Null if it is new.
 */
export function answerRetry<Op, Value>(
  log: WriteLog<Op, Value>,
  request: WriteRequest<Op>,
): WriteReply | Refused | null {
  const earlier = sameOrLater(log, request);
  if (earlier === null) return null;
  const { client, clientTime, operation } = request;
  if (earlier.clientTime > clientTime) {
    const message = `client ${client} wrote this key at its time ${earlier.clientTime} already, so its time ${clientTime} is past`;
    return refused('ERR_CLIENT_TIME', message);
  }
  if (!isSame(log, earlier, operation)) {
    return refused(
      'ERR_CLIENT_TIME',
      `time ${clientTime} of client ${client} already names another operation on this key`,
    );
  }
  return { kind: 'accepted', stamp: { origin: earlier.origin, acceptTime: earlier.acceptTime } };
}

/** The client's write on the key with the request's client time; if there is none, and it is blind, one with a later time. */
function sameOrLater<Op, Value>(
  log: WriteLog<Op, Value>,
  { key, client, clientTime, operation }: WriteRequest<Op>,
): Write<Op> | null {
  const base = log.storage.base(key);
  const folded = base !== null && base.client === client && base.clientTime >= clientTime ? base : null;
  if (folded?.clientTime === clientTime) return folded;
  const { writes, isPast } = log.named(key, client, clientTime);
  const [same = null] = writes;
  if (same !== null || !log.rules.machine.isBlind(operation)) return same;
  if (folded !== null || !isPast) return folded;
  return log.storage.history(key).find((write) => write.client === client && write.clientTime > clientTime) ?? null;
}

/** What stands for several folded operations has the name of the last, and no longer tells what that was. */
function isSame<Op, Value>(log: WriteLog<Op, Value>, earlier: Write<Op>, operation: Op): boolean {
  const { isTotal, equal } = log.rules.machine;
  return equal(earlier.operation, operation) || isTotal(earlier.operation);
}
