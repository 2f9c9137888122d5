import type { Address } from '../base/address.js';
import { BaristaError, type ErrorCode, toBaristaError } from '../base/errors.js';
import { fail, succeed } from '../base/outcome.js';
import type { ClusterTerms } from '../bayou/messages.js';
import type { Deadline } from '../session/deadline.js';
import { CALLS_MAX, WATCHES_MAX } from '../session/limits.js';
import type { Ask, AskOptions, Route } from '../session/route.js';
import { Endpoint } from './endpoint.js';

/** After these another replica, or the same a little later, may still serve the request. */
const TRY_NEXT: ReadonlySet<ErrorCode> = new Set([
  'ERR_CONN',
  'ERR_TIMEOUT',
  'ERR_CLOSED',
  'ERR_OVERLOADED',
  'ERR_STORAGE',
  'ERR_COPIED',
  'ERR_CLOCK_DRIFT',
  // It shows no several keys while it takes over what it missed.
  'ERR_BEHIND',
]);

/** What asking each replica once came to. */
type Round<T> = { readonly reply: T } | { readonly error: BaristaError | null };

export interface PoolOptions {
  readonly addresses: readonly Address[];
  /** Whose replicas they must be; null: those of the one that answers first. */
  readonly cluster: string | null;
  readonly attemptMs: number;
}

/** The route over the wire: to the nearest replica that answers, then to the others. */
export class EndpointPool implements Route {
  readonly endpoints: readonly Endpoint[];
  readonly #attemptMs: number;
  /** Wakes those who wait for a replica to ask. */
  readonly #sleepers = new Set<() => void>();
  #closed = false;
  #retryWindowMs = Number.POSITIVE_INFINITY;
  #cluster: string | null;
  /** How many requests are under way: watches, and others. */
  readonly #underWay = { watches: 0, calls: 0 };

  constructor({ addresses, cluster, attemptMs }: PoolOptions) {
    this.#attemptMs = attemptMs;
    this.#cluster = cluster;
    this.endpoints = addresses.map(
      (address) =>
        new Endpoint(
          address,
          attemptMs,
          (terms) => this.#learn(terms),
          () => this.#wake(),
        ),
    );
  }

  get cluster(): string {
    return this.#cluster ?? '';
  }

  /** Done when a replica has answered. Rejects with why none does, at the deadline. */
  async open(deadline: Deadline): Promise<void> {
    for (const endpoint of this.endpoints) void endpoint.measure();
    while (!this.endpoints.some(({ id }) => id !== null)) await this.#pause('connect', deadline, null);
  }

  async ask<T>(ask: Ask<T>, options: AskOptions<T>): Promise<T> {
    const [kind, most] =
      options.isWatch === true ? (['watches', WATCHES_MAX] as const) : (['calls', CALLS_MAX] as const);
    if (this.#underWay[kind] >= most) {
      throw new BaristaError('ERR_OVERLOADED', `${most} ${kind} of this client are under way`);
    }
    this.#underWay[kind] += 1;
    // So that it takes effect once, a write is not sent again when the replicas may have forgotten that they have it.
    const until = options.isWrite === true ? performance.now() + this.#retryWindowMs : Number.POSITIVE_INFINITY;
    try {
      for (let error: BaristaError | null = null; ; ) {
        const round: Round<T> = await this.#askEach(ask, options, until, error);
        if ('reply' in round) return round.reply;
        error = round.error;
        if (performance.now() >= until) throw failed(options.what, options.deadline, error);
        await this.#pause(options.what, options.deadline, error, options.pin?.to);
      }
    } finally {
      this.#underWay[kind] -= 1;
    }
  }

  /** What is under way fails with ERR_CLOSED. */
  close(): void {
    this.#closed = true;
    for (const endpoint of this.endpoints) endpoint.close();
    this.#wake();
  }

