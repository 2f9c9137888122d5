import type { ClusterOptions } from '../../master/cluster.js';
import { LinkedCluster } from '../../master/linked-cluster.js';
import { ProcessWorld } from '../../master/process-world.js';
import type { ReplicaHandle } from '../../master/world.js';
import type { BaristaError } from '../../src/base/errors.js';
import type { ReplicaId } from '../../src/base/ids.js';
import { acceptTimeSpan } from '../../src/bayou/clock.js';
import type { Guarantee } from '../../src/bayou/session.js';
import type { Header, HistoryEvent, StateEvent } from '../../src/check/history.js';
import { ReplicaConnection } from '../../src/rpc/client.js';
import { RecordedClient } from './recorded-client.js';
import { stateOf, statusOf } from './replica-state.js';

const FOLD_ROUNDS_MAX = 200;

export interface SessionClusterOptions {
  readonly dataDir: string;
  /** Null: replicas exchange writes only when they are told to. */
  readonly antiEntropyMs: number | null;
  readonly retryWindowMs: number;
  /** How long a client waits for one replica before it tries the next. */
  readonly timeoutMs: number;
}

/** Replicas in processes of their own, with their data on disk, and clients that are recorded. */
export class SessionCluster extends LinkedCluster {
  readonly events: HistoryEvent[] = [];
  readonly #options: SessionClusterOptions;
  readonly #world: ObservedWorld;
  readonly #clients: RecordedClient[] = [];
  readonly #epoch = performance.now();

  private constructor(world: ObservedWorld, options: SessionClusterOptions) {
    super(world, [], options.timeoutMs);
    this.#world = world;
    this.#options = options;
  }

  /** With replicas of these ids, all linked with each other. */
  static async open(options: SessionClusterOptions, ids: readonly string[]): Promise<SessionCluster> {
    const cluster = new SessionCluster(new ObservedWorld(options), options);
    await Promise.all(ids.map((id) => cluster.joinServer(id)));
    return cluster;
  }

  get header(): Header {
    const retryWindow = acceptTimeSpan('hybrid', this.#options.retryWindowMs);
    return { type: 'history', version: 1, tieBreak: 'higher', retryWindow };
  }

  readonly now = (): number => performance.now() - this.#epoch;

  /** A client that is at no replica yet. */
  client(id: string, guarantees: readonly Guarantee[]): RecordedClient {
    const { timeoutMs } = this.#options;
    const record = (event: HistoryEvent): number => this.events.push(event);
    const client = new RecordedClient({ id, guarantees, timeoutMs, now: this.now, record, asksSeen: true });
    this.#clients.push(client);
    return client;
  }

  /** The client leaves the replicas it was at, and goes to these. */
  roam(client: RecordedClient, ...replicas: readonly string[]): void {
    for (const id of this.#world.ids) client.detach(id);
    for (const id of replicas) client.attach(id, this.#world.handle(id).connectClient());
  }

  /** Folds, on these replicas, all that their logs hold. */
  async fold(...replicas: readonly string[]): Promise<void> {
    for (let round = 0; round < FOLD_ROUNDS_MAX; round++) {
      await this.compact();
      const writes = await Promise.all(replicas.map(async (id) => (await this.#statusOf(id)).writes));
      if (writes.every((left) => left === 0)) return;
    }
    const standing = await Promise.all(
      replicas.map(async (id) => {
        const { origin, writes, base, stable, waitsFor } = await this.#statusOf(id);
        return `${origin}: ${writes} writes, base ${base}, stable ${stable}, waits for ${waitsFor}`;
      }),
    );
    throw new Error(`not all was folded: ${standing.join('; ')}`);
  }

  /** Up to which accept time the replica has folded its writes. */
  async base(replica: string): Promise<number> {
    return (await this.#statusOf(replica)).base;
  }

  /** Writes down what the replica shows. */
  async recordState(replica: string, final: boolean): Promise<StateEvent> {
    const line = new ReplicaConnection({ address: await this.#world.handle(replica).ready });
    try {
      const event = await stateOf(line, { now: this.now, final });
      this.events.push(event);
      return event;
    } finally {
      line.close();
    }
  }

  override async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await super.close();
  }

  #statusOf(replica: string) {
    return statusOf(this.#world.handle(replica).admin);
  }
}

/** Real processes, and where each replica is now. */
class ObservedWorld extends ProcessWorld {
  readonly #handles = new Map<string, ReplicaHandle>();

  constructor({ dataDir, antiEntropyMs, retryWindowMs, timeoutMs }: SessionClusterOptions) {
    const options: ClusterOptions = {
      tieBreak: 'higher',
      clock: 'hybrid',
      retryWindowMs,
      maxDriftMs: 60_000,
      guarantees: [],
      antiEntropyMs,
      timeoutMs,
      basePort: null,
      dataDir,
    };
    const raise = (what: BaristaError | string): never => {
      throw new Error(`${what}`);
    };
    super(options, raise, raise);
  }

  get ids(): readonly string[] {
    return [...this.#handles.keys()];
  }

  handle(id: string): ReplicaHandle {
    const handle = this.#handles.get(id);
    if (handle === undefined) throw new RangeError(`there is no replica ${id}`);
    return handle;
  }

  override startReplica(id: ReplicaId, incarnation: number, onDeath: (error: BaristaError) => void): ReplicaHandle {
    const handle = super.startReplica(id, incarnation, onDeath);
    // Until then clients go where it was before, in vain.
    handle.ready.then(
      () => this.#handles.set(id, handle),
      () => undefined,
    );
    return handle;
  }
}
