import { compareKeys, type Origin } from '../base/ids.js';
import { type Done, succeed } from '../base/outcome.js';
import type { ReplicaStorage } from '../bayou/ports.js';
import { VersionVector } from '../bayou/version-vector.js';
import type { Write } from '../bayou/write.js';
import { Run } from './run.js';
import { keysAfter } from './sorted-keys.js';

/** Keeps everything in this process's memory: nothing survives its end, so every change is at once as durable as it gets. */
export class MemoryStorage<Op> implements ReplicaStorage<Op> {
  readonly #histories = new Map<string, Write<Op>[]>();
  readonly #runs = new Map<Origin, Run<Op>>();
  readonly #seen = new VersionVector();
  /** The keys in order; null when a key came or went since they were last sorted. */
  #sortedKeys: string[] | null = null;
  #size = 0;
  #highestTime = 0;

  get highestTime(): number {
    return this.#highestTime;
  }

  get size(): number {
    return this.#size;
  }

  get dirty(): boolean {
    return false;
  }

  history(key: string): readonly Write<Op>[] {
    return this.#histories.get(key) ?? [];
  }

  insert(write: Write<Op>, position: number): void {
    const history = this.#histories.get(write.key);
    if (history === undefined) {
      this.#histories.set(write.key, [write]);
      this.#sortedKeys = null;
    } else {
      history.splice(position, 0, write);
    }
    let run = this.#runs.get(write.origin);
    if (run === undefined) {
      run = new Run();
      this.#runs.set(write.origin, run);
    }
    run.insert(write);
    this.#size += 1;
    this.#highestTime = Math.max(this.#highestTime, write.acceptTime);
  }

  remove(key: string, position: number): void {
    const history = this.#histories.get(key) ?? [];
    const [write] = history.splice(position, 1);
    if (write === undefined) throw new RangeError(`no write at position ${position} of key ${JSON.stringify(key)}`);
    if (history.length === 0) {
      this.#histories.delete(key);
      this.#sortedKeys = null;
    }
    this.#runs.get(write.origin)?.remove(write.acceptTime);
    this.#size -= 1;
  }

  origins(): Iterable<Origin> {
    return this.#runs.keys();
  }

  run(origin: Origin, after: number, upTo: number): Iterator<Write<Op>> {
    return this.#runs.get(origin)?.between(after, upTo) ?? [].values();
  }

  *keys(after?: string): Generator<string> {
    this.#sortedKeys ??= [...this.#histories.keys()].sort(compareKeys);
    yield* keysAfter(this.#sortedKeys, after);
  }

  loadSeen(): VersionVector {
    return this.#seen.clone();
  }

  saveSeen(origin: Origin, acceptTime: number): void {
    this.#seen.raise(origin, acceptTime);
  }

  flush(done: Done<void>): void {
    done(succeed(undefined));
  }

  recover(done: Done<void>): void {
    done(succeed(undefined));
  }
}
