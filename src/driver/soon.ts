import type { Timers } from '../base/time.js';

/** Has something done soon: once, however often that is asked for meanwhile. */
export class Soon {
  readonly #timers: Timers;
  readonly #run: () => void;
  #isDue = false;

  constructor(timers: Timers, run: () => void) {
    this.#timers = timers;
    this.#run = run;
  }

  ask(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#timers.soon(() => {
      this.#isDue = false;
      this.#run();
    });
  }
}
