import { TIME_MAX } from '../base/limits.js';
import type { ClockKind } from './messages.js';

/** A hybrid accept time is wall-clock milliseconds * 2^11 + a counter, so that it lasts in 53 bits until 2109. */
const HYBRID_TICKS_PER_MS = 2048;

/**
 * Gives accept times, strictly increasing (Lamport 1978; the hybrid form is Kulkarni et al., OPODIS 2014). It passes
 * every accept time it is shown, so that what a replica has seen stands before what it writes.
 */
export class AcceptClock {
  #latest = 0;
  readonly #kind: ClockKind;

  constructor(kind: ClockKind) {
    this.#kind = kind;
  }

  get latest(): number {
    return this.#latest;
  }

  /** Moves past an accept time that was received. */
  observe(acceptTime: number): void {
    if (acceptTime > this.#latest) this.#latest = acceptTime;
  }

  /**
   * The next accept time: above everything given or observed so far and above `after`; null if the largest exact integer
   * is reached. `now` is the wall clock in milliseconds, which only a hybrid clock reads.
   */
  next(after: number, now: number): number | null {
    let time = Math.max(this.#latest, after) + 1;
    if (this.#kind === 'hybrid') time = Math.max(time, Math.floor(now) * HYBRID_TICKS_PER_MS);
    if (time > TIME_MAX) return null;
    this.#latest = time;
    return time;
  }
}
