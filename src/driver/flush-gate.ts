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
  readonly #onFailure: (error: BaristaError) => void;
  #held: ((flushed: Outcome<void>) => void)[] = [];
  #flushing = false;

  /** `onFailure` is called after a flush failed and the answers that rested on it were failed. */
  constructor(storage: Flushable, heldMax: number, onFailure: (error: BaristaError) => void) {
    this.#storage = storage;
    this.#heldMax = heldMax;
    this.#onFailure = onFailure;
  }

  /** Answers at once if nothing waits to become durable, else after the flush; with ERR_STORAGE if that fails. */
  answer<T>(done: Done<T>, outcome: Outcome<T>): void {
    if (!this.#flushing && !this.#storage.dirty) return done(outcome);
    this.#held.push((flushed) => done(flushed.ok ? outcome : fail(flushed.error)));
    if (!this.#flushing) this.#flush();
  }

  /** The error for a caller whose answer there is no place for; null if there is. */
  overload(): BaristaError | null {
    if (this.#held.length < this.#heldMax) return null;
    return new BaristaError('ERR_OVERLOADED', `${this.#held.length} answers already wait for the storage`);
  }

  #flush(): void {
    this.#flushing = true;
    const held = this.#held;
    this.#held = [];
    this.#storage.flush((flushed) => {
      this.#flushing = false;
      for (const answer of held) answer(flushed);
      if (!flushed.ok) this.#fail(flushed.error);
      if (!this.#flushing && this.#held.length > 0) this.#flush();
    });
  }

  /** What came since the flush began rests on the same changes. */
  #fail(error: BaristaError): void {
    const held = this.#held;
    this.#held = [];
    for (const answer of held) answer(fail(error));
    this.#onFailure(error);
  }
}
