import { BaristaError } from '../base/errors.js';
import { type Done, fail, type Outcome, succeed } from '../base/outcome.js';
import type { Cancel, Timers } from '../base/time.js';
import type { BundleOffer, ImportBatch, ImportReply } from '../bayou/bundle-messages.js';
import type { News, PullBatch, PullRequest } from '../bayou/messages.js';
import type { PeerConnection } from '../bayou/ports.js';

/** Pulls what a bundle offers, by the way that is given; answers when all of it was taken. */
type Pull<Op> = (offer: BundleOffer, way: PeerConnection<Op>, done: Done<void>) => void;

/**
 * Where those come who hold a bundle and reach the replica by calls: a pull turned round. Each call brings a batch and is
 * answered with the next request. An import whose next call does not come in time is given up.
 */
export class ImportDesk<Op> {
  readonly #pull: Pull<Op>;
  readonly #timers: Timers;
  readonly #partTimeoutMs: number;
  readonly #imports = new Map<number, TurnedPull<Op>>();
  #last = 0;

  constructor(pull: Pull<Op>, timers: Timers, partTimeoutMs: number) {
    this.#pull = pull;
    this.#timers = timers;
    this.#partTimeoutMs = partTimeoutMs;
  }

  begin(offer: BundleOffer, done: Done<ImportReply>): void {
    this.#last += 1;
    const number = this.#last;
    const turned = new TurnedPull<Op>(number, this.#timers, this.#partTimeoutMs, done);
    this.#imports.set(number, turned);
    this.#pull(offer, turned, (outcome) => {
      this.#imports.delete(number);
      turned.end(outcome);
    });
  }

  goOn({ number, batch }: ImportBatch<Op>, done: Done<ImportReply>): void {
    const turned = this.#imports.get(number);
    if (turned !== undefined) return turned.answer(batch, done);
    const message = `there is no import ${number}: it has ended, or its next part did not come in time`;
    done(fail(new BaristaError('ERR_CLOSED', message)));
  }

  close(): void {
    for (const turned of this.#imports.values()) turned.close();
  }
}

/** The other end of a pull whose batches come in calls. Either a call waits for a request, or a request for a call. */
class TurnedPull<Op> implements PeerConnection<Op> {
  readonly #number: number;
  readonly #timers: Timers;
  readonly #partTimeoutMs: number;
  #caller: Done<ImportReply> | null;
  #asked: Done<PullBatch<Op>> | null = null;
  #cancelTimeout: Cancel | null = null;

  constructor(number: number, timers: Timers, partTimeoutMs: number, caller: Done<ImportReply>) {
    this.#number = number;
    this.#timers = timers;
    this.#partTimeoutMs = partTimeoutMs;
    this.#caller = caller;
  }

  pull(request: PullRequest, _timeoutMs: number, done: Done<PullBatch<Op>>): void {
    this.#asked = done;
    this.#cancelTimeout = this.#timers.after(this.#partTimeoutMs, () => {
      const message = `the next part of the bundle did not come within ${this.#partTimeoutMs} ms`;
      this.#settle(fail(new BaristaError('ERR_TIMEOUT', message)));
    });
    this.#tell(succeed({ number: this.#number, request }));
  }

  news(_news: News, _timeoutMs: number, done: Done<void>): void {
    done(succeed(undefined));
  }

  answer(batch: Outcome<PullBatch<Op>>, caller: Done<ImportReply>): void {
    if (this.#asked === null) {
      const message = `import ${this.#number} has not asked for this: a call of it is under way`;
      return caller(fail(new BaristaError('ERR_PROTOCOL', message)));
    }
    this.#caller = caller;
    this.#settle(batch);
  }

  end(outcome: Outcome<void>): void {
    this.#cancelTimeout?.();
    this.#asked = null;
    this.#tell(outcome.ok ? succeed({ number: this.#number, request: null }) : outcome);
  }

  close(): void {
    this.#settle(fail(new BaristaError('ERR_CLOSED', 'the replica ends')));
  }

  #settle(outcome: Outcome<PullBatch<Op>>): void {
    const asked = this.#asked;
    this.#asked = null;
    this.#cancelTimeout?.();
    asked?.(outcome);
  }

  #tell(outcome: Outcome<ImportReply>): void {
    const caller = this.#caller;
    this.#caller = null;
    caller?.(outcome);
  }
}
