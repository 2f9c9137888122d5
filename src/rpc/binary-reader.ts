import { isUtf8 } from 'node:buffer';
import { malformed } from './field-error.js';
import { LIST_SIZE_MAX, SKIP_DEPTH_MAX } from './limits.js';
import { bytesMinOf, STOP, WireType } from './thrift.js';

const EMPTY = Buffer.alloc(0);

/** Below this, copying byte by byte is faster than a call into the runtime. */
const SHORT_BYTES = 48;

/**
 * Reads the values of one frame, in place. Every read is checked against the frame's end; nothing it returns, but for
 * `view`, points into the frame, so the frame's memory may be reused as soon as the message is decoded.
 */
export class BinaryReader {
  /** True once the message said that its sender can read what is deflated. */
  senderInflates = false;
  #bytes: Buffer = EMPTY;
  #at = 0;
  #end = 0;

  /** From now on reads `bytes` from `start` to `end`. */
  reset(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.senderInflates = false;
  }

  /** Lets go of the frame. */
  clear(): void {
    this.reset(EMPTY, 0, 0);
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  byte(): number {
    const at = this.#take(1);
    return this.#bytes[at] as number;
  }

  bool(): boolean {
    const byte = this.byte();
    if (byte > 1) throw malformed(`${byte} is not a boolean`);
    return byte === 1;
  }

  i16(): number {
    const at = this.#take(2);
    const bytes = this.#bytes;
    return (((bytes[at] as number) << 24) >> 16) | (bytes[at + 1] as number);
  }

  i32(): number {
    return this.#i32At(this.#take(4));
  }

  /** Exact, or NaN outside ±(2^53 - 1). */
  i64(): number {
    const at = this.#take(8);
    const value = this.#i32At(at) * 0x1_0000_0000 + (this.#i32At(at + 4) >>> 0);
    return Number.isSafeInteger(value) ? value : Number.NaN;
  }

  /** The length of the string or binary that follows, all of which is there. */
  length(): number {
    const length = this.i32();
    if (length < 0 || length > this.#end - this.#at) {
      throw malformed(`a length of ${length} bytes where ${this.#end - this.#at} are left`);
    }
    return length;
  }

  /** `length` bytes as text; null if they are not UTF-8. */
  text(length: number): string | null {
    const at = this.#take(length);
    const end = at + length;
    if (this.#isAscii(at, end)) return this.#bytes.toString('latin1', at, end);
    return isUtf8(this.#bytes.subarray(at, end)) ? this.#bytes.toString('utf8', at, end) : null;
  }

  /** A copy of `length` bytes: what is kept must not keep the frame with it. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    const copy = new Uint8Array(length);
    if (length <= SHORT_BYTES) {
      for (let i = 0; i < length; i++) copy[i] = this.#bytes[at + i] as number;
    } else {
      this.#bytes.copy(copy, 0, at, at + length);
    }
    return copy;
  }

  /** `length` bytes where they lie; for codecs that are done with them before they return. */
  view(length: number): Buffer {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Where the next value stands; for `textAt` and `isAt`. */
  get position(): number {
    return this.#at;
  }

  /** Reads over `length` bytes. */
  pass(length: number): void {
    this.#take(length);
  }

  /** True if `expected` stands at `position`, which was read over before. */
  isAt(position: number, expected: Uint8Array): boolean {
    for (let i = 0; i < expected.length; i++) if (this.#bytes[position + i] !== expected[i]) return false;
    return true;
  }

  /** Bytes that were read over, where they lie; for who is done with them at once. */
  viewAt(position: number, length: number): Buffer {
    return this.#bytes.subarray(position, position + length);
  }

  /** For messages to people: bytes that are not text are replaced. */
  textAt(position: number, length: number): string {
    return this.#bytes.toString('utf8', position, position + length);
  }

  /** Begins a list of `elementType`: the number of its elements, each of which may still be there. */
  list(elementType: number): number {
    const type = this.byte();
    const size = this.i32();
    // An empty list may name any element type; some writers leave it at 0.
    if (size === 0) return 0;
    if (type !== elementType) throw malformed(`a list of wire type ${type}, expected ${elementType}`);
    if (size > LIST_SIZE_MAX) throw malformed(`a list of ${size} elements, at most ${LIST_SIZE_MAX} are allowed`);
    this.#checkSize(size, bytesMinOf(type));
    return size;
  }

  /** Reads over a value this version does not know. Takes no memory, and time in proportion to the bytes. */
  skip(type: number, depth = 0): void {
    if (depth > SKIP_DEPTH_MAX) throw malformed(`nested deeper than ${SKIP_DEPTH_MAX}`);
    switch (type) {
      case WireType.string:
        this.#take(this.length());
        return;
      case WireType.struct:
        for (let fieldType = this.byte(); fieldType !== STOP; fieldType = this.byte()) {
          this.#take(2);
          this.skip(fieldType, depth + 1);
        }
        return;
      case WireType.list:
      case WireType.set: {
        const elementType = this.byte();
        const size = this.i32();
        this.#checkSize(size, bytesMinOf(elementType));
        for (let i = 0; i < size; i++) this.skip(elementType, depth + 1);
        return;
      }
      case WireType.map: {
        const keyType = this.byte();
        const valueType = this.byte();
        const size = this.i32();
        this.#checkSize(size, bytesMinOf(keyType) + bytesMinOf(valueType));
        for (let i = 0; i < size; i++) {
          this.skip(keyType, depth + 1);
          this.skip(valueType, depth + 1);
        }
        return;
      }
      default: {
        const bytes = bytesMinOf(type);
        if (bytes === 0) throw malformed(`${type} is not a wire type`);
        this.#take(bytes);
      }
    }
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) throw malformed('the frame ends in the middle of a value');
    this.#at = at + bytes;
    return at;
  }

  #i32At(at: number): number {
    const bytes = this.#bytes;
    return (
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)
    );
  }

  #checkSize(size: number, elementBytesMin: number): void {
    if (size < 0 || size * Math.max(elementBytesMin, 1) > this.remaining) {
      throw malformed(`${size} elements where ${this.remaining} bytes are left`);
    }
  }

  #isAscii(at: number, end: number): boolean {
    // Long text is left to the runtime, which looks at many bytes at a time.
    if (end - at > 4 * SHORT_BYTES) return false;
    for (let i = at; i < end; i++) if ((this.#bytes[i] as number) > 0x7f) return false;
    return true;
  }
}
