/** States in a chunk. */
const CHUNK_BITS = 18;
const CHUNK_MASK = (1 << CHUNK_BITS) - 1;
const NONE = 0xffff_ffff;

/**
 * The states a search has met, each a row of `width` whole numbers below 2^32, in the order in which they were met; with each
 * the state it was reached from. Rows are kept whole, so that no two states are ever taken for one.
 */
export class StateSet {
  readonly #width: number;
  readonly #chunks: Uint32Array[] = [];
  /** Places of rows by their hash, with open addressing. */
  #table = new Uint32Array(1 << 12).fill(NONE);
  #size = 0;

  constructor(width: number) {
    this.#width = width;
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#table.byteLength + this.#chunks.length * (this.#width + 1) * 4 * (CHUNK_MASK + 1);
  }

  /** False if the state was met before. `parent`: where it was reached from; the first state is its own. */
  add(row: Uint32Array, parent: number): boolean {
    const place = this.#find(row);
    if (this.#table[place] !== NONE) return false;
    this.#table[place] = this.#size;
    this.#append(row, parent);
    if (this.#size * 3 > this.#table.length * 2) this.#grow();
    return true;
  }

  /** Copies a state into `row`. */
  read(state: number, row: Uint32Array): void {
    const { chunk, at } = this.#place(state);
    for (let i = 0; i < this.#width; i++) row[i] = chunk[at + i] as number;
  }

  parent(state: number): number {
    const { chunk, at } = this.#place(state);
    return chunk[at + this.#width] as number;
  }

  #place(state: number): { readonly chunk: Uint32Array; readonly at: number } {
    return { chunk: this.#chunks[state >>> CHUNK_BITS] as Uint32Array, at: (state & CHUNK_MASK) * (this.#width + 1) };
  }

  #append(row: Uint32Array, parent: number): void {
    const state = this.#size++;
    if ((state & CHUNK_MASK) === 0) this.#chunks.push(new Uint32Array((CHUNK_MASK + 1) * (this.#width + 1)));
    const { chunk, at } = this.#place(state);
    chunk.set(row, at);
    chunk[at + this.#width] = parent;
  }

  /** Where the state is in the table, or would be. */
  #find(row: Uint32Array): number {
    const mask = this.#table.length - 1;
    let place = hash(row) & mask;
    for (;;) {
      const state = this.#table[place] as number;
      if (state === NONE || this.#isAt(state, row)) return place;
      place = (place + 1) & mask;
    }
  }

  #isAt(state: number, row: Uint32Array): boolean {
    const chunk = this.#chunks[state >>> CHUNK_BITS] as Uint32Array;
    const at = (state & CHUNK_MASK) * (this.#width + 1);
    for (let i = 0; i < this.#width; i++) if (chunk[at + i] !== row[i]) return false;
    return true;
  }

  #grow(): void {
    this.#table = new Uint32Array(this.#table.length * 2).fill(NONE);
    const row = new Uint32Array(this.#width);
    for (let state = 0; state < this.#size; state++) {
      this.read(state, row);
      this.#table[this.#find(row)] = state;
    }
  }
}

/** Murmur's mixing, of whole words. */
function hash(row: Uint32Array): number {
  let mixed = 0;
  for (const word of row) {
    mixed = Math.imul(mixed ^ Math.imul(word, 0xcc9e2d51), 0x1b873593);
    mixed ^= mixed >>> 15;
  }
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}
