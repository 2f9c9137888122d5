import { constants } from 'node:os';

/** What a departure ends, given on the way to it. */
export type Close = () => Promise<void>;

// Replicas end by themselves when the master does; closing is only the polite way, and need not take for ever.
const CLOSE_MS_MAX = 5000;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The one way out of the process: whatever leads to it, what is open is closed first, and once. */
export class Departure {
  readonly #close: Close;
  #begun = false;

  constructor(close: Close) {
    this.#close = close;
  }

  /** True from when the process is about to end: failures are then consequences, and told to nobody. */
  get begun(): boolean {
    return this.#begun;
  }

  async leave(status: number): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    setTimeout(() => process.exit(status), CLOSE_MS_MAX);
    try {
      await this.#close();
    } finally {
      process.exit(status);
    }
  }

  /** Leaves on a signal, with the status a shell expects of it; a second one does not wait for anything. */
  onSignals(): void {
    for (const signal of SIGNALS) {
      const status = 128 + constants.signals[signal];
      process.on(signal, () => {
        if (this.#begun) process.exit(status);
        void this.leave(status);
      });
    }
  }

  /** Leaves on a mistake of our own that nobody caught. */
  onUncaught(tell: (thrown: unknown) => void): void {
    process.on('uncaughtException', (thrown) => {
      if (this.#begun) process.exit(1);
      tell(thrown);
      void this.leave(1);
    });
  }
}
