import { assert } from '../base/assert.js';
import { type Origin, type ReplicaId, replicaIdOf } from '../base/ids.js';
import type { StateMachine } from '../base/state-machine.js';
import { cutBatch, RunMerge } from './batch.js';
import { AcceptClock } from './clock.js';
import { foldHistory, isPrunedOnArrival, positionOf, prunableBehind } from './key-history.js';
import {
  type ClusterTerms,
  type Drift,
  type News,
  type PullBatch,
  type PullRequest,
  type ReadReply,
  type ReadRequest,
  type Refused,
  refused,
  type WriteReply,
  type WriteRequest,
} from './messages.js';
import type { ReplicaStorage } from './ports.js';
import { checkBatch, checkRequest, firstAhead } from './refusals.js';
import { Transfers } from './transfers.js';
import type { VersionVector } from './version-vector.js';
import { type AcceptStamp, type StampOrder, stampOrder, type Write } from './write.js';

/** About what a write takes in a batch beside its key and operation. */
const STAMP_BYTES = 48;

export interface ReplicaConfig<Op, Value> {
  readonly origin: Origin;
  readonly terms: ClusterTerms;
  readonly machine: StateMachine<Op, Value>;
  readonly storage: ReplicaStorage<Op>;
  /**
   * With a hybrid clock, how far ahead of this replica's wall clock an accept time may be that it takes from others.
   * Null, or absent: any.
   */
  readonly maxDriftMs?: number | null;
}

/** How one step of a pull ended. */
export interface Integrated {
  readonly kind: 'integrated';
  /** True if there is a next step to take. */
  readonly more: boolean;
  /** True if the replica may now claim writes that it could not before. */
  readonly fresh: boolean;
}

/** A step of a pull took what it could; the rest waits until the wall clock has caught up. */
export interface Held extends Drift {
  readonly kind: 'held';
}

/**
 * A Bayou replica, pure: every method is one step, takes what it needs (messages, the wall clock) as plain values, and
 * answers with one. Its state is what `storage` keeps, the vectors, and the clock.
 *
 * The caller's duty after each step, in this order: flush the storage if it is dirty; then send the step's answer. An
 * answer that leaves before the flush could be taken back by a crash. Steps may go on while a flush is under way.
 */
export class Replica<Op, Value> {
  readonly origin: Origin;
  readonly id: ReplicaId;
  readonly terms: ClusterTerms;
  readonly order: StampOrder;
  readonly #machine: StateMachine<Op, Value>;
  readonly #storage: ReplicaStorage<Op>;
  readonly #clock: AcceptClock;
  readonly #seen: VersionVector;
  readonly #transfers = new Transfers();

  constructor(config: ReplicaConfig<Op, Value>) {
    this.origin = config.origin;
    this.id = replicaIdOf(config.origin);
    this.terms = config.terms;
    this.order = stampOrder(config.terms.tieBreak);
    this.#machine = config.machine;
    this.#storage = config.storage;
    this.#clock = new AcceptClock(config.terms.clock, config.maxDriftMs ?? null);
    this.#seen = config.storage.loadSeen().clone();
    // What a transfer brought that was cut may stand beyond what may be claimed.
    this.#clock.observe(Math.max(this.#seen.highestTime(), config.storage.highestTime));
    this.meet(this.origin);
  }

  /** What the replica may claim to hold. A copy. */
  seen(): VersionVector {
    return this.#seen.clone();
  }

  /** Takes note of a member that has no writes yet. */
  meet(member: Origin): void {
    this.#raiseSeen(member, 0);
  }

  /** A client's write. `now` is the wall clock in milliseconds. */
  accept(request: WriteRequest<Op>, now: number): WriteReply | Refused {
    const missing = request.needs === null ? null : this.#seen.missing(request.needs);
    if (missing !== null) return { kind: 'missing', missing };
    const history = this.#storage.history(request.key);
    const earlier = this.#sameOrLaterOperation(history, request);
    if (earlier !== null) return this.#answerRetry(request, earlier);

    if (request.after > this.#clock.limit(now) && request.after > this.#clock.latest) {
      const ahead = this.#clock.aheadMs(request.after, now);
      const message = `the session of client ${request.client} is ${ahead} ms ahead of the wall clock of replica ${this.id}`;
      return refused('ERR_CLOCK_DRIFT', message);
    }
    const acceptTime = this.#clock.next(request.after, now);
    if (acceptTime === null) return refused('ERR_CLOCK_EXHAUSTED', `replica ${this.id} has no accept time left`);
    const { client, clientTime, key, operation } = request;
    const write: Write<Op> = { origin: this.origin, acceptTime, client, clientTime, key, operation };
    const last = history.at(-1);
    assert(last === undefined || this.order(last, write) < 0, 'an accepted write stands after all that is here');
    this.#storage.insert(write, history.length);
    this.#raiseSeen(this.origin, acceptTime);
    this.#pruneBehind(write);
    return { kind: 'accepted', stamp: { origin: this.origin, acceptTime } };
  }

