import { setTimeout as delay } from 'node:timers/promises';
import { type Random, seededRandom } from '../../src/base/random.js';
import { GUARANTEES } from '../../src/bayou/session.js';
import type { HistoryEvent, ReadEvent, WriteEvent } from '../../src/check/history.js';
import { ReplicaConnection } from '../../src/rpc/client.js';
import { RecordedClient } from '../sessions/recorded-client.js';
import type { ChaosCluster } from './cluster.js';
import { makeValue } from './values.js';

const TIMEOUT_MS = 500;
const KEYS = 300;
const GROUPS = 12;
const GROUP_KEYS = 5;
/** Most values are small; some make the log roll over and the batches many. */
const SMALL_BYTES_MAX = 200;
const LARGE_BYTES_MAX = 20_000;
const STAY_MS_MAX = 4_000;
/** So often a client asks who is there, and has no faults any more. */
const READ_TRIES = 60;

export interface LoadOptions {
  readonly seed: number;
  readonly clients: number;
  /** How many operations one client does a second, about. */
  readonly rate: number;
  readonly now: () => number;
  readonly record: (event: HistoryEvent) => void;
  /** Told of each operation that ended. */
  readonly ended: (event: WriteEvent | ReadEvent) => void;
}

/** Clients that write and read, each with guarantees of its own, and go from replica to replica. */
export class Load {
  readonly #clients: readonly RoamingClient[];

  constructor(cluster: ChaosCluster, options: LoadOptions) {
    this.#clients = clientIds(options.clients).map((id, i) => new RoamingClient(cluster, options, id, i));
  }

  /** Done when every client has ended what it was at, once `signal` says so. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.run(signal)));
  }

  /** Has every client read what it knows at every replica, all of which are there: returns what was refused. */
  async readAll(): Promise<string[]> {
    const refused = await Promise.all(this.#clients.map((client) => client.readAll()));
    return refused.flat();
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

export function clientIds(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `c${i + 1}`);
}

class RoamingClient {
  readonly #cluster: ChaosCluster;
  readonly #options: LoadOptions;
  readonly #client: RecordedClient;
  readonly #random: Random;
  readonly #keys = new Set<string>();
  #at: readonly string[] = [];
  #written = 0;
  #staysUntil = 0;

  constructor(cluster: ChaosCluster, options: LoadOptions, id: string, index: number) {
    const { seed, now, record } = options;
    this.#cluster = cluster;
    this.#options = options;
    this.#random = seededRandom(seed * 1_000 + index);
    // Each of the sixteen sets of guarantees, and some of them again.
    const guarantees = GUARANTEES.filter((_, bit) => ((index >> bit) & 1) === 1);
    const asksSeen = this.#random.below(2) === 0;
    this.#client = new RecordedClient({ id, guarantees, timeoutMs: TIMEOUT_MS, now, record, asksSeen });
  }

  async run(signal: AbortSignal): Promise<void> {
    const thinkMs = (2 * 1_000) / this.#options.rate;
    while (!signal.aborted) {
      if (performance.now() >= this.#staysUntil) this.#roam();
      for (const event of await this.#operate()) this.#options.ended(event);
      await delay(this.#random.below(Math.ceil(thinkMs))).catch(() => undefined);
    }
  }

  async readAll(): Promise<string[]> {
    const refused: string[] = [];
    for (const replica of this.#cluster.joined) {
      this.#goTo([replica]);
      for (const key of this.#keys) {
        const { outcome, code } = await this.#readWell(key);
        if (outcome === 'missing' || outcome === 'failed') {
          refused.push(`client ${this.#client.id} reads ${key} at ${replica}: ${code ?? 'ERR_DEP'}`);
        }
      }
    }
    return refused;
  }

  close(): void {
    this.#client.close();
  }

  /** A machine that has much else to do may be late with an answer. */
  async #readWell(key: string): Promise<ReadEvent> {
    for (let tries = 1; ; tries++) {
      const event = await this.#client.get(key);
      if (event.outcome !== 'failed' || tries === READ_TRIES) return event;
      await delay(TIMEOUT_MS);
    }
  }

  async #operate(): Promise<readonly (WriteEvent | ReadEvent)[]> {
    const key = this.#key();
    const kind = this.#random.below(100);
    if (kind < 30) return [await this.#client.get(key)];
    if (kind < 45) return this.#client.getMany(this.#group());
    if (kind < 55) return [await this.#client.delete(key)];
    if (kind < 70) return this.#client.batch(new Map(this.#group().map((part) => [part, this.#value()])));
    return [await this.#client.put(key, this.#value())];
  }

  #key(): string {
    // Low ones come often.
    const key = `k${this.#random.below(1 + this.#random.below(KEYS))}`;
    this.#keys.add(key);
    return key;
  }

  /** Keys that batches write and are read together: those of a group, or most of them. */
  #group(): readonly string[] {
    const group = this.#random.below(GROUPS);
    const keys = Array.from({ length: GROUP_KEYS }, (_, i) => `g${group}.${i}`);
    if (this.#random.below(3) === 0) keys.splice(this.#random.below(GROUP_KEYS), 1);
    for (const key of keys) this.#keys.add(key);
    return keys;
  }

  #value(): string {
    this.#written += 1;
    const most = this.#random.below(20) === 0 ? LARGE_BYTES_MAX : SMALL_BYTES_MAX;
    return makeValue(`${this.#client.id}.${this.#written}`, this.#random.below(most));
  }

  #roam(): void {
    const all = [...this.#cluster.joined];
    const count = 1 + this.#random.below(3);
    const chosen: string[] = [];
    while (chosen.length < count && all.length > 0) {
      chosen.push(...all.splice(this.#random.below(all.length), 1));
    }
    this.#goTo(chosen);
    this.#staysUntil = performance.now() + this.#random.below(STAY_MS_MAX);
  }

  #goTo(replicas: readonly string[]): void {
    for (const gone of this.#at) if (!replicas.includes(gone)) this.#client.detach(gone);
    for (const replica of replicas) {
      if (this.#at.includes(replica)) continue;
      const { address } = this.#cluster.proxy(this.#client.id, replica);
      this.#client.attach(replica, new ReplicaConnection({ address }));
    }
    this.#at = replicas;
  }
}
