import type { WriteName } from './fates.js';
import type { VersionVector } from './version-vector.js';
import type { AcceptStamp } from './write.js';

/**
 * Up to where conflicts were told of. It is held by who asks, as that of a watch is, and one that stands behind all that was told
 * can be gone on from.
 */
export interface ConflictCursor {
  /** Told of all conflicts among the writes that this covers. */
  readonly told: VersionVector;
  /** Goes on only at a replica whose `seen` dominates it. */
  readonly target: VersionVector;
  /** Set if of those among what `target` covers some were told of too: those whose loser stands at or before this one. */
  readonly after: AcceptStamp | null;
}

/** From where on. */
export type ConflictsFrom =
  /** All that there are in the log. */
  | { readonly kind: 'start' }
  /** None of those that there are. */
  | { readonly kind: 'now' }
  /** Those that came of what stands after the stamp, or is not claimed yet. */
  | { readonly kind: 'stamp'; readonly stamp: AcceptStamp }
  | { readonly kind: 'cursor'; readonly cursor: ConflictCursor };

/** Asks for the next conflicts under keys that begin with `prefix`. */
export interface ConflictsRequest {
  readonly prefix: string;
  readonly from: ConflictsFrom;
  /** What the replica must hold before it answers; null if nothing. */
  readonly needs: VersionVector | null;
  /** At most so many, from 1. */
  readonly conflictsMax: number;
}

/**
 * By what a write lost. `overwritten`: a blind write of another client, which stands after it, took its effect away.
 * `inapplicable`: it does not apply to the value that it finds where it stands, whoever left that so.
 */
export type LossRule = 'overwritten' | 'inapplicable';

/**
 * Whether of two writes the one that stands later was accepted without the other: `yes` if the replica that accepted it did not
 * claim the other then, `no` if that had accepted the other itself before; `unknown` if it cannot be told here.
 */
export type Concurrent = 'yes' | 'no' | 'unknown';

/** A write that lost, and what it lost to. */
export interface Conflict<Op> {
  readonly key: string;
  readonly lost: WriteName;
  readonly operation: Op;
  readonly rule: LossRule;
  /** Null only where an operation does not apply to a key that nobody ever wrote. */
  readonly winner: WriteName | null;
  readonly concurrent: Concurrent;
}

export type ConflictsReply<Op> =
  | {
      readonly kind: 'conflicts';
      /** In the order of the losers' stamps. There may be none, though some are left; there is none unless it goes on from a cursor. */
      readonly conflicts: readonly Conflict<Op>[];
      /** Where to go on behind them. */
      readonly cursor: ConflictCursor;
      /** True if more may be left. */
      readonly more: boolean;
    }
  | { readonly kind: 'missing'; readonly missing: VersionVector };

/** Where who asks stands behind one of the conflicts of a reply: he was at `before`, and is at `end` behind all of them. */
export function cursorBehindLoser(before: ConflictCursor, end: ConflictCursor, after: AcceptStamp): ConflictCursor {
  return { told: before.told, target: end.after === null ? end.told : end.target, after };
}
