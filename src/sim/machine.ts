import { BaristaError, messageOf } from '../base/errors.js';
import { type Origin, originOf, type ReplicaId } from '../base/ids.js';
import type { LogFields } from '../base/log.js';
import { type Done, fail, succeed } from '../base/outcome.js';
import type { Random } from '../base/random.js';
import type { StateMachine } from '../base/state-machine.js';
import type { ClusterTerms, PullBatch, PullRequest } from '../bayou/messages.js';
import { Replica } from '../bayou/replica.js';
import type { VersionVector } from '../bayou/version-vector.js';
import type { Vector } from '../check/history.js';
import { Driver } from '../driver/driver.js';
import type { DriverSettings } from '../driver/settings.js';
import type { KvOperation } from '../machine/kv.js';
import type { DurableStorage } from '../storage/durable.js';
import { SimConnection } from './connection.js';
import { PowerLoss } from './disk/faulty-directory.js';
import { SimDisk } from './disk/sim-disk.js';
import { Endpoint, type FaultyChannel, type FaultyNetwork, type Host } from './faulty-network.js';
import { lieAbout, lieInAsking } from './lies.js';
import type { Service } from './network.js';
import { vectorOf } from './observe.js';
import { SimProcess } from './process.js';
import type { Recorder } from './recorder.js';
import type { Scheduler } from './scheduler.js';

type Core = Replica<KvOperation, Uint8Array>;

export interface MachineParts {
  readonly machine: StateMachine<KvOperation, Uint8Array>;
  readonly id: ReplicaId;
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly network: FaultyNetwork;
  readonly recorder: Recorder;
  readonly random: Random;
  readonly terms: ClusterTerms;
  readonly settings: DriverSettings;
  readonly maxDriftMs: number | null;
  readonly checksum: (bytes: Uint8Array) => number;
  /** Batches that are lies, and what the lie is. */
  readonly lies: WeakMap<object, string>;
  /** The machines it is to be linked to. */
  readonly peers: () => readonly Machine[];
  /** Its process ended though nobody ended it. */
  readonly onDeath: (machine: Machine) => void;
  /** It said something of an error with this code. */
  readonly onNoticed: (machine: Machine, code: string, message: string) => void;
  /** The incarnation it has changed. */
  readonly onIncarnation: (machine: Machine) => void;
}

/** What one life of a replica's process has. */
interface Life {
  readonly process: SimProcess;
  readonly endpoint: Endpoint;
  readonly driver: Driver;
  readonly storage: DurableStorage<KvOperation>;
  readonly channels: FaultyChannel[];
}

/** A machine with a disk, on which the process of a replica lives and dies: the real driver, core and storage. */
export class Machine {
  readonly id: ReplicaId;
  readonly host: Host;
  incarnation = 1;
  /** The highest incarnation that any data of this id ever had. */
  incarnationsUsed = 1;
  /**
   * The data directory is a copy, as its mark shows: it is not opened unless under a new incarnation. Copies that have the
   * mark of the original (of a whole machine, say) are promised to be noticed by their peers, not before they have stamped;
   * so a clone is one that no client knows of.
   */
  isCopied = false;
  /** What it speaks from its next start on. */
  protocol: number;
  liesUntil = 0;
  /** What its data directory was when it was kept. */
  backup: { readonly disk: SimDisk; readonly incarnation: number } | null = null;
  readonly #parts: MachineParts;
  readonly #isClone: boolean;
  #disk: SimDisk;
  #skewMs = 0;
  #life: Life | null = null;
  /** Of the life that is, or of one that did not come to be. */
  #process: SimProcess | null = null;
  #replica: Core | null = null;
  /** What the replica claimed when last a read was answered. */
  #shown: { readonly seen: VersionVector; readonly vector: Vector } | null = null;
  #disks = 0;
  #lastLife = 0;

