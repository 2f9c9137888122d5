import type { Cancel, Clock, Timers } from '../base/time.js';
import type { Scheduler } from './scheduler.js';

/** Wall-clock time at virtual time 0: 2000-01-01. */
const EPOCH_MS = 946_684_800_000;

/**
 * A process of the simulated world, as far as time goes: while it is paused whatever reaches it waits, in order; once it
 * is killed nothing reaches it.
 */
export class SimProcess implements Clock, Timers {
  /** By how much its wall clock is ahead of the world's. */
  skewMs = 0;
  readonly #scheduler: Scheduler;
  #state: 'running' | 'paused' | 'dead' = 'running';
  #backlog: (() => void)[] = [];
  readonly #guard: (step: () => void) => void;

  /** `guard` runs each step of the process, and sees what it throws. */
  constructor(scheduler: Scheduler, guard: (step: () => void) => void = (step) => step()) {
    this.#scheduler = scheduler;
    this.#guard = guard;
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  get isPaused(): boolean {
    return this.#state === 'paused';
  }

  now(): number {
    return EPOCH_MS + this.#scheduler.now + this.skewMs;
  }

  after(delayMs: number, run: () => void): Cancel {
    let cancelled = false;
    const cancelEvent = this.#scheduler.after(delayMs, () => this.run(() => cancelled || run()));
    return () => {
      cancelled = true;
      cancelEvent();
    };
  }

  soon(run: () => void): void {
    this.#scheduler.after(0, () => this.run(run));
  }

  /** Runs a step in the process: now, when it resumes, or never. */
  run(step: () => void): void {
    if (this.#state === 'running') this.#guard(step);
    else if (this.#state === 'paused') this.#backlog.push(step);
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const [i, step] of backlog.entries()) {
      // It may be paused, or killed, again.
      if (this.#state !== 'running') {
        this.#backlog = this.#state === 'paused' ? [...backlog.slice(i), ...this.#backlog] : [];
        return;
      }
      this.#guard(step);
    }
  }

  kill(): void {
    this.#state = 'dead';
    this.#backlog = [];
  }
}
