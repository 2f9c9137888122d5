import { assert } from '../base/assert.js';
import { type Done, succeed } from '../base/outcome.js';
import type { BytesPart } from './bytes.js';

/**
 * Where checkpoints of a replica's storage live: an ordered, transactional table on disk. Reads are synchronous and see
 * the last commit. An iterator is used up before the caller gives up control, so no commit comes in between.
 */
export interface Table {
  /** Ascending by code point, after `after` if it is given. */
  keys(after?: string): Iterator<string>;
  /** What was committed for `key`, good until the next read; undefined if nothing is. */
  entry(key: string): BytesPart | undefined;
  /**
   * Gives the keys with what was committed for them, good until the next read, from the first on or if it is `reverse` from the
   * last, beyond `after` if that is not null; until there are no more, or `visit` says false.
   */
  walk(after: string | null, reverse: boolean, visit: (key: string, found: BytesPart) => boolean): void;
  /**
   * The accept times and keys of the live writes of the origin at `place`, above `after` and up to `upTo`, ascending; those of
   * one accept time by key.
   */
  run(place: number, after: number, upTo: number): Iterator<readonly [acceptTime: number, key: string]>;
  /** About how many `run` would give. */
  count(place: number, after: number, upTo: number): number;
  /** What the last commit said of the whole; undefined before the first. */
  meta(): Uint8Array | undefined;
  /** Makes all of it durable, or on an error none of it. One at a time. */
  commit(changes: TableChanges, done: Done<void>): void;
  close(done: Done<void>): void;
}

/** A table that nothing was ever committed to, and nothing can be. */
export const EMPTY_TABLE: Table = {
  entry: () => undefined,
  keys: () => [].values(),
  walk: () => undefined,
  run: () => [].values(),
  count: () => 0,
  meta: () => undefined,
  commit: () => assert(false, 'an empty table is only read'),
  close: (done) => done(succeed(undefined)),
};

/** Null: there is nothing for the key any more. */
export type PutEntry = (key: string, entry: BytesPart | null) => void;

export interface TableChanges {
  /** Puts each entry; what was put is good until the commit has answered. */
  readonly entries: (put: PutEntry) => void;
  /** For each place of an origin, what became of its writes, ascending by accept time and key. */
  readonly runs: Iterable<readonly [place: number, changes: readonly RunChange[]]>;
  readonly meta: Uint8Array;
}

/** The write at this accept time, on this key, is there; or it is gone. */
export type RunChange = readonly [acceptTime: number, key: string, isThere: boolean];
