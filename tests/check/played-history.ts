import { type ClientId, incarnationOf, type ReplicaId, replicaIdOf } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { type ClusterTerms, PROTOCOL_VERSION, type Refused } from '../../src/bayou/messages.js';
import { GUARANTEES, Session } from '../../src/bayou/session.js';
import { isBatch, partsOf, type Submission } from '../../src/bayou/submission.js';
import type { VersionVector } from '../../src/bayou/version-vector.js';
import type { AcceptStamp, Write } from '../../src/bayou/write.js';
import type { History, HistoryEvent, LoggedWrite, Stamp, Vector, WriteEvent } from '../../src/check/history.js';
import { type KvOperation, kvMachine } from '../../src/machine/kv.js';
import { Node } from '../property/membership-node.js';

const HEAL_ROUNDS = 40;

export interface PlayedSpec {
  readonly seed: number;
  readonly steps: number;
  readonly clients: number;
  readonly keys: number;
  /** True if replicas also come, are retired, return, and rejoin. */
  readonly membersChange: boolean;
  /** True for some keys that operations change which read them. */
  readonly changes?: boolean;
  /** True for batches, and reads of several keys. */
  readonly batches?: boolean;
}

/**
 * A history of real replicas, played step by step: clients that roam, answers that are lost, writes that are sent again
 * elsewhere, transfers that are cut, folding, members that come and go. It is correct, as far as Barista is.
 */
export function playHistory(spec: PlayedSpec): History {
  return new Player(spec).play();
}

class Player {
  readonly #spec: PlayedSpec;
  readonly #random: Random;
  readonly #terms: ClusterTerms;
  readonly #nodes: Node[] = [];
  readonly #sessions: Session<KvOperation>[];
  readonly #events: HistoryEvent[] = [];
  #now = 0;
  #puts = 0;

