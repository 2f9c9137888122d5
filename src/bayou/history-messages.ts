import type { ClientId } from '../base/ids.js';
import type { Fate } from './fates.js';
import type { VersionVector } from './version-vector.js';
import type { AcceptStamp } from './write.js';

/** Asks for the writes on a key that a replica still holds. */
export interface HistoryRequest {
  readonly key: string;
  /** Those that stand after this one; null: from the first. */
  readonly after: AcceptStamp | null;
  /** Only the write of that stamp; null: all. */
  readonly only: AcceptStamp | null;
  /** At most so many writes, from 1. */
  readonly writesMax: number;
  /** What the session needs for the key; null if nothing. */
  readonly needs: VersionVector | null;
}

/**
 * How far a write has come. `received`: brought by a transfer under way, to be read but not claimed yet; `accepted`: claimed, so
 * that others are given it; `stable`: every member holds it, as far as the replica knows.
 */
export type Stage = 'received' | 'accepted' | 'stable';

/** A write on a key, and what became of it there. */
export interface PastWrite<Op> {
  readonly stamp: AcceptStamp;
  readonly client: ClientId;
  readonly operation: Op;
  readonly fate: Fate;
  readonly stage: Stage;
  /** True if a replica that rejoined accepted it anew. */
  readonly resubmitted: boolean;
}

/** What the writes on a key come to that were folded and left the log. */
export interface PastBase<Op> {
  /** Of the last write that has a part in it, and who wrote that. */
  readonly stamp: AcceptStamp;
  readonly client: ClientId;
  /** What sets the value; a total, if several writes came to it. */
  readonly operation: Op;
  readonly fate: Fate;
}

export type HistoryReply<Op> =
  | {
      readonly kind: 'history';
      /** Null if there is none, or it was not asked for: only the first page has it. */
      readonly base: PastBase<Op> | null;
      /** As they stand in the total order. */
      readonly writes: readonly PastWrite<Op>[];
      /** True if writes are left after these. */
      readonly more: boolean;
    }
  | { readonly kind: 'missing'; readonly missing: VersionVector };
