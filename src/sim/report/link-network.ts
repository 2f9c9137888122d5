import { BaristaError } from '../../base/errors.js';
import { type Done, fail, type Outcome } from '../../base/outcome.js';
import type { Random } from '../../base/random.js';
import type { PeerConnection, ReplicaService } from '../../bayou/ports.js';
import type { KvOperation } from '../../machine/kv.js';
import type { Latency } from '../network.js';
import type { SimProcess } from '../process.js';
import type { Scheduler } from '../scheduler.js';

export type ExchangeKind = 'pull' | 'news';

/** How many bytes a request, or an answer, takes on the wire. `message` is undefined if the answer is an error. */
export type SizeOf = (kind: ExchangeKind, what: 'request' | 'reply', message: unknown) => number;

/** How the links between replicas are. */
export interface LinkQuality extends Latency {
  /** The chance that a message is lost. What rests on it ends with ERR_TIMEOUT. */
  readonly loss: number;
}

/** What was sent between replicas. */
export interface Traffic {
  readonly messages: number;
  readonly bytes: number;
}

export interface Peer {
  readonly process: SimProcess;
  readonly service: ReplicaService<KvOperation, Uint8Array>;
}

/** The links between replicas, numbered from 0: they have a quality, can be down, and what goes over them is counted. */
export class LinkNetwork {
  readonly peers: Peer[] = [];
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #quality: LinkQuality;
  readonly #sizeOf: SizeOf;
  readonly #down = new Set<string>();
  #messages = 0;
  #bytes = 0;

  constructor(scheduler: Scheduler, random: Random, quality: LinkQuality, sizeOf: SizeOf) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#quality = quality;
    this.#sizeOf = sizeOf;
  }

  get traffic(): Traffic {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  setDown(a: number, b: number, isDown: boolean): void {
    for (const name of [`${a} ${b}`, `${b} ${a}`]) {
      if (isDown) this.#down.add(name);
      else this.#down.delete(name);
    }
  }

  /** How the replica `from` reaches the replica `to`. */
  connect(from: number, to: number): PeerConnection<KvOperation> {
    const open = new Set<(error: BaristaError) => void>();
    const exchange = <Request, Reply>(
      kind: ExchangeKind,
      request: Request,
      timeoutMs: number,
      done: Done<Reply>,
    ): void => {
      const { process } = this.peers[from] as Peer;
      const settle = (outcome: Outcome<Reply>): void => {
        if (!open.delete(abort)) return;
        cancelTimer();
        done(outcome);
      };
      const abort = (error: BaristaError): void => settle(fail(error));
      open.add(abort);
      const cancelTimer = process.after(timeoutMs, () => abort(new BaristaError('ERR_TIMEOUT', 'no answer in time')));
      this.#send(from, to, this.#sizeOf(kind, 'request', request), () => {
        const { process: theirs, service } = this.peers[to] as Peer;
        const answer = (outcome: Outcome<Reply>): void => {
          const bytes = this.#sizeOf(kind, 'reply', outcome.ok ? outcome.value : undefined);
          this.#send(to, from, bytes, () => process.run(() => settle(outcome)));
        };
        const serve = service[kind] as unknown as (request: Request, done: Done<Reply>) => void;
        theirs.run(() => serve.call(service, request, answer));
      });
    };
    return {
      pull: (request, timeoutMs, done) => exchange('pull', request, timeoutMs, done),
      news: (news, timeoutMs, done) => exchange('news', news, timeoutMs, done),
      close: () => {
        for (const abort of [...open]) abort(new BaristaError('ERR_CLOSED', 'the connection was closed'));
      },
    };
  }

  #send(from: number, to: number, bytes: number, arrive: () => void): void {
    if (this.#down.has(`${from} ${to}`)) return;
    this.#messages += 1;
    this.#bytes += bytes;
    const { minMs, maxMs, loss } = this.#quality;
    if (loss > 0 && this.#random.below(1_000_000) < loss * 1_000_000) return;
    this.#scheduler.after(minMs + this.#random.below(maxMs - minMs + 1), arrive);
  }
}
