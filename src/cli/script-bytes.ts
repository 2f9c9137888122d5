import { isUtf8 } from 'node:buffer';
import type { ScriptLine, ScriptSource } from '../../master/runner.js';
import { BaristaError } from '../base/errors.js';

/** A value has up to 1 MiB; escapes make it longer. What is longer than this is no line of a script. */
export const LINE_BYTES_MAX = 2 * 1024 * 1024;

const NEWLINE = 0x0a;

/**
 * Cuts a stream of bytes into lines, as they come: a line is at hand as soon as its end is, and nothing is read before
 * it is asked for. Never holds more than one line and one chunk.
 */
export class ScriptBytes implements ScriptSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  /** The beginning of a line whose end has not come. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  /** True within a line that was too long: it was refused, and its rest is dropped. */
  #dropping = false;
  #ended = false;
  #number = 1;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  take(): ScriptLine | null {
    while (this.#at < this.#chunk.length) {
      const newline = this.#chunk.indexOf(NEWLINE, this.#at);
      const end = newline < 0 ? this.#chunk.length : newline;
      const piece = this.#chunk.subarray(this.#at, end);
      this.#at = newline < 0 ? end : end + 1;

      if (this.#dropping) {
        if (newline >= 0) this.#beginNext();
      } else if (this.#begunBytes + piece.length > LINE_BYTES_MAX) {
        const refused = this.#refused(`the line is longer than ${LINE_BYTES_MAX} bytes`);
        if (newline >= 0) this.#beginNext();
        else this.#drop();
        return refused;
      } else if (newline >= 0) {
        return this.#finish(piece);
      } else {
        this.#begun.push(piece);
        this.#begunBytes += piece.length;
      }
    }
    if (this.#ended && this.#begunBytes > 0) return this.#finish(Buffer.alloc(0));
    return null;
  }

  async more(): Promise<boolean> {
    if (this.#ended) return false;
    const { done = false, value } = await this.#chunks.next();
    if (done) {
      this.#ended = true;
      return this.#begunBytes > 0;
    }
    this.#chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    this.#at = 0;
    return true;
  }

  #finish(last: Buffer): ScriptLine {
    const bytes = this.#begunBytes === 0 ? last : Buffer.concat([...this.#begun, last]);
    const line: ScriptLine = isUtf8(bytes)
      ? { kind: 'text', number: this.#number, text: bytes.toString('utf8') }
      : this.#refused('the line is not UTF-8');
    this.#beginNext();
    return line;
  }

  #refused(message: string): ScriptLine {
    return { kind: 'refused', number: this.#number, error: new BaristaError('ERR_SYNTAX', message) };
  }

  #drop(): void {
    this.#begun = [];
    this.#begunBytes = 0;
    this.#dropping = true;
  }

  #beginNext(): void {
    this.#begun = [];
    this.#begunBytes = 0;
    this.#dropping = false;
    this.#number++;
  }
}
