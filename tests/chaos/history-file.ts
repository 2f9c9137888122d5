import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { Header, History, HistoryEvent } from '../../src/check/history.js';

const BUFFERED_MAX = 64 * 1024;
const READ_BYTES = 1024 * 1024;

/** A history on disk as it grows: nothing of it stays in memory. */
export class HistoryFile {
  readonly path: string;
  readonly #header: Header;
  readonly #file: number;
  #lines: string[] = [];
  #buffered = 0;

  constructor(path: string, header: Header) {
    this.path = path;
    this.#header = header;
    this.#file = openSync(path, 'w');
    this.#write(header);
  }

  record(event: HistoryEvent): void {
    this.#write(event);
  }

  /** What was recorded so far; read from the file as it is gone through. */
  history(): History {
    this.flush();
    const { path } = this;
    return {
      header: this.#header,
      events: {
        *[Symbol.iterator]() {
          const lines = linesOf(path);
          lines.next();
          for (const line of lines) yield JSON.parse(line) as HistoryEvent;
        },
      },
    };
  }

  flush(): void {
    if (this.#lines.length > 0) writeSync(this.#file, this.#lines.join(''));
    this.#lines = [];
    this.#buffered = 0;
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }

  #write(line: Header | HistoryEvent): void {
    const text = `${JSON.stringify(line)}\n`;
    this.#lines.push(text);
    this.#buffered += text.length;
    if (this.#buffered > BUFFERED_MAX) this.flush();
  }
}

function* linesOf(path: string): Generator<string> {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(READ_BYTES);
    let rest: Buffer = Buffer.alloc(0);
    for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) {
      let bytes = Buffer.concat([rest, buffer.subarray(0, read)]);
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
        yield bytes.toString('utf8', 0, end);
        bytes = bytes.subarray(end + 1);
      }
      rest = bytes;
    }
  } finally {
    closeSync(file);
  }
}
