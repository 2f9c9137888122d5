import type { ClientId } from '../base/ids.js';
import type { BatchPart, BatchRequest, ReadRequest, WriteRequest } from './messages.js';
import { VersionVector } from './version-vector.js';
import type { AcceptStamp } from './write.js';

export type Guarantee = 'read-your-writes' | 'monotonic-reads' | 'writes-follow-reads' | 'monotonic-writes';

export const GUARANTEES: readonly Guarantee[] = [
  'read-your-writes',
  'monotonic-reads',
  'writes-follow-reads',
  'monotonic-writes',
];

export const DEFAULT_GUARANTEES: readonly Guarantee[] = ['read-your-writes', 'monotonic-reads'];

/** Needs are kept key by key for so many keys; beyond, those of the keys that were touched longest ago are put together. */
const KEYS_MAX = 1_024;

/** All that a session carries from one request to the next, beside its client id and time. */
export interface SessionState {
  readonly guarantees: readonly Guarantee[];
  /** The highest accept time that it has read or written. */
  readonly highest: number;
  readonly writeNeeds: VersionVector;
  /** What is needed under every key that `keyNeeds` does not name. */
  readonly otherNeeds: VersionVector;
  /** Those touched longest ago first. */
  readonly keyNeeds: readonly (readonly [key: string, needs: VersionVector])[];
}

/**
 * What a client has seen and written, and so what a replica must hold to serve it (Terry et al., PDIS 1994). The read
 * guarantees are kept per key, and only what that key needs; the write guarantees over the whole session. A session that
 * asks for all four is causal, also across keys: its reads need all that it has read and written, too.
 *
 * Whatever the guarantees, a write is stamped after everything the session has read and written, so that its own order
 * holds in every log.
 */
export class Session<Op> {
  readonly client: ClientId;
  readonly #guarantees: ReadonlySet<Guarantee>;
  /** By key, those touched longest ago first. No vector in it is changed: a request under way may hold it. */
  readonly #needs = new Map<string, VersionVector>();
  /** What every other key needs: more than it must, since it is what all keys need that were put together. */
  #otherNeeds = new VersionVector();
  /** What writes need: the session's reads (writes-follow-reads) and writes (monotonic-writes), as asked for. */
  readonly #writeNeeds = new VersionVector();
  #clientTime = 0;
  #highest = 0;

  constructor(client: ClientId, guarantees: readonly Guarantee[] = DEFAULT_GUARANTEES) {
    this.client = client;
    this.#guarantees = new Set(guarantees);
  }

  /**
   * Goes on with what another session had seen and written. `client` must be new: the other may be in use still, and its
   * client times too.
   */
  static resume<Op>(client: ClientId, state: SessionState): Session<Op> {
    const session = new Session<Op>(client, state.guarantees);
    session.#highest = state.highest;
    session.#writeNeeds.merge(state.writeNeeds);
    session.#otherNeeds = state.otherNeeds.clone();
    for (const [key, needs] of state.keyNeeds) session.#needs.set(key, needs.clone());
    return session;
  }

