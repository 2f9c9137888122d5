import { BaristaError } from '../base/errors.js';
import type { Cancel, Timers } from '../base/time.js';
import type { DriverSettings } from './settings.js';
import { Soon } from './soon.js';

/** What a caller waits for: `value` as it is now, and whether that is enough. */
export interface Look<T> {
  readonly value: T;
  readonly isEnough: boolean;
}

interface Wait {
  /** Answers if there is enough now, or if it is the `last` time; true if it did. */
  look(last: boolean): boolean;
  readonly cancel: Cancel;
}

/** How long the neighbours are left alone after they were asked for the first time; each time is twice as long, */
const ASK_MS = 4;
/** up to this. */
const ASK_MS_MAX = 1_024;

/**
 * Callers that wait for the replica to hold something, or to learn that others do. Each is answered when that is so, or when
 * its budget is spent, with what is so then.
 */
export class Waits {
  readonly #timers: Timers;
  readonly #waitsMax: number;
  readonly #waitMsMax: number;
  readonly #ask: () => void;
  readonly #waiting = new Set<Wait>();
  readonly #lookSoon: Soon;
  #asking: { readonly delayMs: number; readonly cancel: Cancel } | null = null;

  /** `ask` has the neighbours asked what they hold: from time to time, while anybody waits. */
  constructor(timers: Timers, settings: Pick<DriverSettings, 'waitsMax' | 'waitMsMax'>, ask: () => void) {
    this.#timers = timers;
    this.#waitsMax = settings.waitsMax;
    this.#waitMsMax = settings.waitMsMax;
    this.#ask = ask;
    this.#lookSoon = new Soon(timers, () => {
      for (const wait of [...this.#waiting]) wait.look(false);
    });
  }

  /** Calls `done` once; the error if too many wait already. */
  wait<T>(budgetMs: number, look: () => Look<T>, done: (value: T) => void): BaristaError | null {
    const now = look();
    if (now.isEnough || budgetMs === 0) {
      done(now.value);
      return null;
    }
    if (this.#waiting.size >= this.#waitsMax) {
      return new BaristaError('ERR_OVERLOADED', `${this.#waitsMax} calls already wait for what is to come`);
    }
    const wait: Wait = {
      look: (last) => {
        const { value, isEnough } = look();
        if (!isEnough && !last) return false;
        this.#waiting.delete(wait);
        wait.cancel();
        done(value);
        return true;
      },
      cancel: this.#timers.after(Math.min(budgetMs, this.#waitMsMax), () => wait.look(true)),
    };
    this.#waiting.add(wait);
    this.#askAgain(ASK_MS);
    return null;
  }

  /** Something may have come. */
  changed(): void {
    if (this.#waiting.size > 0) this.#lookSoon.ask();
  }

  /** Answers all that wait with what is so now, and lets go of every timer. */
  close(): void {
    this.#asking?.cancel();
    this.#asking = null;
    for (const wait of [...this.#waiting]) wait.look(true);
  }

  #askAgain(delayMs: number): void {
    if (this.#asking !== null && this.#asking.delayMs <= delayMs) return;
    this.#asking?.cancel();
    const ask = (): void => {
      this.#asking = null;
      if (this.#waiting.size === 0) return;
      this.#ask();
      this.#askAgain(Math.min(2 * delayMs, ASK_MS_MAX));
    };
    this.#asking = { delayMs, cancel: this.#timers.after(delayMs, ask) };
  }
}