  /** Asks each replica that may be asked now, the nearest first: the first answer that is enough, the last that is not, or why none. */
  async #askEach<T>(
    ask: Ask<T>,
    { what, deadline, waitsMs = 0, isEnough, pin }: AskOptions<T>,
    until: number,
    before: BaristaError | null,
  ): Promise<Round<T>> {
    let lacking: { readonly reply: T } | null = null;
    let unable: BaristaError | null = null;
    let error = before;
    for (const endpoint of this.#awake()) {
      if (pin !== undefined && pin.to !== null && pin.to !== endpoint) continue;
      if (this.#closed) throw closed();
      if (deadline.leftMs <= 0 || (error !== null && performance.now() >= until)) break;
      const timeoutMs = Math.ceil(Math.min(this.#attemptMs + waitsMs, Math.max(deadline.leftMs, 1)));
      try {
        const reply = await deadline.run<T>(what, (done) => ask(endpoint.connection, timeoutMs, done));
        endpoint.served();
        if (pin !== undefined) pin.to = endpoint;
        if (isEnough?.(reply) !== false) return { reply };
        lacking = { reply };
      } catch (thrown) {
        const failure = toBaristaError(thrown);
        if (failure.code === 'ERR_PROCEDURE') {
          // Another replica may have the procedure; but to ask this one again is of no use.
          unable = failure;
          continue;
        }
        if (!TRY_NEXT.has(failure.code)) throw failure;
        if (this.#closed) throw closed();
        // When a caller's time is over that says nothing of the replica, nor of what kept it from serving before.
        if (failure.code === 'ERR_TIMEOUT' && deadline.leftMs <= 0) {
          error ??= failure;
          continue;
        }
        error = failure;
        endpoint.failed(failure);
      }
    }
    if (lacking === null && unable !== null) throw unable;
    return lacking ?? { error };
  }

  #awake(): readonly Endpoint[] {
    const now = performance.now();
    return this.endpoints
      .filter(({ id, asleepUntil }) => id !== null && asleepUntil <= now)
      .sort((a, b) => a.roundTripMs - b.roundTripMs);
  }

  /**
   * Waits until a replica may be asked again. Rejects with `error`, or why else no replica serves, as soon as it is clear that
   * none may before the deadline.
   */
  async #pause(what: string, deadline: Deadline, error: BaristaError | null, pinnedTo?: object | null): Promise<void> {
    const candidates = this.endpoints.filter((endpoint) => pinnedTo == null || endpoint === pinnedTo);
    const known = candidates.filter(({ id }) => id !== null);
    const delayMs = Math.max(Math.min(...known.map(({ asleepUntil }) => asleepUntil)) - performance.now(), 1);
    // Of the others one may be heard from at any time.
    const isInVain = known.length === candidates.length && delayMs >= deadline.leftMs;
    const leftMs = deadline.leftMs - 1;
    const inVain = (): BaristaError => failed(what, deadline, error ?? this.#latestError());
    if (isInVain || leftMs <= 0) throw inVain();
    const paused = deadline.run<void>(what, (done) => {
      if (this.#closed) return done(fail(closed()));
      const wake = (): void => {
        clearTimeout(timer);
        deadline.signal?.removeEventListener('abort', wake);
        this.#sleepers.delete(wake);
        done(this.#closed ? fail(closed()) : succeed(undefined));
      };
      const timer = setTimeout(wake, Math.min(delayMs, leftMs));
      deadline.signal?.addEventListener('abort', wake);
      this.#sleepers.add(wake);
    });
    await paused.catch((thrown: BaristaError) => {
      throw thrown.code === 'ERR_TIMEOUT' ? inVain() : thrown;
    });
  }

  #wake(): void {
    for (const wake of [...this.#sleepers]) wake();
  }

  #latestError(): BaristaError | null {
    return this.endpoints.findLast(({ lastError }) => lastError !== null)?.lastError ?? null;
  }

  #learn({ cluster, clock, retryWindowMs }: ClusterTerms): void {
    this.#cluster ??= cluster;
    if (cluster !== this.#cluster) {
      throw new BaristaError('ERR_CLUSTER_MISMATCH', `the replica is of cluster ${cluster}, not ${this.#cluster}`);
    }
    if (clock === 'hybrid') this.#retryWindowMs = retryWindowMs;
  }
}

function failed(what: string, deadline: Deadline, cause: BaristaError | null): BaristaError {
  const message = `${what}: no replica served it within ${deadline.timeoutMs} ms`;
  if (cause === null) return new BaristaError('ERR_TIMEOUT', message);
  return new BaristaError(cause.code, `${message}: ${cause.message}`, { cause });
}

function closed(): BaristaError {
  return new BaristaError('ERR_CLOSED', 'the client was closed');
}
