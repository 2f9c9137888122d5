import type { ClientId } from '../base/ids.js';
import type { ReadRequest, WriteRequest } from './messages.js';
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
  readonly #needs = new Map<string, VersionVector>();
  /** What writes need: the session's reads (writes-follow-reads) and writes (monotonic-writes), as asked for. */
  readonly #writeNeeds = new VersionVector();
  #clientTime = 0;
  #highest = 0;

  constructor(client: ClientId, guarantees: readonly Guarantee[] = DEFAULT_GUARANTEES) {
    this.client = client;
    this.#guarantees = new Set(guarantees);
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
      needs: this.#writeNeeds.size === 0 ? null : this.#writeNeeds.clone(),
    };
  }

  read(key: string): ReadRequest {
    if (this.#guarantees.size < GUARANTEES.length) return { key, needs: this.#needs.get(key) ?? null };
    return { key, needs: this.#writeNeeds.size === 0 ? null : this.#writeNeeds.clone() };
  }

  /** A write was accepted. A blind one replaces what its key needs; one that reads what it changes adds to it. */
  wrote(key: string, stamp: AcceptStamp, blind: boolean): void {
    this.#highest = Math.max(this.#highest, stamp.acceptTime);
    if (this.#guarantees.has('monotonic-writes')) this.#writeNeeds.raise(stamp.origin, stamp.acceptTime);
    if (this.#guarantees.has('read-your-writes')) this.#need(key, stamp, blind);
  }

  /** A read returned the value that `stamp` wrote. A read that returned an error changes nothing. */
  found(key: string, stamp: AcceptStamp): void {
    this.#highest = Math.max(this.#highest, stamp.acceptTime);
    if (this.#guarantees.has('writes-follow-reads')) this.#writeNeeds.raise(stamp.origin, stamp.acceptTime);
    if (this.#guarantees.has('monotonic-reads')) this.#need(key, stamp, true);
  }

  #need(key: string, stamp: AcceptStamp, replace: boolean): void {
    // A request under way holds the old vector, so the new one is another object.
    const needs = replace ? new VersionVector() : (this.#needs.get(key)?.clone() ?? new VersionVector());
    needs.raise(stamp.origin, stamp.acceptTime);
    this.#needs.set(key, needs);
  }
}
