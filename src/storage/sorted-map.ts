import { countBefore } from '../base/search.js';

/** A chunk is divided when it has grown beyond this. */
const CHUNK_LENGTH_MAX = 512;

interface Chunk<K, V> {
  readonly keys: K[];
  readonly values: V[];
}

/**
 * Values by key, ascending, in chunks: a change in the middle moves a part of a chunk, however many there are. Most come in
 * order, at the end, where nothing moves.
 */
export class SortedMap<K, V> {
  readonly #compare: (a: K, b: K) => number;
  /** None is empty. */
  readonly #chunks: Chunk<K, V>[] = [];
  #size = 0;
  /** Counts the changes that move values to other places. */
  #moves = 0;

  constructor(compare: (a: K, b: K) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    const last = this.#chunks.at(-1);
    // Mostly it is asked before it is added, at the end.
    if (last === undefined || this.#compare(key, last.keys.at(-1) as K) > 0) return undefined;
    const chunk = this.#chunks[this.#chunkOf(key)] as Chunk<K, V>;
    const at = this.#firstFrom(chunk, key);
    return this.#isAt(chunk, at, key) ? chunk.values[at] : undefined;
  }

  set(key: K, value: V): void {
    const chunks = this.#chunks;
    const last = chunks.at(-1);
    if (last === undefined || this.#compare(key, last.keys.at(-1) as K) > 0) {
      this.#size += 1;
      if (last !== undefined && last.keys.length < CHUNK_LENGTH_MAX) {
        last.keys.push(key);
        last.values.push(value);
      } else {
        chunks.push({ keys: [key], values: [value] });
      }
      return;
    }
    const place = this.#chunkOf(key);
    const chunk = chunks[place] as Chunk<K, V>;
    const at = this.#firstFrom(chunk, key);
    if (this.#isAt(chunk, at, key)) {
      chunk.values[at] = value;
      return;
    }
    chunk.keys.splice(at, 0, key);
    chunk.values.splice(at, 0, value);
    if (chunk.keys.length > CHUNK_LENGTH_MAX) {
      const half = CHUNK_LENGTH_MAX >>> 1;
      chunks.splice(place + 1, 0, { keys: chunk.keys.splice(half), values: chunk.values.splice(half) });
    }
    this.#size += 1;
    this.#moves += 1;
  }

  /** False if there was nothing. */
  delete(key: K): boolean {
    const place = this.#chunkOf(key);
    const chunk = this.#chunks[place];
    if (chunk === undefined) return false;
    const at = this.#firstFrom(chunk, key);
    if (!this.#isAt(chunk, at, key)) return false;
    chunk.keys.splice(at, 1);
    chunk.values.splice(at, 1);
    if (chunk.keys.length === 0) this.#chunks.splice(place, 1);
    this.#size -= 1;
    this.#moves += 1;
    return true;
  }

  /** How many keys are above `after` and at most `upTo`. */
  count(after: K, upTo: K): number {
    return Math.max(0, this.#countUpTo(upTo) - this.#countUpTo(after));
  }

  /** Walks up from the first above `after`, or from the first of all. Stays valid while values come and go. */
  cursor(after?: K): SortedCursor<K, V> {
    let passed = after;
    let moves = -1;
    let place = 0;
    let at = 0;
    /** Goes to the first that was not passed; undefined if there is none. */
    const find = (): Chunk<K, V> | undefined => {
      if (moves !== this.#moves) {
        moves = this.#moves;
        place = passed === undefined ? 0 : this.#chunkOf(passed);
        const chunk = this.#chunks[place];
        at = chunk === undefined || passed === undefined ? 0 : this.#firstAbove(chunk, passed);
      }
      for (;;) {
        const chunk = this.#chunks[place];
        if (chunk === undefined || at < chunk.keys.length) return chunk;
        // What comes next may still be put into this one.
        if (place === this.#chunks.length - 1) return undefined;
        place += 1;
        at = 0;
      }
    };
    return {
      key: () => find()?.keys[at],
      take: () => {
        const chunk = find();
        if (chunk === undefined) return undefined;
        passed = chunk.keys[at] as K;
        const value = chunk.values[at] as V;
        at += 1;
        return value;
      },
    };
  }

  /** Down from the last below `before`, or from the last of all. Used up before the next change. */
  *keysDown(before?: K): Generator<K, undefined> {
    let place = before === undefined ? this.#chunks.length - 1 : this.#chunkOf(before);
    let chunk = this.#chunks[place];
    let at = chunk === undefined ? 0 : before === undefined ? chunk.keys.length : this.#firstFrom(chunk, before);
    while (chunk !== undefined) {
      while (at > 0) yield chunk.keys[--at] as K;
      chunk = this.#chunks[--place];
      at = chunk?.keys.length ?? 0;
    }
    return undefined;
  }

  *entries(): Generator<readonly [key: K, value: V], undefined> {
    for (const { keys, values } of this.#chunks) {
      for (let at = 0; at < keys.length; at++) yield [keys[at] as K, values[at] as V];
    }
    return undefined;
  }

  /** Where the chunk is that has `key`, or would have it; 0 if there is none. */
  #chunkOf(key: K): number {
    const chunks = this.#chunks;
    if (chunks.length < 2) return 0;
    if (this.#compare(key, chunks.at(-1)?.keys[0] as K) >= 0) return chunks.length - 1;
    return Math.max(0, countBefore(chunks.length, (at) => this.#compare(chunks[at]?.keys[0] as K, key) <= 0) - 1);
  }

  #firstFrom({ keys }: Chunk<K, V>, key: K): number {
    return countBefore(keys.length, (at) => this.#compare(keys[at] as K, key) < 0);
  }

  #firstAbove({ keys }: Chunk<K, V>, key: K): number {
    const { length } = keys;
    if (this.#compare(keys[length - 1] as K, key) <= 0) return length;
    return countBefore(length, (at) => this.#compare(keys[at] as K, key) <= 0);
  }

  #isAt({ keys }: Chunk<K, V>, at: number, key: K): boolean {
    return at < keys.length && this.#compare(keys[at] as K, key) === 0;
  }

  #countUpTo(key: K): number {
    const place = this.#chunkOf(key);
    const chunk = this.#chunks[place];
    if (chunk === undefined) return 0;
    let count = this.#firstAbove(chunk, key);
    for (let before = 0; before < place; before++) count += this.#chunks[before]?.keys.length ?? 0;
    return count;
  }
}

export interface SortedCursor<K, V> {
  /** Of the next value; undefined if there is none. */
  key(): K | undefined;
  /** The next value, which the cursor then has passed; undefined if there is none. */
  take(): V | undefined;
}

export function byNumber(a: number, b: number): number {
  return a - b;
}
