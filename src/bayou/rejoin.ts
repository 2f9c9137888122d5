import { compareKeys, type Origin } from '../base/ids.js';
import { BATCH_PARTS_MAX } from '../base/limits.js';
import { RunMerge } from './batch.js';
import { foldHistory, positionOf, worthAnew } from './key-history.js';
import { isReplacedBy } from './pruning.js';
import type { VersionVector } from './version-vector.js';
import { hasSameStamp, nameOperation, nameWrite, type Write } from './write.js';
import type { WriteLog } from './write-log.js';

/*
 * A replica that others do not know, or know no longer, may hold writes that stand where theirs are folded already. It
 * takes a new incarnation and accepts anew, each under its old (client, client time), what nobody there has received.
 */

/**
 * Accepts anew the writes of each origin, up to the accept time that `upTo` says of it, that `known`, the vector of a peer, does not
 * cover: about `writesMax` of them, in the order in which they stand there. What is left of a batch gets one stamp again, where
 * the first of it stands, also if it came under several: of a retry, or from others that accepted parts of it anew. True if there
 * were any.
 */
export function resubmit<Op, Value>(
  log: WriteLog<Op, Value>,
  upTo: (origin: Origin) => number,
  known: VersionVector,
  writesMax: number,
  adopt: (writes: readonly Write<Op>[]) => void,
): boolean {
  const merge = new RunMerge<Op>(log.order);
  for (const origin of log.storage.origins()) merge.add(log.storage.run(origin, known.get(origin), upTo(origin)));
  const batches = joined(takeBatches(merge, writesMax), merge);
  const due = batches.flat();
  const isDue = ({ origin, acceptTime }: Write<Op>): boolean =>
    acceptTime <= upTo(origin) && !known.covers(origin, acceptTime);
  const worth = new Set<Write<Op>>();
  for (const [key, writes] of byKey(due)) {
    const history = log.storage.history(key);
    const base = log.storage.base(key);
    const others = [...(base === null ? [] : [base]), ...history.filter((write) => !isDue(write))];
    for (const write of worthAnew(writes, history, log.rules)) {
      if (!others.some((other) => isReplacedBy(write, other, log.order, log.rules))) worth.add(write);
    }
  }
  for (const write of due) log.giveUp(write, upTo(write.origin));
  for (const batch of batches) {
    const left = batch.filter((write) => worth.has(write));
    adoptJoined(left, adopt);
  }
  return due.length > 0;
}

/**
 * With those of one batch together, where the first of them stands: they may have several stamps. What is left of these batches in
 * `merge` goes with them.
 */
function joined<Op>(
  groups: readonly (readonly Write<Op>[])[],
  rest: RunMerge<Op> | null = null,
): readonly (readonly Write<Op>[])[] {
  const joined: (readonly Write<Op>[])[] = [];
  const batches = new Map<string, Write<Op>[]>();
  for (const group of groups) {
    const name = group[0]?.part === true ? nameOperation(group[0]) : null;
    const batch = name === null ? undefined : batches.get(name);
    if (batch !== undefined) {
      batch.push(...group);
      continue;
    }
    const own = [...group];
    joined.push(own);
    if (name !== null) batches.set(name, own);
  }
  if (rest === null || batches.size === 0) return joined;
  for (let write = rest.peek(); write !== undefined; rest.advance(), write = rest.peek()) {
    if (write.part === true) batches.get(nameOperation(write))?.push(write);
  }
  return joined;
}

/**
 * Accepts the parts of a batch anew, or one write: of each key one, ascending. A client that gave two batches one name gets no larger
 * batch than there may be.
 */
function adoptJoined<Op>(parts: readonly Write<Op>[], adopt: (writes: readonly Write<Op>[]) => void): void {
  const keys = new Map<string, Write<Op>>();
  for (const part of parts) if (!keys.has(part.key)) keys.set(part.key, part);
  const left = [...keys.values()].sort((a, b) => compareKeys(a.key, b.key));
  for (let at = 0; at < left.length; at += BATCH_PARTS_MAX) adopt(left.slice(at, at + BATCH_PARTS_MAX));
}

/** The next writes, about `writesMax`, those of one stamp together. */
function takeBatches<Op>(merge: RunMerge<Op>, writesMax: number): readonly (readonly Write<Op>[])[] {
  const batches: Write<Op>[][] = [];
  let taken = 0;
  for (let write = merge.peek(); write !== undefined; merge.advance(), write = merge.peek()) {
    const last = batches.at(-1);
    if (last?.[0] !== undefined && hasSameStamp(last[0], write)) last.push(write);
    else if (taken >= writesMax) break;
    else batches.push([write]);
    taken += 1;
  }
  return batches;
}

