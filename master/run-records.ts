import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Names a run: the master's process id, a dash, and 12 random hexadecimal digits. Every replica of the run carries it
 * on its command line. A process that does, and whose parent is not the master the id names, has lost its master: the
 * kernel gives a process another parent only when its own is gone.
 */
export function newRunId(): string {
  return `${process.pid}-${randomBytes(6).toString('hex')}`;
}

/**
 * What a run leaves on disk, so that cleanup-ports.sh can prove what is Barista's: a file named by the run id in
 * `barista-runs-UID/` under XDG_RUNTIME_DIR, or the system's directory for temporary files, with lines
 *
 *     replica PID PORT ID
 *     exited PID
 *
 * Of two lines about one pid the later holds. PORT is 0 until the replica has told it. ID goes to the end of the line,
 * as it may hold spaces (it holds no control characters). The file is removed when the run ends.
 *
 * Records help to clean up after a disaster; a run that cannot write one goes on without.
 */
export class RunRecord {
  /** Null if no record is kept. */
  readonly path: string | null;
  #descriptor: number | null;

  private constructor(path: string | null, descriptor: number | null) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  static create(runId: string, warn: (message: string) => void): RunRecord {
    try {
      const path = join(recordsDirectory(), runId);
      const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
      return new RunRecord(path, openSync(path, O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600));
    } catch (error) {
      warn(`no record of this run is kept, so cleanup-ports.sh will not know it: ${String(error)}`);
      return new RunRecord(null, null);
    }
  }

  replica(pid: number, port: number, id: string): void {
    this.#append(`replica ${pid} ${port} ${id}\n`);
  }

  exited(pid: number): void {
    this.#append(`exited ${pid}\n`);
  }

  remove(): void {
    this.#close();
    if (this.path !== null) rmSync(this.path, { force: true });
  }

  /** One small write to an open file: some ten microseconds, so that joins do not wait for it. */
  #append(line: string): void {
    if (this.#descriptor === null) return;
    try {
      writeSync(this.#descriptor, line);
    } catch {
      // A full disk must not end a run; the record stays as it is.
      this.#close();
    }
  }

  #close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

/** The runtime directory may be named and yet not be there: after `su`, in a container. */
function recordsDirectory(): string {
  const runtime = process.env.XDG_RUNTIME_DIR;
  return ownDirectory(runtime !== undefined && existsSync(runtime) ? runtime : tmpdir());
}

/** Throws if the directory cannot be made, or is not this user's own: anyone may plant a name in a shared directory. */
function ownDirectory(parent: string): string {
  const uid = process.getuid?.() ?? 0;
  const path = join(parent, `barista-runs-${uid}`);
  mkdirUnlessThere(path);
  const stat = lstatSync(path);
  if (!stat.isDirectory() || stat.uid !== uid) throw new Error(`${path} is not a directory of this user`);
  if ((stat.mode & 0o077) !== 0) chmodSync(path, 0o700);
  return path;
}

function mkdirUnlessThere(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}
