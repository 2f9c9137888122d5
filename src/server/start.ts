import { checkId } from '../base/checks.js';
import { BaristaError } from '../base/errors.js';
import { originOf, type ReplicaId } from '../base/ids.js';
import type { Log } from '../base/log.js';
import { promised } from '../base/outcome.js';
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
  readonly peers: readonly { readonly id: string; readonly host: string; readonly port: number }[];
  readonly tieBreak: TieBreak;
  readonly clock: ClockKind;
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
  const { storage, incarnation, close } = await openData(options, log);
  const { cluster, tieBreak, clock, maxDriftMs } = options;
  const terms = { protocol: PROTOCOL_VERSION, cluster, tieBreak, clock };
  const origin = originOf(options.id as ReplicaId, incarnation);
  const end = (): void => {
    driver.close();
    listener.close(() => close(() => process.exit(0)));
  };
  const driver = new Driver({
    openReplica: () => new Replica({ origin, terms, machine: kvMachine, storage, maxDriftMs }),
    storage,
    dialer: { dial: (_peer, address) => new ReplicaConnection({ address }) },
    clock: systemClock,
    timers: systemTimers,
    log,
    settings: { ...DEFAULT_SETTINGS, antiEntropyMs: options.antiEntropyMs },
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
  log.info({ origin, port: listener.address.port }, 'replica listens');
  return listener;
}

interface Data {
  readonly storage: ReplicaStorage<KvOperation>;
  readonly incarnation: number;
  close(done: () => void): void;
}

/** Disk storage is loaded only by who wants it. */
async function openData(
  { dataDir, incarnation, id, cluster, tieBreak, clock }: ServerOptions,
  log: Log,
): Promise<Data> {
  const newIncarnation = incarnation ?? systemClock.now();
  if (dataDir === null) {
    return { storage: new MemoryStorage<KvOperation>(), incarnation: newIncarnation, close: (done) => done() };
  }
  const { DataDirectory } = await import('../storage/node/data-directory.js');
  const identity = { id, cluster, tieBreak, clock };
  const directory = DataDirectory.open(dataDir, identity, newIncarnation, kvOperationCodec, (error) =>
    log.warn({ code: error.code }, error.message),
  );
  if (incarnation !== null && incarnation !== directory.incarnation) {
    throw new BaristaError('ERR_IDENTITY', `${dataDir} holds incarnation ${directory.incarnation}, not ${incarnation}`);
  }
  return { storage: directory.storage, incarnation: directory.incarnation, close: (done) => directory.close(done) };
}

function announce(line: Readonly<Record<string, string | number>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
