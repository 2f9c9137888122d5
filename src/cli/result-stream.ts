import type { Writable } from 'node:stream';
import type { Output } from '../../master/command.js';

const GATHERED_CHARS_MAX = 64 * 1024;
const GATHERED_MS_MAX = 2;

/**
 * Results on their way to a stream. They are gathered while commands run fast, since every write is a system call,
 * and shown at the latest some milliseconds later.
 */
export class ResultStream implements Output {
  readonly #stream: Writable;
  #gathered = '';
  #timer: NodeJS.Timeout | null = null;
  #slow: Promise<void> | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  print(line: string): void {
    this.#gathered += `${line}\n`;
    if (this.#gathered.length >= GATHERED_CHARS_MAX) this.flush();
    else this.#timer ??= setTimeout(this.#late, GATHERED_MS_MAX);
  }

  drained(): Promise<void> | undefined {
    return this.#slow;
  }

  flush(): void {
    if (this.#gathered === '') return;
    const gathered = this.#gathered;
    this.#gathered = '';
    if (this.#stream.write(gathered)) return;
    this.#slow ??= new Promise((resolve) => {
      const go = (): void => {
        this.#stream.off('drain', go);
        this.#stream.off('close', go);
        this.#slow = undefined;
        resolve();
      };
      this.#stream.once('drain', go);
      // A stream that broke never drains; who owns it hears of the error.
      this.#stream.once('close', go);
    });
  }

  /** Resolves when all that was printed has left the process, or cannot. */
  async end(): Promise<void> {
    this.flush();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await new Promise<void>((resolve) => {
      this.#stream.write('', () => resolve());
    });
  }

  // Stays armed through a flush: one timer for many, not one each.
  readonly #late = (): void => {
    this.#timer = null;
    this.flush();
  };
}
