import { compareKeys, type Origin } from '../base/ids.js';
import { countBefore } from '../base/search.js';
import type { Write } from '../bayou/write.js';
import { keysAfter } from './sorted-keys.js';

/** One origin's changes in a layer, ascending by accept time; null: the write at that time is gone. */
export class LayerRun<Op> {
  readonly #times: number[] = [];
  readonly #writes: (Write<Op> | null)[] = [];

  set(acceptTime: number, write: Write<Op> | null): void {
    const at = this.#firstAbove(acceptTime - 1);
    if (this.#times[at] === acceptTime) {
      this.#writes[at] = write;
    } else if (at === this.#times.length) {
      this.#times.push(acceptTime);
      this.#writes.push(write);
    } else {
      this.#times.splice(at, 0, acceptTime);
      this.#writes.splice(at, 0, write);
    }
  }

  /** The first entry above `after`. */
  next(after: number): readonly [acceptTime: number, write: Write<Op> | null] | undefined {
    const at = this.#firstAbove(after);
    const time = this.#times[at];
    return time === undefined ? undefined : [time, this.#writes[at] ?? null];
  }

  entries(): Iterable<readonly [acceptTime: number, write: Write<Op> | null]> {
    return this.#times.map((time, at) => [time, this.#writes[at] ?? null]);
  }

  #firstAbove(time: number): number {
    const times = this.#times;
    // Most changes come in order.
    if (times.length === 0 || (times.at(-1) as number) <= time) return times.length;
    return countBefore(times.length, (at) => (times[at] as number) <= time);
  }
}

/** What changed since a checkpoint: whole histories by key, and what came and went of each origin. */
export class Layer<Op> {
  /** An empty history: the key has no live writes any more. */
  readonly histories = new Map<string, Write<Op>[]>();
  readonly runs = new Map<Origin, LayerRun<Op>>();
  #sortedKeys: string[] | null = null;

  setHistory(key: string, history: Write<Op>[]): void {
    if (!this.histories.has(key)) this.#sortedKeys = null;
    this.histories.set(key, history);
  }

  setWrite(origin: Origin, acceptTime: number, write: Write<Op> | null): void {
    let run = this.runs.get(origin);
    if (run === undefined) {
      run = new LayerRun();
      this.runs.set(origin, run);
    }
    run.set(acceptTime, write);
  }

  /** The changed keys, ascending, after `after`. */
  *keys(after: string | undefined): Generator<string> {
    this.#sortedKeys ??= [...this.histories.keys()].sort(compareKeys);
    yield* keysAfter(this.#sortedKeys, after);
  }
}
