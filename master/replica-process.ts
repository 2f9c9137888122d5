import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Address } from '../src/base/address.js';
import { BaristaError } from '../src/base/errors.js';
import { type Announcement, readAnnouncement } from './announcement.js';
import { ReplicaLog } from './replica-log.js';
import type { Run } from './run.js';

/** How long a replica may take to say that it listens; generous, for a machine that starts fifty at once. */
const START_LIMIT_MS = 30_000;

/** How long a process may take to stop after SIGSTOP: it may be in the middle of a slow disk access. */
const STOP_LIMIT_MS = 10_000;

/** How long a process that said it failed gets to end by itself, so that its own words and status are reported. */
const FAILED_EXIT_LIMIT_MS = 1_000;

/** The built command line: beside this file once that is built, under dist/ when tests run the source. */
const CLI = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../dist/src/cli/main.js' : '../src/cli/main.js', import.meta.url),
);

export interface ReplicaSpec {
  readonly run: Run;
  readonly id: string;
  readonly incarnation: number;
  readonly tieBreak: 'higher' | 'lower';
  readonly clock: 'logical' | 'hybrid';
  readonly retryWindowMs: number;
  readonly maxDriftMs: number | null;
  /** Where it keeps its data; null: in memory. */
  readonly dataDir: string | null;
  /** The period of anti-entropy; null: only when asked. */
  readonly antiEntropyMs: number | null;
  /** Modules that export merge procedures; absent: none. */
  readonly procedureFiles?: readonly string[];
  /** Called once with ERR_DIED if the replica, having listened, ends without having been killed from here. */
  readonly onUnexpectedExit?: (error: BaristaError) => void;
  /** Where the replica's log goes; standard error by default. */
  readonly log?: Writable;
  /** What is run in place of `node dist/src/cli/main.js`; it gets the same arguments. */
  readonly command?: readonly [file: string, ...args: string[]];
  readonly startLimitMs?: number;
}

interface ReplicaExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** True if it was killed from here. */
  readonly expected: boolean;
  /** `ended by SIGSEGV`, `ended with status 1`, or why it could not be started. */
  readonly reason: string;
}

/**
 * A replica as a process of its own, from its start to its end. It dies with the master: standard input is its lifeline
 * (src/server/lifeline.ts), and the run's watchdog ends it when it cannot notice.
 */
export class ReplicaProcess {
  readonly id: string;
  /** Undefined if the system could not start the process at all. */
  readonly pid: number | undefined;
  /**
   * Where it listens. Rejects with ERR_PORT_IN_USE or ERR_START once the process is gone, if it could not start, ended,
   * was killed, or said nothing within the limit.
   */
  readonly ready: Promise<Address>;
  /** Resolves when the process is gone and its log is read to the end. Never rejects. */
  readonly exited: Promise<ReplicaExit>;
  readonly #spec: ReplicaSpec;
  readonly #port: number;
  readonly #process: ReturnType<typeof spawnReplica>;
  readonly #log: ReplicaLog;
  #listening = false;
  #killed = false;
  #exit: ReplicaExit | null = null;

