import { countBefore } from '../base/search.js';
import type { Write } from '../bayou/write.js';

/** Closed up when it is at least so long and more than half of it is holes. */
const COMPACT_LENGTH_MIN = 64;

/**
 * One origin's writes, ascending by accept time. A removed write leaves a hole that keeps its time, so that removing
 * costs a search and not a move of all that stands behind it.
 */
export class Run<Op> {
  #times: number[] = [];
  #writes: (Write<Op> | null)[] = [];
  #holes = 0;
  /** Counts the changes that move writes to other places. */
  #moves = 0;

  insert(write: Write<Op>): void {
    const end = this.#times.length;
    if (end === 0 || (this.#times[end - 1] as number) < write.acceptTime) {
      this.#times.push(write.acceptTime);
      this.#writes.push(write);
      return;
    }
    const at = this.#firstAbove(write.acceptTime - 1);
    if (this.#times[at] === write.acceptTime) {
      if (this.#writes[at] !== null) throw new RangeError(`two writes of ${write.origin} at ${write.acceptTime}`);
      this.#writes[at] = write;
      this.#holes -= 1;
      return;
    }
    this.#times.splice(at, 0, write.acceptTime);
    this.#writes.splice(at, 0, write);
    this.#moves += 1;
  }

  remove(acceptTime: number): void {
    const at = this.#firstAbove(acceptTime - 1);
    if (this.#times[at] !== acceptTime || this.#writes[at] === null) throw new RangeError(`no write at ${acceptTime}`);
    this.#writes[at] = null;
    this.#holes += 1;
    if (this.#times.length >= COMPACT_LENGTH_MIN && this.#holes * 2 > this.#times.length) this.#compact();
  }

  *between(after: number, upTo: number): Generator<Write<Op>> {
    let time = after;
    let moves = -1;
    let at = 0;
    for (;;) {
      if (moves !== this.#moves) {
        at = this.#firstAbove(time);
        moves = this.#moves;
      }
      const next = this.#times[at];
      if (next === undefined || next > upTo) return;
      time = next;
      const write = this.#writes[at++];
      if (write != null) yield write;
    }
  }

  #firstAbove(time: number): number {
    return countBefore(this.#times.length, (at) => (this.#times[at] as number) <= time);
  }

  #compact(): void {
    this.#times = this.#times.filter((_, i) => this.#writes[i] !== null);
    this.#writes = this.#writes.filter((write) => write !== null);
    this.#holes = 0;
    this.#moves += 1;
  }
}
