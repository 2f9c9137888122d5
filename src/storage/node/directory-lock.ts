import {
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { BaristaError } from '../../base/errors.js';
import { codeOf, fileFailure } from './file-failure.js';

/*
 * One process at a time uses a directory. Its lock is the file `lock.<generation>` with the highest generation, and says
 * which process holds it. A lock is free if it says that it was released, or if its process is gone. A starter that finds
 * it free creates the next generation, by a link to a finished file, which only one can; so a lock that was left behind
 * is never removed before its successor is there, and no one can remove a lock that another has just taken.
 *
 * Which process: the pid alone would not do, since pids are given again. On Linux the time the process started and the
 * id of the boot are compared too. A process of another container with its own pids, or of another host, is taken for
 * gone: such must not share a directory.
 *
 * A lock also says which inode it was written to. One that says another came here with a copy of its directory, and
 * nobody holds it.
 */

export interface DirectoryLock {
  /** Lets another process take the lock. */
  release(): void;
}

interface Holder {
  readonly pid: number;
  /** Clock ticks since boot; null where the system does not tell. */
  readonly startTime: string | null;
  readonly bootId: string | null;
  /** Of the lock's file; null where it does not say. */
  readonly inode: string | null;
}

const ATTEMPTS_MAX = 100;
const NAME = /^lock\.(\d{1,15})$/;
const RELEASED = 'released\n';

/** Makes names of temporary files unlike those of other locks that this process takes. */
let taken = 0;

/** Throws ERR_LOCKED, naming the process that holds the lock, or ERR_STORAGE. */
export function lockDirectory(path: string): DirectoryLock {
  const temporary = join(path, `lock-${process.pid}-${taken++}.new`);
  try {
    writeHolder(temporary);
    try {
      return take(path, temporary);
    } finally {
      removeIfThere(temporary);
    }
  } catch (thrown) {
    throw fileFailure(thrown, 'lock', path);
  }
}

function take(path: string, temporary: string): DirectoryLock {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const highest = generations(path).at(-1) ?? 0;
    const holder = readHolder(lockFile(path, highest));
    if (holder !== null && isAlive(holder)) {
      const who = holder.pid === process.pid ? 'this process already uses it' : `process ${holder.pid} uses it`;
      throw new BaristaError('ERR_LOCKED', `${path} is locked: ${who}`);
    }
    const own = lockFile(path, highest + 1);
    try {
      linkSync(temporary, own);
    } catch (thrown) {
      if (codeOf(thrown) === 'EEXIST') continue;
      throw thrown;
    }
    const found = generations(path);
    // Others took, left and took again while this one was on its way, and the generation it took was already history.
    if (found.at(-1) !== highest + 1) {
      removeIfThere(own);
      continue;
    }
    for (const generation of found.slice(0, -1)) removeIfThere(lockFile(path, generation));
    removeLeftovers(path);
    return { release: () => release(own) };
  }
  throw new BaristaError('ERR_LOCKED', `${path} is locked: others keep taking it`);
}

/** Says so in the file instead of removing it: the highest generation stays, so that they never begin anew. */
function release(own: string): void {
  try {
    writeFileSync(`${own}.new`, RELEASED);
    renameSync(`${own}.new`, own);
  } catch (thrown) {
    throw fileFailure(thrown, 'release', own);
  }
}

function writeHolder(file: string): void {
  const descriptor = openSync(file, 'w');
  try {
    const { ino } = fstatSync(descriptor, { bigint: true });
    writeFileSync(descriptor, `${JSON.stringify({ ...thisProcess(), inode: `${ino}` })}\n`);
  } finally {
    closeSync(descriptor);
  }
}

function lockFile(path: string, generation: number): string {
  return join(path, `lock.${generation}`);
}

/** Ascending. */
function generations(path: string): number[] {
  return readdirSync(path)
    .map((name) => NAME.exec(name)?.[1])
    .filter((generation) => generation !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

/** Null if it was released, is a copy, or says nothing that can be read: power was lost before it was stored. */
function readHolder(file: string): Holder | null {
  let text: string;
  let own: string;
  try {
    text = readFileSync(file, 'utf8');
    own = `${statSync(file, { bigint: true }).ino}`;
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return null;
    throw thrown;
  }
  try {
    const holder: unknown = JSON.parse(text);
    if (typeof holder !== 'object' || holder === null || !('pid' in holder)) return null;
    const { pid, startTime, bootId, inode } = holder as Record<keyof Holder, unknown>;
    if (!Number.isSafeInteger(pid) || (pid as number) <= 0) return null;
    if (typeof inode === 'string' && inode !== own) return null;
    return {
      pid: pid as number,
      startTime: typeof startTime === 'string' ? startTime : null,
      bootId: typeof bootId === 'string' ? bootId : null,
      inode: typeof inode === 'string' ? inode : null,
    };
  } catch {
    return null;
  }
}

function thisProcess(): Omit<Holder, 'inode'> {
  return { pid: process.pid, startTime: processState(process.pid)?.startTime ?? null, bootId: bootId() };
}

function isAlive(holder: Omit<Holder, 'inode'>): boolean {
  const boot = bootId();
  if (holder.bootId !== null && boot !== null && holder.bootId !== boot) return false;
  if (process.platform !== 'linux') return isSignalled(holder.pid);
  const state = processState(holder.pid);
  // A zombie has closed its files.
  if (state === null || state.state === 'Z' || state.state === 'X') return false;
  return holder.startTime === null || holder.startTime === state.startTime;
}

function isSignalled(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return codeOf(thrown) === 'EPERM';
  }
}

/** Null if there is no such process, or the system does not tell. */
function processState(pid: number): { readonly state: string; readonly startTime: string } | null {
  const text = readIfThere(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The second field is the program's name in parentheses, and may hold anything; the third and 22nd follow it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return state === undefined || startTime === undefined ? null : { state, startTime };
}

function bootId(): string | null {
  return readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? null;
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function removeIfThere(file: string): void {
  try {
    unlinkSync(file);
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown;
  }
}

/** The temporary files of starters that are gone. */
function removeLeftovers(path: string): void {
  for (const name of readdirSync(path)) {
    const pid = /^lock-(\d+)-\d+\.new$/.exec(name)?.[1];
    if (pid === undefined || isAlive({ pid: Number(pid), startTime: null, bootId: null })) continue;
    removeIfThere(join(path, name));
  }
}
