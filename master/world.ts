import type { Address } from '../src/base/address.js';
import type { BaristaError } from '../src/base/errors.js';
import type { ReplicaId } from '../src/base/ids.js';
import type { Done } from '../src/base/outcome.js';
import type { AdminConnection, ClientConnection } from '../src/bayou/ports.js';
import type { KvOperation } from '../src/machine/kv.js';
import type { Simulation } from './simulation.js';

export type Admin = AdminConnection<KvOperation, Uint8Array>;

/** A client's own connection to one replica. `status` answers after everything sent before it on this connection. */
export type ClientLine = ClientConnection<KvOperation, Uint8Array> & Pick<Admin, 'status'>;

/** A replica as a world runs it. */
export interface ReplicaHandle {
  /** Where it listens, once it does; rejects if it cannot start. */
  readonly ready: Promise<Address>;
  /** The operator's connection. Only after `ready`. */
  readonly admin: Admin;
  /** Only after `ready`. */
  connectClient(): ClientLine;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Done when it is gone, whatever state it was in. */
  kill(): Promise<void>;
}

/** What runs replicas: real processes that speak Thrift, or one process on virtual time. */
export interface World {
  /** Whether an incarnation that ended has its data again when it is started again. */
  readonly keepsData: boolean;
  /** Null where time is not virtual. */
  readonly simulation: Simulation | null;
  /** Returns at once; several replicas start at the same time. `onDeath` is called if it ends without being killed. */
  startReplica(id: ReplicaId, incarnation: number, onDeath: (error: BaristaError) => void): ReplicaHandle;
  /** Waits for a call to answer; rejects with its error. */
  answer<T>(call: (done: Done<T>) => void): Promise<T>;
  sleep(ms: number): Promise<void>;
  /** Ends whatever it runs. Idempotent. */
  close(): Promise<void>;
}
