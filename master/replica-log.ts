import type { Writable } from 'node:stream';

/** A longer line is cut. */
const LINE_LENGTH_MAX = 4_096;
const LAST_LINES_MAX = 20;
/** Bytes waiting to be written beyond which lines are dropped. */
const BACKLOG_MAX = 1024 * 1024;

/**
 * Passes a replica's log on line by line, each with the replica's id before it, and remembers the last lines for when
 * the replica dies. Its memory is bounded whatever the replica writes, and it never keeps the replica waiting: lines
 * that the reader is too slow for are dropped and counted.
 */
export class ReplicaLog {
  readonly #prefix: string;
  readonly #to: Writable;
  readonly #last: string[] = [];
  #rest = '';
  #cut = false;
  #dropped = 0;

  constructor(id: string, to: Writable) {
    this.#prefix = `[${id}] `;
    this.#to = to;
  }

  get lastLines(): readonly string[] {
    return this.#last;
  }

  write(text: string): void {
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      this.#extend(text.slice(start, end));
      this.#finishLine();
      start = end + 1;
    }
    this.#extend(text.slice(start));
  }

  /** Passes on a last line that has no line end. */
  end(): void {
    if (this.#rest !== '') this.#finishLine();
    this.#reportDropped();
  }

  #extend(part: string): void {
    const room = LINE_LENGTH_MAX - this.#rest.length;
    this.#rest += part.slice(0, room);
    this.#cut ||= part.length > room;
  }

  #finishLine(): void {
    const line = this.#cut ? `${this.#rest} ...` : this.#rest;
    this.#rest = '';
    this.#cut = false;
    this.#last.push(line);
    if (this.#last.length > LAST_LINES_MAX) this.#last.shift();
    if (this.#to.writableLength > BACKLOG_MAX) {
      this.#dropped++;
      return;
    }
    this.#reportDropped();
    this.#to.write(`${this.#prefix}${line}\n`);
  }

  #reportDropped(): void {
    if (this.#dropped === 0) return;
    this.#to.write(`${this.#prefix}(${this.#dropped} lines dropped)\n`);
    this.#dropped = 0;
  }
}
