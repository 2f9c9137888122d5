import { BaristaError } from '../../src/base/errors.js';
import { compareKeys, type Origin } from '../../src/base/ids.js';
import { type Done, fail, succeed } from '../../src/base/outcome.js';
import type { Table, TableChanges } from '../../src/storage/table.js';

/** A table in memory whose commits are atomic, as a table's must be; they end when the test says so, or at once. */
export class MemoryTable implements Table {
  #histories = new Map<string, Uint8Array>();
  #runs = new Map<Origin, Map<number, string>>();
  #meta: string | undefined;
  /** Commits under way, if they are held. */
  readonly held: (() => void)[] = [];
  holdCommits = false;
  failCommits = false;
  commits = 0;

  history(key: string): Uint8Array | undefined {
    return this.#histories.get(key);
  }

  keys(after?: string): Iterator<string> {
    return [...this.#histories.keys()]
      .sort(compareKeys)
      .filter((key) => after === undefined || compareKeys(key, after) > 0)
      .values();
  }

  run(origin: Origin, after: number, upTo: number): Iterator<readonly [number, string]> {
    return [...(this.#runs.get(origin) ?? [])]
      .filter(([time]) => time > after && time <= upTo)
      .sort(([a], [b]) => a - b)
      .values();
  }

  meta(): string | undefined {
    return this.#meta;
  }

  commit({ histories, runs, meta }: TableChanges, done: Done<void>): void {
    const copies: (readonly [string, Uint8Array | null])[] = [];
    for (const [key, history] of histories) copies.push([key, history === null ? null : new Uint8Array(history)]);
    const changes = { histories: copies, runs: [...runs], meta };

    const end = (): void => {
      if (this.failCommits) return done(fail(new BaristaError('ERR_STORAGE', 'the disk is full')));
      this.commits += 1;
      for (const [key, history] of changes.histories) {
        if (history === null) this.#histories.delete(key);
        else this.#histories.set(key, history);
      }
      for (const [origin, time, key] of changes.runs) {
        const run = this.#runs.get(origin) ?? new Map<number, string>();
        this.#runs.set(origin, run);
        if (key === null) run.delete(time);
        else run.set(time, key);
      }
      this.#meta = changes.meta;
      done(succeed(undefined));
    };
    if (this.holdCommits) this.held.push(end);
    else end();
  }

  /** What is on disk after a crash: every commit that ended, and none that did not. */
  crash(): void {
    this.held.length = 0;
  }

  close(done: Done<void>): void {
    done(succeed(undefined));
  }
}
