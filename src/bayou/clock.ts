import { TIME_MAX } from '../base/limits.js';
import type { ClockKind } from './messages.js';

/** A hybrid accept time is wall-clock milliseconds * 2^11 + a counter, so that it lasts in 53 bits until 2109. */
export const HYBRID_TICKS_PER_MS = 2048;

/** A span of time as a difference of accept times. A logical clock knows no time: a millisecond is one accept time. */
export function acceptTimeSpan(kind: ClockKind, ms: number): number {
  return kind === 'hybrid' ? ms * HYBRID_TICKS_PER_MS : ms;
}

/**
 * Gives accept times, strictly increasing (Lamport 1978; the hybrid form is Kulkarni et al., OPODIS 2014). It passes
 * every accept time it is shown, so that what a replica has seen stands before what it writes; and so who owns it takes
 * nothing beyond `limit`, or one wrong wall clock would drag every clock along.
 */
export class AcceptClock {
  #latest = 0;
  readonly #kind: ClockKind;
  readonly #maxDriftMs: number | null;

  /** `maxDriftMs`: how far ahead of the wall clock an accept time may be that is taken from others; null: any. */
  constructor(kind: ClockKind, maxDriftMs: number | null) {
    this.#kind = kind;
    this.#maxDriftMs = kind === 'hybrid' ? maxDriftMs : null;
  }

  /** Nothing at or below this is given any more. */
  get latest(): number {
    return this.#latest;
  }

  /** Which accept time it is while the wall clock shows `now`: what expires by then is gone. Only a hybrid clock reads that. */
  reading(now: number): number {
    const wall = this.#kind === 'hybrid' ? Math.min(Math.floor(now) * HYBRID_TICKS_PER_MS, TIME_MAX - 1) : 0;
    return Math.max(this.#latest, wall);
  }

  /** The highest accept time to take from others while the wall clock shows `now`. A logical clock has no limit. */
  limit(now: number): number {
    if (this.#maxDriftMs === null) return TIME_MAX;
    return Math.min((Math.floor(now) + this.#maxDriftMs + 1) * HYBRID_TICKS_PER_MS - 1, TIME_MAX);
  }

  /** By how many milliseconds a hybrid accept time is ahead of the wall clock. */
  aheadMs(acceptTime: number, now: number): number {
    return Math.floor(acceptTime / HYBRID_TICKS_PER_MS) - Math.floor(now);
  }

  /** Moves past an accept time that was received. */
  observe(acceptTime: number): void {
    if (acceptTime > this.#latest) this.#latest = acceptTime;
  }

  /** Moves up to the wall clock, as far as the clock is one that reads it. */
  advance(now: number): void {
    this.observe(this.reading(now));
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
