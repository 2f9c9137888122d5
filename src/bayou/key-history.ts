import { countBefore } from '../base/search.js';
import type { StateMachine } from '../base/state-machine.js';
import type { VersionVector } from './version-vector.js';
import type { AcceptStamp, StampOrder, Write } from './write.js';

/*
 * A key's history: its live writes, ascending in the total order. The store is the fold of each key's history, so all
 * that a late write can change is found here, and its cost is that of the live writes on its key.
 */

/** Where `stamp` stands, or would stand, in `history`. */
export function positionOf<Op>(history: readonly Write<Op>[], stamp: AcceptStamp, order: StampOrder): number {
  return countBefore(history.length, (at) => order(history[at] as AcceptStamp, stamp) < 0);
}

/**
 * True if the write at `position` takes no effect, because its client's same or later operation on the key stands before
 * it. A retry that two replicas accepted carries one (client, clientTime) and takes effect at its lowest stamp. That
 * first one may have been pruned since, but only behind a later write of the same client on the same key: so a blind
 * write also yields to those, and a replica that has seen the first and one that never will agree.
 */
export function isSuperseded<Op, Value>(
  history: readonly Write<Op>[],
  position: number,
  machine: StateMachine<Op, Value>,
): boolean {
  const write = history[position] as Write<Op>;
  for (let i = 0; i < position; i++) {
    const earlier = history[i] as Write<Op>;
    if (earlier.client !== write.client || earlier.clientTime < write.clientTime) continue;
    if (earlier.clientTime === write.clientTime || machine.isBlind(write.operation)) return true;
  }
  return false;
}

export interface Folded<Op, Value> {
  readonly value: Value;
  /** The last write that took effect. */
  readonly last: Write<Op>;
}

/** The key's value; null if the key is absent. Starts at the last blind write that takes effect. */
export function foldHistory<Op, Value>(
  history: readonly Write<Op>[],
  machine: StateMachine<Op, Value>,
): Folded<Op, Value> | null {
  let first = history.length - 1;
  for (; first > 0; first--) {
    const { operation } = history[first] as Write<Op>;
    if (machine.isBlind(operation) && !isSuperseded(history, first, machine)) break;
  }
  let value: Value | undefined;
  let last: Write<Op> | null = null;
  for (let i = Math.max(first, 0); i < history.length; i++) {
    if (i !== first && isSuperseded(history, i, machine)) continue;
    last = history[i] as Write<Op>;
    value = machine.apply(value, last.operation);
  }
  return last === null || value === undefined ? null : { value, last };
}

/**
 * The positions, descending, of the writes that the blind write at `position` lets go of: the same client's blind
 * writes with earlier client times before it, up to an operation that reads the key. The replica's `seen` must cover the
 * write at `position`: a vector must never cover a write that is absent while what replaced it is absent too.
 */
export function prunableBehind<Op, Value>(
  history: readonly Write<Op>[],
  position: number,
  machine: StateMachine<Op, Value>,
): number[] {
  const later = history[position] as Write<Op>;
  const prunable: number[] = [];
  if (!machine.isBlind(later.operation)) return prunable;
  for (let i = position - 1; i >= 0; i--) {
    const write = history[i] as Write<Op>;
    if (!machine.isBlind(write.operation)) break;
    if (write.client === later.client && write.clientTime < later.clientTime) prunable.push(i);
  }
  return prunable;
}

/** True if `write`, which would stand at `position`, is one that a write already there and covered by `seen` replaces. */
export function isPrunedOnArrival<Op, Value>(
  history: readonly Write<Op>[],
  position: number,
  write: Write<Op>,
  seen: VersionVector,
  machine: StateMachine<Op, Value>,
): boolean {
  if (!machine.isBlind(write.operation)) return false;
  for (let i = position; i < history.length; i++) {
    const later = history[i] as Write<Op>;
    if (!machine.isBlind(later.operation)) return false;
    if (
      later.client === write.client &&
      later.clientTime > write.clientTime &&
      seen.covers(later.origin, later.acceptTime)
    ) {
      return true;
    }
  }
  return false;
}