  private constructor(spec: ReplicaSpec) {
    this.id = spec.id;
    this.#spec = spec;
    this.#port = spec.run.takePort();
    this.#log = new ReplicaLog(spec.id, spec.log ?? process.stderr);
    this.#process = spawnReplica(spec, this.#port);
    this.pid = this.#process.pid;
    if (this.pid !== undefined) spec.run.started(this.pid, this.#port, this.id);
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => this.#log.write(text));
    this.exited = this.#awaitExit();
    this.ready = this.#awaitReady();
    // Whoever kills a replica before it is ready need not wait for `ready` as well.
    this.ready.catch(() => {});
  }

  /** Returns at once. Throws ERR_PORT_IN_USE if the run has no port left; then nothing was started. */
  static start(spec: ReplicaSpec): ReplicaProcess {
    return new ReplicaProcess(spec);
  }

  /** Kills it at once, paused or not; done when it is gone. Idempotent. */
  async kill(): Promise<void> {
    // False if it ended by itself before.
    if (this.#process.kill('SIGKILL')) this.#killed = true;
    await this.exited;
  }

  /** Hangs it; done when it is really stopped. Idempotent. */
  async pause(): Promise<void> {
    if (this.pid === undefined || this.#exit !== null) throw this.#endedError();
    await this.#spec.run.secure(this.pid);
    this.#process.kill('SIGSTOP');
    const limit = Date.now() + STOP_LIMIT_MS;
    while (!isStopped(this.pid)) {
      if (this.#exit !== null) throw this.#endedError();
      if (Date.now() > limit) throw new BaristaError('ERR_TIMEOUT', `replica ${this.id} did not stop`);
      await delay(1);
    }
  }

  /** Lets it go on. Idempotent. */
  resume(): void {
    if (this.#exit !== null) throw this.#endedError();
    this.#process.kill('SIGCONT');
  }

  async #awaitExit(): Promise<ReplicaExit> {
    const { exitCode, signal, originalMessage } = await this.#process;
    const exit = {
      code: exitCode ?? null,
      signal: signal ?? null,
      expected: this.#killed,
      reason: describeEnd(exitCode, signal, originalMessage),
    };
    this.#exit = exit;
    this.#log.end();
    this.#spec.run.releasePort(this.#port);
    if (this.pid !== undefined) this.#spec.run.exited(this.pid);
    if (this.#listening && !exit.expected) this.#spec.onUnexpectedExit?.(this.#endedError());
    return exit;
  }

  async #awaitReady(): Promise<Address> {
    const limitMs = this.#spec.startLimitMs ?? START_LIMIT_MS;
    const patience = new AbortController();
    const said = await Promise.race([
      readAnnouncement(this.#process.stdout),
      delay(limitMs, null, { signal: patience.signal }),
    ]);
    patience.abort();
    if (said?.event === 'listening' && this.pid !== undefined) {
      this.#listening = true;
      this.#spec.run.listening(this.pid, said.port, this.id);
      return { host: said.host, port: said.port };
    }
    throw await this.#startError(said, limitMs);
  }

  /** Ends the process first, so that a failed start leaves nothing behind. */
  async #startError(said: Announcement | null, limitMs: number): Promise<BaristaError> {
    const wasKilled = this.#killed;
    if (said?.event === 'failed' || said?.event === 'silence') {
      await Promise.race([this.exited, delay(FAILED_EXIT_LIMIT_MS, null, { ref: false })]);
    }
    await this.kill();
    const failure = `replica ${this.id} did not start`;
    if (wasKilled) return new BaristaError('ERR_START', `${failure}: it was killed before it was ready`);
    if (said?.event === 'failed' && said.code === 'ERR_PORT_IN_USE') {
      const reason = this.#port === 0 ? said.message : `port ${this.#port} is in use`;
      return new BaristaError('ERR_PORT_IN_USE', `${failure}: ${reason}`);
    }
    const { reason } = await this.exited;
    return new BaristaError('ERR_START', `${failure}: ${describeStart(said, limitMs) ?? reason}${this.#lastWords()}`);
  }

  /** What a call on a process that is gone, or about to be, rejects with. */
  #endedError(): BaristaError {
    if (this.#killed) return new BaristaError('ERR_CLOSED', `replica ${this.id} was killed`);
    const reason = this.#exit?.reason ?? 'is ending';
    return new BaristaError('ERR_DIED', `replica ${this.id} ${reason}${this.#lastWords()}`);
  }

  #lastWords(): string {
    const lines = this.#log.lastLines;
    return lines.length === 0 ? '' : `; its last words:\n${lines.map((line) => `  ${line}`).join('\n')}`;
  }
}

function spawnReplica(spec: ReplicaSpec, port: number) {
  const [file, ...args] = spec.command ?? [process.execPath, CLI];
  // cleanup-ports.sh and the watchdog know a replica by `server`, `--lifeline --run-id RUN` in this very form.
  const options = {
    '--id': spec.id,
    '--port': String(port),
    '--cluster': spec.run.id,
    '--incarnation': String(spec.incarnation),
    '--tie-break': spec.tieBreak,
    '--clock': spec.clock,
    '--retry-window': `${spec.retryWindowMs}ms`,
    '--max-drift': spec.maxDriftMs === null ? 'off' : `${spec.maxDriftMs}ms`,
    '--anti-entropy': spec.antiEntropyMs === null ? 'off' : `${spec.antiEntropyMs}ms`,
    ...(spec.dataDir === null ? {} : { '--data-dir': spec.dataDir }),
  };
  const procedures = (spec.procedureFiles ?? []).flatMap((path) => ['--procedures', path]);
  const words = [...Object.entries(options).flat(), ...procedures, '--lifeline', '--run-id', spec.run.id];
  return execa(file, [...args, 'server', ...words], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    // Output is read as it comes and never kept whole.
    buffer: false,
    reject: false,
    // When the master exits, by a signal too, its replicas are killed; SIGKILL also ends those that are paused.
    cleanup: true,
    killSignal: 'SIGKILL',
    forceKillAfterDelay: false,
  });
}

/** Why a start failed, from what the replica said; undefined if it said nothing. */
function describeStart(said: Announcement | null, limitMs: number): string | undefined {
  if (said === null) return `it did not say where it listens within ${limitMs} ms`;
  if (said.event === 'failed') return `${said.code}: ${said.message}`;
  if (said.event === 'nonsense') return `it said ${JSON.stringify(said.text)} in place of where it listens`;
  return undefined;
}

function describeEnd(code: number | undefined, signal: string | undefined, failure: string | undefined): string {
  if (signal !== undefined) return `ended by ${signal}`;
  if (code !== undefined) return `ended with status ${code}`;
  return failure ?? 'could not be started';
}

/** True once a signal has stopped the process. Only Linux tells without starting another one; elsewhere it is believed. */
function isStopped(pid: number): boolean {
  if (process.platform !== 'linux') return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name before the state stands in parentheses and may hold any character.
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  } catch {
    return false;
  }
}
