import type { Address } from '../base/address.js';
import { BaristaError, type ErrorCode } from '../base/errors.js';
import type { Origin, ReplicaId } from '../base/ids.js';
import { ORIGINS_MAX } from '../base/limits.js';
import { type Done, fail, type Outcome, succeed } from '../base/outcome.js';
import type { Cancel, Clock, Timers } from '../base/time.js';
import type { Progress } from '../bayou/admin-messages.js';
import type { Drift, News, PullBatch, PullRequest, Refused } from '../bayou/messages.js';
import type { PeerConnection } from '../bayou/ports.js';
import type { Held, Integrated, Rejoin } from '../bayou/replica.js';
import { VersionVector } from '../bayou/version-vector.js';
import { NewsTeller } from './news-teller.js';
import type { DriverSettings } from './settings.js';

/** Pulls that fail are told of when they have failed for so long, */
const TOLD_AFTER_MS = 2_000;
/** and then so often. */
const TOLD_EVERY_MS = 60_000;

/** For a link that asks nothing by itself. */
export const NO_CONNECTION: PeerConnection<never> = {
  pull: (_request, _timeoutMs, done) => done(fail(new BaristaError('ERR_NOT_LINKED', 'there is no link'))),
  news: (_news, _timeoutMs, done) => done(fail(new BaristaError('ERR_NOT_LINKED', 'there is no link'))),
  close: () => undefined,
};

/** What a link asks of the replica it belongs to. */
export interface LinkSteps<Op> {
  /** Answers when what the request claims is durable. */
  nextPull(peer: ReplicaId, done: Done<PullRequest>): void;
  /** Answers when the next step may be taken. */
  integrate(
    peer: ReplicaId,
    request: PullRequest,
    batch: PullBatch<Op>,
    done: Done<Integrated | Held | Refused | Rejoin>,
  ): void;
  interrupted(peer: ReplicaId): void;
  /** `isLasting`: pulls from `peer` have failed for some time, and nobody was told of it for some time. */
  pullFailed(peer: ReplicaId, error: BaristaError, isLasting: boolean): void;
  /** A peer refused `request` since this replica was retired, or could not take what it holds. */
  rejoin(peer: ReplicaId, request: PullRequest): void;
  /** A peer refused `request` since this replica runs on a copy, or on an older state, of its data. */
  copied(request: PullRequest, error: BaristaError): void;
  /** The pull from `peer` waits for time to catch up. Said once while it does. */
  held(peer: ReplicaId, drift: Drift): void;
  /** The pull from `peer` no longer waits. */
  released(peer: ReplicaId): void;
  /** A pull is over, well or not, and its callers have been answered. */
  pullEnded(): void;
  /** What to tell a peer that knows of `known`; null if nothing. */
  nextNews(peer: ReplicaId, known: VersionVector, done: Done<News | null>): void;
}

/** A neighbour, and the pull from it: at most one at a time, batch after batch until nothing is left. */
export class Link<Op> {
  readonly peer: ReplicaId;
  readonly address: Address;
  readonly #connection: PeerConnection<Op>;
  readonly #steps: LinkSteps<Op>;
  readonly #settings: DriverSettings;
  readonly #timers: Timers;
  readonly #clock: Clock;
  readonly #teller: NewsTeller;
  #lastError: ErrorCode | null = null;
  /** When pulls began to fail, and when that was last told; null if the last one did not fail, or nobody was told. */
  #failing: { readonly since: number; toldAt: number | null } | null = null;
  /** What the pull waits for since it last succeeded; null if it does not. */
  #drift: Drift | null = null;
  /** True if the last batch could not be used, or not wholly; or a disk that fails kept it from coming. */
  #unusable = false;
  #pulling = false;
  /** When the pull under way began, in milliseconds. */
  #begunAt = 0;
  /** Writes, and keys of a base store, that the pull under way has taken. */
  #taken = 0;
  /** About how many it takes in all; null if it is only one batch. */
  #total: number | null = null;
  /** Callers whose pull is under way. */
  #served: Done<void>[] = [];
  /** Callers who came later: the pull under way may be past what they want, so they get the next one. */
  #waiting: Done<void>[] = [];
  /** Callers whose pull is to go another way than over the connection, each by itself. */
  #detours: { readonly way: PeerConnection<Op>; readonly done: Done<void> }[] = [];
  /** The other way that the pull under way goes; null if it goes over the connection. */
  #detour: PeerConnection<Op> | null = null;
  /** What the peer said it holds and the replica lacked, since the pull under way began. */
  #announced: VersionVector | null = null;
  /** What it had said when the pull under way began: that pull brings it, if the peer told the truth. */
  #expected: VersionVector | null = null;
  #held: readonly [Origin, VersionVector] | null = null;
  #cancelTimer: Cancel | null = null;
  #closed = false;

