import { countBefore } from '../base/search.js';
import type { StateMachine } from '../base/state-machine.js';
import type { VersionVector } from './version-vector.js';
import type { AcceptStamp, StampOrder, Write } from './write.js';

/*
 * A key's history: its live writes in the log, ascending in the total order; before them stands the key's base, what the
 * writes come to that were folded and left the log. The store is the fold of each key's base and history, so all that a
 * late write can change is found here, and its cost is that of the live writes on its key.
 */

/** What the rules for one key need to know. */
export interface KeyRules<Op, Value> {
  readonly machine: StateMachine<Op, Value>;
  /** For how much accept time after an operation took effect a repeat of it takes none. */
  readonly retryWindow: number;
}

/** Where `stamp` stands, or would stand, in `history`. */
export function positionOf<Op>(history: readonly Write<Op>[], stamp: AcceptStamp, order: StampOrder): number {
  return countBefore(history.length, (at) => order(history[at] as AcceptStamp, stamp) < 0);
}

/**
 * True if `later` takes no effect behind `earlier`, a write of the same client on the same key that does. A retry that two
 * replicas accepted carries one (client, clientTime) and takes effect at its lowest stamp. That first one may have been
 * pruned since, but only behind a later write of the same client on the same key: so a blind write also yields to those,
 * and a replica that has seen the first and one that never will agree.
 *
 * Only within the retry window: so what is older than that may be forgotten, and all replicas still agree.
 */
export function yieldsTo<Op, Value>(later: Write<Op>, earlier: Write<Op>, rules: KeyRules<Op, Value>): boolean {
  if (later.acceptTime - earlier.acceptTime >= rules.retryWindow) return false;
  if (earlier.clientTime === later.clientTime) return later.resubmitted !== true;
  return earlier.clientTime > later.clientTime && rules.machine.isBlind(later.operation);
}

/** True if the write at `position` takes no effect, because it yields to one before it. */
export function isSuperseded<Op, Value>(
  history: readonly Write<Op>[],
  position: number,
  rules: KeyRules<Op, Value>,
): boolean {
  const write = history[position] as Write<Op>;
  // The client's last write that takes effect: an earlier one that is still within the window has a lower client time.
  let effective: Write<Op> | null = null;
  for (let i = 0; i < position; i++) {
    const earlier = history[i] as Write<Op>;
    if (earlier.client !== write.client) continue;
    if (effective === null || !yieldsTo(earlier, effective, rules)) effective = earlier;
  }
  return effective !== null && yieldsTo(write, effective, rules);
}

export interface Folded<Op, Value> {
  readonly value: Value;
  /** The last write that took effect. */
  readonly last: Write<Op>;
}

/** The key's value; null if the key is absent. Starts at the last blind write that takes effect. */
export function foldHistory<Op, Value>(
  base: Write<Op> | null,
  history: readonly Write<Op>[],
  rules: KeyRules<Op, Value>,
): Folded<Op, Value> | null {
  const { machine } = rules;
  let first = history.length - 1;
  for (; first >= 0; first--) {
    const { operation } = history[first] as Write<Op>;
    if (machine.isBlind(operation) && !isSuperseded(history, first, rules)) break;
  }
  let last = first < 0 ? base : null;
  let value = last === null ? undefined : machine.apply(undefined, last.operation);
  for (let i = Math.max(first, 0); i < history.length; i++) {
    if (i !== first && isSuperseded(history, i, rules)) continue;
    last = history[i] as Write<Op>;
    value = machine.apply(value, last.operation);
  }
  return last === null || value === undefined ? null : { value, last };
}

/**
 * The positions, descending, of the writes that the blind write at `position` lets go of: the same client's blind
 * writes with earlier client times before it, and its own first stamps if it was accepted anew, up to an operation that
 * reads the key. The replica's `seen` must cover the
 * write at `position`: a vector must never cover a write that is absent while what replaced it is absent too.
 */
export function prunableBehind<Op, Value>(
  history: readonly Write<Op>[],
  position: number,
  { machine }: KeyRules<Op, Value>,
): number[] {
  const later = history[position] as Write<Op>;
  const prunable: number[] = [];
  if (!machine.isBlind(later.operation)) return prunable;
  for (let i = position - 1; i >= 0; i--) {
    const write = history[i] as Write<Op>;
    if (!machine.isBlind(write.operation)) break;
    if (replaces(later, write)) prunable.push(i);
  }
  return prunable;
}

/** True if `write`, which would stand at `position`, is one that a write already there and covered by `seen` replaces. */
export function isPrunedOnArrival<Op, Value>(
  history: readonly Write<Op>[],
  position: number,
  write: Write<Op>,
  seen: VersionVector,
  { machine }: KeyRules<Op, Value>,
): boolean {
  if (!machine.isBlind(write.operation)) return false;
  for (let i = position; i < history.length; i++) {
    const later = history[i] as Write<Op>;
    if (!machine.isBlind(later.operation)) return false;
    if (replaces(later, write) && seen.covers(later.origin, later.acceptTime)) return true;
  }
  return false;
}

/** True if the blind write `later`, which stands after `write`, is a later operation of its client, or the same accepted anew. */
export function replaces<Op>(later: Write<Op>, write: Write<Op>): boolean {
  if (later.client !== write.client) return false;
  return later.clientTime > write.clientTime || (later.clientTime === write.clientTime && later.resubmitted === true);
}
