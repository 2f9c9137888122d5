import { crc32 } from 'node:zlib';
import { assert } from '../src/base/assert.js';
import { type Origin, originOf, type ReplicaId } from '../src/base/ids.js';
import type { Done, Outcome } from '../src/base/outcome.js';
import { seededRandom } from '../src/base/random.js';
import { type KvOperation, kvOperationCodec } from '../src/machine/kv.js';
import { TriedProcedures } from '../src/sim/merging.js';
import { SimNetwork } from '../src/sim/network.js';
import { SimProcess } from '../src/sim/process.js';
import { SimReplica, type SimReplicaSpec } from '../src/sim/replica.js';
import { Scheduler } from '../src/sim/scheduler.js';
import { judge } from '../src/sim/verdict.js';
import { MemoryStorage } from '../src/storage/memory.js';
import { Simulation } from './simulation.js';
import type { ReplicaHandle, World } from './world.js';

const checksum = (bytes: Uint8Array): number => crc32(bytes);

const LATENCY = { minMs: 1, maxMs: 5 };

/** What a replica has again when it is restarted. */
interface Kept {
  readonly storage: MemoryStorage<KvOperation>;
  readonly origin: Origin;
}

/** One process on virtual time: time passes only while a call is waited for, or in `sleep`. */
export class SimulatedWorld implements World {
  readonly keepsData: boolean;
  readonly simulation: Simulation;
  readonly #spec: Omit<SimReplicaSpec, keyof Kept>;
  readonly #scheduler = new Scheduler();
  readonly #network: SimNetwork;
  /** By the origin it was first started under. */
  readonly #kept = new Map<Origin, Kept>();
  /** The master and its clients. */
  readonly #master = new SimProcess(this.#scheduler);

  /** `spec` is what all replicas have in common. */
  constructor(spec: Omit<SimReplicaSpec, keyof Kept>, keepsData: boolean, seed = 1) {
    this.keepsData = keepsData;
    this.#spec = spec;
    const { procedures = new TriedProcedures() } = spec;
    this.simulation = new Simulation((plan) => judge(plan, { checksum, procedures }));
    this.#network = new SimNetwork(this.#scheduler, seededRandom(seed), LATENCY);
  }

  startReplica(id: ReplicaId, incarnation: number): ReplicaHandle {
    const first = originOf(id, incarnation);
    const kept = this.#kept.get(first) ?? {
      storage: new MemoryStorage<KvOperation>(kvOperationCodec),
      origin: first,
    };
    const keep = (next: Kept): void => {
      if (this.keepsData) this.#kept.set(first, next);
    };
    keep(kept);
    const { storage } = kept;
    const onReincarnate = (origin: Origin): void => keep({ storage, origin });
    const replica = new SimReplica({ ...this.#spec, ...kept, onReincarnate }, this.#scheduler, this.#network);
    return {
      ready: Promise.resolve(replica.address),
      admin: replica.connectFrom(this.#master),
      connectClient: () => replica.connectFrom(this.#master),
      pause: async () => replica.process.pause(),
      resume: async () => replica.process.resume(),
      kill: async () => replica.kill(),
    };
  }

  async answer<T>(call: (done: Done<T>) => void): Promise<T> {
    const answers: Outcome<T>[] = [];
    call((outcome) => answers.push(outcome));
    for (;;) {
      const [outcome] = answers;
      if (outcome === undefined) assert(this.#scheduler.step(), 'every call answers');
      else if (outcome.ok) return outcome.value;
      else throw outcome.error;
    }
  }

  async sleep(ms: number): Promise<void> {
    let over = false;
    this.#scheduler.after(ms, () => {
      over = true;
    });
    while (!over) this.#scheduler.step();
  }

  async close(): Promise<void> {}
}
