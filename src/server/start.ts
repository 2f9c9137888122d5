import { checkId } from '../base/checks.js';
import { BaristaError } from '../base/errors.js';
import { originOf, type ReplicaId } from '../base/ids.js';
import { promised } from '../base/outcome.js';
import { type ClockKind, PROTOCOL_VERSION } from '../bayou/messages.js';
import { Replica } from '../bayou/replica.js';
import type { TieBreak } from '../bayou/write.js';
import { Driver } from '../driver/driver.js';
import { DEFAULT_SETTINGS } from '../driver/settings.js';
import { type KvOperation, kvMachine } from '../machine/kv.js';
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
  readonly antiEntropyMs: number | null;
  /** Ends with the process that holds the other end of standard input. */
  readonly lifeline: boolean;
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
  const storage = new MemoryStorage<KvOperation>();
  const replica = new Replica({
    origin: originOf(options.id as ReplicaId, options.incarnation ?? systemClock.now()),
    terms: { protocol: PROTOCOL_VERSION, cluster: options.cluster, tieBreak: options.tieBreak, clock: options.clock },
    machine: kvMachine,
    storage,
  });
  const end = (): void => {
    driver.close();
    listener.close(() => process.exit(0));
  };
  const driver = new Driver({
    replica,
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
  log.info({ origin: replica.origin, port: listener.address.port }, 'replica listens');
  return listener;
}

function announce(line: Readonly<Record<string, string | number>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
