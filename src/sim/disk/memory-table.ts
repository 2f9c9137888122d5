import { BaristaError } from '../../base/errors.js';
import { type Done, fail, succeed } from '../../base/outcome.js';
import type { BytesPart } from '../../storage/bytes.js';
import { behindTime, compareRunPlaces, type RunPlace } from '../../storage/run-place.js';
import { SortedKeys } from '../../storage/sorted-keys.js';
import { SortedMap } from '../../storage/sorted-map.js';
import type { Table, TableChanges } from '../../storage/table.js';

/** A table in memory whose commits are atomic, as a table's must be; they end when the test says so, or at once. */
export class MemoryTable implements Table {
  readonly #entries = new Map<string, Uint8Array>();
  readonly #sortedKeys = new SortedKeys(this.#entries);
  /** By accept time and key. */
  readonly #runs = new Map<number, SortedMap<RunPlace, string>>();
  #meta: Uint8Array | undefined;
  /** Commits under way, if they are held. */
  readonly held: (() => void)[] = [];
  holdCommits = false;
  /** Told of each that is. */
  onHeld: () => void = () => undefined;
  failCommits = false;
  commits = 0;

  entry(key: string): BytesPart | undefined {
    const bytes = this.#entries.get(key);
    return bytes === undefined ? undefined : { bytes, start: 0, end: bytes.length };
  }

  keys(after?: string): Iterator<string> {
    return this.#sortedKeys.after(after);
  }

  walk(after: string | null, reverse: boolean, visit: (key: string, found: BytesPart) => boolean): void {
    for (const key of this.#sortedKeys.beyond(after, reverse)) {
      const found = this.entry(key);
      if (found !== undefined && !visit(key, found)) return;
    }
  }

  *run(place: number, after: number, upTo: number): Generator<readonly [number, string], undefined> {
    const cursor = this.#runs.get(place)?.cursor(behindTime(after));
    for (let at = cursor?.key(); at !== undefined && at.acceptTime <= upTo; at = cursor?.key()) {
      yield [at.acceptTime, cursor?.take() as string];
    }
    return undefined;
  }

  count(place: number, after: number, upTo: number): number {
    return this.#runs.get(place)?.count(behindTime(after), behindTime(upTo)) ?? 0;
  }

  meta(): Uint8Array | undefined {
    return this.#meta;
  }

  commit({ entries, runs, meta }: TableChanges, done: Done<void>): void {
    const copies: (readonly [string, Uint8Array | null])[] = [];
    entries((key, entry) => {
      copies.push([key, entry === null ? null : new Uint8Array(entry.bytes.subarray(entry.start, entry.end))]);
    });
    const changes = { entries: copies, runs: [...runs], meta: new Uint8Array(meta) };

    const end = (): void => {
      if (this.failCommits) return done(fail(new BaristaError('ERR_STORAGE', 'the disk is full')));
      this.commits += 1;
      for (const [key, entry] of changes.entries) this.#set(key, entry);
      for (const [place, writes] of changes.runs) {
        const run = this.#runs.get(place) ?? new SortedMap<RunPlace, string>(compareRunPlaces);
        this.#runs.set(place, run);
        for (const [acceptTime, key, isThere] of writes) {
          if (isThere) run.set({ acceptTime, key }, key);
          else run.delete({ acceptTime, key });
        }
      }
      this.#meta = changes.meta;
      done(succeed(undefined));
    };
    if (!this.holdCommits) return end();
    this.held.push(end);
    this.onHeld();
  }

  /** What is on disk after a crash: every commit that ended, and none that did not. */
  crash(): void {
    this.held.length = 0;
  }

  /** A table that holds what this one does. */
  copy(): MemoryTable {
    const copy = new MemoryTable();
    for (const [key, entry] of this.#entries) copy.#set(key, entry);
    for (const [place, run] of this.#runs) {
      const writes = new SortedMap<RunPlace, string>(compareRunPlaces);
      for (const [at, key] of run.entries()) writes.set(at, key);
      copy.#runs.set(place, writes);
    }
    copy.#meta = this.#meta;
    return copy;
  }

  close(done: Done<void>): void {
    done(succeed(undefined));
  }

  #set(key: string, entry: Uint8Array | null): void {
    if (entry === null) {
      this.#entries.delete(key);
      return;
    }
    if (!this.#entries.has(key)) this.#sortedKeys.add(key);
    this.#entries.set(key, entry);
  }
}
