/// <reference lib="esnext.disposable" preserve="true" />
import { type Address, readAddress } from '../base/address.js';
import { BaristaError } from '../base/errors.js';
import { type Origin, replicaIdOf } from '../base/ids.js';
import { RETRY_WINDOW_MS_DEFAULT } from '../base/limits.js';
import { type Log, SILENT_LOG } from '../base/log.js';
import { promised } from '../base/outcome.js';
import type { Status } from '../bayou/admin-messages.js';
import type { ClockKind } from '../bayou/messages.js';
import type { TieBreak } from '../bayou/write.js';
import {
  type BundleOptions,
  type BundleSummary,
  type Bundles,
  type ExportOptions,
  exportThrough,
  importThrough,
} from '../bundle/library.js';
import { Procedures } from '../machine/procedures.js';
import { LocalRoute } from '../session/local-route.js';
import { type AnyProcedure, type ProcedureRegistry, ProgramProcedures } from '../session/procedures.js';
import { openConflicts, openSession, openWatch } from '../session/replica-session.js';
import type {
  Conflicts,
  ConflictsOptions,
  Session,
  SessionOptions,
  Sessions,
  Watch,
  WatchOptions,
} from '../session/session.js';
import type { ValueCodec } from '../session/value-codec.js';
import { localHostTowards, PeerKeeper } from './peer-keeper.js';
import { type RunningReplica, startReplica } from './replica.js';

/** A replica in the process of the program that uses it. */
export interface OpenOptions {
  /** The replica's name, its own in the cluster. */
  readonly id: string;
  /** The directory of its data, made if it is not there, used by one process at a time. Absent: it keeps its data in memory. */
  readonly dataDir?: string;
  /**
   * Where peers and clients reach it: a port on this machine only, or `host:port`; port 0 is one that is free. Absent: nowhere.
   * It trusts whoever can reach it there.
   */
  readonly listen?: number | string;
  /**
   * Replicas to exchange writes with, each as `host:port`. It links with each, both ways, and keeps trying. Needs `listen`, since
   * writes travel by being asked for.
   */
  readonly peers?: readonly string[];
  /** Where peers reach it, as `host:port`, if that is not where it listens: behind a forwarded port, say. */
  readonly advertise?: string;
  /** Replicas exchange writes only within one cluster. Default: "default". */
  readonly cluster?: string;
  /** Default: higher. */
  readonly tieBreak?: TieBreak;
  /** Default: hybrid. */
  readonly clock?: ClockKind;
  /** For how long a write may be sent again and take effect once, in milliseconds. Default: ten minutes. */
  readonly retryWindowMs?: number;
  /** With the hybrid clock, how far ahead of the wall clock a write may be that is taken; null: any. Default: a minute. */
  readonly maxDriftMs?: number | null;
  /** How often to ask the peers for writes, beside what they tell of at once; null: never. Default: a second. */
  readonly antiEntropyMs?: number | null;
  /** True to open its data under a new incarnation: for a copy, or an older state of it. */
  readonly newIncarnation?: boolean;
  /** Merge procedures that it knows from the start. */
  readonly procedures?: readonly AnyProcedure[];
  /** Told what the replica notices. Default: nobody is. */
  readonly log?: Log;
}

/** A replica in this process. Close it: until then it keeps its directory, its port and the process. */
export interface EmbeddedReplica extends Sessions, Bundles, AsyncDisposable {
  /** As `id#incarnation`. */
  readonly origin: string;
  /** Where it listens; null if it does not. */
  readonly address: Address | null;
  /** The merge procedures that it knows. */
  readonly procedures: ProcedureRegistry;
  /** What it is, holds and is linked with. */
  status(): Promise<Status>;
  /** Makes everything durable and ends. What is under way fails with ERR_CLOSED. Nothing is left: no timer, port, lock or process. */
  close(): Promise<void>;
}

/**
 * Opens a replica in this process. Rejects with ERR_LOCKED if another process uses its directory, ERR_COPIED if that is a copy,
 * ERR_CORRUPT if it is damaged, ERR_PORT_IN_USE, or ERR_OPTION for an option that cannot be.
 */