  constructor(spec: PlayedSpec) {
    this.#spec = spec;
    this.#random = seededRandom(spec.seed);
    const retryWindowMs = this.#pick([20, 60, 1_000_000]);
    const tieBreak = this.#pick(['higher', 'lower'] as const);
    this.#terms = { protocol: PROTOCOL_VERSION, cluster: 'test', tieBreak, clock: 'logical', retryWindowMs };
    this.#sessions = Array.from({ length: spec.clients }, (_, i) => {
      const guarantees =
        this.#random.below(2) === 0 ? GUARANTEES : GUARANTEES.filter(() => this.#random.below(2) === 0);
      this.#events.push({ type: 'session', client: `c${i}`, guarantees });
      return new Session<KvOperation>(`c${i}` as ClientId, guarantees);
    });
    for (let left = 2 + this.#random.below(3); left > 0; left--) this.#join();
    for (const node of this.#nodes) for (const peer of this.#nodes) node.replica.meet(peer.replica.origin);
  }

  play(): History {
    for (let left = this.#spec.steps; left > 0; left--) {
      this.#now += 1;
      this.#step(this.#random.below(100));
    }
    this.#heal();
    for (const node of this.#nodes) this.#show(node, true);
    const { tieBreak, retryWindowMs: retryWindow } = this.#terms;
    return { header: { type: 'history', version: 1, tieBreak, retryWindow }, events: this.#events };
  }

  #step(dice: number): void {
    const node = this.#pick(this.#nodes);
    if (dice < 25) this.#write(node);
    else if (dice < 50) this.#read(node);
    else if (dice < 55) this.#show(node, false);
    else if (dice < 62) node.replica.compact(this.#now);
    else if (dice < 66) this.#cut(node);
    else if (dice < 68 && this.#spec.membersChange) this.#changeMembers(node);
    else this.#pullStep(node, this.#pick(this.#nodes), 1 + this.#random.below(3));
  }

  #write(node: Node): void {
    const session = this.#pick(this.#sessions);
    const request = this.#submission(session);
    const { client, clientTime } = request;
    const part = isBatch(request) ? ({ part: true } as const) : {};
    const heads = partsOf(request).map(({ key, operation }) => {
      const what = { key, ...whatOf(operation), ...part };
      return { type: 'write', client, clientTime, ...what, begin: this.#now, end: this.#now } as const;
    });
    let isUncertain = false;
    // An answer is lost now and then, and the client asks again, elsewhere.
    for (let asked = node, tries = 0; tries < 3; asked = this.#pick(this.#nodes), tries++) {
      const reply = asked.replica.accept(request, this.#now);
      if (this.#random.below(8) === 0) {
        isUncertain = true;
        continue;
      }
      const repeated = isUncertain ? ({ repeated: true } as const) : {};
      if (reply.kind === 'accepted') {
        for (const { key, operation } of partsOf(request)) {
          session.wrote(key, reply.stamp, kvMachine.isBlind(operation));
        }
      }
      for (const head of heads) {
        const answered = { ...head, replica: asked.id, ...repeated };
        const refused = reply.kind === 'refused' ? 'failed' : 'missing';
        if (reply.kind !== 'accepted') this.#events.push({ ...answered, outcome: isUncertain ? 'unknown' : refused });
        else this.#events.push({ ...answered, outcome: 'accepted', stamp: stampOf(reply.stamp) });
      }
      return;
    }
    for (const head of heads) {
      this.#events.push({ ...head, end: null, replica: null, outcome: 'unknown', repeated: true });
    }
  }

  #submission(session: Session<KvOperation>): Submission<KvOperation> {
    const [key, other] = [this.#key(), this.#spec.batches === true && this.#random.below(3) === 0 ? this.#key() : null];
    if (other === null || other === key) return session.write(key, this.#operation(key));
    return session.batch([key, other].map((key) => ({ key, operation: this.#operation(key) })));
  }

  /** With changes, some are only counted, and some are for all operations. */
  #key(): string {
    const number = this.#random.below(this.#spec.keys);
    return this.#spec.changes === true ? this.#pick([`k${number}`, `n${number}`, `m${number}`]) : `k${number}`;
  }

  #operation(key: string): KvOperation {
    if (key.startsWith('n')) return { kind: 'increment', by: 1 + this.#random.below(5) };
    const member = `${this.#random.below(3)}`;
    const changes: readonly KvOperation[] = [
      { kind: 'increment', by: -1 },
      { kind: 'append', bytes: bytesOf(member) },
      { kind: 'setAdd', member },
      { kind: 'setRemove', member },
      { kind: 'putIfAbsent', value: bytesOf(member) },
      { kind: 'merge', procedure: 'highest@1', value: bytesOf(member), expects: null },
      { kind: 'merge', procedure: 'add-to-list@1', value: bytesOf(member), expects: 'absent' },
      { kind: 'merge', procedure: 'first-wins@1', value: bytesOf(member), expects: bytesOf('1') },
      { kind: 'put', value: bytesOf('[]') },
    ];
    if (key.startsWith('m') && this.#random.below(3) > 0) return this.#pick(changes);
    return this.#random.below(4) === 0 ? { kind: 'delete' } : { kind: 'put', value: bytesOf(`v${++this.#puts}`) };
  }

  /** All keys there may be, of one state. */
  #readTogether({ id, replica }: Node): void {
    const session = this.#pick(this.#sessions);
    const keys = Array.from({ length: this.#spec.keys }, (_, i) => `k${i}`);
    const before = keys.map((key) => session.needsOf(key));
    const reply = replica.reader.readMany({ keys, needs: session.readMany(keys) }, 0);
    const seen = replica.isBehind ? {} : { seen: vectorOf(replica.seen()) };
    const { client } = session;
    const together = this.#events.length;
    for (const [i, key] of keys.entries()) {
      const when = { begin: this.#now, end: this.#now, replica: id, ...seen, together };
      const head = { type: 'read', client, key, ...when } as const;
      if (reply.kind !== 'values') {
        this.#events.push({ ...head, outcome: reply.kind === 'refused' ? 'failed' : reply.kind });
        continue;
      }
      const found = reply.values[i] ?? null;
      if (found === null) {
        this.#events.push({ ...head, outcome: 'absent' });
        continue;
      }
      session.found(key, found.stamp, before[i] ?? null, found.basis);
      this.#events.push({ ...head, outcome: 'found', value: textOf(found.value), stamp: stampOf(found.stamp) });
    }
  }

  #read(node: Node): void {
    if (this.#spec.batches === true && this.#random.below(2) === 0) return this.#readTogether(node);
    const { id, replica } = node;
    const session = this.#pick(this.#sessions);
    const key = this.#key();
    const reply = replica.read(session.read(key), 0);
    const seen = replica.isBehind ? {} : { seen: vectorOf(replica.seen()) };
    const { client } = session;
    const head = { type: 'read', client, key, begin: this.#now, end: this.#now, replica: id, ...seen } as const;
    if (reply.kind === 'found') {
      session.found(key, reply.stamp, undefined, reply.basis);
      this.#events.push({ ...head, outcome: 'found', value: textOf(reply.value), stamp: stampOf(reply.stamp) });
    } else this.#events.push({ ...head, outcome: reply.kind === 'refused' ? 'failed' : reply.kind });
  }

  #show(node: Node, final: boolean): void {
    const { replica } = node;
    if (replica.isBehind) return;
    this.#now += 1;
    this.#events.push({
      type: 'state',
      at: this.#now,
      replica: node.id,
      incarnation: incarnationOf(replica.origin),
      seen: vectorOf(replica.seen()),
      received: replica.received.map(vectorOf),
      base: replica.base,
      stable: replica.stable,
      log: Array.from(replica.log(null), loggedOf),
      store: Array.from(replica.entries(null, 0), ({ key, value }) => {
        const reply = replica.read({ key, needs: null }, 0);
        if (reply.kind !== 'found') throw new Error(`${key} is there and not there`);
        return [key, textOf(value), stampOf(reply.stamp)] as const;
      }),
      final,
    });
    this.#now += 1;
  }

  #join(): void {
    const id = `n${this.#nodes.length}` as ReplicaId;
    this.#nodes.push(
      new Node({ id, terms: this.#terms, disk: null, random: this.#random, onStamped: () => undefined }),
    );
  }

  #changeMembers(node: Node): void {
    const other = this.#pick(this.#nodes);
    const dice = this.#random.below(4);
    if (dice === 0 && this.#nodes.length < 6) this.#join();
    else if (dice === 1 && other !== node) node.replica.retire(other.id);
    else node.there = !node.there;
  }

  #pullStep(node: Node, peer: Node, writesMax: number): void {
    if (node === peer || !node.there || !peer.there) return;
    const sent = node.pulls.get(peer) ?? null;
    if (sent === null) {
      const report = this.#random.below(2) === 0;
      node.pulls.set(peer, {
        request: node.replica.nextPull(peer.id, { writesMax, bytesMax: 1_000_000, report }),
        batch: null,
      });
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
    if (outcome.kind === 'rejoin') this.#rejoin(node, peer);
    else if (outcome.kind === 'refused') this.#failed(node, peer, outcome);
    else if (outcome.kind === 'integrated' && outcome.more) node.pulls.set(peer, null);
    else node.pulls.delete(peer);
  }

  #failed(node: Node, peer: Node, { code }: Refused): void {
    node.pulls.delete(peer);
    node.replica.interrupted(peer.id);
    if (code === 'ERR_RETIRED') this.#rejoin(node, peer);
  }

  #rejoin(node: Node, peer: Node): void {
    node.replica.leave(peer.id);
    node.restart();
    for (const other of this.#nodes) {
      other.pulls.delete(node);
      other.replica.interrupted(node.id);
    }
  }

  #cut(node: Node): void {
    const [peer] = node.pulls.keys();
    if (peer === undefined) return;
    node.pulls.delete(peer);
    node.replica.interrupted(peer.id);
  }

  #heal(): void {
    for (const node of this.#nodes) node.there = true;
    for (let round = 0; round < HEAL_ROUNDS; round++) {
      this.#now += 1;
      for (const node of this.#nodes) {
        for (const peer of this.#nodes) {
          for (let steps = 0; steps < 3 || node.pulls.has(peer); steps++) {
            if (steps > 3_000) throw new Error(`the pull of ${node.id} from ${peer.id} does not end`);
            this.#pullStep(node, peer, 20);
          }
        }
        while (node.replica.compact(this.#now));
      }
      if (this.#random.below(10) === 0) this.#show(this.#pick(this.#nodes), false);
    }
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }
}

function stampOf({ origin, acceptTime }: AcceptStamp): Stamp {
  return [acceptTime, replicaIdOf(origin), incarnationOf(origin)];
}

function vectorOf(vector: VersionVector): Vector {
  return vector.sorted().map(([origin, acceptTime]) => stampOf({ origin, acceptTime }));
}

function loggedOf(write: Write<KvOperation>): LoggedWrite {
  const { client, clientTime, key, operation, resubmitted, part } = write;
  const again = { ...(resubmitted === true ? { resubmitted } : {}), ...(part === true ? { part } : {}) };
  const what =
    operation.kind === 'total' ? { value: textOf(operation.value), change: operation.kind } : whatOf(operation);
  return { stamp: stampOf(write), client, clientTime, key, ...what, ...again };
}

function whatOf(operation: KvOperation): Pick<WriteEvent, 'value' | 'change'> {
  switch (operation.kind) {
    case 'put':
      return { value: textOf(operation.value) };
    case 'increment':
      return { value: `${operation.by}`, change: 'increment' };
    case 'append':
      return { value: textOf(operation.bytes), change: 'append' };
    case 'setAdd':
    case 'setRemove':
      return { value: operation.member, change: operation.kind };
    case 'putIfAbsent':
      return { value: textOf(operation.value), change: 'putIfAbsent' };
    case 'merge': {
      const { procedure, value, expects } = operation;
      const expected = expects === null ? {} : { expects: expects === 'absent' ? null : textOf(expects) };
      return { value: JSON.stringify({ procedure, value: textOf(value), ...expected }), change: 'merge' };
    }
    default:
      return { value: null };
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
