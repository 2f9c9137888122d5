import { type BatchPart, type Refused, refused, type WriteReply } from './messages.js';
import { isBatch, partsOf, type Submission } from './submission.js';
import { stampOf, type Write } from './write.js';
import type { WriteLog } from './write-log.js';

/**
 * What a request is answered whose client time names an operation that is here already: a retry gets the first answer again;
 * another operation, or a blind one that a later one of its client has overtaken, is refused. A batch is a retry if each of its
 * parts is here, or overtaken, and no other part is. Null if it is new.
 */
export function answerRetry<Op, Value>(log: WriteLog<Op, Value>, request: Submission<Op>): WriteReply | Refused | null {
  const parts = partsOf(request);
  const found = parts.map((part) => sameOrLater(log, request, part));
  const earlier = found.filter((write) => write !== null);
  if (earlier.length === 0) return null;
  const { client, clientTime } = request;
  const same = earlier.filter((write) => write.clientTime === clientTime).sort(log.order);
  const [first] = same;
  if (first === undefined) {
    const message = `client ${client} wrote this key at its time ${earlier[0]?.clientTime} already, so its time ${clientTime} is past`;
    return refused('ERR_CLIENT_TIME', message);
  }
  const isOther = found.some((write, i) => {
    if (write === null) return true;
    return write.clientTime === clientTime && !isSame(log, write, parts[i] as BatchPart<Op>, isBatch(request));
  });
  if (isOther || hasOthers(log, first, parts)) {
    const what = isBatch(request) ? 'another operation' : 'another operation on this key';
    return refused('ERR_CLIENT_TIME', `time ${clientTime} of client ${client} already names ${what}`);
  }
  return { kind: 'accepted', stamp: stampOf(first) };
}

/** The client's write on the key with the request's client time; if there is none, and it is blind, one with a later time. */
function sameOrLater<Op, Value>(
  log: WriteLog<Op, Value>,
  { client, clientTime }: Submission<Op>,
  { key, operation }: BatchPart<Op>,
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
function isSame<Op, Value>(
  log: WriteLog<Op, Value>,
  earlier: Write<Op>,
  { operation }: BatchPart<Op>,
  isPart: boolean,
): boolean {
  const { isTotal, equal } = log.rules.machine;
  return isTotal(earlier.operation) || (equal(earlier.operation, operation) && (earlier.part === true) === isPart);
}

/** True if the batch that the write is a part of has keys that are not among these. */
function hasOthers<Op, Value>(
  log: WriteLog<Op, Value>,
  { origin, acceptTime, part }: Write<Op>,
  parts: readonly BatchPart<Op>[],
): boolean {
  if (part !== true) return false;
  const keys = new Set(parts.map(({ key }) => key));
  const run = log.storage.run(origin, acceptTime - 1, acceptTime);
  for (let next = run.next(); next.done !== true; next = run.next()) if (!keys.has(next.value.key)) return true;
  return false;
}
