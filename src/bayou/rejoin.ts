import type { Origin } from '../base/ids.js';
import { foldHistory, isReplacedBy, worthAnew } from './key-history.js';
import type { VersionVector } from './version-vector.js';
import { nameStamp, type Write } from './write.js';
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
    for (const write of due) log.giveUp(write, Number.POSITIVE_INFINITY);
    for (const write of worthAnew(due, history, log.rules)) {
      if (!others.some((other) => isReplacedBy(write, other, log.order, log.rules))) adopt(write);
    }
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
  for (const key of due) dissolveKey(log, key, known, adopt);
  return due.length < keysMax ? null : (due.at(-1) as string);
}

/**
 * What operations came to that read their key says nothing of them one by one. So this replica claims no more of what it has
 * folded, and is sent all of it that the peer holds; what the peer does not hold is accepted anew as a value.
 */
function dissolveKey<Op, Value>(
  log: WriteLog<Op, Value>,
  key: string,
  known: VersionVector,
  adopt: (write: Write<Op>) => void,
): void {
  const { rules, storage, baseVector } = log;
  const { isBlind, isTotal, total } = rules.machine;
  const base = storage.base(key);
  if (base === null) return;
  const history = [...storage.history(key)];
  log.setBase(key, null);
  const isOne = isBlind(base.operation) && !isTotal(base.operation);
  if (!isOne) for (const [origin] of baseVector.entries()) log.lowerSeen(origin, 0, 0);
  if (history.some(({ operation }) => isBlind(operation))) return;
  if (known.covers(base.origin, base.acceptTime)) {
    // What is claimed here nobody sends again.
    if (log.seen.covers(base.origin, base.acceptTime)) log.insert(base, 0);
    return;
  }
  const above = history.filter(({ origin, acceptTime }) => known.covers(origin, acceptTime));
  const folded = foldHistory(base, above, rules);
  // Of what cannot be told nothing is lost but its place: those operations stand in the log.
  if (folded === null || folded.kind === 'unknown' || (isOne && above.length === 0)) adopt(base);
  else adopt({ ...folded.last, operation: total(folded.value) });
}

/**
 * Takes up what was received of `gone`, origins that take no part any more, and that nobody claims: a transfer that was cut
 * brought it, and who could have given the rest has lost it. What nothing overwrites, and it nothing that others hold, is
 * accepted anew, as it would be lost otherwise; the rest leaves the log. Only once every member was heard from since they are gone: then nobody
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
  orphans.sort(log.order);
  const names = new Set(orphans.map(nameStamp));
  const left = new Set(orphans.filter((orphan) => isLeft(log, orphan, names)));
  for (const orphan of orphans) {
    log.drop(orphan);
    if (left.has(orphan)) adopt(orphan);
  }
  return orphans.length > 0;
}

/** True if nothing that stays overwrites the orphan, would be overwritten by it, or is the same operation; and it takes effect. */
function isLeft<Op, Value>(log: WriteLog<Op, Value>, orphan: Write<Op>, orphans: ReadonlySet<string>): boolean {
  const { isBlind } = log.rules.machine;
  const history = log.storage.history(orphan.key);
  const later = history.filter((write) => log.order(write, orphan) > 0);
  if (later.some(({ operation }) => isBlind(operation))) return false;
  const isLeaving = (write: Write<Op>): boolean => orphans.has(nameStamp(write));
  if (isBlind(orphan.operation)) return later.every(isLeaving);
  const { client, clientTime } = orphan;
  const copies = history.filter((write) => write.client === client && write.clientTime === clientTime);
  return copies.every(isLeaving) && worthAnew([orphan], history, log.rules).length > 0;
}
