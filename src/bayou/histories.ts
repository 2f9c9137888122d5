import { fatesOf } from './fates.js';
import type { HistoryReply, HistoryRequest, PastBase, PastWrite, Stage } from './history-messages.js';
import { type AcceptStamp, stampOf, type Write } from './write.js';
import type { WriteLog } from './write-log.js';

/** Writes of one page, whatever is asked for; */
const WRITES_MAX = 4_096;
/** and bytes after which no more are added. */
const BYTES_MAX = 1024 * 1024;

type Page<Op> = Extract<HistoryReply<Op>, { kind: 'history' }>;

/** A page of what a replica still holds of the writes on a key, with what became of each among all that it holds, by the accept time `asOf`. */
export function historyPage<Op, Value>(
  log: WriteLog<Op, Value>,
  { key, after, only, writesMax }: Omit<HistoryRequest, 'needs'>,
  stageOf: (stamp: AcceptStamp) => Stage,
  asOf: number,
): Page<Op> {
  const { storage, order, rules } = log;
  const base = storage.base(key);
  const history = storage.history(key);
  const fates = fatesOf(base, history, rules, asOf);
  const isAsked = (write: AcceptStamp): boolean =>
    only === null ? after === null || order(write, after) > 0 : order(write, only) === 0;
  const writes: PastWrite<Op>[] = [];
  let bytes = 0;
  let more = false;
  for (const [position, fate] of fates.writes.entries()) {
    const write = history[position] as Write<Op>;
    if (!isAsked(write)) continue;
    more = writes.length >= Math.min(writesMax, WRITES_MAX) || bytes >= BYTES_MAX;
    if (more) break;
    bytes += log.bytesOf(write);
    const { client, operation, resubmitted } = write;
    const stamp = stampOf(write);
    writes.push({ stamp, client, operation, fate, stage: stageOf(stamp), resubmitted: resubmitted === true });
  }
  const isBaseAsked = base !== null && (only === null ? after === null : isAsked(base));
  return { kind: 'history', base: isBaseAsked ? baseOf(base, fates.base) : null, writes, more };
}

function baseOf<Op>(write: Write<Op>, fate: PastBase<Op>['fate'] | null): PastBase<Op> {
  const { client, operation } = write;
  return { stamp: stampOf(write), client, operation, fate: fate ?? { kind: 'stands' } };
}
