import { type BytesPart, ByteWriter } from './bytes.js';

const PIECE_BYTES = 64 * 1024;
/** Every entry begins below this in its piece. */
const PLACES_A_PIECE = 2 ** 22;
/** Before each entry stands its length. */
const LENGTH_BYTES = 4;

/**
 * Encoded entries, one after the other in large pieces of memory, each found by a number: so that what is kept of a key until
 * the next checkpoint is no object, which the garbage collector would copy twice and look at ever after.
 */
export class EntryArena {
  #writer: ByteWriter | null = null;
  readonly #pieces: Uint8Array[] = [];

  /** What the next entry is to be written with, all of it before `keep`. */
  begin(): ByteWriter {
    this.#writer ??= new ByteWriter(PIECE_BYTES);
    this.#writer.word(0);
    return this.#writer;
  }

  /** Ends the entry, and gives the number that it is found by. */
  keep(): number {
    const writer = this.#writer as ByteWriter;
    const { length } = writer;
    const start = writer.pass();
    const bytes = writer.buffer;
    if (this.#pieces.at(-1) !== bytes) this.#pieces.push(bytes);
    if (start + length >= PLACES_A_PIECE) this.#writer = null;
    let rest = length - LENGTH_BYTES;
    for (let at = start; at < start + LENGTH_BYTES; at++, rest >>>= 8) bytes[at] = rest & 0xff;
    return (this.#pieces.length - 1) * PLACES_A_PIECE + start;
  }

  /** Good for as long as it is kept. */
  at(entry: number): BytesPart {
    const place = entry % PLACES_A_PIECE;
    const bytes = this.#pieces[(entry - place) / PLACES_A_PIECE] as Uint8Array;
    let length = 0;
    for (let at = LENGTH_BYTES - 1; at >= 0; at--) length = length * 0x100 + (bytes[place + at] as number);
    const start = place + LENGTH_BYTES;
    return { bytes, start, end: start + length };
  }

  /** Takes over the entries of `other`, which takes no more: what is to be added to their numbers. */
  absorb(other: EntryArena): number {
    const added = this.#pieces.length * PLACES_A_PIECE;
    this.#pieces.push(...other.#pieces);
    return added;
  }
}
