import { BaristaError } from '../base/errors.js';
import { type Done, fail, type Outcome } from '../base/outcome.js';

interface Flushable {
  readonly dirty: boolean;
  flush(done: Done<void>, isAwaited: boolean): void;
}

/**
 * What an answer may rest on, each with all that follow: any change; what changes this replica's claims, beside writes of
 * a transfer that is under way; its own writes, which nobody else holds yet.
 */
export type Rest = 'anything' | 'claims' | 'own writes';

const RANK: Readonly<Record<Rest, number>> = { anything: 0, claims: 1, 'own writes': 2 };

/**
 * Holds every answer until the changes it may rest on are durable: persist, then answer. One flush serves all answers
 * that wait (group commit). Reads wait too, if what they saw could be taken back by a crash.
 */
export class FlushGate {
  readonly #storage: Flushable;
  readonly #heldMax: number;
  readonly #soon: (run: () => void) => void;
  readonly #onFailure: (error: BaristaError) => void;
  readonly #heldBytesMax: number;
  #heldBytes = 0;
  #held: ((flushed: Outcome<void>) => void)[] = [];
  #flushing = false;
  /** The highest rank of a change that no flush was begun for; -1 if there is none. */
  #changed = -1;
  /** The same of what is being flushed. */
  #underWay = -1;

  /**
   * `soon` puts a flush off until the inputs at hand are taken; `onFailure` hears of a failed one before the answers do.
   * `heldBytesMax` bounds what the answers that wait hold together.
   */
  constructor(
    storage: Flushable,
    heldMax: number,
    soon: (run: () => void) => void,
    onFailure: (error: BaristaError) => void,
    heldBytesMax = Number.POSITIVE_INFINITY,
  ) {
    this.#heldBytesMax = heldBytesMax;
    this.#storage = storage;
    this.#heldMax = heldMax;
    this.#soon = soon;
    this.#onFailure = onFailure;
  }

  /** Something was changed that answers which rest on `what` wait for. */
  changed(what: Exclude<Rest, 'anything'>): void {
    this.#changed = Math.max(this.#changed, RANK[what]);
  }

  /**
   * Answers at once if nothing that `rest` names waits to become durable, else after the flush; with ERR_STORAGE if that
   * fails. `bytes`: what the answer holds, about; if there is no place for it, ERR_OVERLOADED is answered instead.
   */
  answer<T>(done: Done<T>, outcome: Outcome<T>, rest: Rest = 'anything', bytes = 0): void {
    const waits = rest === 'anything' || Math.max(this.#changed, this.#underWay) >= RANK[rest];
    if (!waits || (!this.#flushing && !this.#storage.dirty)) {
      done(outcome);
      if (!this.#flushing && this.#storage.dirty) this.#flushSoon();
      return;
    }
    if (bytes > 0 && this.#heldBytes + bytes > this.#heldBytesMax) {
      return done(fail(new BaristaError('ERR_OVERLOADED', `${this.#heldBytes} bytes already wait for the storage`)));
    }
    this.#heldBytes += bytes;
    this.#held.push((flushed) => {
      this.#heldBytes -= bytes;
      done(flushed.ok ? outcome : fail(flushed.error));
    });
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
    this.#underWay = this.#changed;
    this.#changed = -1;
    // Who wrote waits for the disk. What a neighbour has as well can be read meanwhile.
    const isAwaited = this.#underWay >= RANK['own writes'];
    this.#storage.flush((flushed) => {
      this.#flushing = false;
      this.#underWay = -1;
      if (!flushed.ok) {
        // What came since the flush began rests on the same changes.
        held = [...held, ...this.#held];
        this.#held = [];
        this.#onFailure(flushed.error);
      }
      for (const answer of held) answer(flushed);
      if (!this.#flushing && this.#held.length > 0) this.#flushSoon();
    }, isAwaited);
  }
}
