import { type Origin, originOf, type ReplicaId } from '../../base/ids.js';
import { SILENT_LOG } from '../../base/log.js';
import { type Random, seededRandom } from '../../base/random.js';
import { PROTOCOL_VERSION } from '../../bayou/messages.js';
import { Replica } from '../../bayou/replica.js';
import { type AcceptStamp, stampOrder } from '../../bayou/write.js';
import { Driver } from '../../driver/driver.js';
import { DEFAULT_SETTINGS } from '../../driver/settings.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../../machine/kv.js';
import { MemoryStorage } from '../../storage/memory.js';
import { SimProcess } from '../process.js';
import { Scheduler } from '../scheduler.js';
import { LinkNetwork, type LinkQuality, type SizeOf } from './link-network.js';
import type { Links } from './topology.js';

export interface FleetSpec {
  readonly replicas: number;
  readonly links: Links;
  readonly quality: LinkQuality;
  readonly antiEntropyMs: number;
  readonly sizeOf: SizeOf;
  readonly seed: number;
}

const TERMS = {
  protocol: PROTOCOL_VERSION,
  cluster: 'report',
  tieBreak: 'higher',
  clock: 'hybrid',
  retryWindowMs: 600_000,
} as const;

export const order = stampOrder(TERMS.tieBreak);

/** Whether a replica may claim a write: told when that changes. */
export type OnClaim = (replica: number, origin: Origin, upTo: number) => void;

/**
 * Many replicas, the real driver and core over storage in memory, that know of each other as members and exchange writes by
 * themselves over links of one topology.
 */
export class Fleet {
  readonly scheduler = new Scheduler();
  readonly random: Random;
  readonly network: LinkNetwork;
  readonly drivers: Driver[] = [];
  onClaim: OnClaim = () => undefined;

  constructor({ replicas, links, quality, antiEntropyMs, sizeOf, seed }: FleetSpec) {
    this.random = seededRandom(seed);
    this.network = new LinkNetwork(this.scheduler, this.random, quality, sizeOf);
    const origins = Array.from({ length: replicas }, (_, i) => originOf(nameOf(i), 1));
    for (let i = 0; i < replicas; i++) this.#add(i, origins, antiEntropyMs);
    // Drawn out, as replicas that were not all started at once have it.
    for (const [a, b] of links) {
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const link = { peer: nameOf(to), address: { host: 'report', port: to + 1 }, incarnation: 1 };
        this.scheduler.after(this.random.below(antiEntropyMs), () => this.drivers[from]?.link(link, () => undefined));
      }
    }
    // Each has then asked each neighbour once, and been answered.
    this.runUntil(antiEntropyMs + 10 * quality.maxMs + 1_000);
  }

  get now(): number {
    return this.scheduler.now;
  }

  runUntil(time: number): void {
    this.scheduler.runUntil(time);
  }

  #add(i: number, origins: readonly Origin[], antiEntropyMs: number): void {
    const { scheduler, network } = this;
    const process = new SimProcess(scheduler);
    const storage = new MemoryStorage<KvOperation>(kvOperationCodec);
    for (const origin of origins) storage.saveSeen(origin, 0);
    const save = storage.saveSeen.bind(storage);
    storage.saveSeen = (origin, acceptTime) => {
      save(origin, acceptTime);
      this.onClaim(i, origin, acceptTime);
    };
    const origin = origins[i] as Origin;
    const driver = new Driver({
      openReplica: () => new Replica({ origin, terms: TERMS, machine: kvMachine, storage }),
      storage,
      dialer: { dial: (_peer, address) => network.connect(i, address.port - 1) },
      clock: process,
      timers: process,
      log: SILENT_LOG,
      settings: { ...DEFAULT_SETTINGS, antiEntropyMs, compactMs: null },
      onShutdown: () => undefined,
      reincarnate: () => undefined,
    });
    this.drivers.push(driver);
    network.peers.push({ process, service: driver });
  }
}

export function nameOf(replica: number): ReplicaId {
  return String(replica + 1) as ReplicaId;
}

/** Where and when a write became one that a replica may claim. */
export class Spread {
  readonly #missing: Set<number>;
  readonly #stamp: AcceptStamp;
  /** When each replica came to hold it, in order. */
  readonly times: number[] = [];

  constructor(replicas: number, stamp: AcceptStamp) {
    this.#missing = new Set(Array.from({ length: replicas }, (_, i) => i));
    this.#stamp = stamp;
  }

  get isDone(): boolean {
    return this.#missing.size === 0;
  }

  claimed(replica: number, origin: Origin, upTo: number, now: number): void {
    if (origin !== this.#stamp.origin || upTo < this.#stamp.acceptTime) return;
    if (this.#missing.delete(replica)) this.times.push(now);
  }
}
