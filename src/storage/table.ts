import type { Origin } from '../base/ids.js';
import type { Done } from '../base/outcome.js';

/**
 * Where checkpoints of a replica's storage live: an ordered, transactional table on disk. Reads are synchronous and see
 * the last commit. An iterator is used up before the caller gives up control, so no commit comes in between.
 */
export interface Table {
  /** The encoded history of `key`, good until the next read; undefined if it has none. */
  history(key: string): Uint8Array | undefined;
  /** Ascending by code point, after `after` if it is given. */
  keys(after?: string): Iterator<string>;
  /** The accept times and keys of an origin's live writes above `after` and up to `upTo`, ascending. */
  run(origin: Origin, after: number, upTo: number): Iterator<readonly [acceptTime: number, key: string]>;
  /** What the last commit said of the whole; undefined before the first. */
  meta(): string | undefined;
  /** Makes all of it durable, or on an error none of it. One at a time. */
  commit(changes: TableChanges, done: Done<void>): void;
  close(done: Done<void>): void;
}

export interface TableChanges {
  /** Null: the key has no history any more. Each history is good until the next is asked for. */
  readonly histories: Iterable<readonly [key: string, history: Uint8Array | null]>;
  /** Null: the origin's write at that time is gone. */
  readonly runs: Iterable<readonly [origin: Origin, acceptTime: number, key: string | null]>;
  readonly meta: string;
}