function byKey<Op>(writes: readonly Write<Op>[]): ReadonlyMap<string, readonly Write<Op>[]> {
  const keys = new Map<string, Write<Op>[]>();
  for (const write of writes) {
    const same = keys.get(write.key);
    if (same === undefined) keys.set(write.key, [write]);
    else same.push(write);
  }
  return keys;
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
  // What stands before it was left to be accepted anew.
  const history = storage.history(key).filter((write) => log.order(write, base) > 0);
  log.setBase(key, null);
  const isOne = isBlind(base.operation) && !isTotal(base.operation);
  if (!isOne) for (const [origin] of baseVector.entries()) log.lowerSeen(origin, 0, 0);
  if (history.some(({ operation }) => isBlind(operation))) return;
  if (known.covers(base.origin, base.acceptTime)) {
    // What is claimed here nobody sends again.
    if (log.seen.covers(base.origin, base.acceptTime))
      log.insert(base, positionOf(storage.history(key), base, log.order));
    return;
  }
  const above = history.filter(({ origin, acceptTime }) => known.covers(origin, acceptTime));
  const folded = foldHistory(base, above, rules);
  // Of what cannot be told nothing is lost but its place: those operations stand in the log.
  if (folded === null || folded.kind === 'unknown' || (isOne && above.length === 0)) adopt(base);
  else adopt({ ...folded.last, operation: total(folded.value, folded.expires) });
}

/**
 * Takes up what was received of origins that take no part any more, `isGone`, and that nobody claims: a transfer that was cut
 * brought it, and who could have given the rest has lost it. What nothing overwrites, and it nothing that others hold, is
 * accepted anew, as it would be lost otherwise; the rest leaves the log. Of a batch, what nothing overwrites, if all of that may
 * be; under one stamp. Only once every member was heard from since they are gone: then nobody claims it who could still hand it
 * on. What depends on writes of members that are not claimed yet waits until they are.
 */
export function adoptOrphans<Op, Value>(
  log: WriteLog<Op, Value>,
  isGone: (origin: Origin) => boolean,
  adopt: (writes: readonly Write<Op>[]) => void,
): Orphans {
  const merge = new RunMerge<Op>(log.order);
  for (const origin of log.storage.origins()) {
    if (isGone(origin)) merge.add(log.storage.run(origin, log.seen.get(origin), Number.POSITIVE_INFINITY));
  }
  const orphans = takeBatches(merge, Number.POSITIVE_INFINITY);
  const fates: Fates = { leaving: new Set(orphans.flat().map(nameWrite)), lost: new Set(), waiting: new Set() };
  const left: (readonly Write<Op>[])[] = [];
  // What becomes of one depends on those that stand after it.
  for (const batch of orphans.toReversed()) {
    const own = batch.map((orphan) => fateOf(log, orphan, fates));
    const isLost = own.includes('lost');
    const becomes = own.includes('waits') ? fates.waiting : isLost ? fates.lost : null;
    for (const orphan of batch) becomes?.add(nameWrite(orphan));
    left.push(becomes === null ? batch.filter((_, i) => own[i] === 'left') : []);
  }
  const waits = (write: Write<Op>): boolean => fates.waiting.has(nameWrite(write));
  const all = orphans.flat();
  const due = all.filter((orphan) => !waits(orphan));
  for (const orphan of due) log.drop(orphan);
  for (const batch of joined(left.toReversed())) adoptJoined(batch, adopt);
  return { any: due.length > 0, waitsFrom: all.find(waits)?.acceptTime ?? null };
}

export interface Orphans {
  /** True if some were taken up, or let go of: no transfer may count on what it brought any more. */
  readonly any: boolean;
  /** The accept time of the first that waits: to fold it would lose it. Null if none does. */
  readonly waitsFrom: number | null;
}

interface Fates {
  /** By name, all orphans; */
  readonly leaving: ReadonlySet<string>;
  /** those that would overwrite what others hold; */
  readonly lost: Set<string>;
  /** and those of which cannot be said yet what is to become of them. */
  readonly waiting: Set<string>;
}

/**
 * What is to become of an orphan: it is `left`, and accepted anew; or `settled`, since something that stays overwrites it, or is
 * the same operation, or it takes no effect; or `lost`, since it would overwrite what others hold. Or it `waits` for those after
 * it. A part that only orphans overwrite is left, for the others of its batch: whoever gets that gets it whole.
 */
function fateOf<Op, Value>(
  log: WriteLog<Op, Value>,
  orphan: Write<Op>,
  { leaving, lost, waiting }: Fates,
): 'left' | 'settled' | 'lost' | 'waits' {
  const { isBlind } = log.rules.machine;
  const history = log.storage.history(orphan.key).filter((write) => !lost.has(nameWrite(write)));
  const later = history.filter((write) => log.order(write, orphan) > 0);
  const isLeaving = (write: Write<Op>): boolean => leaving.has(nameWrite(write));
  const isClaimed = ({ origin, acceptTime }: Write<Op>): boolean => log.seen.covers(origin, acceptTime);
  const blind = later.filter(({ operation }) => isBlind(operation));
  if (blind.some(isClaimed)) return 'settled';
  // Of an origin that is not known none need ever be claimed.
  const isComing = (write: Write<Op>): boolean => !isLeaving(write) && !isClaimed(write) && log.seen.has(write.origin);
  if (later.some((write) => waiting.has(nameWrite(write)) || isComing(write))) return 'waits';
  if (blind.some((write) => orphan.part !== true || !isLeaving(write))) return 'settled';
  if (isBlind(orphan.operation)) return later.every(isLeaving) ? 'left' : 'lost';
  const { client, clientTime } = orphan;
  const copies = history.filter((write) => write.client === client && write.clientTime === clientTime);
  return copies.every(isLeaving) && worthAnew([orphan], history, log.rules).length > 0 ? 'left' : 'settled';
}
