import { Slab } from '../base/slab.js';

const INITIAL_BYTES = 4 * 1024;
/** Short texts that came before are not made again; so many are kept, one for each hash. */
const TEXTS_KEPT = 256;
const TEXT_KEPT_BYTES_MAX = 64;

const TIME_BYTES = 7;
const LOW_BITS = 2 ** 32;

/** A part longer than this is copied by a call. */
const SHORT_BYTES = 64;

/** A part of some bytes. */
export interface BytesPart {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Copies what is short byte by byte, which takes less than to make a view of it. */
export function copyPart({ bytes, start, end }: BytesPart, to: Uint8Array, at: number): void {
  if (end - start <= SHORT_BYTES) for (let i = start; i < end; i++) to[at + i - start] = bytes[i] as number;
  else to.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start), at);
}

/** Appends numbers, texts and bytes to a growing buffer. */
export class ByteWriter {
  readonly #bytesMin: number;
  #buffer: Buffer;
  /** Before it stands what was cut. */
  #start = 0;
  #end = 0;

  /** It takes memory by at least so many bytes at a time. */
  constructor(bytesMin = INITIAL_BYTES) {
    this.#bytesMin = bytesMin;
    this.#buffer = Buffer.allocUnsafeSlow(bytesMin);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** What it writes to just now. */
  get buffer(): Uint8Array {
    return this.#buffer;
  }

  /** 4 bytes, the lowest first. */
  word(value: number): void {
    this.#room(4);
    for (let i = 0, rest = value; i < 4; i++, rest >>>= 8) this.#buffer[this.#end++] = rest & 0xff;
  }

  /** A whole number from 0 to 2^53 - 1: 7 bits a byte, the lowest first. For numbers that are mostly small. */
  number(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#end++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#end++] = rest;
  }

  /** A whole number from 0 to 2^53 - 1 in 7 bytes. For numbers that are mostly large. */
  time(value: number): void {
    this.#room(TIME_BYTES);
    const buffer = this.#buffer;
    let low = value % LOW_BITS;
    let high = (value - low) / LOW_BITS;
    for (let i = 0; i < 4; i++, low >>>= 8) buffer[this.#end++] = low & 0xff;
    for (let i = 0; i < 3; i++, high >>>= 8) buffer[this.#end++] = high & 0xff;
  }

  text(text: string): void {
    // In ASCII, mostly, and then a loop is faster than a call.
    const { length } = text;
    if (length < 0x80) {
      this.#room(1 + length);
      const buffer = this.#buffer;
      const start = this.#end + 1;
      let at = 0;
      for (; at < length; at++) {
        const unit = text.charCodeAt(at);
        if (unit >= 0x80) break;
        buffer[start + at] = unit;
      }
      if (at === length) {
        buffer[start - 1] = length;
        this.#end = start + length;
        return;
      }
    }
    const bytes = Buffer.byteLength(text);
    this.number(bytes);
    this.#room(bytes);
    this.#buffer.write(text, this.#end, 'utf8');
    this.#end += bytes;
  }

  bytes(bytes: Uint8Array): void {
    this.number(bytes.length);
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** What was written, good until more is; the writer is empty afterwards. */
  take(): Buffer {
    const taken = this.#buffer.subarray(this.#start, this.#end);
    this.#end = this.#start;
    return taken;
  }

  /** The same without a view of it. */
  takePart(): BytesPart {
    const part = { bytes: this.#buffer, start: this.#start, end: this.#end };
    this.#end = this.#start;
    return part;
  }

  /** What was written, good for as long as it is kept: what is written next goes behind it. */
  cut(): Buffer {
    const cut = this.#buffer.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return cut;
  }

  /** The same without a view: where in `buffer` it begins. */
  pass(): number {
    const start = this.#start;
    this.#start = this.#end;
    return start;
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const { length } = this;
    // What was cut stays where it is.
    const wanted = this.#start === 0 ? 2 * this.#buffer.length : this.#bytesMin;
    const grown = Buffer.allocUnsafeSlow(Math.max(wanted, length + bytes));
    this.#buffer.copy(grown, 0, this.#start, this.#end);
    this.#buffer = grown;
    this.#start = 0;
    this.#end = length;
  }
}

/** Reads what ByteWriters wrote. Throws a RangeError beyond the end. */
export class ByteReader {
  readonly #texts: string[] = new Array<string>(TEXTS_KEPT).fill('');
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;
  #end = 0;
  readonly #slab = new Slab();

  constructor(bytes?: Uint8Array) {
    if (bytes !== undefined) this.open(bytes);
  }

  /** Goes to `start` of other bytes, which end at `end`. */
  open(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  number(): number {
    const bytes = this.#bytes;
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      if (this.#at >= this.#end || factor > 2 ** 49) throw new RangeError('a number that does not end');
      const byte = bytes[this.#at++] as number;
      if (byte < 0x80) return value + byte * factor;
      value += (byte - 0x80) * factor;
    }
  }

  time(): number {
    const at = this.#take(TIME_BYTES);
    const bytes = this.#bytes;
    const low =
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24)) >>>
      0;
    const high = (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8) | ((bytes[at + 6] as number) << 16);
    if (high >= 2 ** 21) throw new RangeError('a time beyond 2^53');
    return high * LOW_BITS + low;
  }

  text(): string {
    const length = this.number();
    const start = this.#take(length);
    if (length > TEXT_KEPT_BYTES_MAX) return this.#textAt(start);
    const bytes = this.#bytes;
    let hash = length;
    for (let at = start; at < this.#at; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
    const slot = (hash ^ (hash >>> 8)) & (TEXTS_KEPT - 1);
    const kept = this.#texts[slot] as string;
    if (kept.length === length) {
      let at = 0;
      while (at < length && kept.charCodeAt(at) === bytes[start + at]) at++;
      if (at === length) return kept;
    }
    const text = this.#textAt(start);
    // As long in bytes as in characters: in ASCII, so that its characters are its bytes.
    if (text.length === length && !text.includes('\ufffd')) this.#texts[slot] = text;
    return text;
  }

  /** A text that hardly came before. */
  newText(): string {
    const start = this.#take(this.number());
    return this.#textAt(start);
  }

  /** A copy, which may share its buffer with others. */
  bytes(): Uint8Array {
    const length = this.number();
    const start = this.#take(length);
    return this.#slab.copyOf(this.#bytes, start, length);
  }

  #textAt(start: number): string {
    const bytes = this.#bytes;
    if (bytes instanceof Buffer) return bytes.toString('utf8', start, this.#at);
    const { buffer, byteOffset } = bytes;
    return Buffer.from(buffer, byteOffset + start, this.#at - start).toString();
  }

  /** Passes `length` bytes, and gives where they begin. */
  #take(length: number): number {
    const start = this.#at;
    if (length > this.#end - start) throw new RangeError('a length beyond the end');
    this.#at += length;
    return start;
  }
}