  get state(): SessionState {
    return {
      guarantees: GUARANTEES.filter((guarantee) => this.#guarantees.has(guarantee)),
      highest: this.#highest,
      writeNeeds: this.#writeNeeds.clone(),
      otherNeeds: this.#otherNeeds.clone(),
      keyNeeds: [...this.#needs],
    };
  }

  /** The request for a new operation, under a client time of its own; a retry sends the same request again. */
  write(key: string, operation: Op): WriteRequest<Op> {
    this.#clientTime += 1;
    return {
      client: this.client,
      clientTime: this.#clientTime,
      key,
      operation,
      after: this.#highest,
      needs: this.#allNeeds(),
    };
  }

  /** Several keys as one write. When it is accepted, each of them `wrote`. */
  batch(parts: readonly BatchPart<Op>[]): BatchRequest<Op> {
    this.#clientTime += 1;
    return { client: this.client, clientTime: this.#clientTime, parts, after: this.#highest, needs: this.#allNeeds() };
  }

  read(key: string): ReadRequest {
    return { key, needs: this.#isCausal ? this.#allNeeds() : this.needsOf(key) };
  }

  /** What all of `keys` need together; null if nothing. */
  readMany(keys: readonly string[]): VersionVector | null {
    if (this.#isCausal) return this.#allNeeds();
    return together(keys.map((key) => this.needsOf(key)));
  }

  /** What every key needs that `isIn` the range, whether it was touched or not; null if nothing. */
  readRange(isIn: (key: string) => boolean): VersionVector | null {
    if (this.#isCausal) return this.#allNeeds();
    const touched = [...this.#needs].map(([key, needs]) => (isIn(key) ? needs : null));
    return together([this.#otherNeeds, ...touched]);
  }

  /** What `key` needs, null if nothing: another object whenever that has changed. */
  needsOf(key: string): VersionVector | null {
    return this.#needs.get(key) ?? (this.#otherNeeds.size === 0 ? null : this.#otherNeeds);
  }

  /**
   * A write was accepted. A blind one replaces what its key needs; one that reads what it changes adds to it. So does a blind
   * one if the key's needs are no longer `before`, those when the request was made: something was answered in between.
   */
  wrote(key: string, stamp: AcceptStamp, blind: boolean, before = this.needsOf(key)): void {
    this.#highest = Math.max(this.#highest, stamp.acceptTime);
    if (this.#guarantees.has('monotonic-writes')) this.#writeNeeds.raise(stamp.origin, stamp.acceptTime);
    if (this.#guarantees.has('read-your-writes')) this.#need(key, stamp, blind && before === this.needsOf(key));
  }

  /**
   * A read returned the value that `stamp` wrote; or that several writes came to, of which `basis` has the last of each origin:
   * that adds to what the key needs. A read that returned an error changes nothing. `before`: what the key needed when the
   * request was made.
   */
  found(key: string, stamp: AcceptStamp, before = this.needsOf(key), basis?: VersionVector): void {
    this.#saw(key, stamp, basis === undefined && before === this.needsOf(key));
    if (basis === undefined) return;
    for (const [origin, acceptTime] of basis.entries()) this.#saw(key, { origin, acceptTime }, false);
  }

  #saw(key: string, stamp: AcceptStamp, replaces: boolean): void {
    const { origin, acceptTime } = stamp;
    this.#highest = Math.max(this.#highest, acceptTime);
    if (this.#guarantees.has('writes-follow-reads')) this.#writeNeeds.raise(origin, acceptTime);
    if (this.#guarantees.has('monotonic-reads')) this.#need(key, stamp, replaces);
  }

  get #isCausal(): boolean {
    return this.#guarantees.size === GUARANTEES.length;
  }

  #allNeeds(): VersionVector | null {
    return this.#writeNeeds.size === 0 ? null : this.#writeNeeds.clone();
  }

  #need(key: string, stamp: AcceptStamp, replace: boolean): void {
    // What its writes need is then what its reads need.
    if (this.#isCausal) return;
    const needs = replace ? new VersionVector() : (this.needsOf(key)?.clone() ?? new VersionVector());
    needs.raise(stamp.origin, stamp.acceptTime);
    this.#needs.delete(key);
    this.#needs.set(key, needs);
    if (this.#needs.size > KEYS_MAX) this.#putTogether(KEYS_MAX / 2);
  }

  /** Puts the needs of the keys together that were touched longest ago, but for `left` keys. */
  #putTogether(left: number): void {
    const together = this.#otherNeeds.clone();
    for (const [key, needs] of this.#needs) {
      if (this.#needs.size <= left) break;
      together.merge(needs);
      this.#needs.delete(key);
    }
    this.#otherNeeds = together;
  }
}

function together(all: readonly (VersionVector | null)[]): VersionVector | null {
  const merged = new VersionVector();
  for (const needs of all) if (needs !== null) merged.merge(needs);
  return merged.size === 0 ? null : merged;
}
