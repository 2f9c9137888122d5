/// <reference lib="esnext.disposable" preserve="true" />
import { readAddress } from '../base/address.js';
import { checkId } from '../base/checks.js';
import { BaristaError, type ErrorCode } from '../base/errors.js';
import {
  type BundleOptions,
  type BundleSummary,
  type Bundles,
  type ExportOptions,
  exportThrough,
  importThrough,
} from '../bundle/library.js';
import { checkedMs, Deadline } from '../session/deadline.js';
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
import { EndpointPool } from './endpoint-pool.js';
import { ATTEMPT_MS, CONNECT_MS, ENDPOINTS_MAX } from './limits.js';

export interface ConnectOptions {
  /** The replicas, each as `host:port`; at most 256. The nearest that answers is asked, by measured round trip. */
  readonly endpoints: readonly string[];
  /** Whose replicas they must be. Default: those of the cluster that the first to answer is of. */
  readonly cluster?: string;
  /** How long to look for a replica that answers, in milliseconds. Default: 10 seconds. */
  readonly timeoutMs?: number;
  /** How long one replica may take for a request before the next is asked, in milliseconds. Default: 2 seconds. */
  readonly attemptMs?: number;
  readonly signal?: AbortSignal;
}

/** A replica as a client sees it. */
export interface EndpointStatus {
  readonly host: string;
  readonly port: number;
  /** The replica's id; null until it has answered. */
  readonly id: string | null;
  /** How long it takes to answer; null until that was measured. */
  readonly roundTripMs: number | null;
  /** The code of what the last request to it failed with; null if it did not. */
  readonly lastError: ErrorCode | null;
}

/** One client of several replicas. Close it: until then it keeps its connections, and so the process. */
export interface Client extends Sessions, Bundles, AsyncDisposable {
  readonly cluster: string;
  /** The replicas it was given, in that order. */
  readonly endpoints: readonly EndpointStatus[];
  /** What is under way fails with ERR_CLOSED. Nothing is left: no timer and no connection. */
  close(): Promise<void>;
}

/**
 * Finds a replica that answers. Rejects with ERR_CONN, or what else keeps them from serving, if none does in time; with
 * ERR_OPTION for an option that cannot be; with ERR_ABORTED.
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  const { endpoints, cluster } = options;
  if (!Array.isArray(endpoints) || endpoints.length === 0 || endpoints.length > ENDPOINTS_MAX) {
    throw new BaristaError('ERR_OPTION', `endpoints are 1 to ${ENDPOINTS_MAX} addresses, each as host:port`);
  }
  const addresses = endpoints.map((text) => {
    const address = readAddress(`${text}`);
    if (address !== null && address.port >= 1 && address.port <= 65_535) return address;
    throw new BaristaError('ERR_OPTION', `an endpoint is ${JSON.stringify(text)}, not host:port`);
  });
  const wrong = cluster === undefined ? null : checkId(cluster);
  if (wrong !== null) throw wrong;
  const attemptMs = checkedMs('attemptMs', options.attemptMs ?? ATTEMPT_MS);
  const deadline = new Deadline(options.timeoutMs ?? CONNECT_MS, options.signal);
  const pool = new EndpointPool({ addresses, cluster: cluster ?? null, attemptMs });
  try {
    await pool.open(deadline);
  } catch (thrown) {
    pool.close();
    throw thrown;
  }
  return new RemoteClient(pool);
}

class RemoteClient implements Client {
  readonly #pool: EndpointPool;

  constructor(pool: EndpointPool) {
    this.#pool = pool;
  }

  get cluster(): string {
    return this.#pool.cluster;
  }

  get endpoints(): readonly EndpointStatus[] {
    return this.#pool.endpoints.map(({ address, id, roundTripMs, lastError }) => ({
      ...address,
      id,
      roundTripMs: Number.isFinite(roundTripMs) ? roundTripMs : null,
      lastError: lastError?.code ?? null,
    }));
  }

  session<V>(options: SessionOptions<V> = {}): Session<V> {
    return openSession(this.#pool, options);
  }

  watch<V>(prefix: string, options: WatchOptions & { readonly codec?: ValueCodec<V> } = {}): Watch<V> {
    return openWatch(this.#pool, prefix, options);
  }

  conflicts<V>(options: ConflictsOptions & { readonly codec?: ValueCodec<V> } = {}): Conflicts<V> {
    return openConflicts(this.#pool, options);
  }

  exportBundle(path: string, options?: ExportOptions): Promise<BundleSummary> {
    return exportThrough(this.#pool, path, options);
  }

  importBundle(path: string, options?: BundleOptions): Promise<BundleSummary> {
    return importThrough(this.#pool, path, options);
  }

  async close(): Promise<void> {
    this.#pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
