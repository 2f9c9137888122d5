import {
  type ClientId,
  incarnationOf,
  type Origin,
  originOf,
  type ReplicaId,
  replicaIdOf,
} from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import type { PullBatch, PullRequest, Refused } from '../../src/bayou/messages.js';
import { Replica } from '../../src/bayou/replica.js';
import { Session } from '../../src/bayou/session.js';
import { type AcceptStamp, stampOrder, type Write } from '../../src/bayou/write.js';
import { type KvOperation, kvMachine } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';

const order = stampOrder('higher');
const HEAL_ROUNDS = 60;

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

interface Node {
  readonly id: ReplicaId;
  storage: MemoryStorage<KvOperation>;
  replica: Replica<KvOperation, Uint8Array>;
  life: number;
  /** False while it is away: nothing reaches it, its own clients may. */
  there: boolean;
  readonly pulls: Map<Node, { readonly request: PullRequest; readonly batch: PullBatch<KvOperation> | null } | null>;
}

/** What was accepted of one operation: every stamp it ever had. */
interface Operation {
  readonly key: string;
  readonly client: ClientId;
  readonly clientTime: number;
  readonly isDelete: boolean;
  readonly stamps: AcceptStamp[];
}

interface Reader {
  readonly session: Session<KvOperation>;
  readonly last: Map<string, AcceptStamp>;
}

/**
 * Random histories in which replicas join, some after they wrote alone, fold what is stable, are away, are retired, return
 * and start again, while they pull from each other in steps that are cut and resumed. At the end all are there and pull
 * until nothing changes: then their stores are equal, hold the last of all that was ever accepted, and all that can be
 * folded is. Returns what went wrong, or null.
 */
export function runMembership(seed: number, clock: 'logical' | 'hybrid'): string | null {
  return new History(seed, clock).play();
}

class History {
  readonly #random: Random;
  readonly #clock: 'logical' | 'hybrid';
  readonly #windowMs: number;
  readonly #mix: Mix;
  readonly #nodes: Node[] = [];
  readonly #readers: Reader[];
  readonly #keys: string[];
  readonly #operations = new Map<string, Operation>();
  /** Puts so far: each has a value of its own. */
  #puts = 0;
  /** Why pulls failed of late. */
  #failures: string[] = [];
  #now = 1_000_000;