  /** `original`: it begins as a copy of that one. */
  constructor(parts: MachineParts, host: Host, original?: Machine) {
    this.#parts = parts;
    this.#isClone = original !== undefined;
    this.id = parts.id;
    this.host = host;
    this.protocol = original?.protocol ?? parts.terms.protocol;
    this.incarnation = original?.incarnation ?? 1;
    this.#skewMs = original?.skewMs ?? 0;
    this.#lastLife = original === undefined ? 0 : original.#lastLife;
    this.#disk = original === undefined ? this.#newDisk() : original.#disk.copy(parts.seed);
  }

  get isRunning(): boolean {
    return this.#life !== null;
  }

  get isPaused(): boolean {
    return this.#life?.process.isPaused === true;
  }

  get origin(): Origin {
    return originOf(this.id, this.incarnation);
  }

  /** Null unless its process runs. */
  get replica(): Core | null {
    return this.#life === null ? null : this.#replica;
  }

  /** True if nothing of what it shows could be taken back by a crash. */
  get isSettled(): boolean {
    return this.#life !== null && !this.#life.storage.dirty && !this.#disk.isSyncing;
  }

  get endpoint(): Endpoint | null {
    return this.#life?.endpoint ?? null;
  }

  get skewMs(): number {
    return this.#skewMs;
  }

