import { constants } from 'node:os';
import type { Writable } from 'node:stream';

const LINE_MS = 10_000;
const TERMINAL_LINE_MS = 100;

/** Results on standard output; how far it is on standard error: in a terminal a line that is written over. */
export class SimScreen {
  readonly #results: Writable;
  readonly #progress: Writable & { readonly isTTY?: boolean };
  #isShowing = false;
  #nextMs = 0;

  constructor(results: Writable, progress: Writable & { readonly isTTY?: boolean }) {
    this.#results = results;
    this.#progress = progress;
    // Who reads neither has the status, and the scripts.
    for (const stream of [results, progress]) stream.on('error', () => {});
  }

  print(line: string): void {
    this.#clear();
    this.#results.write(`${line}\n`);
  }

  /** Says how far it is, unless it was said a moment ago. */
  progress(text: () => string): void {
    const nowMs = performance.now();
    if (nowMs < this.#nextMs) return;
    const inTerminal = this.#progress.isTTY === true;
    this.#nextMs = nowMs + (inTerminal ? TERMINAL_LINE_MS : LINE_MS);
    this.#clear();
    this.#progress.write(inTerminal ? text() : `${text()}\n`);
    this.#isShowing = inTerminal;
  }

  /** Done when all of it has left the process, or cannot. */
  end(): Promise<void> {
    this.#clear();
    return new Promise((resolve) => this.#results.write('', () => resolve()));
  }

  #clear(): void {
    if (this.#isShowing) this.#progress.write('\r\x1b[K');
    this.#isShowing = false;
  }
}

/** What a shell expects of a tool that Ctrl-C ended. */
export const INTERRUPTED_STATUS = 128 + constants.signals.SIGINT;

/** One Ctrl-C may arrive more than once: from the terminal, and from a tool like npm that hands it on. */
const ONE_SIGNAL_MS = 500;

/** Calls `stop` on the first signal, which then has the time to sum up; a later one ends the process. */
export function onInterrupt(stop: () => void): void {
  let stoppedMs: number | null = null;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const nowMs = performance.now();
      if (stoppedMs === null) {
        stoppedMs = nowMs;
        stop();
      } else if (nowMs - stoppedMs > ONE_SIGNAL_MS) {
        process.exit(128 + constants.signals[signal]);
      }
    });
  }
}
