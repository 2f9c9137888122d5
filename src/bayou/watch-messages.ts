import type { ClientId } from '../base/ids.js';
import type { StoreCursor } from './messages.js';
import { VersionVector } from './version-vector.js';
import { type AcceptStamp, hasSameStamp } from './write.js';

/**
 * Where a watch stands. It is held by who watches, and says all that a replica needs to go on: so a cut, a restart or another
 * replica in the middle need no handling of their own.
 */
export interface WatchCursor {
  /** For each origin, the accept time up to which its writes were told of, or stood there when the watch began. */
  readonly told: VersionVector;
  /** The `seen` that `told` was cut from: goes on only at a replica whose `seen` dominates it. */
  readonly target: VersionVector;
  /** Set while a base store is told, key by key; `told` covers nothing until that is done. */
  readonly store: StoreCursor | null;
}

/** Where a watch that was told of nothing stands: it is told all that is there, and then what comes. */
export const START: WatchCursor = { told: new VersionVector(), target: new VersionVector(), store: null };

/** Where a watch begins, or goes on. */
export type WatchFrom =
  /** It is told what the replica does not claim yet. */
  | { readonly kind: 'now' }
  /** It is told what stands after the stamp, and what the replica does not claim yet, wherever that will stand. */
  | { readonly kind: 'stamp'; readonly stamp: AcceptStamp }
  | { readonly kind: 'cursor'; readonly cursor: WatchCursor };

/** Asks for the next changes under keys that begin with `prefix`. */
export interface WatchRequest {
  readonly prefix: string;
  readonly from: WatchFrom;
  /** What the replica must hold before it serves; null if nothing. */
  readonly needs: VersionVector | null;
  /** At most so many changes, from 1; and what more a batch makes, which is told whole. */
  readonly changesMax: number;
  /** How long the answer may wait for a change, if the watch goes on from a cursor; 0 to be told at once. */
  readonly budgetMs: number;
  /** Names the watch: its next request ends the one that still waits. Null: it is not to be ended. */
  readonly name: ClientId | null;
}

/** A write that takes effect, as who watches is told of it: once. */
export interface Change<Value> {
  readonly key: string;
  readonly stamp: AcceptStamp;
  readonly client: ClientId;
  /** What is under the key by all that the replica claims; null if nothing. */
  readonly value: Value | null;
  /** The accept time from which on that is gone, of which no watch tells; absent if it stays. */
  readonly expires?: number;
  /** Of each origin, the last write that the value rests on; absent if that is the one of `standing` alone. */
  readonly basis?: VersionVector;
  /** The write that the value comes from, or that deleted it; the stamp itself, if it stands last. */
  readonly standing: AcceptStamp;
  /** True if the value rests on this write; false if one that stands after it overwrites it. */
  readonly stands: boolean;
  /** True if it stands before a write on its key that was told of already, or was accepted anew under another stamp. */
  readonly reordered: boolean;
  /** What the write set, if it does not stand; null if it does, or deleted the key. */
  readonly lost: Value | null;
}

export type WatchReply<Value> =
  | {
      readonly kind: 'changes';
      /**
       * In the order of the stamps; of the base store, ascending by key. There may be none, though some are left; there is none
       * where a watch begins, or between the base store and the log.
       */
      readonly changes: readonly Change<Value>[];
      /** Where the watch stands behind them. */
      readonly cursor: WatchCursor;
      /** True if more may be left. */
      readonly more: boolean;
    }
  | { readonly kind: 'missing'; readonly missing: VersionVector };

/**
 * Where a watch stands behind one of the changes of a reply: it was at `before`, and is at `after` behind all of them. `next` is
 * the change after it: among those of a batch the watch stands before all of them, since a cursor tells only whole stamps apart.
 */
export function cursorBehind<Value>(
  before: WatchCursor,
  after: WatchCursor,
  { key, stamp }: Change<Value>,
  next: Change<Value> | undefined,
): WatchCursor {
  const { target, store } = after;
  if (store !== null) return { told: after.told, target, store: { time: store.time, after: key } };
  if (next !== undefined && hasSameStamp(stamp, next.stamp)) return before;
  const told = before.told.clone();
  told.raise(stamp.origin, stamp.acceptTime);
  return { told, target, store: null };
}