  set skewMs(skewMs: number) {
    this.#skewMs = skewMs;
    if (this.#life !== null) this.#life.process.skewMs = skewMs;
  }

  /** Starts its process, if it does not run; why that cannot be, or null. */
  start(takeNew = false): BaristaError | null {
    if (this.#life !== null) return null;
    if (this.isCopied && !takeNew) return new BaristaError('ERR_COPIED', `the data directory of ${this.id} is a copy`);
    if (takeNew) this.takeIncarnation();
    this.isCopied = false;
    this.host.isOn = true;
    const process = new SimProcess(this.#parts.scheduler, (step) => this.#run(step));
    this.#process = process;
    process.skewMs = this.#skewMs;
    let failure: BaristaError | null = null;
    process.run(() => {
      try {
        this.#open(process);
      } catch (thrown) {
        if (!(thrown instanceof BaristaError)) throw thrown;
        failure = thrown;
        process.kill();
        this.#disk.end('kill');
      }
    });
    return failure;
  }

  /** Ends the process; with `power` also all that its machine had not stored. */
  end(how: 'kill' | 'power'): void {
    const life = this.#life;
    this.#life = null;
    this.#process?.kill();
    this.host.isOn = how === 'kill';
    if (life !== null) this.#parts.network.ended(this.host, life.endpoint);
    for (const channel of life?.channels ?? []) this.#parts.network.forget(channel);
    this.#disk.end(how);
  }

  pause(): void {
    this.#life?.process.pause();
  }

  resume(): void {
    this.#life?.process.resume();
  }

  /** Runs a step in the process, as an operator's request. */
  ask(step: (driver: Driver) => void): void {
    const life = this.#life;
    life?.process.run(() => step(life.driver));
  }

  linkTo(peer: Machine): void {
    const request = { peer: peer.id, address: peer.host.address, incarnation: null };
    this.ask((driver) => driver.link(request, () => undefined));
  }

  get disk(): SimDisk {
    return this.#disk;
  }

  /** Only while it is down. */
  wipe(): void {
    this.#disk = this.#newDisk();
    this.takeIncarnation();
    this.isCopied = false;
  }

  keepBackup(): void {
    this.backup = { disk: this.#disk.copy(this.#diskSeed()), incarnation: this.incarnation };
  }

  /** Only while it is down. False if there is no backup. */
  restore(): boolean {
    if (this.backup === null) return false;
    this.#disk = this.backup.disk.copy(this.#diskSeed());
    this.incarnation = this.backup.incarnation;
    this.isCopied = true;
    return true;
  }

  takeIncarnation(): void {
    this.incarnationsUsed += 1;
    this.incarnation = this.incarnationsUsed;
  }

  #newDisk(): SimDisk {
    const { scheduler, checksum, recorder } = this.#parts;
    return new SimDisk({
      seed: this.#diskSeed(),
      scheduler,
      checksum,
      onFault: (kind) => recorder.fault(kind),
      onDown: () => this.#process?.kill(),
    });
  }

  #diskSeed(): number {
    this.#disks += 1;
    return this.#parts.seed * 31 + this.#disks;
  }

  /** Runs a step of the process: what it throws, and whether power was lost in it, shows when it is over. */
  #run(step: () => void): void {
    try {
      step();
    } catch (thrown) {
      if (!(thrown instanceof PowerLoss)) {
        const where = thrown instanceof Error ? (thrown.stack ?? '').split('\n').slice(0, 4).join(' ') : '';
        this.#parts.recorder.failed(`${this.id} threw ${messageOf(thrown)} ${where}`);
        this.end('kill');
        this.#parts.onDeath(this);
        return;
      }
    }
    if (!this.#disk.isDown) return;
    this.end('power');
    this.#parts.onDeath(this);
  }

  #open(process: SimProcess): void {
    const { recorder, settings, network } = this.#parts;
    const storage = this.#disk.open(process);
    const channels: FaultyChannel[] = [];
    const terms = { ...this.#parts.terms, protocol: this.protocol };
    // As a data directory has it.
    this.#lastLife = Math.max(Math.floor(process.now()), this.#lastLife + 1);
    const life = this.#lastLife;
    const say = (fields: LogFields, message: string): void => this.#said(fields, message);
    const driver = new Driver({
      openReplica: () => this.#openReplica(terms, storage, life),
      storage,
      dialer: {
        dial: (_peer, address) => {
          const channel = network.connect(process, this.host, network.hostAt(address));
          channels.push(channel);
          return this.#lyingConnection(new SimConnection(channel), network.hostAt(address));
        },
      },
      clock: process,
      timers: process,
      log: { info: say, warn: say },
      settings,
      onShutdown: () => this.end('kill'),
      reincarnate: (done) => {
        if (this.#isClone)
          return done(fail(new BaristaError('ERR_STORAGE', 'a clone is not to become another member')));
        recorder.fault('rejoin');
        this.takeIncarnation();
        this.#parts.onIncarnation(this);
        done(succeed(undefined));
      },
    });
    const endpoint = new Endpoint(process, this.#service(driver));
    this.#life = { process, endpoint, driver, storage, channels };
    this.host.endpoint = endpoint;
    for (const peer of this.#parts.peers()) this.linkTo(peer);
  }

  #openReplica(terms: ClusterTerms, storage: DurableStorage<KvOperation>, life: number): Core {
    const { maxDriftMs, machine } = this.#parts;
    const replica: Core = new Replica({ origin: this.origin, terms, machine, storage, maxDriftMs, life });
    this.#watchForLies(replica);
    this.#replica = replica;
    this.#shown = null;
    return replica;
  }

  #said({ code }: LogFields, message: string): void {
    if (typeof code !== 'string') return;
    this.#parts.recorder.code(code);
    this.#parts.onNoticed(this, code, message);
  }

  /** The driver, with an ear at what it answers, and a tongue that may lie to its peers. */
  #service(driver: Driver): Service {
    return {
      bundles: driver.bundles,
      histories: driver.histories,
      write: (request, done) => driver.write(request, done),
      read: (request, done) => {
        const seen = this.#seenNow();
        driver.read(request, (outcome) => {
          if (outcome.ok && outcome.value.kind === 'found' && outcome.value.basis === undefined) {
            const { kind, value, stamp } = outcome.value;
            done(succeed({ kind, value, stamp, seen }));
          } else done(outcome.ok ? succeed({ ...outcome.value, seen }) : outcome);
        });
      },
      readMany: (request, done) => {
        const seen = this.#seenNow();
        driver.readMany(request, (outcome) => done(outcome.ok ? succeed({ ...outcome.value, seen }) : outcome));
      },
      scan: (request, done) => driver.scan(request, done),
      holds: (request, done) => driver.holds(request, done),
      writeState: (request, done) => driver.writeState(request, done),
      watch: (request, done) => driver.watch(request, done),
      pull: (request, done) => driver.pull(request, this.#maybeLying(request, done)),
      news: (news, done) => driver.news(news, done),
      status: (done) => driver.status(done),
      link: (request, done) => driver.link(request, done),
      unlink: (request, done) => driver.unlink(request, done),
      stabilize: (request, done) => driver.stabilize(request, done),
      store: (request, done) => driver.store(request, done),
      log: (request, done) => driver.log(request, done),
      retire: (request, done) => driver.retire(request, done),
      shutdown: (done) => driver.shutdown(done),
    };
  }

  /** What its replica claims, as a history has it: the same object as long as that is the same. Null if its claims have gaps. */
  #seenNow(): Vector | null {
    const replica = this.#replica;
    if (replica === null || replica.isBehind) return null;
    const seen = replica.seen();
    if (this.#shown === null || !this.#shown.seen.equals(seen)) this.#shown = { seen, vector: vectorOf(seen) };
    return this.#shown.vector;
  }

  get #lies(): boolean {
    return this.liesUntil > this.#parts.scheduler.now && this.#parts.random.below(2) === 0;
  }

  #maybeLying(request: PullRequest, done: Done<PullBatch<KvOperation>>): Done<PullBatch<KvOperation>> {
    if (!this.#lies) return done;
    const { random, recorder, lies } = this.#parts;
    return (outcome) => {
      const lie = outcome.ok ? lieAbout(outcome.value, request, random) : null;
      if (lie === null) return done(outcome);
      recorder.fault('lie');
      lies.set(lie.said, lie.what);
      done(succeed(lie.said));
    };
  }

  #lyingConnection(connection: SimConnection, to: Host): SimConnection {
    const pull = connection.pull.bind(connection);
    connection.pull = (request, timeoutMs, done) => {
      const asked = this.#parts.peers().find(({ host }) => host === to);
      if (asked === undefined || !this.#lies) return pull(request, timeoutMs, done);
      const { random, recorder } = this.#parts;
      const { origin } = asked;
      const { what, said } = lieInAsking(request, origin, random);
      recorder.fault('lie-in-asking');
      pull(said, timeoutMs, (outcome) => {
        // A replica may have taken another incarnation meanwhile: of the one before it does not know all.
        const isSame = asked.origin === origin;
        if (outcome.ok && isSame) recorder.failed(`${asked.id} answered ${this.id}, which ${what}`);
        // It knows that it lied: what it hears says nothing of itself.
        done(fail(new BaristaError('ERR_PROTOCOL', what)));
      });
    };
    return connection;
  }

  /** A batch that is a lie must be refused, and change nothing. */
  #watchForLies(replica: Core): void {
    const { lies, recorder } = this.#parts;
    const integrate = replica.integrate.bind(replica);
    replica.integrate = (peer, request, batch, now) => {
      const lie = lies.get(batch);
      if (lie === undefined) return integrate(peer, request, batch, now);
      const before = stateOf(replica);
      const outcome = integrate(peer, request, batch, now);
      const isIgnored = outcome.kind === 'integrated' && !outcome.fresh;
      if (outcome.kind !== 'refused' && !isIgnored)
        recorder.failed(`${this.id} took the word of ${peer}, which ${lie}`);
      const after = stateOf(replica);
      if (before !== after) recorder.failed(`${this.id} was changed by ${peer}, which ${lie}: ${before} => ${after}`);
      return outcome;
    };
  }
}

/** What a lie could change that outlasts the transfer in which it was told. */
function stateOf(replica: Core): string {
  return `${replica.seen()} base ${replica.base} writes ${replica.logSize} retired ${replica.retired}`;
}
