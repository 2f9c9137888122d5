import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { ReplicaProcess } from '../../master/replica-process.js';
import type { Run } from '../../master/run.js';
import type { Address } from '../../src/base/address.js';
import { incarnationOf, type ReplicaId } from '../../src/base/ids.js';
import { type Done, promised } from '../../src/base/outcome.js';
import type { Status } from '../../src/bayou/admin-messages.js';
import { ReplicaConnection } from '../../src/rpc/client.js';
import { limitFiles } from './disks.js';

const CLI = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** How long an operator waits for an answer; the replica may be paused, or behind with everything. */
const ADMIN_MS = 10_000;

export interface ReplicaSpec {
  readonly run: Run;
  readonly id: string;
  readonly dataDir: string;
  /** Where its log and the step of its clock are. */
  readonly folder: string;
  /** What its process is started through. */
  readonly launcher: readonly string[];
  readonly retryWindowMs: number;
  readonly antiEntropyMs: number;
  /** Told when its process ends without having been killed from here. */
  readonly onDeath: (message: string) => void;
}

/** A replica over its directory, through all the processes that serve it one after the other. */
export class ChaosReplica {
  readonly id: string;
  readonly dataDir: string;
  readonly #spec: ReplicaSpec;
  readonly #clockFile: string;
  readonly #log: ReturnType<typeof createWriteStream>;
  #process: ReplicaProcess | null = null;
  #address: Address | null = null;
  #admin: ReplicaConnection | null = null;
  #starts = 0;
  /** The one its directory is made under; those after it the replica takes by itself. */
  #founded = 1;

  constructor(spec: ReplicaSpec) {
    this.id = spec.id;
    this.dataDir = spec.dataDir;
    this.#spec = spec;
    this.#clockFile = join(spec.folder, `clock-${spec.id}`);
    this.#log = createWriteStream(join(spec.folder, `replica-${spec.id}.log`), { flags: 'a' });
  }

  /** Null while it does not listen. */
  get address(): Address | null {
    return this.#address;
  }

  get isRunning(): boolean {
    return this.#address !== null;
  }

  get starts(): number {
    return this.#starts;
  }

  /** Rejects with ERR_START if it cannot; then there is no process. */
  async start(): Promise<void> {
    const { run, id, dataDir, launcher, retryWindowMs, antiEntropyMs, onDeath } = this.#spec;
    const clock = `data:text/javascript,${encodeURIComponent(steppedClock(this.#clockFile))}`;
    const [file = process.execPath, ...args] = [...launcher, process.execPath, '--import', clock, CLI];
    const started = ReplicaProcess.start({
      run,
      id,
      incarnation: this.#founded,
      tieBreak: 'higher',
      clock: 'hybrid',
      retryWindowMs,
      maxDriftMs: 60_000,
      dataDir,
      antiEntropyMs,
      log: this.#log,
      command: [file, ...args],
      onUnexpectedExit: (error) => {
        this.#gone();
        onDeath(error.message);
      },
    });
    this.#process = started;
    this.#address = await started.ready;
    this.#admin = new ReplicaConnection({ address: this.#address });
    this.#starts += 1;
  }

  async kill(): Promise<void> {
    this.#gone();
    await this.#process?.kill();
  }

  /** Loses its disk, while it does not run: it will come back as a newcomer. */
  wipe(incarnation: number): void {
    rmSync(this.dataDir, { recursive: true });
    mkdirSync(this.dataDir, { mode: 0o700 });
    this.#founded = incarnation;
  }

  async pause(): Promise<void> {
    await this.#process?.pause();
  }

  resume(): void {
    this.#process?.resume();
  }

  /** Has its wall clock be so much ahead of the machine's. */
  stepClock(ms: number): void {
    writeFileSync(this.#clockFile, `${ms}`);
    if (this.#process?.pid !== undefined && this.isRunning) process.kill(this.#process.pid, 'SIGUSR2');
  }

  /** Null: no limit. */
  limitFiles(bytes: number | null): void {
    if (this.#process?.pid !== undefined && this.isRunning) limitFiles(this.#process.pid, bytes);
  }

  link(peer: string, address: Address): Promise<void> {
    return this.#ask((admin, done) =>
      admin.link({ peer: peer as ReplicaId, address, incarnation: null }, ADMIN_MS, done),
    );
  }

  retire(id: string): Promise<void> {
    return this.#ask((admin, done) => admin.retire({ id: id as ReplicaId }, ADMIN_MS, done));
  }

  status(): Promise<Status> {
    return this.#ask((admin, done) => admin.status(ADMIN_MS, done));
  }

  async incarnation(): Promise<number> {
    return incarnationOf((await this.status()).origin);
  }

  /** Has it ask its neighbours what the members attest, and fold what all hold. */
  async compact(budgetMs: number): Promise<void> {
    await this.#ask((admin, done) => admin.stabilize({ peers: null, budgetMs, compact: true }, ADMIN_MS, done));
  }

  /** To the replica itself, past every proxy. The caller closes it. */
  connect(): ReplicaConnection {
    if (this.#address === null) throw new RangeError(`replica ${this.id} does not run`);
    return new ReplicaConnection({ address: this.#address });
  }

  /** Kills its process and ends its log. */
  async close(): Promise<void> {
    await this.kill();
    this.#log.end();
    await finished(this.#log);
  }

  #gone(): void {
    this.#address = null;
    this.#admin?.close();
    this.#admin = null;
  }

  async #ask<T>(call: (admin: ReplicaConnection, done: Done<T>) => void): Promise<T> {
    const admin = this.#admin;
    if (admin === null) throw new RangeError(`replica ${this.id} does not run`);
    return promised<T>((done) => call(admin, done));
  }
}

/** A program that has the wall clock of its process step by what `file` says, at each SIGUSR2. */
function steppedClock(file: string): string {
  return `import { readFileSync } from 'node:fs';
const now = Date.now;
let step = 0;
Date.now = () => now() + step;
process.on('SIGUSR2', () => { step = Number(readFileSync(${JSON.stringify(file)}, 'utf8')); });`;
}