  constructor(
    peer: ReplicaId,
    address: Address,
    connection: PeerConnection<Op>,
    steps: LinkSteps<Op>,
    settings: DriverSettings,
    timers: Timers,
    clock: Clock,
  ) {
    this.peer = peer;
    this.address = address;
    this.#connection = connection;
    this.#steps = steps;
    this.#settings = settings;
    this.#timers = timers;
    this.#clock = clock;
    this.#teller = new NewsTeller({
      nextNews: (known, done) => steps.nextNews(peer, known, done),
      send: (news, done) => connection.news(news, settings.pullTimeoutMs, done),
    });
    if (settings.antiEntropyMs !== null) this.#pullPeriodically(settings.antiEntropyMs);
  }

  get lastError(): ErrorCode | null {
    return this.#lastError;
  }

  get drift(): Drift | null {
    return this.#drift;
  }

  /** How far the pull is; null unless one of more than one batch is under way. */
  get progress(): Progress | null {
    if (!this.#pulling || this.#total === null) return null;
    const seconds = Math.max(this.#clock.now() - this.#begunAt, 1) / 1_000;
    const total = Math.max(this.#total, this.#taken);
    return { done: this.#taken, total, perSecond: Math.round(this.#taken / seconds) };
  }

  get pulling(): boolean {
    return this.#pulling;
  }

  /** True if the pull under way goes another way, and so tells the peer nothing. */
  get isDetour(): boolean {
    return this.#detour !== null;
  }

  /** What the peer said it holds and no pull from it has been begun for; null if nothing. */
  get announced(): VersionVector | null {
    return this.#announced;
  }

  /** True if the pull under way is to bring all of `vector`. */
  expects(vector: VersionVector): boolean {
    return this.#expected?.dominates(vector) === true;
  }

  /** The replica has something new: tells the peer, unless the peer knows. */
  tell(): void {
    this.#teller.tell();
  }

  /** What the peer said last that it holds, on disk; null if it did not. */
  get held(): readonly [Origin, VersionVector] | null {
    return this.#held;
  }

  /** The peer says that it holds `vector`. */
  holds(origin: Origin, vector: VersionVector): void {
    this.#held = [origin, vector];
  }

  /** The peer is there, and holds `vector` or was shown it. */
  heardFrom(origin: Origin, vector: VersionVector): void {
    this.#teller.heardFrom(origin, vector);
  }

  /**
   * The peer says it holds `lacking`, which the replica does not. If the last batch could not be used, that is left to
   * the period: two replicas that cannot use each other's would have each other ask without end.
   */
  announce(lacking: VersionVector): void {
    if (this.#unusable) return;
    // What was announced before, if it is too much, is left to the period.
    if (this.#announced === null || this.#announced.sizeWith(lacking) > ORIGINS_MAX)
      this.#announced = new VersionVector();
    this.#announced.merge(lacking);
  }

  /** The replica holds by now what was announced. */
  forgetAnnounced(): void {
    this.#announced = null;
  }

  /** Takes over everything the peer may claim at some moment after this call. */
  pull(done: Done<void>): void {
    this.#waiting.push(done);
    if (!this.#pulling) this.#begin();
  }

  /** Takes over, once, what is answered to pulls by another `way`: a bundle that the peer made. The caller closes it. */
  pullThrough(way: PeerConnection<Op>, done: Done<void>): void {
    this.#detours.push({ way, done });
    if (!this.#pulling) this.#begin();
  }

  /** Nothing is asked of the peer, and no answer of it heeded, from here on. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#connection.close();
    this.#end(fail(new BaristaError('ERR_NOT_LINKED', `the link to replica ${this.peer} was cut`)));
  }

  #pullPeriodically(periodMs: number): void {
    this.pull(() => {
      if (!this.#closed) this.#cancelTimer = this.#timers.after(periodMs, () => this.#pullPeriodically(periodMs));
    });
  }

  #begin(): void {
    this.#pulling = true;
    this.#begunAt = this.#clock.now();
    this.#taken = 0;
    this.#total = null;
    const detour = this.#detours.shift();
    if (detour !== undefined) {
      this.#detour = detour.way;
      this.#served = [detour.done];
      return this.#step();
    }
    this.#served = this.#waiting;
    this.#waiting = [];
    this.#expected = this.#announced;
    this.#announced = null;
    this.#step();
  }

  #step(): void {
    this.#steps.nextPull(this.peer, (next) => {
      if (this.#closed) return;
      if (next.ok) this.#ask(next.value);
      else this.#fail(next.error);
    });
  }

  #ask(request: PullRequest): void {
    (this.#detour ?? this.#connection).pull(request, this.#settings.pullTimeoutMs, (answer) => {
      if (this.#closed) return;
      if (!answer.ok) {
        if (answer.error.code === 'ERR_RETIRED') this.#steps.rejoin(this.peer, request);
        if (answer.error.code === 'ERR_COPIED') this.#steps.copied(request, answer.error);
        return this.#fail(answer.error);
      }
      this.#steps.integrate(this.peer, request, answer.value, (outcome) => {
        if (this.#closed) return;
        if (!outcome.ok) return this.#fail(outcome.error);
        this.#unusable = outcome.value.kind !== 'integrated';
        if (outcome.value.kind === 'refused')
          return this.#fail(new BaristaError(outcome.value.code, outcome.value.message));
        if (outcome.value.kind === 'rejoin') {
          this.#steps.rejoin(this.peer, request);
          return this.#fail(new BaristaError('ERR_BEHIND', outcome.value.message));
        }
        if (outcome.value.kind === 'held') return this.#hold(outcome.value);
        this.#count(answer.value);
        if (outcome.value.more) return this.#step();
        this.#lastError = null;
        this.#failing = null;
        if (this.#drift !== null) this.#steps.released(this.peer);
        this.#drift = null;
        this.#end(succeed(undefined));
      });
    });
  }

  #count(batch: PullBatch<Op>): void {
    const taken = batch.store?.entries.length ?? batch.writes.length;
    this.#taken += taken;
    if (batch.left !== null) this.#total = this.#taken + batch.left;
  }

  #hold({ origin, aheadMs }: Drift): void {
    const known = this.#drift?.origin === origin;
    this.#drift = { origin, aheadMs };
    this.#lastError = 'ERR_CLOCK_DRIFT';
    if (!known) this.#steps.held(this.peer, this.#drift);
    const what = `replica ${this.peer} has a write of ${origin} that is ${aheadMs} ms ahead of the wall clock`;
    this.#end(fail(new BaristaError('ERR_CLOCK_DRIFT', what)));
  }

  #fail(error: BaristaError): void {
    this.#lastError = error.code;
    // Nothing can be taken, or given, before the disk is tried again.
    if (error.code === 'ERR_STORAGE') this.#unusable = true;
    this.#steps.pullFailed(this.peer, error, this.#tellsFailure());
    this.#end(fail(error));
  }

  /** A neighbour that is away for a moment, or does not know of the link yet, is not worth a word. */
  #tellsFailure(): boolean {
    const now = this.#clock.now();
    this.#failing ??= { since: now, toldAt: null };
    const { since, toldAt } = this.#failing;
    if (now - since < TOLD_AFTER_MS || (toldAt !== null && now - toldAt < TOLD_EVERY_MS)) return false;
    this.#failing.toldAt = now;
    return true;
  }

  #end(outcome: Outcome<void>): void {
    if (!outcome.ok) this.#steps.interrupted(this.peer);
    const left = this.#closed ? [...this.#waiting.splice(0), ...this.#detours.splice(0).map(({ done }) => done)] : [];
    const ended = [...this.#served, ...left];
    this.#served = [];
    this.#pulling = false;
    this.#detour = null;
    this.#expected = null;
    for (const done of ended) done(outcome);
    if (!this.#closed && !this.#pulling && this.#waiting.length + this.#detours.length > 0) this.#begin();
    this.#steps.pullEnded();
  }
}
