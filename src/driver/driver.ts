import { BaristaError } from '../base/errors.js';
import { type Origin, originOf, type ReplicaId, replicaIdOf } from '../base/ids.js';
import type { Log } from '../base/log.js';
import { type Done, fail, succeed } from '../base/outcome.js';
import type { Cancel, Clock, Timers } from '../base/time.js';
import type {
  LinkRequest,
  LogReply,
  LogRequest,
  RetireRequest,
  StabilizeReply,
  StabilizeRequest,
  Status,
  StoreReply,
  StoreRequest,
  UnlinkRequest,
} from '../bayou/admin-messages.js';
import type { HoldsReply, HoldsRequest, WriteState, WriteStateRequest } from '../bayou/hold-messages.js';
import {
  type Drift,
  isRefused,
  type News,
  type PullBatch,
  type PullRequest,
  type ReadReply,
  type ReadRequest,
  type Refused,
  type WriteReply,
} from '../bayou/messages.js';
import type { HistoryService, PeerDialer, ReplicaService, ReplicaStorage } from '../bayou/ports.js';
import type { ReadManyReply, ReadManyRequest, ScanReply, ScanRequest } from '../bayou/read-messages.js';
import type { Held, Integrated, Rejoin, Replica } from '../bayou/replica.js';
import type { Submission } from '../bayou/submission.js';
import type { VersionVector } from '../bayou/version-vector.js';
import type { WatchReply, WatchRequest } from '../bayou/watch-messages.js';
import type { Write } from '../bayou/write.js';
import type { KvOperation } from '../machine/kv.js';
import { Answers } from './answers.js';
import { BatchPipeline } from './batch-pipeline.js';
import { BundleDesk } from './bundle-desk.js';
import { Compactor } from './compactor.js';
import { FlushGate } from './flush-gate.js';
import { Link, type LinkSteps } from './link.js';
import { outcomeOf } from './outcome-of.js';
import type { DriverSettings } from './settings.js';
import { Stabilizer } from './stabilizer.js';

export interface DriverConfig {
  /** The core over what the storage holds: at the start, and after the storage had to forget what it could not flush. */
  readonly openReplica: () => Replica<KvOperation, Uint8Array>;
  readonly storage: ReplicaStorage<KvOperation>;
  readonly dialer: PeerDialer<KvOperation>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly settings: DriverSettings;
  /** Called once when someone asked the replica to end, after the answer is given. */
  readonly onShutdown: () => void;
  /** Gives the storage a new incarnation, since the one it has was retired; `openReplica` then opens under that. */
  readonly reincarnate: (done: Done<void>) => void;
}

/**
 * The one loop of a replica, whatever world it runs in: take an input, step the core, persist, then send and answer. It
 * owns the links and the waiting; what to say and to keep is the core's.
 */
export class Driver implements ReplicaService<KvOperation, Uint8Array>, LinkSteps<KvOperation> {
  readonly bundles: BundleDesk<KvOperation>;
  readonly histories: HistoryService<KvOperation>;
  #replica: Replica<KvOperation, Uint8Array>;
  readonly #config: DriverConfig;
  readonly #gate: FlushGate;
  readonly #compactor: Compactor;
  readonly #stabilizer: Stabilizer;
  readonly #answers: Answers;
  readonly #links = new Map<ReplicaId, Link<KvOperation>>();
  readonly #pipelines = new Map<ReplicaId, BatchPipeline>();
  /** The requests of this core; batches that answer those of an earlier one are of no use. */
  #requests = new WeakSet<PullRequest>();
  /** How many neighbours were asked what they hold, since somebody waits for that. */
  #asked = 0;
  /** Why nothing is written for now: a flush failed a moment ago. */
  #writeOutage: BaristaError | null = null;
  /** Why nothing can be read either: what is durable is not known. */
  #readOutage: BaristaError | null = null;
  #cancelRetry: Cancel | null = null;

