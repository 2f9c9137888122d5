import { checkId } from '../base/checks.js';
import { BaristaError, toBaristaError } from '../base/errors.js';
import { type Origin, originOf, type ReplicaId } from '../base/ids.js';
import { COMPACT_PERIOD_MS } from '../base/limits.js';
import type { Log } from '../base/log.js';
import { type Done, fail, promised, succeed } from '../base/outcome.js';
import { type ClockKind, PROTOCOL_VERSION } from '../bayou/messages.js';
import type { ReplicaStorage } from '../bayou/ports.js';
import { Replica } from '../bayou/replica.js';
import type { TieBreak } from '../bayou/write.js';
import { Driver } from '../driver/driver.js';
import { DEFAULT_SETTINGS } from '../driver/settings.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../machine/kv.js';
import { ReplicaConnection } from '../rpc/client.js';
import { type Listener, listen } from '../rpc/server.js';
import { MemoryStorage } from '../storage/memory.js';
import { endWithParent } from './lifeline.js';
import { openLog } from './log.js';
import { systemClock, systemTimers } from './system.js';

export interface ServerOptions {
  readonly id: string;
  readonly host: string;
  /** 0: one the system picks. */
  readonly port: number;
  readonly cluster: string;
  /** Null: the wall clock in milliseconds, so that a replica that starts anew is another incarnation. */
  readonly incarnation: number | null;
  /** True to open its data under a new incarnation; then that may be a copy, or an older state. */
  readonly newIncarnation: boolean;
  readonly peers: readonly { readonly id: string; readonly host: string; readonly port: number }[];
  readonly tieBreak: TieBreak;
  readonly clock: ClockKind;
  /** For how long a client may send an operation again and have it take effect once. */
  readonly retryWindowMs: number;
  /** With the hybrid clock, how far ahead of the wall clock a write may be that is taken from others; null: any. */
  readonly maxDriftMs: number | null;
  readonly antiEntropyMs: number | null;
  /** Ends with the process that holds the other end of standard input. */
  readonly lifeline: boolean;
  /** Where the replica keeps its data; null: in memory, which does not outlive the process. */
  readonly dataDir: string | null;
  /** Names the master's run; only to be seen in the process list. */
  readonly runId: string | null;
}

/**
 * Runs a replica in this process. Done when it listens; it has then said where, in one line of JSON on standard output:
 * `{"event":"listening","host":"127.0.0.1","port":12345,"pid":77}`. Rejects if it cannot, having said so:
 * `{"event":"failed","code":"ERR_PORT_IN_USE","message":"..."}`. Its log goes to standard error.
 */
export async function startServer(options: ServerOptions): Promise<void> {
  if (options.lifeline) endWithParent(() => undefined);
  try {
    const { host, port } = (await run(options)).address;
    announce({ event: 'listening', host, port, pid: process.pid });
  } catch (error) {
    if (error instanceof BaristaError) announce({ event: 'failed', code: error.code, message: error.message });
    throw error;
  }
}

async function run(options: ServerOptions): Promise<Listener> {
  for (const id of [options.id, options.cluster, ...options.peers.map((peer) => peer.id)]) {
    const wrong = checkId(id);
    if (wrong !== null) throw wrong;
  }
  const log = openLog(options.id, options.lifeline);
  const data = await openData(options, log);
  const { storage } = data;
  const { cluster, tieBreak, clock, retryWindowMs, maxDriftMs, antiEntropyMs } = options;
  const terms = { protocol: PROTOCOL_VERSION, cluster, tieBreak, clock, retryWindowMs };
  const originIn = (incarnation: number): Origin => originOf(options.id as ReplicaId, incarnation);
  const life = data.beginLife(systemClock.now());
  const openReplica = () => {
    const origin = originIn(data.incarnation());
    return new Replica({ origin, life, terms, machine: kvMachine, storage, maxDriftMs });
  };
  const reincarnate = (done: Done<void>): void => {
    const before = data.incarnation();
    // A master counts the incarnations of its replicas, and leaves the next one to this.
    const next = options.runId === null ? Math.max(systemClock.now(), before + 1) : before + 1;
    try {
      data.renew(next);
    } catch (thrown) {
      return done(fail(toBaristaError(thrown, 'ERR_STORAGE')));
    }
    done(succeed(undefined));
  };
  const end = (): void => {
    driver.close();
    listener.close(() => data.close(() => process.exit(0)));
  };
  const driver = new Driver({
    openReplica,
    reincarnate,
    storage,
    dialer: { dial: (_peer, address) => new ReplicaConnection({ address }) },
    clock: systemClock,
    timers: systemTimers,
    log,
    settings: { ...DEFAULT_SETTINGS, antiEntropyMs, compactMs: antiEntropyMs === null ? null : COMPACT_PERIOD_MS },
    onShutdown: end,
  });
  const listener = await promised<Listener>((done) =>
    listen({ host: options.host, port: options.port, service: driver, log }, done),
  );
  if (!options.lifeline) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  for (const { id, host, port } of options.peers) {
    await promised<void>((done) =>
      driver.link({ peer: id as ReplicaId, address: { host, port }, incarnation: null }, done),
    );
  }
  log.info({ origin: originIn(data.incarnation()), port: listener.address.port }, 'replica listens');
  return listener;
}

interface Data {
  readonly storage: ReplicaStorage<KvOperation>;
  incarnation(): number;
  /** A number for this process, higher than that of any before it that had the data. */
  beginLife(now: number): number;
  /** Gives up the incarnation for another. Durable when it returns. */
  renew(incarnation: number): void;
  close(done: () => void): void;
}

async function openData(options: ServerOptions, log: Log): Promise<Data> {
  const incarnation = options.incarnation ?? systemClock.now();
  return options.dataDir === null ? dataInMemory(incarnation) : dataOnDisk(options, options.dataDir, incarnation, log);
}

function dataInMemory(first: number): Data {
  let incarnation = first;
  return {
    storage: new MemoryStorage<KvOperation>(),
    incarnation: () => incarnation,
    beginLife: (now) => now,
    renew: (next) => {
      incarnation = next;
    },
    close: (done) => done(),
  };
}

async function dataOnDisk(options: ServerOptions, path: string, newIncarnation: number, log: Log): Promise<Data> {
  // Loaded only by who wants it.
  const { DataDirectory } = await import('../storage/node/data-directory.js');
  const { id, cluster, tieBreak, clock, retryWindowMs } = options;
  const directory = DataDirectory.open(
    path,
    { id, cluster, tieBreak, clock, retryWindowMs },
    newIncarnation,
    kvOperationCodec,
    (error) => log.warn({ code: error.code }, error.message),
    options.newIncarnation,
  );
  // Who made the directory under an incarnation need not know of those that it took by itself since.
  const known = [directory.incarnation, directory.founded];
  if (options.incarnation !== null && !known.includes(options.incarnation)) {
    const message = `${path} holds incarnation ${directory.incarnation}, not ${options.incarnation}`;
    await new Promise<void>((resolve) => directory.close(() => resolve()));
    throw new BaristaError('ERR_IDENTITY', message);
  }
  return {
    storage: directory.storage,
    incarnation: () => directory.incarnation,
    beginLife: (now) => directory.beginLife(now),
    renew: (next) => directory.renew(next),
    close: (done) => directory.close(() => done()),
  };
}

function announce(line: Readonly<Record<string, string | number>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
