import { Worker } from 'node:worker_threads';
import { BaristaError, toBaristaError } from '../base/errors.js';
import type { SimMessage, SimNote, SimResult, SimTask } from './sim-task.js';

/** What runs seeds: a thread, so that signals are heard and progress is shown while one runs. */
export interface SimRunner {
  /** One at a time. Null if it was stopped. */
  run(task: SimTask, hear: (note: SimNote) => void): Promise<SimResult | null>;
  /** Ends what it runs at once. */
  stop(): void;
}

export class SimThread implements SimRunner {
  readonly #worker = new Worker(new URL('./sim-worker.js', import.meta.url), {
    // Most of what a step makes is gone with it: with this much room it is hardly ever looked at.
    resourceLimits: { maxYoungGenerationSizeMb: 96 },
  });
  #stopped = false;

  run(task: SimTask, hear: (note: SimNote) => void): Promise<SimResult | null> {
    if (this.#stopped) return Promise.resolve(null);
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      const onMessage = (message: SimMessage): void => {
        if (message.kind === 'note') hear(message.note);
        else if (message.kind === 'result') settle(() => resolve(message.result));
        else settle(() => reject(new BaristaError(message.code, message.message)));
      };
      // A mistake of our own, or no memory left: neither is a finding.
      const onError = (thrown: unknown): void => settle(() => reject(toBaristaError(thrown)));
      const onExit = (): void =>
        settle(() => {
          if (this.#stopped) resolve(null);
          else reject(new BaristaError('ERR_INTERNAL', `the thread that ran seed ${task.seed} ended`));
        });
      const settle = (answer: () => void): void => {
        worker.off('message', onMessage);
        worker.off('error', onError);
        worker.off('exit', onExit);
        answer();
      };
      worker.on('message', onMessage);
      worker.on('error', onError);
      worker.on('exit', onExit);
      worker.postMessage(task);
    });
  }

  stop(): void {
    this.#stopped = true;
    void this.#worker.terminate();
  }
}
