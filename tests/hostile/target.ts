import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Address } from '../../src/base/address.js';
import type { ClientId, Origin, ReplicaId } from '../../src/base/ids.js';
import { type Done, promised } from '../../src/base/outcome.js';
import type { LogReply, StabilizeReply, Status, StoreReply } from '../../src/bayou/admin-messages.js';
import { type ClusterTerms, PROTOCOL_VERSION, type ReadReply, type WriteReply } from '../../src/bayou/messages.js';
import type { AcceptStamp } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { ReplicaConnection } from '../../src/rpc/client.js';

/* A real replica for hostile input: a process of its own, its data on disk, its heap small. */

const CLI = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const HEAP_MB = 128;
export const PATIENCE_MS = 60_000;

/**
 * How far the process may grow above what it takes when its data is there: its heap, the largest frames at both ends of a
 * call, and what an allocator keeps. Without limits a single one of these inputs has cost gigabytes.
 */
export const GROWTH_MB_MAX = 320;

export const TARGET_ID = 'target' as ReplicaId;
export const TARGET = `${TARGET_ID}#1` as Origin;
export const TERMS: ClusterTerms = {
  protocol: PROTOCOL_VERSION,
  cluster: 'hostile',
  tieBreak: 'higher',
  clock: 'hybrid',
  retryWindowMs: 1_000,
};
/** A value of the largest size there is. */
export const LARGE_KEY = 'large';

const KEYS = 200;
/** Names that are special to the language, and must be to nothing else. */
export const SPECIAL_NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'] as const;

/** Everything a hostile peer or client could have changed. */
export interface Dump {
  readonly status: unknown;
  readonly store: readonly (readonly [key: string, value: string])[];
  readonly log: readonly string[];
}

export class Target {
  readonly folder = mkdtempSync(join(tmpdir(), 'barista-hostile-'));
  readonly #flags: readonly string[];
  #process: ChildProcess | null = null;
  #control: ReplicaConnection | null = null;
  #address: Address = { host: '127.0.0.1', port: 0 };
  #fdsAtRest = 0;
  #rssAtRest = 0;

  private constructor(flags: readonly string[]) {
    this.#flags = flags;
  }

  /** Starts a replica and gives it some data. Stop it, whatever happens. */
  static async start(flags: readonly string[] = []): Promise<Target> {
    const target = new Target(flags);
    try {
      await target.open();
      await target.#fill();
      await target.rest();
    } catch (error) {
      await target.stop();
      throw error;
    }
    return target;
  }

  get address(): Address {
    return this.#address;
  }

