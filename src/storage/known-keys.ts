import { hashOf } from './key-hash.js';

/** A key is known by two bits of so many for each key of the first layer, and as many layers may follow. */
const BITS_A_KEY = 16;
const LAYERS = 16;
const BITS_MIN = 2 ** 16;
const BITS_MAX = 2 ** 24;

/**
 * Tells of most keys that there is nothing for them, without a look: of a storage whose table was empty when it was opened, all
 * keys are remembered that came since, by a few bits each (Bloom 1970), from the first checkpoint on. With a multiple of the keys
 * that it is made for it knows less and less, and then nothing.
 */
export class KnownKeys {
  /** Null before the first checkpoint, and when nearly all would be set. */
  #bits: Int32Array | null = null;
  #count = 0;
  #isTableEmpty: boolean;

  constructor(isTableEmpty: boolean) {
    this.#isTableEmpty = isTableEmpty;
  }

  /** True if nothing was set aside yet, to be put into a table that was empty. */
  get isTableEmpty(): boolean {
    return this.#isTableEmpty;
  }

  /** True if the key was never added. */
  isNew(key: string): boolean {
    const bits = this.#bits;
    if (bits === null) return false;
    const hash = mixed(hashOf(key));
    return !has(bits, hash) || !has(bits, second(hash));
  }

  add(key: string): void {
    const bits = this.#bits;
    if (bits === null) return;
    const hash = mixed(hashOf(key));
    set(bits, hash);
    set(bits, second(hash));
    this.#count += 1;
    if (this.#count > bits.length * 32) this.#bits = null;
  }

  /** A layer is set aside, with these keys. */
  setAside(keys: ReadonlyMap<string, unknown>): void {
    if (!this.#isTableEmpty || keys.size === 0) return;
    this.#isTableEmpty = false;
    this.#bits = new Int32Array(sizeFor(keys.size) / 32);
    for (const key of keys.keys()) this.add(key);
  }
}

function sizeFor(keys: number): number {
  let size = BITS_MIN;
  while (size < Math.min(keys * BITS_A_KEY * LAYERS, BITS_MAX)) size *= 2;
  return size;
}

function has(bits: Int32Array, hash: number): boolean {
  return ((bits[(hash >>> 5) & (bits.length - 1)] as number) & (1 << (hash & 31))) !== 0;
}

function set(bits: Int32Array, hash: number): void {
  const at = (hash >>> 5) & (bits.length - 1);
  bits[at] = (bits[at] as number) | (1 << (hash & 31));
}

/** Spreads what differs in a few bits over all of them. */
function mixed(hash: number): number {
  const spread = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return spread ^ (spread >>> 15);
}

function second(hash: number): number {
  return Math.imul(hash, 0x2c1b3c6d) ^ (hash >>> 12);
}