  constructor(seed: number, clock: 'logical' | 'hybrid') {
    this.#random = seededRandom(seed);
    this.#clock = clock;
    this.#windowMs = clock === 'hybrid' ? this.#pick([300, 1_000, 3_000]) : this.#pick([20, 60, 200]);
    const rare = (): number => this.#pick([0, 1, 2, 4]);
    this.#mix = { accept: 25, read: 8, compact: 10, cut: 6, restart: rare(), join: rare(), leave: rare() };
    this.#readers = range(2 + this.#random.below(2)).map((i) => ({
      session: new Session<KvOperation>(`c${i}` as ClientId),
      last: new Map(),
    }));
    this.#keys = range(1 + this.#random.below(5)).map((i) => `k${i}`);
    const founders = range(2 + this.#random.below(3)).map(() => this.#join());
    // Most know each other from the start. Others write alone, or in groups, before they meet.
    if (this.#random.below(4) === 0) return;
    for (const node of founders) for (const peer of founders) node.replica.meet(peer.replica.origin);
  }

  play(): string | null {
    for (let left = 60 + this.#random.below(240); left > 0; left--) {
      if (this.#clock === 'hybrid') this.#now += this.#random.below(60);
      const wrong = this.#step();
      if (wrong !== null) return wrong;
    }
    return this.#heal();
  }

  #step(): string | null {
    const node = this.#pick(this.#nodes);
    let dice = this.#random.below(100);
    const falls = (share: number): boolean => {
      dice -= share;
      return dice < 0;
    };
    if (falls(this.#mix.accept)) return this.#accept(node);
    if (falls(this.#mix.read)) return this.#read(node);
    if (falls(this.#mix.compact)) {
      while (node.replica.compact(this.#now) && this.#random.below(3) > 0);
      return null;
    }
    if (falls(this.#mix.cut)) this.#cut(node);
    else if (falls(this.#mix.restart)) this.#restart(node);
    else if (falls(this.#mix.join)) {
      if (this.#nodes.length < 7) this.#join();
    } else if (falls(this.#mix.leave)) this.#leaveOrReturn(node);
    else this.#pullStep(node, this.#pick(this.#nodes), 1 + this.#random.below(3));
    return null;
  }

  #join(): Node {
    const id = `n${this.#nodes.length}` as ReplicaId;
    const storage = this.#watched(id);
    const node: Node = {
      id,
      storage,
      replica: this.#open(originOf(id, 1), storage, 0),
      life: 0,
      there: true,
      pulls: new Map(),
    };
    this.#nodes.push(node);
    return node;
  }

  #open(origin: Origin, storage: MemoryStorage<KvOperation>, life: number): Replica<KvOperation, Uint8Array> {
    const terms = {
      protocol: 2,
      cluster: 'test',
      tieBreak: 'higher',
      clock: this.#clock,
      retryWindowMs: this.#windowMs,
    } as const;
    return new Replica({ origin, terms, machine: kvMachine, storage, life });
  }

  /** Storage that tells what stamps its replica gives: its own at first, and again to what it stamps anew. */
  #watched(id: ReplicaId): MemoryStorage<KvOperation> {
    const storage = new MemoryStorage<KvOperation>();
    const insert = storage.insert.bind(storage);
    storage.insert = (write, position) => {
      insert(write, position);
      if (replicaIdOf(write.origin) === id) this.#stamped(write);
    };
    return storage;
  }

  #stamped(write: Write<KvOperation>): void {
    const { key, client, clientTime, origin, acceptTime, operation } = write;
    const name = `${client}:${clientTime}`;
    const known = this.#operations.get(name) ?? {
      key,
      client,
      clientTime,
      isDelete: operation.kind === 'delete',
      stamps: [],
    };
    if (!known.stamps.some((stamp) => order(stamp, write) === 0)) known.stamps.push({ origin, acceptTime });
    this.#operations.set(name, known);
  }

  #accept(node: Node): string | null {
    const reader = this.#pick(this.#readers);
    const key = this.#pick(this.#keys);
    const operation: KvOperation =
      this.#random.below(4) === 0
        ? { kind: 'delete' }
        : { kind: 'put', value: new Uint8Array([++this.#puts >> 8, this.#puts & 255]) };
    const request = reader.session.write(key, operation);
    let reply = node.replica.accept(request, this.#now);
    // The answer may be lost: then the client asks again, elsewhere.
    if (this.#random.below(10) === 0) reply = this.#pick(this.#nodes).replica.accept(request, this.#now);
    if (reply.kind !== 'accepted') return `a write was answered ${JSON.stringify(reply)}`;
    reader.session.wrote(key, reply.stamp, true);
    reader.last.set(key, reply.stamp);
    return null;
  }

  #read(node: Node): string | null {
    const reader = this.#pick(this.#readers);
    const key = this.#pick(this.#keys);
    const reply = node.replica.read(reader.session.read(key));
    if (reply.kind !== 'found') return null;
    const last = reader.last.get(key);
    if (last !== undefined && order(reply.stamp, this.#effective(last)) < 0) {
      return `${node.id} showed ${name(reply.stamp)} of ${key} to who had seen ${name(last)}`;
    }
    reader.session.found(key, reply.stamp);
    reader.last.set(key, reply.stamp);
    return null;
  }

  /** An operation that was sent to two replicas has two stamps, and takes effect at the lower. */
  #effective(stamp: AcceptStamp): AcceptStamp {
    const stamps = [...this.#operations.values()].find((it) =>
      it.stamps.some((other) => order(other, stamp) === 0),
    )?.stamps;
    return [...(stamps ?? [stamp])].sort(order)[0] as AcceptStamp;
  }

  #pullStep(node: Node, peer: Node, writesMax: number): void {
    if (node === peer || !node.there || !peer.there) return;
    const sent = node.pulls.get(peer) ?? null;
    if (sent === null) {
      const report = this.#random.below(2) === 0;
      const request = node.replica.nextPull(peer.id, { writesMax, bytesMax: 1_000_000, report });
      node.pulls.set(peer, { request, batch: null });
      return;
    }
    const { request } = sent;
    if (sent.batch === null) {
      const batch = peer.replica.serve(request, this.#now);
      if ('kind' in batch) this.#failed(node, peer, batch);
      else node.pulls.set(peer, { request, batch });
      return;
    }
    const outcome = node.replica.integrate(peer.id, request, sent.batch, this.#now);
    if (outcome.kind === 'rejoin') {
      this.#failures.push(`${node.replica.origin}: ${outcome.message}`);
      this.#rejoin(node, peer);
    } else if (outcome.kind === 'held') throw new Error(`${node.id} from ${peer.id}: held`);
    else if (outcome.kind === 'refused') this.#failed(node, peer, outcome);
    else if (outcome.more) node.pulls.set(peer, null);
    else node.pulls.delete(peer);
  }

  /** What a driver does about a pull that failed. */
  #failed(node: Node, peer: Node, { code, message }: Refused): void {
    this.#failures.push(`${node.replica.origin}: ${code} ${message}`);
    node.pulls.delete(peer);
    node.replica.interrupted(peer.id);
    if (code === 'ERR_RETIRED') this.#rejoin(node, peer);
    else if (!['ERR_BEHIND', 'ERR_IDENTITY'].includes(code)) throw new Error(`${node.id} from ${peer.id}: ${code}`);
  }

  #rejoin(node: Node, peer: Node): void {
    node.replica.leave(peer.id);
    this.#restart(node);
  }

  /** The process ends and starts again over what it kept; under a new incarnation if it has left. */
  #restart(node: Node): void {
    const { origin, hasLeft } = node.replica;
    const next = hasLeft ? originOf(node.id, incarnationOf(origin) + 1) : origin;
    node.life += 1;
    node.pulls.clear();
    node.replica = this.#open(next, node.storage, node.life);
    for (const peer of this.#nodes) peer.pulls.delete(node);
    for (const peer of this.#nodes) peer.replica.interrupted(node.id);
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
    if (other !== node && other.there) other.replica.retire(node.id);
  }

  #heal(): string | null {
    for (const node of this.#nodes) node.there = true;
    let before = '';
    for (let round = 0; round < HEAL_ROUNDS; round++) {
      this.#failures = [];
      this.#now += Math.ceil(this.#windowMs / 8) + 1;
      for (const node of this.#nodes) {
        for (const peer of this.#nodes) this.#pullAll(node, peer);
        while (node.replica.compact(this.#now));
      }
      const state = this.#nodes.map(stateOf).join('\n');
      if (round > 24 && state === before) break;
      before = state;
    }
    const wrong = this.#judge();
    return wrong === null
      ? null
      : `${wrong}\n${this.#failures.join('\n')}\n${this.#nodes.map((node) => `${node.replica.origin} ${stateOf(node)}`.slice(0, 4_000)).join('\n')}`;
  }

  #pullAll(node: Node, peer: Node): void {
    if (node === peer) return;
    node.pulls.delete(peer);
    node.replica.interrupted(peer.id);
    for (let steps = 0; steps < 3 || node.pulls.has(peer); steps++) {
      if (steps > 3_000) throw new Error(`the pull of ${node.id} from ${peer.id} does not end`);
      this.#pullStep(node, peer, 3);
      if (steps >= 2 && !node.pulls.has(peer)) return;
    }
  }

  #judge(): string | null {
    const [first] = this.#nodes as [Node];
    for (const node of this.#nodes) {
      if (valuesOf(node) !== valuesOf(first)) return `the stores of ${node.id} and ${first.id} differ`;
      if (!node.replica.seen().equals(first.replica.seen())) return `the vectors of ${node.id} and ${first.id} differ`;
    }
    for (const key of this.#keys) {
      const wrong = this.#judgeKey(first, key);
      if (wrong !== null) return wrong;
    }
    return null;
  }

  /** The key shows an operation that no other one stands after, whichever of its stamps one takes. */
  #judgeKey(node: Node, key: string): string | null {
    const all = [...this.#operations.values()].filter((operation) => operation.key === key);
    const reply = node.replica.read({ key, needs: null });
    const shown =
      reply.kind === 'found'
        ? all.filter(({ stamps }) => stamps.some((stamp) => order(stamp, reply.stamp) === 0))
        : all.filter(({ isDelete }) => isDelete);
    if (reply.kind !== 'found' && shown.length === 0)
      return all.length === 0 ? null : `${key} is absent, and nobody deleted it`;
    const last = (operation: Operation): AcceptStamp => [...operation.stamps].sort(order).at(-1) as AcceptStamp;
    const firstOf = (operation: Operation): AcceptStamp => [...operation.stamps].sort(order)[0] as AcceptStamp;
    const fits = shown.some((candidate) =>
      all.every((other) => other === candidate || order(firstOf(other), last(candidate)) < 0),
    );
    return fits
      ? null
      : `${key} shows ${reply.kind === 'found' ? name(reply.stamp) : 'nothing'}, which others stand after: ${all.map((o) => `${o.client}:${o.clientTime}${o.isDelete ? 'x' : ''} ${o.stamps.map(name).join('/')}`).join(', ')}`;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }
}

function valuesOf({ replica }: Node): string {
  return [...replica.entries(null)].map(({ key, value }) => `${key}=${value.join()}`).join(' ');
}

function storeOf({ replica, storage }: Node): string {
  return [...replica.entries(null)]
    .map(({ key, value }) => {
      const reply = replica.read({ key, needs: null });
      return `${key}=${value.join()}@${reply.kind === 'found' ? name(reply.stamp) : ''}`;
    })
    .concat(`${storage.size >= 0}`)
    .join(' ');
}

function stateOf(node: Node): string {
  const { replica, storage } = node;
  const log = [...replica.log(null)].map((write) => `${name(write)} ${write.key} ${write.client}:${write.clientTime}`);
  return `${storeOf(node)} | seen ${replica.seen()} | base ${replica.base} retired ${replica.retired} | log ${storage.size}: ${log}`;
}

function name({ origin, acceptTime }: AcceptStamp): string {
  return `${acceptTime}@${origin}`;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
