import { BaristaError } from '../base/errors.js';
import { type Done, fail, type Outcome } from '../base/outcome.js';

interface Flushable {
  readonly dirty: boolean;
  flush(done: Done<void>): void;
}

/**
 * Holds every answer until the changes it may rest on are durable: persist, then answer. One flush serves all answers
 * that wait (group commit). Reads wait too, since what they saw could be taken back by a crash.
 */
export class FlushGate {
  readonly #storage: Flushable;
  readonly #heldMax: number;
  readonly #soon: (run: () => void) => void;
  readonly #onFailure: (error: BaristaError) => void;
  #held: ((flushed: Outcome<void>) => void)[] = [];
  #flushing = false;

  /** `soon` puts a flush off until the inputs at hand are taken; `onFailure` hears of a failed one before the answers do. */
  constructor(
    storage: Flushable,
    heldMax: number,
    soon: (run: () => void) => void,
    onFailure: (error: BaristaError) => void,
  ) {
    this.#storage = storage;
    this.#heldMax = heldMax;
    this.#soon = soon;
    this.#onFailure = onFailure;
  }

  /** Answers at once if nothing waits to become durable, else after the flush; with ERR_STORAGE if that fails. */
  answer<T>(done: Done<T>, outcome: Outcome<T>): void {
    if (!this.#flushing && !this.#storage.dirty) return done(outcome);
    this.#held.push((flushed) => done(flushed.ok ? outcome : fail(flushed.error)));
    if (!this.#flushing) this.#flushSoon();
  }

  /** The error for a caller whose answer there is no place for; null if there is. */
  overload(): BaristaError | null {
    if (this.#held.length < this.#heldMax) return null;
    return new BaristaError('ERR_OVERLOADED', `${this.#held.length} answers already wait for the storage`);
  }

  /** Callers who were answered together come back together: one flush for all of them, not one for the first alone. */
  #flushSoon(): void {
    this.#flushing = true;
    this.#soon(() => this.#flush());
  }

  #flush(): void {
    let held = this.#held;
    this.#held = [];
    this.#storage.flush((flushed) => {
      this.#flushing = false;
      if (!flushed.ok) {
        // What came since the flush began rests on the same changes.
        held = [...held, ...this.#held];
        this.#held = [];
        this.#onFailure(flushed.error);
      }
      for (const answer of held) answer(flushed);
      if (!this.#flushing && this.#held.length > 0) this.#flushSoon();
    });
  }
}
