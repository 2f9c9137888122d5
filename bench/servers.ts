import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Address } from '../src/base/address.js';
import type { ReplicaId } from '../src/base/ids.js';
import { promised } from '../src/base/outcome.js';
import type { StabilizeReply, Status } from '../src/bayou/admin-messages.js';
import { ReplicaConnection } from '../src/rpc/client.js';
import { freshPath, killed, minded } from './scratch.js';

/* Replicas as processes of their own, started by the command that operators use. */

const CLI = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

/** Long enough for whatever is measured: a pull of millions of writes. */
const PATIENCE_MS = 3_600_000;

/** Lets a server tell how much memory it holds once the garbage is gone. */
const MEMORY_PROBE = `data:text/javascript,process.on('message', () => { gc(); process.send(process.memoryUsage()) })`;

export interface ServerSpec {
  readonly id: string;
  /** Null: in memory. */
  readonly dataDir: string | null;
  /** True if `dataDir` is a copy of another one. */
  readonly isCopy?: boolean;
  /** How often it asks its neighbours; `off` unless said otherwise, so that nothing goes on beside what is measured. */
  readonly antiEntropy?: string;
  /** For how long writes are kept in the log after every member holds them; 10 minutes unless said otherwise. */
  readonly retryWindow?: string;
  /** Flags of Node, such as the size of the heap. */
  readonly nodeFlags?: readonly string[];
}

export interface Server {
  readonly id: ReplicaId;
  readonly address: Address;
  readonly pid: number;
  readonly connection: ReplicaConnection;
  readonly child: ChildProcess;
  /** As `kill -9` does it. */
  kill(): Promise<void>;
  /** Lets it make everything durable and close its files. */
  end(): Promise<void>;
  /** After a garbage collection. */
  memory(): Promise<NodeJS.MemoryUsage>;
}

export async function startServer(spec: ServerSpec): Promise<Server> {
  const { id, dataDir, isCopy = false, antiEntropy = 'off', retryWindow = '10m', nodeFlags = [] } = spec;
  const flags = ['--expose-gc', '--import', MEMORY_PROBE, ...nodeFlags];
  const options = ['--id', id, '--cluster', 'bench', '--anti-entropy', antiEntropy];
  options.push(...(isCopy ? ['--new-incarnation'] : ['--incarnation', '1']));
  options.push('--retry-window', retryWindow);
  if (dataDir !== null) options.push('--data-dir', dataDir);
  const child = minded(
    spawn(process.execPath, [...flags, CLI, 'server', ...options, '--lifeline'], {
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    }),
  );
  passOn(child);
  const address = await listening(child, id);
  const connection = new ReplicaConnection({ address });
  return {
    id: id as ReplicaId,
    address,
    pid: child.pid as number,
    connection,
    child,
    kill: async () => {
      connection.close();
      await killed(child);
    },
    end: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      await promised<void>((done) => connection.shutdown(PATIENCE_MS, done));
      connection.close();
      await gone;
    },
    memory: () =>
      new Promise((resolve) => {
        child.once('message', (usage) => resolve(usage as NodeJS.MemoryUsage));
        child.send('gc');
      }),
  };
}

async function listening(child: ChildProcess, id: string): Promise<Address> {
  if (child.stdout !== null) {
    for await (const line of createInterface(child.stdout)) {
      const said = JSON.parse(line) as { event: string; host: string; port: number };
      if (said.event === 'listening') return { host: said.host, port: said.port };
      throw new Error(`server ${id}: ${line}`);
    }
  }
  throw new Error(`server ${id} ended before it listened`);
}

/** Its log, but for pulls that met the neighbour before it had heard of the link. */
function passOn(child: ChildProcess): void {
  if (child.stderr === null) return;
  createInterface(child.stderr).on('line', (line) => {
    if (!line.includes('ERR_NOT_LINKED')) console.error(line);
  });
}

/** Links both ways, each to where the other can be reached. */
export async function linkBoth(a: Server, b: Server, bSeesA: Address = a.address): Promise<void> {
  await link(a, b.id, b.address);
  await link(b, a.id, bSeesA);
}

function link(from: Server, peer: ReplicaId, address: Address): Promise<void> {
  return promised((done) => from.connection.link({ peer, address, incarnation: null }, PATIENCE_MS, done));
}

export function unlink(from: Server, peer: Server): Promise<void> {
  return promised((done) => from.connection.unlink({ peer: peer.id }, PATIENCE_MS, done));
}

export function statusOf(server: Server): Promise<Status> {
  return promised((done) => server.connection.status(PATIENCE_MS, done));
}

/** `to` pulls until `from` has nothing left for it; done when all of it is durable. */
export async function sync(to: Server, from: Server): Promise<void> {
  failUnlessDone(await stabilize(to, [from.id]));
}

/** Has the servers tell each other what they hold, and fold what all of them do. */
export async function compact(servers: readonly Server[]): Promise<void> {
  for (let round = 0; round < 3; round++) {
    for (const server of servers) failUnlessDone(await stabilize(server, null, true));
  }
}

/** `peers`: null for all that are linked. */
export function stabilize(
  server: Server,
  peers: readonly ReplicaId[] | null,
  compact = false,
): Promise<StabilizeReply> {
  const request = { peers, budgetMs: PATIENCE_MS, compact };
  return promised((done) => server.connection.stabilize(request, PATIENCE_MS, done));
}

function failUnlessDone({ outcomes }: StabilizeReply): void {
  for (const { peer, done, error } of outcomes) {
    if (!done) throw new Error(`the pull from ${peer} did not end: ${error?.code} ${error?.message}`);
  }
}

/** A copy of a data directory that no server uses. */
export function copyOf(dataDir: string): string {
  const copy = freshPath('copy');
  cpSync(dataDir, copy, { recursive: true });
  return copy;
}

/** Of /proc/PID/status: the most that was ever resident, mapped files and all; or what of it is now the process's own. */
export function procBytes(pid: number, name: 'VmHWM' | 'RssAnon'): number {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm'));
  return Number(line?.[1] ?? Number.NaN) * 1024;
}