export async function openReplica(options: OpenOptions): Promise<EmbeddedReplica> {
  const { listen, peers, advertised } = addressesOf(options);
  const cluster = options.cluster ?? 'default';
  const log = options.log ?? SILENT_LOG;
  let opened: Embedded | null = null;
  const procedures = new Procedures();
  const registry = new ProgramProcedures(procedures, log);
  for (const procedure of options.procedures ?? []) registry.register(procedure);
  const replica = await startReplica({
    id: options.id,
    cluster,
    tieBreak: oneOf('tieBreak', options.tieBreak ?? 'higher', ['higher', 'lower']),
    clock: oneOf('clock', options.clock ?? 'hybrid', ['logical', 'hybrid']),
    retryWindowMs: wholeMs('retryWindowMs', options.retryWindowMs ?? RETRY_WINDOW_MS_DEFAULT, 0),
    maxDriftMs: options.maxDriftMs === null ? null : wholeMs('maxDriftMs', options.maxDriftMs ?? 60_000, 0),
    antiEntropyMs: options.antiEntropyMs === null ? null : wholeMs('antiEntropyMs', options.antiEntropyMs ?? 1_000, 1),
    incarnation: null,
    newIncarnation: options.newIncarnation === true,
    dataDir: options.dataDir ?? null,
    listen,
    countsIncarnations: false,
    procedures,
    log,
    // Rejects never.
    onShutdown: () => void opened?.close(),
  });
  opened = new Embedded(replica, cluster, registry);
  const listening = replica.listener?.address;
  if (listening !== undefined && peers.length > 0) {
    const { driver, origin } = replica;
    const reachedFrom = async (peer: Address): Promise<Address> =>
      advertised ?? (isAnyHost(listening.host) ? { ...listening, host: await localHostTowards(peer) } : listening);
    opened.keep(new PeerKeeper(peers, { driver, cluster, origin, reachedFrom, log }));
  }
  return opened;
}

class Embedded implements EmbeddedReplica {
  readonly #replica: RunningReplica;
  readonly #route: LocalRoute;
  readonly procedures: ProcedureRegistry;
  #peers: PeerKeeper | null = null;
  #closed: Promise<void> | null = null;

  constructor(replica: RunningReplica, cluster: string, procedures: ProcedureRegistry) {
    this.#replica = replica;
    this.procedures = procedures;
    this.#route = new LocalRoute(cluster, replica.driver);
  }

  get origin(): Origin {
    return this.#replica.origin();
  }

  get address(): Address | null {
    return this.#replica.listener?.address ?? null;
  }

  /** Closes `peers` with the replica. */
  keep(peers: PeerKeeper): void {
    this.#peers = peers;
  }

  session<V>(options: SessionOptions<V> = {}): Session<V> {
    return openSession(this.#route, options);
  }

  watch<V>(prefix: string, options: WatchOptions & { readonly codec?: ValueCodec<V> } = {}): Watch<V> {
    return openWatch(this.#route, prefix, options);
  }

  conflicts<V>(options: ConflictsOptions & { readonly codec?: ValueCodec<V> } = {}): Conflicts<V> {
    return openConflicts(this.#route, options);
  }

  exportBundle(path: string, options?: ExportOptions): Promise<BundleSummary> {
    return exportThrough(this.#route, path, options);
  }

  importBundle(path: string, options?: BundleOptions): Promise<BundleSummary> {
    return importThrough(this.#route, path, options);
  }

  async status(): Promise<Status> {
    if (this.#closed !== null) throw new BaristaError('ERR_CLOSED', `replica ${replicaIdOf(this.origin)} was closed`);
    return promised((done) => this.#replica.driver.status(done));
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#peers?.close();
      this.#route.close();
      this.#replica.close(resolve);
    });
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function addressesOf({ listen, peers = [], advertise }: OpenOptions): {
  readonly listen: Address | null;
  readonly peers: readonly Address[];
  readonly advertised: Address | null;
} {
  if (peers.length > 0 && listen === undefined) {
    throw new BaristaError('ERR_OPTION', 'a replica with peers must listen: they ask it for its writes');
  }
  const host = typeof listen === 'number' ? { host: '127.0.0.1', port: portOf(listen, 0) } : null;
  return {
    listen: listen === undefined ? null : (host ?? addressOf('listen', `${listen}`, 0)),
    peers: peers.map((peer) => addressOf('a peer', peer, 1)),
    advertised: advertise === undefined ? null : addressOf('advertise', advertise, 1),
  };
}

function addressOf(what: string, text: string, portMin: number): Address {
  const address = readAddress(text);
  if (address === null) throw new BaristaError('ERR_OPTION', `${what} is ${JSON.stringify(text)}, not host:port`);
  return { ...address, port: portOf(address.port, portMin) };
}

function portOf(port: number, min: number): number {
  if (Number.isInteger(port) && port >= min && port <= 65_535) return port;
  throw new BaristaError('ERR_OPTION', `${port} is no port: they go from ${min} to 65535`);
}

function isAnyHost(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function wholeMs(name: string, ms: number, min: number): number {
  if (Number.isSafeInteger(ms) && ms >= min) return ms;
  throw new BaristaError('ERR_OPTION', `${name} is ${ms}, not a whole number of milliseconds from ${min}`);
}

function oneOf<T extends string>(name: string, value: T, choices: readonly T[]): T {
  if (choices.includes(value)) return value;
  throw new BaristaError('ERR_OPTION', `${name} is ${value}, where ${choices.join(' and ')} are allowed`);
}
