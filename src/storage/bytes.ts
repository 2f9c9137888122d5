const INITIAL_BYTES = 4 * 1024;

/** Appends numbers, texts and bytes to a growing buffer. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A whole number from 0 to 2^53 - 1: 7 bits a byte, the lowest first. */
  number(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  text(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.number(bytes);
    this.#room(bytes);
    this.#buffer.write(text, this.#length, 'utf8');
    this.#length += bytes;
  }

  bytes(bytes: Uint8Array): void {
    this.number(bytes.length);
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** What was written, good until more is; the writer is empty afterwards. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return taken;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/** Reads what a ByteWriter wrote. Throws a RangeError beyond the end. */
export class ByteReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get remaining(): number {
    return this.#buffer.length - this.#at;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#buffer[this.#at++];
      if (byte === undefined || factor > 2 ** 49) throw new RangeError('a number that does not end');
      if (byte < 0x80) return value + byte * factor;
      value += (byte - 0x80) * factor;
    }
  }

  text(): string {
    const start = this.#skip();
    return this.#buffer.toString('utf8', start, this.#at);
  }

  /** A copy. */
  bytes(): Uint8Array {
    const start = this.#skip();
    return new Uint8Array(this.#buffer.subarray(start, this.#at));
  }

  #skip(): number {
    const length = this.number();
    const start = this.#at;
    if (length > this.remaining) throw new RangeError('a length beyond the end');
    this.#at += length;
    return start;
  }
}