  get control(): ReplicaConnection {
    if (this.#control === null) throw new Error('the replica does not run');
    return this.#control;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error('the replica does not run');
    return pid;
  }

  /** Starts the process over the data that is there. */
  async open(): Promise<void> {
    const replica = spawnReplica(this.folder, this.#address.port, this.#flags);
    this.#process = replica;
    if (replica.stdout === null) throw new Error('it has no output');
    const lines = createInterface({ input: replica.stdout });
    const said = once(lines, 'line', { signal: AbortSignal.timeout(PATIENCE_MS) });
    const died = once(replica, 'exit').then(() => {
      throw new Error(`the replica did not start: ${this.lastWords()}`);
    });
    // It is told to end some day.
    died.catch(() => undefined);
    const [line] = (await Promise.race([said, died])) as [string];
    const { host, port } = JSON.parse(line) as { host: string; port: number };
    this.#address = { host, port };
    this.#control = new ReplicaConnection({ address: this.#address });
  }

  /** Ends the process at once, as a crash would; its data stays. */
  async kill(): Promise<void> {
    this.#control?.close();
    this.#control = null;
    const running = this.#process;
    if (running !== null && running.exitCode === null && running.signalCode === null) {
      running.kill('SIGKILL');
      await once(running, 'exit');
    }
    this.#process = null;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  lastWords(): string {
    return readFileSync(join(this.folder, 'stderr'), 'utf8').slice(-4_000);
  }

  ask<T>(call: (replica: ReplicaConnection, timeoutMs: number, done: Done<T>) => void): Promise<T> {
    return promised<T>((done) => call(this.control, PATIENCE_MS, done));
  }

  put(key: string, value: Uint8Array, client = 'writer', clientTime = 1): Promise<WriteReply> {
    const operation = { kind: 'put' as const, value };
    const request = { client: client as ClientId, clientTime, key, operation, after: 0, needs: null };
    return this.ask<WriteReply>((replica, timeoutMs, done) => replica.write(request, timeoutMs, done));
  }

  read(key: string): Promise<ReadReply<Uint8Array>> {
    return this.ask((replica, timeoutMs, done) => replica.read({ key, needs: null }, timeoutMs, done));
  }

  status(): Promise<Status> {
    return this.ask((replica, timeoutMs, done) => replica.status(timeoutMs, done));
  }

  link(peer: string, address: Address): Promise<void> {
    const request = { peer: peer as ReplicaId, address, incarnation: null };
    return this.ask((replica, timeoutMs, done) => replica.link(request, timeoutMs, done));
  }

  unlink(peer: string): Promise<void> {
    return this.ask((replica, timeoutMs, done) => replica.unlink({ peer: peer as ReplicaId }, timeoutMs, done));
  }

  /** Has it pull from `peer`; the code of how that ended, null if well, 'unfinished' if not within `budgetMs`. */
  async pullFrom(peer: string, budgetMs = PATIENCE_MS / 2, compact = false): Promise<string | null> {
    const request = { peers: [peer as ReplicaId], budgetMs, compact };
    const { outcomes } = await this.ask<StabilizeReply>((replica, timeoutMs, done) =>
      replica.stabilize(request, timeoutMs, done),
    );
    const [outcome] = outcomes;
    if (outcome === undefined) throw new Error('no outcome');
    return outcome.error?.code ?? (outcome.done ? null : 'unfinished');
  }

  /** The server answers who behaves. */
  async expectAlive(): Promise<void> {
    expect([this.#process?.exitCode, this.#process?.signalCode], this.lastWords()).toEqual([null, null]);
    const reply = await this.read('key 7');
    expect(reply.kind, this.lastWords()).toBe('found');
  }

  async dump(): Promise<Dump> {
    const { links: _links, ...status } = await this.status();
    const store: [string, string][] = [];
    for (let after: string | null = null, more = true; more; ) {
      const request = { after, entriesMax: 10_000 };
      const page = await this.ask<StoreReply<Uint8Array>>((replica, timeoutMs, done) =>
        replica.store(request, timeoutMs, done),
      );
      for (const { key, value } of page.entries) store.push([key, Buffer.from(value).toString('base64')]);
      more = page.more;
      after = page.entries.at(-1)?.key ?? null;
    }
    const log: string[] = [];
    for (let after: AcceptStamp | null = null, more = true; more; ) {
      const request = { after, writesMax: 10_000 };
      const page = await this.ask<LogReply<KvOperation>>((replica, timeoutMs, done) =>
        replica.log(request, timeoutMs, done),
      );
      for (const { operation, ...write } of page.entries) log.push(JSON.stringify([write, operation.kind]));
      more = page.more;
      const last = page.entries.at(-1);
      after = last ?? null;
    }
    // What is stable is a reading of the wall clock.
    return { status: { ...status, seen: status.seen.toString(), stable: 0 }, store, log };
  }

  /** Takes the measures that `expectAtRest` compares with, and begins to watch the peak anew. */
  async rest(): Promise<void> {
    // The control connection stays open, and so is part of it.
    await this.expectAlive();
    this.#fdsAtRest = this.fds;
    this.#rssAtRest = this.#statusMb('VmRSS');
    this.watchPeak();
  }

  /** How many files and connections it has open. */
  get fds(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** What follows is measured from here. */
  watchPeak(): void {
    writeFileSync(`/proc/${this.pid}/clear_refs`, '5');
  }

  /** By how many MB its memory has been above what it took at rest, at most, since the peak is watched. */
  get grownMb(): number {
    return this.#statusMb('VmHWM') - this.#rssAtRest;
  }

  /** No connection is left but those of rest, and memory stayed within its bound. */
  async expectAtRest(growthMbMax = GROWTH_MB_MAX): Promise<void> {
    for (let waited = 0; this.fds > this.#fdsAtRest && waited < PATIENCE_MS; waited += 50) await delay(50);
    expect(this.fds, `open files: ${this.#openFiles()}`).toBeLessThanOrEqual(this.#fdsAtRest);
    expect(this.grownMb, 'MB grown').toBeLessThan(growthMbMax);
    await this.expectAlive();
  }

  async #fill(): Promise<void> {
    const value = (i: number): Uint8Array => Buffer.from(`value ${i}`);
    const puts = Array.from({ length: KEYS }, (_, i) => this.put(`key ${i}`, value(i), 'filler', i + 1));
    await Promise.all(puts);
    for (const [i, name] of SPECIAL_NAMES.entries()) await this.put(name, value(i), name, 1);
    await this.put(LARGE_KEY, new Uint8Array(1024 * 1024).fill(7), 'large', 1);
    await this.ask<void>((replica, timeoutMs, done) =>
      replica.unlink({ peer: 'nobody' as ReplicaId }, timeoutMs, done),
    );
  }

  /** What its open files and connections are, for who must find out which of them stayed. */
  #openFiles(): string {
    const links = readdirSync(`/proc/${this.pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${this.pid}/fd/${fd}`);
      } catch {
        return 'closed meanwhile';
      }
    });
    return links.sort().join(', ');
  }

  #statusMb(field: string): number {
    const text = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  }
}

function spawnReplica(folder: string, port: number, flags: readonly string[]) {
  const terms = ['--cluster', TERMS.cluster, '--retry-window', `${TERMS.retryWindowMs}ms`];
  const own = ['--id', TARGET_ID, '--incarnation', '1', '--data-dir', join(folder, 'data'), '--port', `${port}`];
  const stderr = openSync(join(folder, 'stderr'), 'a');
  const args = [
    `--max-old-space-size=${HEAP_MB}`,
    CLI,
    'server',
    ...own,
    ...terms,
    '--anti-entropy',
    'off',
    '--lifeline',
    ...flags,
  ];
  const replica = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', stderr] });
  closeSync(stderr);
  return replica;
}
