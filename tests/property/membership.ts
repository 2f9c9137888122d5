import type { ClientId, ReplicaId } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { acceptTimeSpan } from '../../src/bayou/clock.js';
import { type ClusterTerms, PROTOCOL_VERSION, type Refused } from '../../src/bayou/messages.js';
import type { ScanRequest } from '../../src/bayou/read-messages.js';
import { Session } from '../../src/bayou/session.js';
import { partsOf, type Submission } from '../../src/bayou/submission.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { AcceptStamp } from '../../src/bayou/write.js';
import type { BundlePeer } from '../../src/bundle/bundle-peer.js';
import { type KvOperation, kvMachine } from '../../src/machine/kv.js';
import { answerOf, Bundles } from './membership-bundles.js';
import { Judge, type KeyUse, nameOf, stateOf, useOf } from './membership-judge.js';
import { Disk, LATE_PROCEDURE, Node } from './membership-node.js';
import type { Watchers } from './membership-watchers.js';

const HEAL_ROUNDS = 60;
const encoder = new TextEncoder();

/** How often things happen, of a hundred steps; what is left are pulls. */
interface Mix {
  readonly accept: number;
  readonly read: number;
  readonly compact: number;
  readonly cut: number;
  readonly restart: number;
  readonly join: number;
  readonly leave: number;
}

interface Reader {
  readonly session: Session<KvOperation>;
  readonly last: Map<string, AcceptStamp>;
}

interface Scan {
  readonly shown: Map<string, AcceptStamp>;
  readonly after: string | null;
  readonly snapshot: number | null;
}

/** How writes travel: by pulls from each other, by bundles too, or by bundles alone. */
export type Exchange = 'pulls' | 'both' | 'bundles';

/**
 * Random histories in which replicas join, some after they wrote alone, fold what is stable, are away, are retired, return
 * and start again, while they pull from each other in steps that are cut and resumed. At the end all are there and pull
 * until nothing changes: then their stores are equal, hold the last of all that was ever accepted, and all that can be
 * folded is. Returns what went wrong, or null.
 *
 * With even seeds the replicas keep their data on disks: each step is flushed before its answer leaves, and a replica that
 * starts again has lost what was not, since it was killed, or its machine lost power, also in the middle of a flush.
 *
 * With `watchers` some ask now this replica, now that one for what has changed; at the end each has been told all, once.
 *
 * What clients write are puts and deletes; with `operations`, on each key either increments, appends, or any operation. With
 * `batches` they write several keys at once too, and read all keys in one state: nobody is ever shown a part of a batch alone.
 */
export function runMembership(seed: number, clock: 'logical' | 'hybrid', options: HistoryOptions = {}): string | null {
  return new History(seed, clock, options).play();
}

export interface HistoryOptions {
  readonly exchange?: Exchange;
  readonly watchers?: Watchers;
  readonly operations?: boolean;
  readonly batches?: boolean;
}

class History {
  readonly #random: Random;
  readonly #onDisk: boolean;
  readonly #terms: ClusterTerms;
  readonly #mix: Mix;
  readonly #nodes: Node[] = [];
  readonly #readers: Reader[];
  readonly #keys: string[];
  readonly #judge: Judge;
  /** What is drawn of merges: apart, so that all else is as it is without them. */
  readonly #merging: Random;
  readonly #lasting: Random;
  /** Puts so far: each has a value of its own. */
  #puts = 0;
  /** Why pulls failed of late. */
  #failures: string[] = [];
  #now = 1_000_000;
  readonly #exchange: Exchange;
  readonly #bundles: Bundles;
  readonly #watchers: Watchers | null;
  /** Of all keys of a node, page by page. */
  readonly #scans = new Map<Node, Scan>();
  readonly #batches: boolean;
  #healing = false;
  /** What was wrong while all pulled from all. */
  #wrong: string | null = null;

