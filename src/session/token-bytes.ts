/** Numbers and texts into bytes: 7 bits of a number a byte, lowest first, the high bit set in each but the last (LEB128). */
export class ByteWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** From 0 to 2^53 - 1. */
  number(value: number): void {
    const bytes: number[] = [];
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
    bytes.push(rest);
    this.#push(Uint8Array.from(bytes));
  }

  text(text: string): void {
    const bytes = Buffer.from(text);
    this.number(bytes.length);
    this.#push(bytes);
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #push(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }
}

/** The same back. Throws a RangeError for what cannot be. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError('it ends too early');
      value += (byte & 0x7f) * factor;
      if (!Number.isSafeInteger(value)) throw new RangeError('a number beyond 2^53 - 1');
      if (byte < 0x80) return value;
    }
  }

  text(bytesMax: number): string {
    const length = this.number();
    if (length === 0 || length > bytesMax || length > this.left) throw new RangeError('a text of a wrong length');
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  }

  list<T>(countMax: number, element: () => T): T[] {
    const count = this.number();
    if (count > countMax || count > this.left) throw new RangeError('a list of a wrong length');
    return Array.from({ length: count }, element);
  }
}
