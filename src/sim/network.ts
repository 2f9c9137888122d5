import type { Address } from '../base/address.js';
import { BaristaError } from '../base/errors.js';
import { type Done, fail, type Outcome } from '../base/outcome.js';
import type { Random } from '../base/random.js';
import type { ReplicaService } from '../bayou/ports.js';
import type { KvOperation } from '../machine/kv.js';
import type { SimProcess } from './process.js';
import type { Scheduler } from './scheduler.js';

export type Service = ReplicaService<KvOperation, Uint8Array>;

export interface Endpoint {
  readonly process: SimProcess;
  readonly service: Service;
}

export type Method = keyof Service;

/** A connection as its caller holds it. Every call answers exactly once. */
export interface Channel {
  call<T>(method: Method, timeoutMs: number, invoke: (service: Service, done: Done<T>) => void, done: Done<T>): void;
  /** What is under way fails with ERR_CLOSED. */
  close(): void;
}

/** How long a message takes, one way: drawn anew for each. */
export interface Latency {
  readonly minMs: number;
  readonly maxMs: number;
}

const HOST = 'simulated';

/** Carries calls between simulated processes. Every call answers exactly once, as the ports ask. */
export class SimNetwork {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #latency: Latency;
  readonly #endpoints: Endpoint[] = [];
  readonly #calls = new Map<Method, number>();

  constructor(scheduler: Scheduler, random: Random, latency: Latency) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#latency = latency;
  }

  listen(endpoint: Endpoint): Address {
    return { host: HOST, port: this.#endpoints.push(endpoint) };
  }

  connect(caller: SimProcess, address: Address): SimChannel {
    const events = { delayMs: () => this.#delayMs(), onCall: (method: Method) => this.#count(method) };
    return new SimChannel(this.#scheduler, events, caller, this.#endpoints[address.port - 1] ?? null);
  }

  /** How many calls of a method were made so far. */
  calls(method: Method): number {
    return this.#calls.get(method) ?? 0;
  }

  #count(method: Method): void {
    this.#calls.set(method, this.calls(method) + 1);
  }

  #delayMs(): number {
    const { minMs, maxMs } = this.#latency;
    return minMs + this.#random.below(maxMs - minMs + 1);
  }
}

interface ChannelEvents {
  /** How long the next message takes. */
  delayMs(): number;
  onCall(method: Method): void;
}

/** One connection: messages in one direction arrive in the order they were sent. */
export class SimChannel implements Channel {
  readonly #scheduler: Scheduler;
  readonly #events: ChannelEvents;
  readonly #caller: SimProcess;
  readonly #endpoint: Endpoint | null;
  readonly #open = new Set<(error: BaristaError) => void>();
  #lastThere = 0;
  #lastBack = 0;
  #closed = false;

  constructor(scheduler: Scheduler, events: ChannelEvents, caller: SimProcess, endpoint: Endpoint | null) {
    this.#scheduler = scheduler;
    this.#events = events;
    this.#caller = caller;
    this.#endpoint = endpoint;
  }

  call<T>(method: Method, timeoutMs: number, invoke: (service: Service, done: Done<T>) => void, done: Done<T>): void {
    let answered = false;
    const settle = (outcome: Outcome<T>): void => {
      if (answered) return;
      answered = true;
      cancelTimer();
      this.#open.delete(abort);
      done(outcome);
    };
    const abort = (error: BaristaError): void => settle(fail(error));
    const cancelTimer = this.#caller.after(timeoutMs, () =>
      abort(new BaristaError('ERR_TIMEOUT', `no answer within ${timeoutMs} ms`)),
    );
    this.#open.add(abort);
    if (this.#closed) return abort(new BaristaError('ERR_CLOSED', 'the connection was closed'));
    this.#events.onCall(method);
    const endpoint = this.#endpoint;
    const lost = (): void => this.#sendBack(() => abort(new BaristaError('ERR_CONN', 'nobody listens there')));
    this.#sendThere(() => {
      if (endpoint === null || endpoint.process.isDead) return lost();
      endpoint.process.run(() => invoke(endpoint.service, (outcome) => this.#sendBack(() => settle(outcome))));
    });
  }

  close(): void {
    this.#closed = true;
    for (const abort of [...this.#open]) abort(new BaristaError('ERR_CLOSED', 'the connection was closed'));
  }

  #sendThere(run: () => void): void {
    this.#lastThere = Math.max(this.#lastThere, this.#scheduler.now + this.#events.delayMs());
    this.#scheduler.after(this.#lastThere - this.#scheduler.now, run);
  }

  #sendBack(run: () => void): void {
    this.#lastBack = Math.max(this.#lastBack, this.#scheduler.now + this.#events.delayMs());
    this.#scheduler.after(this.#lastBack - this.#scheduler.now, () => this.#caller.run(run));
  }
}
