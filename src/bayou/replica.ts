import { type Origin, type ReplicaId, replicaIdOf } from '../base/ids.js';
import { ORIGINS_MAX, TIME_MAX } from '../base/limits.js';
import type { StateMachine } from '../base/state-machine.js';
import { cutPage } from './base-transfer.js';
import { NOBODY } from './bundle-messages.js';
import { AcceptClock, acceptTimeSpan } from './clock.js';
import { Integration } from './integration.js';
import { LifeWatch } from './life-watch.js';
import { Membership } from './membership.js';
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
  type Standing,
  type WriteReply,
} from './messages.js';
import { ObservedStorage } from './observed-storage.js';
import type { ReplicaStorage } from './ports.js';
import { Reader } from './reader.js';
import { checkRequest } from './refusals.js';
import { answerRetry } from './retries.js';
import { partsOf, type Submission, writesOf } from './submission.js';
import { Transfers } from './transfers.js';
import type { VersionVector } from './version-vector.js';
import { type AcceptStamp, stampOrder, type Write } from './write.js';
import { WriteLog } from './write-log.js';

/** How many writes one step of `compact` folds, about. */
const FOLD_WRITES = 1_024;
/** While a peer, or who watches, takes the base store nothing is folded into it: for so long after it was last asked for, */
const PIN_MS = 60_000;
/** and no longer than this in all. */
const PIN_MS_MAX = 60 * 60_000;

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
  /** Grows with each start of the replica's process. */
  readonly life?: number;
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

/** The replica must take a new incarnation, since the peer could not take what it holds under this one. */
export interface Rejoin {
  readonly kind: 'rejoin';
  readonly message: string;
}

export interface PullLimits {
  readonly writesMax: number;
  readonly bytesMax: number;
  /** True to ask what the members attest. */
  readonly report?: boolean;
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
  readonly #storage: ReplicaStorage<Op>;
  readonly #clock: AcceptClock;
  readonly #log: WriteLog<Op, Value>;
  readonly #members: Membership;
  readonly #transfers: Transfers;
  readonly #integration: Integration<Op, Value>;
  /** What it answers from what it holds, changing nothing. */
  readonly reader: Reader<Op, Value>;
  readonly #lives = new LifeWatch();
  readonly #life: number;
  readonly #retryWindow: number;
  /** Until when nothing is folded, since a peer takes the base store; and since when. */
  #pinned: { until: number; readonly since: number } | null = null;

