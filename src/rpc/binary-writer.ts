import { BaristaError } from '../base/errors.js';
import { utf8Length } from '../base/limits.js';
import { malformed } from './field-error.js';
import { LIST_SIZE_MAX } from './limits.js';
import { STOP } from './thrift.js';

const CAPACITY_MIN = 4 * 1024;

/** A larger buffer is not kept for the next messages. */
const CAPACITY_KEPT_MAX = 64 * 1024;

/** Below this, copying byte by byte is faster than a call into the runtime. */
const SHORT_BYTES = 48;

/**
 * Writes messages as frames, one after the other, into a buffer it reuses. A message that fails to encode is taken back
 * whole, so that it harms no other.
 */
export class BinaryWriter {
  /** True if what can be deflated in the messages written next should be, where it pays. */
  deflates = false;
  readonly #frameBytesMax: number;
  #bytes = Buffer.allocUnsafeSlow(CAPACITY_MIN);
  #at = 0;
  #frameStart = 0;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Bytes of whole frames that wait to be sent. */
  get length(): number {
    return this.#at;
  }

  /** Begins a message: `head` is all up to the sequence id (`messageHead`). */
  begin(head: Uint8Array, sequenceId: number): void {
    this.#frameStart = this.#at;
    this.#reserve(head.length + 8);
    this.#at += 4;
    const length = head.length;
    for (let i = 0; i < length; i++) this.#bytes[this.#at + i] = head[i] as number;
    this.#at += length;
    this.i32(sequenceId);
  }

  /** Ends the message begun last. */
  end(): void {
    const length = this.#at - this.#frameStart - 4;
    if (length > this.#frameBytesMax) throw this.#tooLarge();
    this.#putI32(this.#frameStart, length);
  }

  /** Takes back the message begun last; for when encoding it, or ending it, threw. */
  abandon(): void {
    this.#at = this.#frameStart;
  }

  /** The frames written so far, which the caller must `release` before it writes more. */
  frames(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** Forgets the frames. Their memory is reused unless somebody still holds it. */
  release(stillHeld: boolean): void {
    this.#at = 0;
    this.#frameStart = 0;
    if (stillHeld || this.#bytes.length > CAPACITY_KEPT_MAX) this.#bytes = Buffer.allocUnsafeSlow(CAPACITY_MIN);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  bool(value: boolean): void {
    this.byte(value ? 1 : 0);
  }

  i32(value: number): void {
    this.#reserve(4);
    this.#putI32(this.#at, value);
    this.#at += 4;
  }

  /** `value` is a safe integer. */
  i64(value: number): void {
    this.#reserve(8);
    this.#putI32(this.#at, Math.floor(value / 0x1_0000_0000));
    this.#putI32(this.#at + 4, (value % 0x1_0000_0000) | 0);
    this.#at += 8;
  }

  field(type: number, id: number): void {
    this.#reserve(3);
    const at = this.#at;
    this.#bytes[at] = type;
    this.#bytes[at + 1] = id >> 8;
    this.#bytes[at + 2] = id;
    this.#at = at + 3;
  }

  stop(): void {
    this.byte(STOP);
  }

  list(elementType: number, size: number): void {
    if (size > LIST_SIZE_MAX) throw malformed(`a list of ${size} elements, at most ${LIST_SIZE_MAX} are allowed`);
    this.byte(elementType);
    this.i32(size);
  }

  /** `bytes` is the text's length in UTF-8. */
  text(text: string, bytes = utf8Length(text)): void {
    if (bytes < 0) throw malformed('a lone surrogate, which has no UTF-8 form');
    this.i32(bytes);
    this.#reserve(bytes);
    if (bytes !== text.length) this.#bytes.write(text, this.#at, bytes, 'utf8');
    else if (bytes > SHORT_BYTES) this.#bytes.write(text, this.#at, bytes, 'latin1');
    else for (let i = 0; i < bytes; i++) this.#bytes[this.#at + i] = text.charCodeAt(i);
    this.#at += bytes;
  }

  bytes(value: Uint8Array): void {
    const length = value.length;
    this.i32(length);
    this.#reserve(length);
    if (length > SHORT_BYTES) this.#bytes.set(value, this.#at);
    else for (let i = 0; i < length; i++) this.#bytes[this.#at + i] = value[i] as number;
    this.#at += length;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) this.#grow(this.#at + bytes);
  }

  #grow(needed: number): void {
    if (needed - this.#frameStart - 4 > this.#frameBytesMax) throw this.#tooLarge();
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  #putI32(at: number, value: number): void {
    const bytes = this.#bytes;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }

  #tooLarge(): BaristaError {
    return new BaristaError('ERR_FRAME_TOO_LARGE', `the message exceeds a frame of ${this.#frameBytesMax} bytes`);
  }
}
