import { BaristaError } from '../../base/errors.js';
import { compareKeys } from '../../base/ids.js';
import { type Done, fail, succeed } from '../../base/outcome.js';
import type { FoundEntry, Table, TableChanges } from '../../storage/table.js';

/** A table in memory whose commits are atomic, as a table's must be; they end when the test says so, or at once. */
export class MemoryTable implements Table {
  #entries = new Map<string, Uint8Array>();
  #runs = new Map<number, Map<number, string>>();
  #meta: Uint8Array | undefined;
  /** Commits under way, if they are held. */
  readonly held: (() => void)[] = [];
  holdCommits = false;
  failCommits = false;
  commits = 0;

  entry(key: string): FoundEntry | undefined {
    const bytes = this.#entries.get(key);
    return bytes === undefined ? undefined : { bytes, length: bytes.length };
  }

  keys(after?: string): Iterator<string> {
    return [...this.#entries.keys()]
      .sort(compareKeys)
      .filter((key) => after === undefined || compareKeys(key, after) > 0)
      .values();
  }

  run(place: number, after: number, upTo: number): Iterator<readonly [number, string]> {
    return [...(this.#runs.get(place) ?? [])]
      .filter(([time]) => time > after && time <= upTo)
      .sort(([a], [b]) => a - b)
      .values();
  }

  count(place: number, after: number, upTo: number): number {
    return Array.from(this.#runs.get(place)?.keys() ?? []).filter((time) => time > after && time <= upTo).length;
  }

  meta(): Uint8Array | undefined {
    return this.#meta;
  }

  commit({ entries, runs, meta }: TableChanges, done: Done<void>): void {
    const copies: (readonly [string, Uint8Array | null])[] = [];
    for (const [key, entry] of entries) copies.push([key, entry === null ? null : new Uint8Array(entry)]);
    const changes = { entries: copies, runs: [...runs], meta: new Uint8Array(meta) };

    const end = (): void => {
      if (this.failCommits) return done(fail(new BaristaError('ERR_STORAGE', 'the disk is full')));
      this.commits += 1;
      for (const [key, entry] of changes.entries) {
        if (entry === null) this.#entries.delete(key);
        else this.#entries.set(key, entry);
      }
      for (const [place, times] of changes.runs) {
        const run = this.#runs.get(place) ?? new Map<number, string>();
        this.#runs.set(place, run);
        for (const [time, key] of times) {
          if (key === null) run.delete(time);
          else run.set(time, key);
        }
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
