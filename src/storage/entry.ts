import type { Write } from '../bayou/write.js';

/** What storage keeps of one key. */
export interface Entry<Op> {
  /** What the folded writes come to; null if they leave the key absent. */
  base: Write<Op> | null;
  /** The live writes, ascending. */
  history: Write<Op>[];
}

/**
 * A key's entry, and where it was found: in a layer as it is, or encoded, in a layer or the table, which has an empty one, of no
 * bytes, of a key that it does not have.
 */
export interface Found<Op> {
  readonly key: string;
  readonly entry: Entry<Op>;
  readonly in: 'live layer' | 'frozen layer' | 'bytes';
  /** That were read from the table. */
  readonly bytes: number;
}

/** What the other storage of one replica's key that it does not have looks like; never changed. */
export function noEntry<Op>(): Entry<Op> {
  return { base: null, history: [] };
}

export function isEmpty(entry: Entry<unknown>): boolean {
  return entry.base === null && entry.history.length === 0;
}