  /** A client's read. Dependency is tested before presence. */
  read(request: ReadRequest): ReadReply<Value> {
    const missing = request.needs === null ? null : this.#seen.missing(request.needs);
    if (missing !== null) return { kind: 'missing', missing };
    const folded = foldHistory(this.#storage.history(request.key), this.#machine);
    if (folded === null) return { kind: 'absent' };
    const { origin, acceptTime } = folded.last;
    return { kind: 'found', value: folded.value, stamp: { origin, acceptTime } };
  }

  /** Why a peer's request, or news, is not answered; null if it may be. */
  refusalOf(request: PullRequest | News): Refused | null {
    return checkRequest(request, this.origin, this.terms, this.#seen);
  }

  /**
   * A peer's request for the next batch. Its writes and the `seen` they are sent under are cut from one state, in this
   * step; nothing is kept for the next one. `now` is the wall clock in milliseconds.
   */
  serve(request: PullRequest, now: number): PullBatch<Op> | Refused {
    const refusal = this.refusalOf(request);
    if (refusal !== null) return refusal;
    this.#clock.observe(request.seen.highestTime(this.#clock.limit(now)));
    this.meet(request.from);
    const { resume } = request;
    const resumed = resume !== null && this.#seen.dominates(resume.target);
    const base = resumed ? resume.received : request.seen;
    const { writes, more } = cutBatch(this.#storage, this.#seen, base, request, this.order, (write) =>
      this.bytesOf(write),
    );
    return { from: this.origin, resumed, writes, seen: this.#seen.clone(), more };
  }

  /** The next request to a peer: it goes on with the transfer from that peer, or one that was cut, or begins one. */
  nextPull(peer: ReplicaId, limits: { readonly writesMax: number; readonly bytesMax: number }): PullRequest {
    const seen = this.#seen.clone();
    const resume = this.#transfers.resume(peer, seen);
    // One write is enough to find out whether the transfer still has to wait.
    const writesMax = this.#transfers.waits(peer) ? 1 : limits.writesMax;
    return { terms: this.terms, from: this.origin, to: peer, seen, resume, writesMax, bytesMax: limits.bytesMax };
  }

  /**
   * A peer's batch, in answer to `request`. It is checked whole before any of it is kept. `seen` jumps to the vector of
   * the reply that left nothing, and only then may what arrived be claimed, served to others, or replace older writes.
   *
   * A batch that holds a write too far ahead of the wall clock (`now`, in milliseconds) is taken up to there, as if the
   * peer had sent no more: so nothing is dropped, and nothing is claimed that was not taken.
   */
  integrate(peer: ReplicaId, request: PullRequest, batch: PullBatch<Op>, now: number): Integrated | Held | Refused {
    const base = batch.resumed && request.resume !== null ? request.resume.received : request.seen;
    const refusal = checkBatch(batch, peer, request, base, this.origin, this.#seen, this.order);
    if (refusal !== null) return refusal;
    const limit = this.#clock.limit(now);
    const ahead = firstAhead(batch, this.#seen, limit);
    this.#clock.observe(batch.seen.highestTime(limit));
    const received = base.clone();
    for (const write of batch.writes) {
      if (write === ahead) break;
      received.raise(write.origin, write.acceptTime);
      this.#clock.observe(write.acceptTime);
      this.#insertReceived(write);
    }
    if (ahead !== null) {
      this.#transfers.wait(peer, received, batch.seen);
      return { kind: 'held', origin: ahead.origin, aheadMs: this.#clock.aheadMs(ahead.acceptTime, now) };
    }
    if (!batch.more) return { kind: 'integrated', more: false, fresh: this.#finish(peer, batch.seen) };
    this.#transfers.advance(peer, received, batch.seen);
    return { kind: 'integrated', more: true, fresh: false };
  }

  /** What to tell `peer`, which holds `known` or has been told of it; null if nothing is new. */
  nextNews(peer: ReplicaId, known: VersionVector): News | null {
    const fresh = known.missing(this.#seen);
    return fresh === null ? null : { terms: this.terms, from: this.origin, to: peer, fresh };
  }

  /** What of a peer's vector this replica may not claim to hold and could take; null if nothing. */
  missing(theirs: VersionVector, now: number): VersionVector | null {
    return this.#seen.missing(theirs, this.#clock.limit(now));
  }

  /** The pull from `peer` was cut: the next one goes on from there. */
  interrupted(peer: ReplicaId): void {
    this.#transfers.interrupt(peer);
  }

  /** The value of every present key, ascending by key, after `after` if it is not null. */
  *entries(after: string | null): Generator<{ readonly key: string; readonly value: Value }> {
    const keys = after === null ? this.#storage.keys() : this.#storage.keys(after);
    for (let next = keys.next(); next.done !== true; next = keys.next()) {
      const folded = foldHistory(this.#storage.history(next.value), this.#machine);
      if (folded !== null) yield { key: next.value, value: folded.value };
    }
  }

  /** The write log in the total order, after `after` if it is not null; with what a transfer under way has brought. */
  *log(after: AcceptStamp | null): Generator<Write<Op>> {
    const merge = new RunMerge<Op>(this.order);
    for (const origin of this.#storage.origins()) {
      merge.add(this.#storage.run(origin, after === null ? 0 : after.acceptTime - 1, Number.POSITIVE_INFINITY));
    }
    for (let write = merge.peek(); write !== undefined; merge.advance(), write = merge.peek()) {
      if (after === null || this.order(write, after) > 0) yield write;
    }
  }

  get logSize(): number {
    return this.#storage.size;
  }

  /** About how many bytes a write takes in a batch. */
  bytesOf(write: Write<Op>): number {
    return STAMP_BYTES + write.key.length + this.#machine.sizeOf(write.operation);
  }

  #raiseSeen(origin: Origin, acceptTime: number): void {
    if (this.#seen.raise(origin, acceptTime)) this.#storage.saveSeen(origin, acceptTime);
  }

  #insertReceived(write: Write<Op>): void {
    if (this.#seen.covers(write.origin, write.acceptTime)) return;
    const history = this.#storage.history(write.key);
    const position = positionOf(history, write, this.order);
    const there = history[position];
    if (there !== undefined && this.order(there, write) === 0) return;
    if (isPrunedOnArrival(history, position, write, this.#seen, this.#machine)) return;
    this.#storage.insert(write, position);
  }

  /** True if the vector now covers writes that it did not. */
  #finish(peer: ReplicaId, target: VersionVector): boolean {
    const before = this.#seen.clone();
    for (const [origin, time] of target.entries()) this.#raiseSeen(origin, time);
    this.#transfers.finish(peer, this.#seen);
    let fresh = false;
    for (const [origin, time] of target.entries()) {
      const known = before.get(origin);
      if (known >= time) continue;
      fresh = true;
      const run = this.#storage.run(origin, known, time);
      for (let next = run.next(); next.done !== true; next = run.next()) this.#pruneBehind(next.value);
    }
    return fresh;
  }

  #pruneBehind(write: Write<Op>): void {
    assert(this.#seen.covers(write.origin, write.acceptTime), 'only what may be claimed replaces older writes');
    const history = this.#storage.history(write.key);
    if (history.length === 1) return;
    const position = positionOf(history, write, this.order);
    for (const prunable of prunableBehind(history, position, this.#machine)) {
      this.#storage.remove(write.key, prunable);
    }
  }

  /** The client's write on the key with the request's client time, or if there is none with a later one. */
  #sameOrLaterOperation(history: readonly Write<Op>[], request: WriteRequest<Op>): Write<Op> | null {
    let later: Write<Op> | null = null;
    for (const write of history) {
      if (write.client !== request.client || write.clientTime < request.clientTime) continue;
      if (write.clientTime === request.clientTime) return write;
      later ??= write;
    }
    return later !== null && this.#machine.isBlind(request.operation) ? later : null;
  }

  /** A retry gets the first answer again. */
  #answerRetry(request: WriteRequest<Op>, earlier: Write<Op>): WriteReply | Refused {
    const { client, clientTime, operation } = request;
    if (earlier.clientTime > clientTime) {
      const message = `client ${client} wrote this key at its time ${earlier.clientTime} already, so its time ${clientTime} is past`;
      return refused('ERR_CLIENT_TIME', message);
    }
    if (!this.#machine.equal(earlier.operation, operation)) {
      return refused(
        'ERR_CLIENT_TIME',
        `time ${clientTime} of client ${client} already names another operation on this key`,
      );
    }
    return { kind: 'accepted', stamp: { origin: earlier.origin, acceptTime: earlier.acceptTime } };
  }
}
