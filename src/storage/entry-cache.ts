import type { Found } from './entry.js';
import { hashOf } from './key-hash.js';

/** Each of the two halves holds at most so many keys, and so many bytes of entries as they stand on disk. */
const KEYS_MAX = 16_384;
const BYTES_MAX = 4 * 1024 * 1024;
/** A longer entry is read from the table each time: it takes the place of many, and finding it is the least of its cost. */
const ENTRY_BYTES_MAX = 16 * 1024;

/** So many keys that were asked for once are remembered, by a hash. */
const ASKED_KEYS = 32_768;

/**
 * What the table answered, decoded, of keys that were asked for again after a while. Not of those asked for once: who reads
 * through a store larger than this pays nothing for what is not asked for again, and pushes out nothing that is.
 *
 * In two halves, so that what was not asked for lately is let go without a list to keep in order: the younger, once it is
 * full, takes the place of the older; what is found in the older comes into the younger.
 *
 * The owner clears it whenever what the table says of any key has changed.
 */
export class EntryCache<Op> {
  #younger = new Map<string, Found<Op>>();
  #youngerBytes = 0;
  #older = new Map<string, Found<Op>>();
  /** Hashes; null until a key was asked for. */
  #asked: Int32Array | null = null;

  get(key: string): Found<Op> | undefined {
    const young = this.#younger.get(key);
    if (young !== undefined || this.#older.size === 0) return young;
    const old = this.#older.get(key);
    if (old !== undefined) this.keep(old);
    return old;
  }

  /** True if the table was asked for this key before, and its answer is to be kept. Takes note of the question. */
  wants({ key, bytes }: Found<Op>): boolean {
    if (bytes > ENTRY_BYTES_MAX) return false;
    const hash = hashOf(key);
    const slot = (hash ^ (hash >>> 15)) & (ASKED_KEYS - 1);
    this.#asked ??= new Int32Array(ASKED_KEYS);
    if (this.#asked[slot] === hash) return true;
    this.#asked[slot] = hash;
    return false;
  }

  /** It must share no memory with what is not kept. */
  keep(found: Found<Op>): void {
    if (this.#younger.size >= KEYS_MAX || this.#youngerBytes + found.bytes > BYTES_MAX) {
      this.#older = this.#younger;
      this.#younger = new Map();
      this.#youngerBytes = 0;
    }
    this.#younger.set(found.key, found);
    this.#youngerBytes += found.bytes;
  }

  clear(): void {
    if (this.#younger.size > 0) this.#younger = new Map();
    this.#youngerBytes = 0;
    if (this.#older.size > 0) this.#older = new Map();
  }
}