  constructor(config: DriverConfig) {
    this.#config = config;
    this.#replica = config.openReplica();
    this.#gate = new FlushGate(
      config.storage,
      config.settings.heldAnswersMax,
      (run) => config.timers.soon(run),
      (error) => this.#flushFailed(error),
      config.settings.heldBytesMax,
    );
    this.#compactor = new Compactor(
      {
        compact: (done) => {
          const more = this.#writeOutage === null && this.#replica.compact(config.clock.now());
          // It may have accepted anew what others left.
          this.#gate.changed('own writes');
          this.#answers.changed();
          this.#gate.answer((outcome) => done(more && outcome.ok), succeed(undefined));
        },
        neighbours: () => (this.#replica.hasToFold(config.clock.now()) ? this.#links.keys() : []),
      },
      config.timers,
      config.settings.compactMs,
    );
    this.bundles = new BundleDesk<KvOperation>({
      ...config,
      steps: this,
      replica: () => this.#replica,
      link: (peer) => this.#links.get(peer),
      serve: (request, done) => this.#serve(request, done),
      settle: (done) => this.#gate.answer(done, succeed(undefined)),
      onIdle: (peer) => this.#pipelines.delete(peer),
    });
    this.#stabilizer = new Stabilizer(config, this.#compactor, {
      neighbours: () => this.#links.keys(),
      pullFrom: (peer, done) => this.#pullFrom(peer, done),
      answer: (done, outcomes) => this.#gate.answer(done, succeed({ outcomes, seen: this.#replica.seen() })),
    });
    this.#answers = new Answers(this.#replica, {
      ...config,
      outage: () => this.#readOutage,
      gate: this.#gate,
      links: this.#links,
      askNeighbours: () => this.#askNeighbours(),
    });
    this.histories = this.#answers.histories;
    if (this.#replica.hasLeft) this.#reincarnate();
  }

  /** Cuts all links and lets go of every timer. */
  close(): void {
    this.#cancelRetry?.();
    this.#compactor.close();
    this.bundles.close();
    this.#answers.close();
    const links = [...this.#links.values()];
    this.#links.clear();
    for (const link of links) link.close();
  }

  write(request: Submission<KvOperation>, done: Done<WriteReply>): void {
    const refusal = this.#writeOutage ?? this.#gate.overload();
    if (refusal !== null) return done(fail(refusal));
    const reply = this.#replica.accept(request, this.#config.clock.now());
    this.#gate.changed('own writes');
    // First: a flush may keep this thread until it is done, and the neighbours can ask meanwhile.
    if (reply.kind === 'accepted') this.#tellNeighbours();
    this.#gate.answer(done, outcomeOf(reply));
    if (reply.kind === 'accepted') this.#answers.changed();
  }

  read(request: ReadRequest, done: Done<ReadReply<Uint8Array>>): void {
    this.#answers.read(request, done);
  }

  readMany(request: ReadManyRequest, done: Done<ReadManyReply<Uint8Array>>): void {
    this.#answers.readMany(request, done);
  }

  scan(request: ScanRequest, done: Done<ScanReply<Uint8Array>>): void {
    this.#answers.scan(request, done);
  }

  holds(request: HoldsRequest, done: Done<HoldsReply>): void {
    this.#answers.holds(request, done);
  }

  writeState(request: WriteStateRequest, done: Done<WriteState>): void {
    this.#answers.writeState(request, done);
  }

  watch(request: WatchRequest, done: Done<WatchReply<Uint8Array>>): void {
    this.#answers.watch(request, done);
  }

  pull(request: PullRequest, done: Done<PullBatch<KvOperation>>): void {
    if (this.#readOutage !== null) return done(fail(this.#readOutage));
    const link = this.#linkOf(request, 'a pull');
    if (link instanceof BaristaError) return done(fail(link));
    this.#serve(request, done);
    link.holds(request.from, request.seen);
    this.#answers.changed();
    // Who asks says what it holds: as good as news.
    this.#hear(link, request.from, request.seen);
  }

  #serve(request: PullRequest, done: Done<PullBatch<KvOperation>>): void {
    if (this.#readOutage !== null) return done(fail(this.#readOutage));
    const reply = this.#replica.serve(request, this.#config.clock.now());
    this.#gate.changed('claims');
    const sent = isRefused(reply) ? [] : [...reply.writes, ...(reply.store?.entries ?? [])];
    this.#gate.answer(done, outcomeOf(reply), 'anything', this.#bytesOf(sent));
  }

  news(news: News, done: Done<void>): void {
    const link = this.#linkOf(news, 'news');
    if (link instanceof BaristaError) return done(fail(link));
    done(succeed(undefined));
    this.#hear(link, news.from, news.fresh);
  }

  link(request: LinkRequest, done: Done<void>): void {
    const { peer, address, incarnation } = request;
    const { settings, timers, clock, dialer } = this.#config;
    if (peer === this.#replica.id)
      return done(fail(new BaristaError('ERR_IDENTITY', `replica ${peer} cannot be its own peer`)));
    const old = this.#links.get(peer);
    if (old === undefined && this.#links.size >= settings.linksMax) {
      return done(fail(new BaristaError('ERR_OVERLOADED', `a replica has at most ${settings.linksMax} links`)));
    }
    if (incarnation !== null) this.#replica.meet(originOf(peer, incarnation));
    this.#gate.changed('claims');
    if (old === undefined || old.address.host !== address.host || old.address.port !== address.port) {
      this.#links.delete(peer);
      old?.close();
      this.bundles.cut(peer);
      this.#links.set(peer, new Link(peer, address, dialer.dial(peer, address), this, settings, timers, clock));
    }
    this.#gate.answer(done, succeed(undefined));
  }

  unlink(request: UnlinkRequest, done: Done<void>): void {
    const link = this.#links.get(request.peer);
    this.#links.delete(request.peer);
    this.#pipelines.delete(request.peer);
    link?.close();
    done(succeed(undefined));
  }

  stabilize(request: StabilizeRequest, done: Done<StabilizeReply>): void {
    this.#stabilizer.stabilize(request, done);
  }

  status(done: Done<Status>): void {
    this.#answers.status(done);
  }

  store(request: StoreRequest, done: Done<StoreReply<Uint8Array>>): void {
    this.#answers.store(request, done);
  }

  log(request: LogRequest, done: Done<LogReply<KvOperation>>): void {
    this.#answers.log(request, done);
  }

  retire({ id }: RetireRequest, done: Done<void>): void {
    if (this.#writeOutage !== null) return done(fail(this.#writeOutage));
    const refusal = this.#replica.retire(id);
    if (refusal !== null) return done(fail(new BaristaError(refusal.code, refusal.message)));
    this.#compactor.ask(this.#links.keys());
    this.#gate.changed('claims');
    this.#gate.answer(done, succeed(undefined));
  }

  shutdown(done: Done<void>): void {
    this.#gate.answer((outcome) => {
      done(outcome);
      this.#config.onShutdown();
    }, succeed(undefined));
  }

  nextPull(peer: ReplicaId, done: Done<PullRequest>): void {
    if (this.#writeOutage !== null) return done(fail(this.#writeOutage));
    const { batchWritesMax: writesMax, batchBytesMax: bytesMax } = this.#config.settings;
    const report = this.#compactor.take(peer);
    const request = this.#replica.nextPull(peer, { writesMax, bytesMax, report });
    this.#requests.add(request);
    this.#gate.answer(done, succeed(request), 'claims');
  }

  integrate(
    peer: ReplicaId,
    request: PullRequest,
    batch: PullBatch<KvOperation>,
    done: Done<Integrated | Held | Refused | Rejoin>,
  ): void {
    if (this.#writeOutage !== null) return done(fail(this.#writeOutage));
    if (!this.#requests.has(request)) {
      return done(fail(new BaristaError('ERR_STORAGE', 'the replica went back to what was durable during the pull')));
    }
    const wasBehind = this.#replica.isBehind;
    const outcome = this.#replica.integrate(peer, request, batch, this.#config.clock.now());
    const goesOn = outcome.kind === 'integrated' && outcome.more && batch.seen.has(this.#replica.origin);
    // Who takes over what it missed accepts anew what the peer has not.
    if (wasBehind || this.#replica.isBehind) this.#gate.changed('own writes');
    else if (!goesOn) this.#gate.changed('claims');
    const pipeline = this.#pipelines.get(peer) ?? new BatchPipeline();
    this.#pipelines.set(peer, pipeline);
    pipeline.taken(
      (flushed) => this.#gate.answer(() => flushed(), succeed(undefined)),
      () => done(succeed(outcome)),
    );
    const link = this.#links.get(peer);
    // What stands in a bundle is what its maker held then.
    if (outcome.kind !== 'refused' && link?.isDetour !== true) link?.holds(batch.from, batch.seen);
    this.#answers.changed();
    if (outcome.kind !== 'integrated' || outcome.more) return;
    this.#prune();
    if (!this.#exchangesByItself) return;
    // The request was as good as news, if it went there.
    const known = batch.seen.clone();
    if (link?.isDetour !== true) known.merge(request.seen);
    link?.heardFrom(batch.from, known);
    if (outcome.fresh) this.#tellNeighbours();
  }

  /** Step by step, so that nobody waits long. */
  #prune(): void {
    if (this.#writeOutage !== null || !this.#replica.prune()) return;
    this.#gate.answer(() => this.#config.timers.soon(() => this.#prune()), succeed(undefined));
  }

  interrupted(peer: ReplicaId): void {
    this.#replica.interrupted(peer);
  }

  pullFailed(peer: ReplicaId, error: BaristaError, isLasting: boolean): void {
    const { log } = this.#config;
    if (isLasting) log.warn({ peer, code: error.code }, `pulls fail, and are tried again: ${error.message}`);
    else log.info({ peer, code: error.code }, `pull failed: ${error.message}`);
  }

  /** The replica begins again under a new incarnation, with all its data, and hears from `peer` what it missed. */
  rejoin(peer: ReplicaId, request: PullRequest): void {
    if (!this.#requests.has(request)) return;
    this.#replica.leave(peer);
    this.#gate.changed('claims');
    this.#gate.answer((outcome) => {
      if (outcome.ok) this.#reincarnate();
    }, succeed(undefined));
  }

  copied(request: PullRequest, error: BaristaError): void {
    if (this.#requests.has(request)) this.#replica.condemn(error.message);
  }

  /** Begins again over what the storage holds. */
  #open(): void {
    this.#replica = this.#config.openReplica();
    this.#answers.open(this.#replica);
  }

  #reincarnate(): void {
    const formerly = this.#replica.origin;
    this.#requests = new WeakSet();
    this.#config.reincarnate((outcome) => {
      if (!outcome.ok) {
        this.#config.log.warn(
          { code: outcome.error.code },
          `no new incarnation could be taken: ${outcome.error.message}`,
        );
        this.#tryAgainLater();
        return;
      }
      this.#open();
      const { origin } = this.#replica;
      this.#config.log.warn({ origin, formerly }, `${formerly} rejoins as ${origin}`);
    });
  }

  held(peer: ReplicaId, { origin, aheadMs }: Drift): void {
    const what = `a write of ${origin} is ${aheadMs} ms ahead of the wall clock: the rest of what replica ${peer} has waits`;
    this.#config.log.warn({ peer, code: 'ERR_CLOCK_DRIFT', origin, aheadMs }, what);
  }

  released(peer: ReplicaId): void {
    this.#config.log.info({ peer }, `what replica ${peer} has waits no longer`);
  }

  /** Goes on with what is announced, since the pull that ended may have failed to bring it. */
  pullEnded(): void {
    this.#pullAnnounced();
  }

  nextNews(peer: ReplicaId, known: VersionVector, done: Done<News | null>): void {
    // News claims nothing: the peer can ask while what it tells of is on its way to disk.
    done(succeed(this.#replica.nextNews(peer, known)));
  }

  /**
   * A flush failed, and with it every answer that rested on it. The core goes back to what is durable, so that nothing it
   * shows or sends could be taken back; reads go on from there, and writes are tried again after a while.
   */
  #flushFailed(error: BaristaError): void {
    this.#config.log.warn({ code: error.code }, `a flush failed, writes are refused for now: ${error.message}`);
    this.#writeOutage = error;
    this.#recover(error);
  }

  #recover(error: BaristaError): void {
    this.#cancelRetry?.();
    this.#readOutage = error;
    this.#config.storage.recover((recovered) => {
      if (recovered.ok) {
        this.#readOutage = null;
        this.#requests = new WeakSet();
        this.#open();
      } else {
        this.#readOutage = recovered.error;
        this.#config.log.warn(
          { code: recovered.error.code },
          `what is durable cannot be read: ${recovered.error.message}`,
        );
      }
      this.#tryAgainLater();
    });
  }

  /** What the storage failed to do is tried again after a while. */
  #tryAgainLater(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = this.#config.timers.after(this.#config.settings.storageRetryMs, () => {
      if (this.#readOutage !== null) return this.#recover(this.#readOutage);
      this.#writeOutage = null;
      // The flush that failed may have kept all the same that this incarnation ended.
      if (this.#replica.hasLeft) this.#reincarnate();
    });
  }

  #bytesOf(writes: readonly Write<KvOperation>[]): number {
    return writes.reduce((sum, write) => sum + this.#replica.bytesOf(write), 0);
  }

  /** Somebody waits for what neighbours hold: asks some of them. */
  #askNeighbours(): void {
    if (!this.#exchangesByItself) return;
    const links = [...this.#links.values()];
    const { askedMax } = this.#config.settings;
    for (let i = 0; i < Math.min(links.length, askedMax); i++) {
      const link = links[(this.#asked + i) % links.length] as Link<KvOperation>;
      if (link.pulling) continue;
      if (this.#answers.awaitsStable) this.#compactor.ask([link.peer]);
      link.pull(() => undefined);
    }
    this.#asked += askedMax;
  }

  get #exchangesByItself(): boolean {
    return this.#config.settings.antiEntropyMs !== null;
  }

  #tellNeighbours(): void {
    if (this.#exchangesByItself) for (const link of this.#links.values()) link.tell();
  }

  /** A neighbour says it holds `vector`, which may be a part of what it holds. */
  #hear(link: Link<KvOperation>, from: Origin, vector: VersionVector): void {
    if (!this.#exchangesByItself) return;
    link.heardFrom(from, vector);
    const lacking = this.#replica.missing(vector, this.#config.clock.now());
    if (lacking === null) return;
    link.announce(lacking);
    this.#pullAnnounced();
  }

  /**
   * Pulls from each neighbour what it announced, unless a pull from another is about to bring it: in a mesh every
   * neighbour announces the same.
   */
  #pullAnnounced(): void {
    const links = [...this.#links.values()];
    const now = this.#config.clock.now();
    for (const link of links) {
      if (link.announced === null || link.pulling) continue;
      const lacking = this.#replica.missing(link.announced, now);
      if (lacking === null) link.forgetAnnounced();
      else if (!links.some((other) => other.expects(lacking))) link.pull(() => undefined);
    }
  }

  /** The link to who asks; or why it gets no answer. */
  #linkOf(request: PullRequest | News, what: string): Link<KvOperation> | BaristaError {
    const refusal = this.#replica.refusalOf(request);
    if (refusal !== null) {
      this.#config.log.warn({ from: request.from, code: refusal.code }, `refused ${what}: ${refusal.message}`);
      return new BaristaError(refusal.code, refusal.message);
    }
    const peer = replicaIdOf(request.from);
    return this.#links.get(peer) ?? this.#notLinked(peer);
  }

  #pullFrom(peer: ReplicaId, done: Done<void>): void {
    const link = this.#links.get(peer);
    if (link === undefined) return done(fail(this.#notLinked(peer)));
    link.pull(done);
  }

  #notLinked(peer: ReplicaId): BaristaError {
    return new BaristaError('ERR_NOT_LINKED', `replica ${this.#replica.id} has no link to replica ${peer}`);
  }
}
