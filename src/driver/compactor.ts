import type { ReplicaId } from '../base/ids.js';
import type { Cancel, Timers } from '../base/time.js';

export interface CompactorSteps {
  /** Folds some of what is stable, and calls `done` when that is durable; with true if more is left. */
  compact(done: (more: boolean) => void): void;
  /** The neighbours to ask what the members attest; none when there is nothing to fold. */
  neighbours(): Iterable<ReplicaId>;
}

/** Has the replica ask its neighbours for reports from time to time, and fold what they show to be stable, step by step. */
export class Compactor {
  readonly #steps: CompactorSteps;
  readonly #timers: Timers;
  readonly #periodMs: number | null;
  readonly #due = new Set<ReplicaId>();
  #waiting: (() => void)[] = [];
  #running = false;
  #cancelTimer: Cancel | null = null;
  #closed = false;

  constructor(steps: CompactorSteps, timers: Timers, periodMs: number | null) {
    this.#steps = steps;
    this.#timers = timers;
    this.#periodMs = periodMs;
    this.#wait();
  }

  /** The next pull from these asks for a report. */
  ask(peers: Iterable<ReplicaId>): void {
    for (const peer of peers) this.#due.add(peer);
  }

  /** True if the pull from `peer` that is about to be made should ask for a report. */
  take(peer: ReplicaId): boolean {
    return this.#due.delete(peer);
  }

  /** Folds all that can be folded by now, then calls `done`. */
  run(done: () => void): void {
    this.#waiting.push(done);
    if (this.#running) return;
    this.#running = true;
    this.#step();
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
  }

  #step(): void {
    this.#steps.compact((more) => {
      if (more && !this.#closed) {
        this.#timers.soon(() => this.#step());
        return;
      }
      this.#running = false;
      for (const done of this.#waiting.splice(0)) done();
    });
  }

  #wait(): void {
    if (this.#periodMs === null || this.#closed) return;
    this.#cancelTimer = this.#timers.after(this.#periodMs, () => {
      this.ask(this.#steps.neighbours());
      this.run(() => this.#wait());
    });
  }
}
