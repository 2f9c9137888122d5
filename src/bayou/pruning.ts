import type { ClientId } from '../base/ids.js';
import { type KeyRules, positionOf } from './key-history.js';
import type { ReplicaStorage } from './ports.js';
import type { VersionVector } from './version-vector.js';
import type { AcceptStamp, StampOrder, Write } from './write.js';

/*
 * A blind write of a client lets go of its blind writes before it with earlier client times, and of its own first stamps if it was
 * accepted anew, up to an operation that reads the key. A total stays: copies of the operation that it is named after, which is not
 * blind, must find it to yield to it. `seen` must cover what replaces: a vector must never cover a write that is absent while what
 * replaced it is absent too.
 *
 * The parts of a batch go together, when each of them is replaced: until then a replaced one stays beside the others. So whoever has
 * some of them by a transfer that is cut has all, or none.
 */

/** True if the blind write `later`, which stands after `write`, is a later operation of its client, or the same accepted anew. */
export function replaces<Op>(later: Write<Op>, write: Write<Op>): boolean {
  return later.client === write.client && write.clientTime < reachOf(later);
}

/** Of its client's blind writes before it a blind write replaces those whose client time is less than this. */
function reachOf<Op>({ clientTime, resubmitted }: Write<Op>): number {
  return resubmitted === true ? clientTime + 1 : clientTime;
}

/**
 * What on a key is replaced since writes came that stand at or after the accept time `from`: the places, descending; and the accept
 * time of the first of those that `seen` does not cover, null if it covers them all. A part that was replaced before is not among
 * them: it waits for others of its batch.
 */
export function replacedSince<Op, Value>(
  history: readonly Write<Op>[],
  from: number,
  seen: VersionVector,
  { machine }: KeyRules<Op, Value>,
): { readonly places: readonly number[]; readonly unclaimed: number | null } {
  const reaches = new Map<ClientId, { late: number; early: number }>();
  const places: number[] = [];
  let unclaimed: number | null = null;
  for (let at = history.length - 1; at >= 0; at--) {
    const write = history[at] as Write<Op>;
    const isLate = write.acceptTime >= from;
    const isClaimed = (): boolean => seen.covers(write.origin, write.acceptTime);
    if (isLate && !isClaimed()) unclaimed = write.acceptTime;
    if (!isLate && reaches.size === 0) break;
    if (!machine.isBlind(write.operation)) {
      if (!isLate) break;
      reaches.clear();
      continue;
    }
    const reach = reaches.get(write.client);
    if (reach !== undefined && write.clientTime < reach.late && !machine.isTotal(write.operation)) {
      if (write.part !== true || write.clientTime >= reach.early) places.push(at);
    }
    const own = reachOf(write);
    if (isLate) {
      if (own > (reach?.late ?? 0) && isClaimed()) reaches.set(write.client, { late: own, early: 0 });
    } else if (reach !== undefined && own > reach.early && isClaimed()) {
      reach.early = own;
    }
  }
  return { places, unclaimed };
}

/** True if what stands before the place `after` is replaced by what stands there or behind, and `seen` covers. */
function isReplaced<Op, Value>(
  write: Write<Op>,
  history: readonly Write<Op>[],
  after: number,
  seen: VersionVector,
  { machine }: KeyRules<Op, Value>,
): boolean {
  if (!machine.isBlind(write.operation) || machine.isTotal(write.operation)) return false;
  for (let at = after; at < history.length; at++) {
    const later = history[at] as Write<Op>;
    if (!machine.isBlind(later.operation)) return false;
    if (replaces(later, write) && seen.covers(later.origin, later.acceptTime)) return true;
  }
  return false;
}

/** True if `write`, which would stand at `position`, need not be kept. A part is, since others of its batch are still to come. */
export function isPrunedOnArrival<Op, Value>(
  history: readonly Write<Op>[],
  position: number,
  write: Write<Op>,
  seen: VersionVector,
  rules: KeyRules<Op, Value>,
): boolean {
  return write.part !== true && isReplaced(write, history, position, seen, rules);
}

/** All parts that are here of the batch that `part` is of, if each is replaced by what `seen` covers; else none. */
export function replacedBatch<Op, Value>(
  { origin, acceptTime }: AcceptStamp,
  storage: Pick<ReplicaStorage<Op>, 'run' | 'history'>,
  seen: VersionVector,
  order: StampOrder,
  rules: KeyRules<Op, Value>,
): readonly Write<Op>[] {
  const parts: Write<Op>[] = [];
  const run = storage.run(origin, acceptTime - 1, acceptTime);
  for (let next = run.next(); next.done !== true; next = run.next()) {
    const part = next.value;
    const history = storage.history(part.key);
    if (!isReplaced(part, history, positionOf(history, part, order) + 1, seen, rules)) {
      run.return?.();
      return [];
    }
    parts.push(part);
  }
  return parts;
}

/**
 * True if `write` need not be accepted anew where `other`, on the same key, stands after it: that is the same operation
 * accepted anew, or a later one of its client which overwrites it.
 */
export function isReplacedBy<Op, Value>(
  write: Write<Op>,
  other: Write<Op>,
  order: StampOrder,
  { machine }: KeyRules<Op, Value>,
): boolean {
  if (!replaces(other, write) || order(other, write) <= 0) return false;
  // It is named after one of the operations that it stands for, and that one does not bring back the others.
  if (machine.isTotal(write.operation) && !machine.isBlind(other.operation)) return false;
  if (other.clientTime === write.clientTime) return true;
  // A total has the name of the last operation that it stands for, and may not have the one at hand in it.
  return machine.isBlind(other.operation) && (machine.isBlind(write.operation) || !machine.isTotal(other.operation));
}
