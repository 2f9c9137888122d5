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

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  get isDead(): boolean {
    return this.#state === 'dead';
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
    if (this.#state === 'running') step();
    else if (this.#state === 'paused') this.#backlog.push(step);
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    while (this.#backlog.length > 0 && this.#state === 'running') this.#backlog.shift()?.();
  }

  kill(): void {
    this.#state = 'dead';
    this.#backlog = [];
  }
}
