import type { Address } from '../base/address.js';
import { incarnationOf, type Origin, originOf, replicaIdOf } from '../base/ids.js';
import { type Log, SILENT_LOG } from '../base/log.js';
import { succeed } from '../base/outcome.js';
import type { ClusterTerms } from '../bayou/messages.js';
import type { ReplicaStorage } from '../bayou/ports.js';
import { Replica } from '../bayou/replica.js';
import { Driver } from '../driver/driver.js';
import type { DriverSettings } from '../driver/settings.js';
import { type KvOperation, kvMachineWith, kvOperationCodec } from '../machine/kv.js';
import { Procedures } from '../machine/procedures.js';
import { MemoryStorage } from '../storage/memory.js';
import { SimConnection } from './connection.js';
import type { SimNetwork } from './network.js';
import { SimProcess } from './process.js';
import type { Scheduler } from './scheduler.js';

export interface SimReplicaSpec {
  readonly origin: Origin;
  readonly terms: ClusterTerms;
  readonly settings: DriverSettings;
  readonly maxDriftMs: number | null;
  /** The merge procedures that it knows; absent: the ready ones. */
  readonly procedures?: Procedures;
  /** What it kept in an earlier life; absent: it begins empty. */
  readonly storage?: ReplicaStorage<KvOperation>;
  /** Told of the origin that takes the place of the one it has. */
  readonly onReincarnate?: (origin: Origin) => void;
  /** Absent: nobody listens. */
  readonly log?: Log;
}

/** A replica of the simulated world: the real driver, core and storage, on virtual time. */
export class SimReplica {
  readonly address: Address;
  readonly process: SimProcess;
  readonly driver: Driver;
  readonly #network: SimNetwork;

  constructor(spec: SimReplicaSpec, scheduler: Scheduler, network: SimNetwork) {
    this.#network = network;
    const process = new SimProcess(scheduler);
    const storage = spec.storage ?? new MemoryStorage<KvOperation>(kvOperationCodec);
    const { terms, maxDriftMs, procedures = new Procedures() } = spec;
    const machine = kvMachineWith(procedures);
    let { origin } = spec;
    const life = scheduler.now;
    const driver = new Driver({
      openReplica: () => new Replica({ origin, terms, machine, storage, maxDriftMs, life }),
      storage,
      dialer: { dial: (_peer, address) => new SimConnection(network.connect(process, address)) },
      clock: process,
      timers: process,
      log: spec.log ?? SILENT_LOG,
      settings: spec.settings,
      onShutdown: () => this.kill(),
      reincarnate: (done) => {
        origin = originOf(replicaIdOf(origin), incarnationOf(origin) + 1);
        spec.onReincarnate?.(origin);
        done(succeed(undefined));
      },
    });
    this.process = process;
    this.driver = driver;
    this.address = network.listen({ process, service: driver });
  }

  /** A connection for a caller: a client, an operator, another replica. */
  connectFrom(caller: SimProcess): SimConnection {
    return new SimConnection(this.#network.connect(caller, this.address));
  }

  /** Ends it at once: no timer of it runs again, and callers find nobody there. */
  kill(): void {
    this.process.kill();
  }
}
