import { expect } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import type { LogFields } from '../../src/base/log.js';
import type { Done, Outcome } from '../../src/base/outcome.js';
import { seededRandom } from '../../src/base/random.js';
import type { StabilizeReply, Status } from '../../src/bayou/admin-messages.js';
import { type ClusterTerms, PROTOCOL_VERSION, type ReadReply, type WriteReply } from '../../src/bayou/messages.js';
import type { ReplicaStorage } from '../../src/bayou/ports.js';
import { DEFAULT_SETTINGS, type DriverSettings } from '../../src/driver/settings.js';
import { type KvOperation, kvOperationCodec } from '../../src/machine/kv.js';
import type { SimConnection } from '../../src/sim/connection.js';
import { SimNetwork } from '../../src/sim/network.js';
import { SimProcess } from '../../src/sim/process.js';
import { SimReplica } from '../../src/sim/replica.js';
import { Scheduler } from '../../src/sim/scheduler.js';
import { MemoryStorage } from '../../src/storage/memory.js';

export const TERMS: ClusterTerms = {
  protocol: PROTOCOL_VERSION,
  cluster: 'test',
  tieBreak: 'higher',
  clock: 'logical',
  retryWindowMs: 600_000,
};

/** Replicas on virtual time; each message takes 1 to 3 milliseconds. */
export class World {
  readonly scheduler = new Scheduler();
  readonly network: SimNetwork;
  readonly operator = new SimProcess(this.scheduler);
  /** What replicas said, as `id: message`. */
  readonly said: string[] = [];
  #clientTime = 0;

  constructor(seed = 1) {
    this.network = new SimNetwork(this.scheduler, seededRandom(seed), { minMs: 1, maxMs: 3 });
  }

  start(
    id: string,
    settings: Partial<DriverSettings> = {},
    terms = TERMS,
    maxDriftMs: number | null = null,
    storage: ReplicaStorage<KvOperation> = new MemoryStorage(kvOperationCodec),
  ): Node {
    const say = (_fields: LogFields, message: string): void => void this.said.push(`${id}: ${message}`);
    const replica = new SimReplica(
      {
        origin: originOf(id as ReplicaId, 1),
        terms,
        settings: { ...DEFAULT_SETTINGS, ...settings },
        maxDriftMs,
        storage,
        log: { info: say, warn: say },
      },
      this.scheduler,
      this.network,
    );
    return { id: id as ReplicaId, replica, line: replica.connectFrom(this.operator) };
  }

  answer<T>(call: (done: Done<T>) => void): Outcome<T> {
    const answers: Outcome<T>[] = [];
    call((outcome) => answers.push(outcome));
    for (;;) {
      const [outcome] = answers;
      if (outcome !== undefined) return outcome;
      if (!this.scheduler.step()) throw new Error('a call never answered');
    }
  }

  sleep(ms: number): void {
    const until = this.scheduler.now + ms;
    this.scheduler.after(ms, () => undefined);
    while (this.scheduler.now < until) this.scheduler.step();
  }

  link(a: Node, b: Node): void {
    for (const [node, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      const request = { peer: peer.id, address: peer.replica.address, incarnation: null };
      expect(this.answer<void>((done) => node.line.link(request, 1_000, done))).toMatchObject({ ok: true });
    }
  }

  put(node: Node, key: string): void {
    const operation = { kind: 'put', value: new Uint8Array(100) } as const;
    const request = { client: 'c' as ClientId, clientTime: ++this.#clientTime, key, operation, after: 0, needs: null };
    expect(this.answer<WriteReply>((done) => node.line.write(request, 1_000, done))).toMatchObject({ ok: true });
  }

  has(node: Node, key: string): boolean {
    const reply = this.answer<ReadReply<Uint8Array>>((done) => node.line.read({ key, needs: null }, 1_000, done));
    return reply.ok && reply.value.kind === 'found';
  }

  stabilize(node: Node, peers: readonly Node[] | null, budgetMs = 10_000): StabilizeReply {
    const request = { peers: peers?.map(({ id }) => id) ?? null, budgetMs, compact: false };
    const outcome = this.answer<StabilizeReply>((done) => node.line.stabilize(request, 60_000, done));
    if (!outcome.ok) throw outcome.error;
    return outcome.value;
  }

  status(node: Node): Status {
    const outcome = this.answer<Status>((done) => node.line.status(1_000, done));
    if (!outcome.ok) throw outcome.error;
    return outcome.value;
  }
}

export interface Node {
  readonly id: ReplicaId;
  readonly replica: SimReplica;
  readonly line: SimConnection;
}