  constructor(config: ReplicaConfig<Op, Value>) {
    const { origin, terms, machine } = config;
    const storage = new ObservedStorage(config.storage, (key) => this.reader.changing(key));
    this.origin = origin;
    this.id = replicaIdOf(origin);
    this.terms = terms;
    this.#storage = storage;
    this.#life = config.life ?? 0;
    this.#retryWindow = acceptTimeSpan(terms.clock, terms.retryWindowMs);
    this.#clock = new AcceptClock(terms.clock, config.maxDriftMs ?? null);
    this.#log = new WriteLog(storage, stampOrder(terms.tieBreak), { machine, retryWindow: this.#retryWindow }, origin);
    const state = storage.loadState();
    // What a transfer brought that was cut may stand beyond what may be claimed.
    for (const time of [this.#log.seen.highestTime(), storage.highestTime, this.#log.baseTime, state?.clock ?? 0]) {
      this.#clock.observe(time);
    }
    this.#members = new Membership(origin, this.#log.seen, state?.retired ?? [], state?.clock ?? 0);
    this.#transfers = new Transfers(state?.resume ?? null);
    this.#integration = new Integration({
      self: origin,
      log: this.#log,
      members: this.#members,
      transfers: this.#transfers,
      clock: this.#clock,
      floor: () => this.#floor,
      store: state?.store ?? null,
      rejoinsWith: state?.rejoinsWith ?? null,
      save: () => this.#saveState(),
    });
    this.reader = new Reader({
      self: origin,
      life: this.#life,
      log: this.#log,
      members: this.#members,
      integration: this.#integration,
      clock: this.#clock,
      pin: (now) => this.#pin(now),
    });
    this.#log.raiseSeen(origin, 0);
  }

  /** What the replica may claim to hold. A copy. */
  seen(): VersionVector {
    return this.#log.seen.clone();
  }

  /** Takes note of a member that has no writes yet, if there can be none of it that would stand in the base store. */
  meet(member: Origin): void {
    if (this.#floor <= 0) this.#letIn(member);
  }

  /** A client's write, or batch. `now` is the wall clock in milliseconds. */
  accept(request: Submission<Op>, now: number): WriteReply | Refused {
    if (this.#lives.copied !== null) return refused('ERR_COPIED', this.#lives.copied);
    const missing = this.reader.missing(request.needs);
    if (missing !== null) return { kind: 'missing', missing };
    const again = answerRetry(this.#log, request);
    if (again !== null) return again;
    const [lacks] = this.#log.lackedBy(partsOf(request));
    if (lacks !== undefined) return refused('ERR_PROCEDURE', `replica ${this.id} has no merge procedure ${lacks}`);

    if (request.after > this.#clock.limit(now) && request.after > this.#clock.latest) {
      const ahead = this.#clock.aheadMs(request.after, now);
      const message = `the session of client ${request.client} is ${ahead} ms ahead of the wall clock of replica ${this.id}`;
      return refused('ERR_CLOCK_DRIFT', message);
    }
    const acceptTime = this.#clock.next(request.after, now);
    if (acceptTime === null) return refused('ERR_CLOCK_EXHAUSTED', `replica ${this.id} has no accept time left`);
    const stamp = { origin: this.origin, acceptTime };
    const after = (ms: number): number => Math.min(acceptTime + acceptTimeSpan(this.terms.clock, ms), TIME_MAX);
    this.#log.append(writesOf(request, stamp, (operation) => this.#log.rules.machine.accepted(operation, after)));
    return { kind: 'accepted', stamp };
  }

  /** A client's read. Dependency is tested before presence. `now` is the wall clock in milliseconds. */
  read(request: ReadRequest, now: number): ReadReply<Value> | Refused {
    return this.reader.read(request, now);
  }

  /** Why a peer's request, or news, is not answered; null if it may be. */
  refusalOf(request: PullRequest | News): Refused | null {
    // Not ERR_COPIED: who hears that is itself a copy.
    if (this.#lives.copied !== null)
      return refused('ERR_FORGED_STAMPS', `${this.origin} is refused: ${this.#lives.copied}`);
    return checkRequest(request, this.origin, this.terms, this.#log.seen, this.#members);
  }

  /**
   * A peer's request for the next batch. Its writes and the `seen` they are sent under are cut from one state, in this
   * step; nothing is kept for the next one. `now` is the wall clock in milliseconds.
   *
   * Who lacks part of the base store gets that first, page by page.
   */
  serve(request: PullRequest, now: number): PullBatch<Op> | Refused {
    const refusal = this.refusalOf(request) ?? this.#lives.check(request, this.#log.seen);
    if (refusal !== null) return refusal;
    if (request.outside) this.#integration.askedByOutside(request.from);
    if (this.#integration.isBehind) {
      return refused('ERR_BEHIND', `replica ${this.id} is itself taking over what it missed`);
    }
    this.#clock.observe(request.seen.highestTime(this.#clock.limit(now)));
    this.#admit(request);
    const report = request.report ? this.#members.report(this.#clock, now) : null;
    if (report !== null) this.#saveState();
    const { resume } = request;
    const resumed = resume !== null && this.#log.seen.dominates(resume.target);
    const known = resumed ? resume.received : request.seen;
    const head = { from: this.origin, resumed, seen: this.#log.seen.clone(), standing: this.#standing, report };
    const replaced = this.#log.replaced.size === 0 ? null : this.#log.replaced.clone();
    if (this.#log.isAheadOf(known)) return withReplaced(this.#servePage(request, head, now), replaced);
    const { writes, more } = this.#log.cut(known, request);
    const left = more && resume === null ? this.#log.countMissing(known) - writes.length : null;
    const { from, seen, standing } = head;
    // A field at a time: to spread an object and add to it takes microseconds.
    return withReplaced({ from, resumed, seen, standing, report, writes, more, store: null, left }, replaced);
  }

  /** The next request to a peer: it goes on with the transfer from that peer, or one that was cut, or begins one. */
  nextPull(peer: ReplicaId, limits: PullLimits): PullRequest {
    const seen = this.#log.seen.clone();
    return {
      terms: this.terms,
      from: this.origin,
      to: peer,
      seen,
      resume: this.#transfers.resume(peer, this.#integration.given) ?? this.#integration.tail,
      store: this.#integration.store,
      report: limits.report === true || this.#integration.wantsReport,
      clock: this.#members.attested,
      life: this.#life,
      outside: this.#integration.isBehind,
      // One write is enough to find out whether the transfer still has to wait.
      writesMax: this.#transfers.waits(peer) ? 1 : limits.writesMax,
      bytesMax: limits.bytesMax,
    };
  }

  /**
   * A peer's batch, in answer to `request`. It is checked whole before any of it is kept. `seen` jumps to the vector of
   * the reply that left nothing, and only then may what arrived be claimed, served to others, or replace older writes.
   *
   * A batch that holds a write too far ahead of the wall clock (`now`, in milliseconds) is taken up to there, as if the
   * peer had sent no more: so nothing is dropped, and nothing is claimed that was not taken.
   */
  integrate(
    peer: ReplicaId,
    request: PullRequest,
    batch: PullBatch<Op>,
    now: number,
  ): Integrated | Held | Refused | Rejoin {
    const outcome = this.#integration.take(peer, request, batch, now);
    if (outcome.kind === 'refused' && outcome.code === 'ERR_FORGED_STAMPS') this.#lives.condemn(outcome.message);
    return outcome;
  }

  /** A peer refuses this replica as a copy: it gives no more stamps. */
  condemn(why: string): void {
    this.#lives.condemn(why);
  }

  /** What to tell `peer`, which holds `known` or has been told of it; null if nothing is new. */
  nextNews(peer: ReplicaId, known: VersionVector): News | null {
    const fresh = known.missing(this.#log.seen);
    return fresh === null ? null : { terms: this.terms, from: this.origin, to: peer, fresh };
  }

  /** What of a peer's vector this replica may not claim to hold and could take; null if nothing. */
  missing(theirs: VersionVector, now: number): VersionVector | null {
    return this.#log.seen.missing(theirs, this.#clock.limit(now));
  }

  /** The pull from `peer` was cut: the next one goes on from there. */
  interrupted(peer: ReplicaId): void {
    this.#transfers.interrupt(peer);
    this.#integration.interrupted(peer);
  }

  /** Drops some of what was replaced by what a pull brought. True if more is left to drop. */
  prune(): boolean {
    return this.#log.prune();
  }

  /**
   * Folds some of what is stable, and older than two retry windows, into the base store, and drops from that what has expired so long ago.
   * True if more is left to do.
   * `now` is the wall clock in milliseconds.
   */
  compact(now: number): boolean {
    if (!this.hasToFold(now) || this.#integration.isBehind) return false;
    if (this.#members.alone) this.#clock.advance(now);
    const decided = this.stable > 0 ? this.#integration.adoptOrphans(now) : Number.POSITIVE_INFINITY;
    if (this.#isPinned(now)) return false;
    // A stranger may bring writes down to a window below what was attested, and those may repeat others a window older.
    const upTo = Math.min(this.stable - 2 * this.#retryWindow, decided);
    if (upTo <= this.#log.baseTime && !this.#log.hasExpired(this.#log.baseTime)) return false;
    const { more, dropped } = this.#log.fold(upTo, FOLD_WRITES, this.#members.alone);
    if (dropped) this.#transfers.reset();
    this.#saveState();
    return more;
  }

  /**
   * Takes note that a replica will not return under its present incarnation: nobody waits for it any more, and nobody takes
   * writes from it. Should it return all the same, it takes another incarnation, and what nobody had received goes on.
   */
  retire(id: ReplicaId): Refused | null {
    if (id === this.id) return refused('ERR_IDENTITY', `replica ${id} cannot retire itself: ask another one`);
    const origin = this.#members.view().find((member) => replicaIdOf(member) === id);
    if (origin === undefined) return refused('ERR_UNKNOWN_ID', `replica ${this.id} knows of no member ${id}`);
    this.#members.retire(origin);
    this.#saveState();
    return null;
  }

  /**
   * `peer` could not take what this replica holds under its incarnation, or knows that it was retired: this incarnation ends
   * here. The next step is to open the storage under a new one, which hears from `peer` what it missed.
   */
  leave(peer: ReplicaId): void {
    this.#members.leave();
    this.#integration.rejoinWith(peer);
    // What was received beyond what is claimed is heard again.
    this.#transfers.reset();
    this.#saveState();
  }

  /** True if the replica has left, and so must be opened under a new incarnation. */
  get hasLeft(): boolean {
    return this.#members.isRetired(this.origin);
  }

  /** The value of every present key, ascending by key, after `after` if it is not null. */
  entries(after: string | null, now: number): Generator<{ readonly key: string; readonly value: Value }> {
    return this.reader.entries(after, now);
  }

  /** The write log in the total order, after `after` if it is not null; with what a transfer under way has brought. */
  log(after: AcceptStamp | null): Generator<Write<Op>> {
    return this.#log.entries(after);
  }

  /** True if there are writes to fold, or may be something that has expired to drop, as soon as that is stable. */
  hasToFold(now: number): boolean {
    return this.#storage.size > 0 || this.#log.hasExpired(this.reading(now) - 2 * this.#retryWindow);
  }

  /** Which accept time it is here: what expires by then is gone. */
  reading(now: number): number {
    return this.#clock.reading(now);
  }

  get logSize(): number {
    return this.#storage.size;
  }

  /** Writes up to this accept time are folded into the base store; 0 if none are. */
  get base(): number {
    return this.#log.baseTime;
  }

  /** Every member holds every write up to this accept time, as far as this replica knows; 0 if it cannot tell. */
  get stable(): number {
    return this.#members.stable(this.#clock.latest);
  }

  /** What unfinished transfers have brought, each under the target of its peer. */
  get received(): readonly VersionVector[] {
    return this.#transfers.received;
  }

  /** True while it takes over what it missed: what it claims has gaps, and so it meets no session's needs. */
  get isBehind(): boolean {
    return this.#integration.isBehind;
  }

  /** Why it gives no more stamps: it runs on a copy, or an older state, of its data. Null if it does. */
  get copied(): string | null {
    return this.#lives.copied;
  }

  /** The members that keep writes from being stable. */
  get waitsFor(): readonly Origin[] {
    return this.#members.waitsFor();
  }

  /** What operations here need that the replica has not, by name: what rests on them waits. */
  get lacks(): readonly string[] {
    return this.#log.lacks();
  }

  get retired(): readonly Origin[] {
    return this.#members.retired;
  }

  /**
   * All of the replica's state beside its storage, as a text. Replicas whose texts are equal, over equal storages, answer
   * every further step alike: an exhaustive search takes them for one. Whatever a part keeps must be in its part of it.
   *
   * `restarts`: with what is kept only for who comes back after a restart. `lives`: with what is known of the lives of those
   * who asked; it makes no difference if each further request comes from a newer life than the ones before.
   */
  fingerprint({ restarts, lives }: { readonly restarts: boolean; readonly lives: boolean }): string {
    return [
      `${this.origin} ${this.#life} clock ${this.#clock.latest} pinned ${this.#pinned?.until} ${this.#pinned?.since}`,
      this.#log.fingerprint(),
      this.#members.fingerprint(),
      this.#transfers.fingerprint(this.#log.seen, restarts),
      this.#integration.fingerprint(),
      lives ? this.#lives.fingerprint() : `${this.#lives.copied}`,
    ].join(' | ');
  }

  /** About how many bytes a write takes in a batch. */
  bytesOf(write: Write<Op>): number {
    return this.#log.bytesOf(write);
  }

  /**
   * From an origin that is not known here, only writes above this accept time are taken: what this replica attested may
   * have let others fold up to there. Who is alone, or takes over what it missed, answers for its own base store only.
   */
  get #floor(): number {
    const { baseTime } = this.#log;
    if (this.#members.alone || this.#integration.isBehind) return baseTime;
    return Math.max(baseTime, this.#members.attested - this.#retryWindow);
  }

  get #standing(): Standing {
    return {
      base: this.#log.baseTime,
      floor: Math.max(this.#floor, 0),
      clock: this.#members.attested,
      members: this.#members.view().length,
    };
  }

  /** Who asks becomes known, if it has no writes at or below the floor and its clock is past it. */
  #admit({ from, seen, clock }: PullRequest): void {
    const floor = this.#floor;
    if (from !== NOBODY && (floor <= 0 || (seen.get(from) === 0 && clock >= floor))) this.#letIn(from);
  }

  #letIn(origin: Origin): void {
    if (this.#log.seen.size < ORIGINS_MAX) this.#log.raiseSeen(origin, 0);
  }

  #servePage(
    request: PullRequest,
    head: Pick<PullBatch<Op>, 'from' | 'resumed' | 'seen' | 'standing' | 'report'>,
    now: number,
  ): PullBatch<Op> {
    const after = request.store?.time === this.#log.baseTime ? request.store.after : null;
    const store = cutPage(this.#log, after, request);
    this.#pin(now);
    const left = after === null ? this.#storage.keyCount + this.#storage.size - store.entries.length : null;
    return { ...head, writes: [], more: true, store, left };
  }

  /** Nothing is folded for a while: a peer, or who watches, takes the base store. */
  #pin(now: number): void {
    this.#pinned = { until: now + PIN_MS, since: this.#pinned?.since ?? now };
  }

  #isPinned(now: number): boolean {
    if (this.#pinned !== null && now >= Math.min(this.#pinned.until, this.#pinned.since + PIN_MS_MAX)) {
      this.#pinned = null;
    }
    return this.#pinned !== null;
  }

  #saveState(): void {
    this.#storage.saveState({
      baseTime: this.#log.baseTime,
      baseVector: this.#log.baseVector.clone(),
      replaced: this.#log.replaced.clone(),
      retired: this.#members.retired,
      clock: this.#members.attested,
      resume: this.#transfers.latest,
      store: this.#integration.store,
      rejoinsWith: this.#integration.rejoinsWith,
    });
  }
}

function withReplaced<Op>(batch: PullBatch<Op>, replaced: VersionVector | null): PullBatch<Op> {
  return replaced === null ? batch : { ...batch, replaced };
}
