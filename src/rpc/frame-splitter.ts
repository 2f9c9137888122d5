import { assert } from '../base/assert.js';
import { BaristaError } from '../base/errors.js';
import type { BinaryReader } from './binary-reader.js';

const EMPTY: Buffer = Buffer.alloc(0);
const PREFIX_BYTES = 4;
const CAPACITY_MIN = 4 * 1024;
const CAPACITY_KEPT_MAX = 64 * 1024;

/**
 * Cuts a byte stream into frames. A frame that came in one piece is read where it lies; of one that did not, the pieces
 * are gathered in memory that grows with what has arrived, never with what the prefix claims.
 */
export class FrameSplitter {
  readonly #frameBytesMax: number;
  /** What arrived last and is not used yet. */
  #chunk = EMPTY;
  #at = 0;
  #end = 0;
  /** The beginning of a frame, with its prefix. */
  #partial = EMPTY;
  #partialBytes = 0;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Takes what arrived. It may be overwritten once `next` says false. */
  push(chunk: Buffer, length = chunk.length): void {
    assert(this.#at === this.#end, 'the last chunk must be used up first');
    this.#chunk = chunk;
    this.#at = 0;
    this.#end = length;
  }

  /** True while a frame has begun to arrive and is not whole. */
  get hasPartialFrame(): boolean {
    return this.#partialBytes > 0;
  }

  /** The memory that is kept for a frame that is not whole, or for the next one. */
  get heldBytes(): number {
    return this.#partial.length;
  }

  /** Points the reader at the next whole frame; false if there is none yet. Throws for a length no frame may have. */
  next(reader: BinaryReader): boolean {
    if (this.#partialBytes > 0) return this.#completePartial(reader);
    const available = this.#end - this.#at;
    if (available >= PREFIX_BYTES) {
      const frameBytes = this.#lengthAt(this.#chunk, this.#at);
      if (available - PREFIX_BYTES >= frameBytes) {
        const start = this.#at + PREFIX_BYTES;
        this.#at = start + frameBytes;
        reader.reset(this.#chunk, start, this.#at);
        return true;
      }
    }
    this.#gather(available);
    reader.clear();
    return false;
  }

  #completePartial(reader: BinaryReader): boolean {
    if (this.#partialBytes < PREFIX_BYTES) this.#gather(PREFIX_BYTES - this.#partialBytes);
    if (this.#partialBytes < PREFIX_BYTES) return false;
    const whole = PREFIX_BYTES + this.#lengthAt(this.#partial, 0);
    this.#gather(whole - this.#partialBytes);
    if (this.#partialBytes < whole) return false;
    reader.reset(this.#partial, PREFIX_BYTES, whole);
    this.#partialBytes = 0;
    if (this.#partial.length > CAPACITY_KEPT_MAX) this.#partial = EMPTY;
    return true;
  }

  /** Moves up to `wanted` bytes of the chunk to the partial frame, and lets go of a chunk that is used up. */
  #gather(wanted: number): void {
    const bytes = Math.min(wanted, this.#end - this.#at);
    if (bytes > 0) {
      const needed = this.#partialBytes + bytes;
      if (needed > this.#partial.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#partial.length * 2, CAPACITY_MIN));
        this.#partial.copy(larger, 0, 0, this.#partialBytes);
        this.#partial = larger;
      }
      this.#chunk.copy(this.#partial, this.#partialBytes, this.#at, this.#at + bytes);
      this.#partialBytes = needed;
      this.#at += bytes;
    }
    if (this.#at === this.#end) this.#chunk = EMPTY;
  }

  #lengthAt(bytes: Buffer, at: number): number {
    const length = bytes.readInt32BE(at);
    if (length < 0) throw new BaristaError('ERR_PROTOCOL', `a frame of ${length} bytes`);
    if (length > this.#frameBytesMax) {
      const message = `a frame of ${length} bytes, where ${this.#frameBytesMax} are allowed`;
      throw new BaristaError('ERR_FRAME_TOO_LARGE', message);
    }
    return length;
  }
}