  constructor(seed: number, clock: 'logical' | 'hybrid', options: HistoryOptions) {
    const { exchange = 'pulls', watchers = null, operations = false, batches = false } = options;
    this.#watchers = watchers;
    this.#random = seededRandom(seed);
    this.#merging = seededRandom(seed ^ 0x3e26e);
    this.#lasting = seededRandom(seed ^ 0x77c);
    this.#exchange = exchange;
    this.#batches = batches;
    this.#bundles = new Bundles(this.#random);
    this.#onDisk = seed % 2 === 0;
    const retryWindowMs = clock === 'hybrid' ? this.#pick([300, 1_000, 3_000]) : this.#pick([20, 60, 200]);
    this.#terms = { protocol: PROTOCOL_VERSION, cluster: 'test', tieBreak: 'higher', clock, retryWindowMs };
    this.#judge = new Judge(acceptTimeSpan(clock, retryWindowMs));
    const rare = (): number => this.#pick([0, 1, 2, 4]);
    this.#mix = { accept: 25, read: 8, compact: 10, cut: 6, restart: rare(), join: rare(), leave: rare() };
    this.#readers = range(2 + this.#random.below(2)).map((i) => ({
      session: new Session<KvOperation>(`c${i}` as ClientId),
      last: new Map(),
    }));
    this.#keys = range(1 + this.#random.below(5)).map((i) =>
      operations ? `${this.#pick(['n', 'n', 'l', 'm'])}${i}` : `k${i}`,
    );
    const founders = range(2 + this.#random.below(3)).map(() => this.#join());
    // Most know each other from the start. Others write alone, or in groups, before they meet.
    if (this.#random.below(4) === 0) return;
    for (const node of founders) {
      for (const peer of founders) node.replica.meet(peer.replica.origin);
      this.#keeps(node);
    }
  }

  play(): string | null {
    for (let left = 60 + this.#random.below(240); left > 0; left--) {
      if (this.#terms.clock === 'hybrid') this.#now += this.#random.below(60);
      const wrong = this.#step() ?? this.#watchers?.step(this.#nodes, this.#now) ?? null;
      if (wrong !== null) return wrong;
    }
    return this.#heal() ?? this.#watchers?.finish(this.#nodes, this.#now) ?? null;
  }

  #step(): string | null {
    const node = this.#pick(this.#nodes);
    if (this.#exchange !== 'pulls' && this.#random.below(8) === 0) return this.#makeBundle(node);
    let dice = this.#random.below(100);
    const falls = (share: number): boolean => {
      dice -= share;
      return dice < 0;
    };
    if (falls(this.#mix.restart)) {
      if (!this.#onDisk || this.#random.below(3) === 0) {
        this.#restart(node);
        return null;
      }
      // It does not live to answer what comes next.
      node.doom(true);
      dice = this.#random.below(100 - this.#mix.restart);
    }
    if (falls(this.#mix.accept)) return this.#accept(node);
    if (falls(this.#mix.read)) return this.#read(node) ?? (this.#batches ? this.#readTogether(node) : null);
    if (falls(this.#mix.compact)) this.#compact(node);
    else if (falls(this.#mix.cut)) this.#cut(node);
    else if (falls(this.#mix.join)) {
      if (this.#nodes.length < 7) this.#join();
    } else if (falls(this.#mix.leave)) this.#leaveOrReturn(node);
    else this.#pullStep(node, this.#pick(this.#nodes), 1 + this.#random.below(3));
    // While transfers are under way.
    return this.#batches && this.#random.below(2) === 0 ? this.#readTogether(node) : null;
  }

  #join(): Node {
    const node = new Node({
      id: `n${this.#nodes.length}` as ReplicaId,
      terms: this.#terms,
      disk: this.#onDisk ? new Disk(this.#random) : null,
      random: this.#random,
      onStamped: (write, isPut) => this.#judge.stamped(write, isPut),
    });
    if (this.#merging.below(2) === 0) node.learn();
    this.#nodes.push(node);
    return node;
  }

  /** True if what the node did is durable; otherwise it has died, and begun again. */
  #keeps(node: Node): boolean {
    if (node.keep()) return true;
    this.#restart(node);
    return false;
  }

  #accept(node: Node): string | null {
    const reader = this.#pick(this.#readers);
    const request = this.#batches ? this.#submission(reader) : this.#write(reader);
    // If no answer comes, or it is lost, the client asks again, elsewhere.
    for (let asked = node, isLost = this.#random.below(10) === 0; ; isLost = false) {
      const reply = asked.replica.accept(request, this.#now);
      if (reply.kind === 'refused' && reply.code === 'ERR_PROCEDURE') {
        // It was told before it could take it, and nobody else was asked yet.
        if (asked === node) return null;
        asked = node;
        continue;
      }
      if (reply.kind !== 'accepted') return `a write was answered ${JSON.stringify(reply)}`;
      if (this.#keeps(asked) && !isLost) {
        for (const { key, operation } of partsOf(request)) {
          reader.session.wrote(key, reply.stamp, kvMachine.isBlind(operation));
          reader.last.set(key, reply.stamp);
        }
        return null;
      }
      asked = this.#pick(this.#nodes);
    }
  }

  #write({ session }: Reader): Submission<KvOperation> {
    const key = this.#pick(this.#keys);
    return session.write(key, this.#drawn(key));
  }

  #submission({ session }: Reader): Submission<KvOperation> {
    const first = this.#random.below(this.#keys.length);
    const count = this.#random.below(3) === 0 ? 2 + this.#random.below(3) : 1;
    const keys = [...this.#keys.slice(first), ...this.#keys.slice(0, first)].slice(0, count);
    const parts = keys.map((key) => ({ key, operation: this.#drawn(key) }));
    const [only] = parts;
    if (only === undefined || parts.length > 1) return session.batch(parts);
    return session.write(only.key, only.operation);
  }

  #drawn(key: string): KvOperation {
    return (this.#batches ? null : this.#merged(key)) ?? this.#limited(key, this.#operation(useOf(key)));
  }

  /** Where anything is written, half of the values have a time to live. */
  #limited(key: string, operation: KvOperation): KvOperation {
    if (useOf(key) !== 'any' || (operation.kind !== 'put' && operation.kind !== 'putIfAbsent')) return operation;
    const ttlMs = [undefined, undefined, undefined, 1, 30, 1_000, 60_000][this.#lasting.below(7)];
    return ttlMs === undefined ? operation : { ...operation, ttlMs };
  }

  /** Now and then, where anything is written, a merge; by a procedure that some have not yet, too. */
  #merged(key: string): KvOperation | null {
    if (useOf(key) !== 'any' || this.#merging.below(3) > 0) return null;
    const value = encoder.encode(`${this.#merging.below(50)}`);
    const procedure = ['add-to-list@1', 'highest@1', 'first-wins@1', LATE_PROCEDURE][this.#merging.below(4)] as string;
    const expects = [null, 'absent' as const, encoder.encode('[]')][this.#merging.below(3)] ?? null;
    return { kind: 'merge', procedure, value, expects };
  }

  #operation(use: KeyUse): KvOperation {
    const count = ++this.#puts;
    const value = encoder.encode(use === 'any' ? `${count}` : '');
    switch (use) {
      case 'put':
        if (this.#random.below(4) === 0) return { kind: 'delete' };
        return { kind: 'put', value: new Uint8Array([count >> 8, count & 255]) };
      case 'increment':
        return { kind: 'increment', by: 1 + this.#random.below(9) };
      case 'append':
        return { kind: 'append', bytes: encoder.encode(`${count};`) };
      case 'any':
        return this.#pick<KvOperation>([
          { kind: 'put', value },
          { kind: 'put', value: encoder.encode('[]') },
          { kind: 'delete' },
          { kind: 'increment', by: count },
          { kind: 'append', bytes: value },
          { kind: 'setAdd', member: `${count % 5}` },
          { kind: 'setRemove', member: `${count % 5}` },
          { kind: 'putIfAbsent', value },
        ]);
    }
  }

  #read(node: Node): string | null {
    const reader = this.#pick(this.#readers);
    const key = this.#pick(this.#keys);
    const reply = node.replica.read(reader.session.read(key), 0);
    if (reply.kind !== 'found') return null;
    const last = reader.last.get(key);
    // Where an operation may take no effect its stamp need not show.
    if (useOf(key) !== 'any' && last !== undefined && this.#judge.isOlder(reply.stamp, last)) {
      return `${node.id} showed ${nameOf(reply.stamp)} of ${key} to who had seen ${nameOf(last)}`;
    }
    reader.session.found(key, reply.stamp, undefined, reply.basis);
    reader.last.set(key, reply.stamp);
    return null;
  }

  /** All keys in one state: at once, or page by page while other things happen. */
  #readTogether(node: Node): string | null {
    if (this.#random.below(3) === 0) return this.#scanOn(node);
    const reply = node.replica.reader.readMany({ keys: this.#keys, needs: null }, 0);
    if (reply.kind !== 'values') return null;
    const shown = new Map(this.#keys.map((key, i) => [key, reply.values[i]?.stamp ?? null]));
    return this.#judged(node, shown);
  }

  #scanOn(node: Node): string | null {
    const scan = this.#scans.get(node) ?? { shown: new Map(), after: null, snapshot: null };
    this.#scans.delete(node);
    const request: ScanRequest = {
      range: { from: null, before: null },
      reverse: false,
      after: scan.after,
      entriesMax: 1,
      hold: true,
      snapshot: scan.snapshot,
      needs: null,
    };
    const reply = node.replica.reader.scan(request, this.#now);
    if (reply.kind !== 'page') return null;
    for (const { key, stamp } of reply.entries) scan.shown.set(key, stamp);
    if (reply.upTo !== null) this.#scans.set(node, { ...scan, after: reply.upTo, snapshot: reply.snapshot });
    if (reply.upTo !== null) return null;
    return this.#judged(node, new Map(this.#keys.map((key) => [key, scan.shown.get(key) ?? null])));
  }

  #judged(node: Node, shown: ReadonlyMap<string, AcceptStamp | null>): string | null {
    // What it has stamped, and what is not durable, the judge does not know of yet.
    if (node.storage.dirty) return null;
    const wrong = this.#judge.judgeTogether(shown);
    return wrong === null ? null : `${node.id} shows a batch in halves: ${wrong}`;
  }

  #compact(node: Node): void {
    for (let more = true; more; more = more && this.#random.below(3) > 0) {
      more = node.replica.compact(this.#now);
      if (!this.#keeps(node)) return;
    }
  }

  #pullStep(node: Node, peer: Node, writesMax: number): void {
    if (node === peer) return;
    const sent = node.pulls.get(peer) ?? null;
    const way = sent === null ? this.#wayFrom(peer, node) : (sent.way ?? null);
    if (way === null && (!node.there || !peer.there || this.#exchange === 'bundles')) return;
    if (sent === null) {
      const report = this.#random.below(2) === 0;
      const request = node.replica.nextPull(peer.id, { writesMax, bytesMax: 1_000_000, report });
      if (this.#keeps(node)) node.pulls.set(peer, { request, batch: null, ...(way === null ? {} : { way }) });
      return;
    }
    const { request } = sent;
    if (sent.batch === null) {
      const batch = way === null ? peer.replica.serve(request, this.#now) : answerOf(way, request);
      if (way === null && !this.#keeps(peer)) return;
      if ('kind' in batch) this.#failed(node, peer, batch);
      else node.pulls.set(peer, { ...sent, batch });
      return;
    }
    const outcome = node.replica.integrate(peer.id, request, sent.batch, this.#now);
    if (!this.#keeps(node)) return;
    if (outcome.kind === 'rejoin') {
      this.#failures.push(`${node.replica.origin}: ${outcome.message}`);
      this.#rejoin(node, peer);
    } else if (outcome.kind === 'held') throw new Error(`${node.id} from ${peer.id}: held`);
    else if (outcome.kind === 'refused') this.#failed(node, peer, outcome);
    else if (outcome.more) node.pulls.set(peer, null);
    else node.pulls.delete(peer);
  }

  /** Half of what is asked for is asked of a bundle, if one lies about. */
  #wayFrom(peer: Node, node: Node): BundlePeer | null {
    if (this.#exchange === 'pulls') return null;
    if (this.#exchange === 'both') {
      return this.#healing || this.#random.below(2) === 0 ? null : this.#bundles.wayFrom(peer, node, 'any');
    }
    return this.#bundles.wayFrom(peer, node, this.#healing ? 'last' : 'any');
  }

  /** Things go on while it is made. */
  #makeBundle(node: Node): string | null {
    let wrong: string | null = null;
    const since = this.#bundles.since(this.#nodes);
    const meanwhile = (): void => {
      if (this.#random.below(3) === 0) wrong ??= this.#step();
    };
    this.#bundles.make(
      node,
      since,
      () => this.#now,
      () => this.#keeps(node),
      meanwhile,
    );
    return wrong;
  }

  /** What a driver does about a pull that failed. */
  #failed(node: Node, peer: Node, { code, message }: Refused): void {
    this.#failures.push(`${node.replica.origin}: ${code} ${message}`);
    node.pulls.delete(peer);
    node.replica.interrupted(peer.id);
    if (code === 'ERR_RETIRED') this.#rejoin(node, peer);
    // Who rejoins is not served by a bundle that goes on from another.
    else if (!['ERR_BEHIND', 'ERR_IDENTITY', 'ERR_BUNDLE_GAP'].includes(code))
      throw new Error(`${node.id} from ${peer.id}: ${code}`);
  }

  #rejoin(node: Node, peer: Node): void {
    node.replica.leave(peer.id);
    if (this.#keeps(node)) this.#restart(node);
  }

  #restart(node: Node): void {
    this.#scans.delete(node);
    node.restart();
    for (const peer of this.#nodes) {
      // What it had answered may still arrive.
      if (peer.pulls.get(node)?.batch != null && this.#random.below(2) === 0) continue;
      peer.pulls.delete(node);
      peer.replica.interrupted(node.id);
    }
  }

  #cut(node: Node): void {
    const peers = [...node.pulls.keys()];
    if (peers.length === 0) return;
    const peer = this.#pick(peers);
    node.pulls.delete(peer);
    node.replica.interrupted(peer.id);
  }

  #leaveOrReturn(node: Node): void {
    node.there = !node.there;
    if (node.there || this.#random.below(2) === 0) return;
    const other = this.#pick(this.#nodes);
    if (other === node || !other.there) return;
    other.replica.retire(node.id);
    this.#keeps(other);
  }

  #heal(): string | null {
    this.#healing = true;
    for (const node of this.#nodes) {
      node.there = true;
      node.doom(false);
      node.learn();
    }
    let before = '';
    for (let round = 0; round < HEAL_ROUNDS; round++) {
      this.#failures = [];
      this.#now += Math.ceil(this.#terms.retryWindowMs / 8) + 1;
      for (const node of this.#nodes) {
        for (const peer of this.#nodes) this.#pullAll(node, peer);
        while (node.replica.compact(this.#now));
        this.#keeps(node);
      }
      const state = this.#nodes.map(stateOf).join('\n');
      if (round > 24 && state === before) break;
      before = state;
    }
    let wrong = this.#wrong ?? this.#judge.judge(this.#nodes, this.#keys, this.#now);
    for (const node of this.#nodes) wrong ??= this.#readTogether(node);
    if (wrong === null) return null;
    const states = this.#nodes.map((node) => `${node.replica.origin} ${stateOf(node)}`.slice(0, 4_000));
    return `${wrong}\n${this.#failures.join('\n')}\n${states.join('\n')}`;
  }

  #pullAll(node: Node, peer: Node): void {
    if (node === peer) return;
    node.pulls.delete(peer);
    node.replica.interrupted(peer.id);
    if (this.#exchange === 'bundles') {
      const since = this.#random.below(2) === 0 ? new VersionVector() : node.replica.seen();
      this.#bundles.make(
        peer,
        since,
        () => this.#now,
        () => this.#keeps(peer),
        () => undefined,
      );
    }
    for (let steps = 0; steps < 3 || node.pulls.has(peer); steps++) {
      if (steps > 3_000) throw new Error(`the pull of ${node.id} from ${peer.id} does not end`);
      this.#pullStep(node, peer, 3);
      // A base store that is taken over is of two states.
      if (this.#batches && node.replica.isBehind) this.#wrong ??= this.#readTogether(node);
      if (steps >= 2 && !node.pulls.has(peer)) return;
    }
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
