import type { VersionVector } from './version-vector.js';
import type { AcceptStamp } from './write.js';

/** Keys that one request may name. */
export const READ_KEYS_MAX = 1_024;

/** Asks for several keys as they are in one state. */
export interface ReadManyRequest {
  /** At most READ_KEYS_MAX. */
  readonly keys: readonly string[];
  /** What the session needs for all of them; null if nothing. */
  readonly needs: VersionVector | null;
}

export interface FoundValue<Value> {
  readonly value: Value;
  readonly stamp: AcceptStamp;
  /** As of a `ReadReply`. */
  readonly expires?: number;
  readonly basis?: VersionVector;
}

export type ReadManyReply<Value> =
  /** One for each key, as they were asked for; null where there is nothing under it. */
  | { readonly kind: 'values'; readonly values: readonly (FoundValue<Value> | null)[] }
  | { readonly kind: 'missing'; readonly missing: VersionVector };

/** Keys from `from` on and before `before`, by code point; null where there is no such bound. */
export interface KeyRange {
  readonly from: string | null;
  readonly before: string | null;
}

/** Asks for the next page of a range of keys. */
export interface ScanRequest {
  readonly range: KeyRange;
  /** True: from the last key on. */
  readonly reverse: boolean;
  /** Where the page before ended; null for the first. */
  readonly after: string | null;
  readonly entriesMax: number;
  /** True to have the pages that follow show the state that this one does. */
  readonly hold: boolean;
  /** The state that an earlier page was given a number for; null: as it is now. */
  readonly snapshot: number | null;
  /** What the session needs for the range; null if nothing. Not looked at with a snapshot, which was taken under it. */
  readonly needs: VersionVector | null;
}

export interface ScanEntry<Value> extends FoundValue<Value> {
  readonly key: string;
}

export type ScanReply<Value> =
  | {
      readonly kind: 'page';
      /** In the order that was asked for, all of one state. There may be none, though keys are left. */
      readonly entries: readonly ScanEntry<Value>[];
      /** The last key the page speaks for; null if it speaks for all that are left. */
      readonly upTo: string | null;
      /** Names the state for the next page; null if it is not held, or no key is left. */
      readonly snapshot: number | null;
    }
  | { readonly kind: 'missing'; readonly missing: VersionVector };
