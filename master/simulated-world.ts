import { assert } from '../src/base/assert.js';
import { originOf, type ReplicaId } from '../src/base/ids.js';
import type { Done, Outcome } from '../src/base/outcome.js';
import { seededRandom } from '../src/base/random.js';
import type { ClusterTerms } from '../src/bayou/messages.js';
import type { DriverSettings } from '../src/driver/settings.js';
import { SimNetwork } from '../src/sim/network.js';
import { SimProcess } from '../src/sim/process.js';
import { SimReplica } from '../src/sim/replica.js';
import { Scheduler } from '../src/sim/scheduler.js';
import type { ReplicaHandle, World } from './world.js';

const LATENCY = { minMs: 1, maxMs: 5 };

/** One process on virtual time: time passes only while a call is waited for, or in `sleep`. */
export class SimulatedWorld implements World {
  readonly #terms: ClusterTerms;
  readonly #settings: DriverSettings;
  readonly #scheduler = new Scheduler();
  readonly #network: SimNetwork;
  /** The master and its clients. */
  readonly #master = new SimProcess(this.#scheduler);

  constructor(terms: ClusterTerms, settings: DriverSettings, seed = 1) {
    this.#terms = terms;
    this.#settings = settings;
    this.#network = new SimNetwork(this.#scheduler, seededRandom(seed), LATENCY);
  }

  startReplica(id: ReplicaId, incarnation: number): ReplicaHandle {
    const spec = { origin: originOf(id, incarnation), terms: this.#terms, settings: this.#settings };
    const replica = new SimReplica(spec, this.#scheduler, this.#network);
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
