import { checkId } from '../base/checks.js';
import { BaristaError } from '../base/errors.js';
import type { ReplicaId } from '../base/ids.js';
import { promised } from '../base/outcome.js';
import { Procedures } from '../machine/procedures.js';
import type { Listener } from '../rpc/server.js';
import { loadProcedures } from '../session/procedure-files.js';
import { ProgramProcedures } from '../session/procedures.js';
import type { DataOptions } from './data.js';
import { endWithParent } from './lifeline.js';
import { openLog } from './log.js';
import { startReplica } from './replica.js';

export interface ServerOptions extends DataOptions {
  readonly host: string;
  /** 0: one the system picks. */
  readonly port: number;
  readonly peers: readonly { readonly id: string; readonly host: string; readonly port: number }[];
  /** With the hybrid clock, how far ahead of the wall clock a write may be that is taken from others; null: any. */
  readonly maxDriftMs: number | null;
  readonly antiEntropyMs: number | null;
  /** Modules that export merge procedures. */
  readonly procedureFiles: readonly string[];
  /** Ends with the process that holds the other end of standard input. */
  readonly lifeline: boolean;
  /** Names the master's run, which counts the incarnations of its replicas; else only to be seen in the process list. */
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
  for (const { id } of options.peers) {
    const wrong = checkId(id);
    if (wrong !== null) throw wrong;
  }
  const log = openLog(options.id, options.lifeline);
  const procedures = new Procedures();
  const registry = new ProgramProcedures(procedures, log);
  for (const procedure of await loadProcedures(options.procedureFiles)) registry.register(procedure);
  const end = (): void => replica.close(() => process.exit(0));
  const replica = await startReplica({
    ...options,
    listen: { host: options.host, port: options.port },
    countsIncarnations: options.runId !== null,
    procedures,
    log,
    onShutdown: end,
  });
  const { driver, listener } = replica;
  if (listener === null) throw new BaristaError('ERR_START', `replica ${options.id} does not listen`);
  if (!options.lifeline) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  for (const { id, host, port } of options.peers) {
    await promised<void>((done) =>
      driver.link({ peer: id as ReplicaId, address: { host, port }, incarnation: null }, done),
    );
  }
  log.info({ origin: replica.origin(), port: listener.address.port }, 'replica listens');
  return listener;
}

function announce(line: Readonly<Record<string, string | number>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
