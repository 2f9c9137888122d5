import type { Origin } from '../src/base/ids.js';
import type { BatchPart } from '../src/bayou/messages.js';
import type { Guarantee } from '../src/bayou/session.js';
import type { VersionVector } from '../src/bayou/version-vector.js';
import type { Write } from '../src/bayou/write.js';
import type { KvOperation } from '../src/machine/kv.js';
import type { Simulation } from './simulation.js';

/** What a client's read ended with; `unreachable` is ERR_CONN: no linked replica answered. */
export type GetResult =
  | { readonly kind: 'found'; readonly value: Uint8Array }
  | { readonly kind: 'ERR_KEY' }
  | { readonly kind: 'ERR_DEP' }
  | { readonly kind: 'ERR_CONN' };

/**
 * A cluster as a script drives it. One implementation, over two worlds: real processes that speak Thrift, or one
 * process on virtual time. Calls reject with a BaristaError (unknown id, unreachable, ...) and then have changed nothing.
 *
 * The ids a call names are checked, and a joined id is known, before the call returns its promise: several joins may be
 * started before the first is awaited, and then overlap.
 */
export interface Cluster {
  /** Starts a replica and links it both ways with every live replica. */
  joinServer(id: string): Promise<void>;
  /** Kills a replica at once (SIGKILL); done when it is gone. The id may join again, as a new incarnation. */
  killServer(id: string): Promise<void>;
  /**
   * Brings a killed replica back with its store, as the same incarnation, linked with every live replica. Only where
   * replicas keep their data.
   */
  restartServer(id: string): Promise<void>;
  /** Starts a client linked to one replica. */
  joinClient(id: string, server: string): Promise<void>;
  /** Cuts the link between two replicas, or a client and a replica. Symmetric, idempotent. */
  breakConnection(a: string, b: string): Promise<void>;
  createConnection(a: string, b: string): Promise<void>;
  /** Done when, within every connected part of the network, all replicas hold the same writes. */
  stabilize(): Promise<void>;
  /** Likewise; and what every member holds, and no client may send again, is folded into the base store everywhere. */
  compact(): Promise<void>;
  /**
   * Has nobody wait any more for a server, which may be gone for good. One that runs rejoins by itself under its next
   * incarnation.
   */
  retireServer(id: string): Promise<void>;
  write(client: string, key: string, operation: KvOperation): Promise<void>;
  /** Several keys as one atomic write. */
  batch(client: string, parts: readonly BatchPart<KvOperation>[]): Promise<void>;
  get(client: string, key: string): Promise<GetResult>;
  /** The replica's store, ascending by key. */
  store(server: string): AsyncIterable<{ readonly key: string; readonly value: Uint8Array }>;
  /** The replica's write log, in the total order. */
  log(server: string): AsyncIterable<Write<KvOperation>>;
  clock(server: string): Promise<VersionVector>;
  /** The members the replica knows, by id and incarnation. */
  members(server: string): Promise<readonly Origin[]>;
  /** Hangs a replica (SIGSTOP). */
  pause(server: string): Promise<void>;
  resume(server: string): Promise<void>;
  sleep(ms: number): Promise<void>;
  /** The simulation that a script plans and runs, apart from the replicas of the cluster. Throws where there is none. */
  simulation(): Simulation;
  /** The ids that have joined and not been killed, for completion and hints. */
  ids(): { readonly servers: readonly string[]; readonly clients: readonly string[] };
  /** Ends every replica. Idempotent; afterwards no process of the cluster is left. */
  close(): Promise<void>;
}

/** The options of a run, with the same meaning in both worlds. */
export interface ClusterOptions {
  readonly tieBreak: 'higher' | 'lower';
  readonly clock: 'logical' | 'hybrid';
  /** For how long a client may send an operation again and have it take effect once. */
  readonly retryWindowMs: number;
  /** With the hybrid clock, how far ahead of its wall clock a replica takes writes of others; null: any. */
  readonly maxDriftMs: number | null;
  readonly guarantees: readonly Guarantee[];
  /** The period of anti-entropy in milliseconds; null: replicas exchange writes only when `stabilize` asks. */
  readonly antiEntropyMs: number | null;
  /** How long a client waits for one replica before it tries the next. */
  readonly timeoutMs: number;
  /** The first port to try, so that replicas stand at basePort, basePort + 1, ...; null: ports the system picks. */
  readonly basePort: number | null;
  /** Where replicas keep their data, each run in a folder of its own; null: in memory, gone with the process. */
  readonly dataDir: string | null;
  /** Modules that export merge procedures, which its replicas then know. */
  readonly procedureFiles?: readonly string[];
}
