import { BaristaError } from '../base/errors.js';
import type { ReplicaId } from '../base/ids.js';
import { type Done, fail } from '../base/outcome.js';
import type { Timers } from '../base/time.js';
import type { PullOutcome, StabilizeReply, StabilizeRequest } from '../bayou/admin-messages.js';
import type { Compactor } from './compactor.js';
import type { DriverSettings } from './settings.js';

export interface StabilizerSteps {
  neighbours(): Iterable<ReplicaId>;
  pullFrom(peer: ReplicaId, done: Done<void>): void;
  /** Answers when what was taken is durable. */
  answer(done: Done<StabilizeReply>, outcomes: readonly PullOutcome[]): void;
}

/** Calls that wait until nothing is left to pull from several neighbours, each within its budget. */
export class Stabilizer {
  readonly #timers: Timers;
  readonly #settings: DriverSettings;
  readonly #compactor: Compactor;
  readonly #steps: StabilizerSteps;
  /** Calls that wait for pulls. */
  #waiting = 0;

  constructor(
    { timers, settings }: { readonly timers: Timers; readonly settings: DriverSettings },
    compactor: Compactor,
    steps: StabilizerSteps,
  ) {
    this.#timers = timers;
    this.#settings = settings;
    this.#compactor = compactor;
    this.#steps = steps;
  }

  stabilize(request: StabilizeRequest, done: Done<StabilizeReply>): void {
    const { linksMax, stabilizeCallsMax } = this.#settings;
    const peers = request.peers ?? [...this.#steps.neighbours()];
    if (peers.length > linksMax || this.#waiting >= stabilizeCallsMax) {
      const message = `at most ${stabilizeCallsMax} calls wait for pulls, each from at most ${linksMax} neighbours`;
      return done(fail(new BaristaError('ERR_OVERLOADED', message)));
    }
    this.#waiting += 1;
    const outcomes = new Map<ReplicaId, PullOutcome>(peers.map((peer) => [peer, { peer, done: false, error: null }]));
    if (request.compact) this.#compactor.ask(outcomes.keys());
    let left = outcomes.size;
    let answered = false;
    const answer = (): void => {
      if (answered) return;
      answered = true;
      this.#waiting -= 1;
      cancel();
      this.#steps.answer(done, [...outcomes.values()]);
    };
    const cancel = this.#timers.after(request.budgetMs, answer);
    const end = (): void => (request.compact ? this.#compactor.run(answer) : answer());
    if (left === 0) return end();
    for (const peer of outcomes.keys()) {
      this.#steps.pullFrom(peer, (outcome) => {
        const error = outcome.ok ? null : { code: outcome.error.code, message: outcome.error.message };
        outcomes.set(peer, { peer, done: outcome.ok, error });
        left -= 1;
        if (left === 0) end();
      });
    }
  }
}
