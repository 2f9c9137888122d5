import { type Address, nameAddress } from '../base/address.js';
import { type BaristaError, toBaristaError } from '../base/errors.js';
import { type ReplicaId, replicaIdOf } from '../base/ids.js';
import { promised } from '../base/outcome.js';
import type { Status } from '../bayou/admin-messages.js';
import type { HoldsReply } from '../bayou/hold-messages.js';
import type { ClusterTerms } from '../bayou/messages.js';
import { VersionVector } from '../bayou/version-vector.js';
import { ReplicaConnection } from '../rpc/client.js';
import { BACKOFF_MS, BACKOFF_MS_MAX, MEASURE_MS } from './limits.js';

/** How much of an older measurement is kept. */
const KEPT = 0.7;

/** One replica that a client may ask: how far it is, and whether it is worth asking now. */
export class Endpoint {
  readonly address: Address;
  readonly connection: ReplicaConnection;
  readonly #attemptMs: number;
  readonly #learn: (terms: ClusterTerms) => void;
  readonly #onMeasured: () => void;
  #id: ReplicaId | null = null;
  #roundTripMs = Number.POSITIVE_INFINITY;
  #failures = 0;
  #asleepUntil = 0;
  #lastError: BaristaError | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  /** `learn` throws for a cluster that is not the client's. `onMeasured` is called whenever `measure` is done, well or not. */
  constructor(address: Address, attemptMs: number, learn: (terms: ClusterTerms) => void, onMeasured: () => void) {
    this.address = address;
    this.connection = new ReplicaConnection({ address });
    this.#attemptMs = attemptMs;
    this.#learn = learn;
    this.#onMeasured = onMeasured;
  }

  get name(): string {
    return nameAddress(this.address);
  }

  /** Null until it has said who it is: before that nothing is asked of it. */
  get id(): ReplicaId | null {
    return this.#id;
  }

  /** How long it takes to answer, in milliseconds; infinite until that was measured. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** Why the last request to it failed; null if it did not. */
  get lastError(): BaristaError | null {
    return this.#lastError;
  }

  /** When it may be asked again, on the clock of `performance.now()`; in the past if it may be. */
  get asleepUntil(): number {
    return this.#asleepUntil;
  }

  /** Finds out who is there, or how far it is, and goes on with that from time to time. */
  async measure(): Promise<void> {
    try {
      if (this.#id === null) await this.#identify();
      await this.#time();
      this.served();
    } catch (thrown) {
      this.failed(toBaristaError(thrown));
    }
    this.#onMeasured();
    if (this.#closed) return;
    const delayMs = this.#failures > 0 ? this.#asleepUntil - performance.now() : MEASURE_MS * (0.5 + Math.random());
    this.#timer = setTimeout(() => void this.measure(), Math.max(delayMs, 1)).unref();
  }

  /** It answered. */
  served(): void {
    this.#failures = 0;
    this.#asleepUntil = 0;
    this.#lastError = null;
  }

  /** It did not, and is left alone for a while, at random, so that many clients do not come back at once. */
  failed(error: BaristaError): void {
    const delayMs = Math.min(BACKOFF_MS * 2 ** this.#failures, BACKOFF_MS_MAX);
    this.#failures += 1;
    this.#asleepUntil = performance.now() + delayMs * (0.5 + Math.random() / 2);
    this.#lastError = error;
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.connection.close();
  }

  async #identify(): Promise<void> {
    const { origin, terms } = await promised<Status>((done) => this.connection.status(this.#attemptMs, done));
    this.#learn(terms);
    this.#id = replicaIdOf(origin);
  }

  /** A request that asks for nothing. */
  async #time(): Promise<void> {
    const request = { needs: new VersionVector(), budgetMs: 0 };
    const begun = performance.now();
    await promised<HoldsReply>((done) => this.connection.holds(request, this.#attemptMs, done));
    const took = performance.now() - begun;
    const known = this.#roundTripMs;
    this.#roundTripMs = Number.isFinite(known) ? KEPT * known + (1 - KEPT) * took : took;
  }
}
