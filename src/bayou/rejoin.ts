import type { Origin } from '../base/ids.js';
import { isReplacedBy } from './base-transfer.js';
import type { VersionVector } from './version-vector.js';
import type { Write } from './write.js';
import type { WriteLog } from './write-log.js';

/*
 * A replica that others do not know, or know no longer, may hold writes that stand where theirs are folded already. It
 * takes a new incarnation and accepts anew, each under its old (client, client time), what nobody there has received.
 */

/**
 * Accepts anew the writes of `origins` that `known`, the vector of a peer, does not cover, on about `keysMax` keys, in the
 * order in which they stand there. True if there were any.
 */
export function resubmit<Op, Value>(
  log: WriteLog<Op, Value>,
  origins: ReadonlySet<Origin>,
  known: VersionVector,
  keysMax: number,
  adopt: (write: Write<Op>) => void,
): boolean {
  const keys = new Set<string>();
  for (const origin of origins) {
    const run = log.storage.run(origin, known.get(origin), Number.POSITIVE_INFINITY);
    for (let next = run.next(); next.done !== true; next = run.next()) {
      keys.add(next.value.key);
      if (keys.size >= keysMax) break;
    }
  }
  const isDue = ({ origin, acceptTime }: Write<Op>): boolean =>
    origins.has(origin) && !known.covers(origin, acceptTime);
  for (const key of keys) {
    const history = [...log.storage.history(key)];
    const base = log.storage.base(key);
    const others = [...(base === null ? [] : [base]), ...history.filter((write) => !isDue(write))];
    const due = history.filter(isDue);
    for (const write of due) log.drop(write);
    for (const write of due) if (!others.some((other) => isReplacedBy(write, other, log.order))) adopt(write);
  }
  return keys.size > 0;
}

/**
 * Takes apart the next `keysMax` keys of the base store, after `after`: accepts anew what `known` does not cover, unless a
 * write of the log has replaced it, and puts back into the log what this replica claims. Returns the last key; null when
 * none is left.
 */
export function dissolveBase<Op, Value>(
  log: WriteLog<Op, Value>,
  after: string | null,
  known: VersionVector,
  keysMax: number,
  adopt: (write: Write<Op>) => void,
): string | null {
  const keys = log.storage.keys(after ?? undefined);
  const due: string[] = [];
  for (let next = keys.next(); next.done !== true && due.length < keysMax; next = keys.next()) due.push(next.value);
  keys.return?.();
  for (const key of due) {
    const base = log.storage.base(key);
    if (base === null) continue;
    log.storage.setBase(key, null);
    if (log.storage.history(key).length > 0) continue;
    if (!known.covers(base.origin, base.acceptTime)) adopt(base);
    // What is claimed here nobody sends again.
    else if (log.seen.covers(base.origin, base.acceptTime)) log.storage.insert(base, 0);
  }
  return due.length < keysMax ? null : (due.at(-1) as string);
}

/**
 * Takes up what was received of `gone`, origins that take no part any more, and that nobody claims: a transfer that was cut
 * brought it, and who could have given the rest has lost it. What nothing stands after is accepted anew, as it would be lost
 * otherwise; what was overwritten leaves the log. Only once every member was heard from since they are gone: then nobody
 * claims it who could still hand it on. True if there was some.
 */
export function adoptOrphans<Op, Value>(
  log: WriteLog<Op, Value>,
  gone: Iterable<Origin>,
  adopt: (write: Write<Op>) => void,
): boolean {
  const orphans: Write<Op>[] = [];
  for (const origin of gone) {
    const run = log.storage.run(origin, log.seen.get(origin), Number.POSITIVE_INFINITY);
    for (let next = run.next(); next.done !== true; next = run.next()) orphans.push(next.value);
  }
  for (const orphan of orphans.sort(log.order)) {
    const last = log.storage.history(orphan.key).at(-1);
    const isLast = last !== undefined && log.order(last, orphan) === 0;
    log.drop(orphan);
    if (isLast) adopt(orphan);
  }
  return orphans.length > 0;
}
