import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../src/base/errors.js';
import { LOG_FOLDER, TABLE_FOLDER } from '../../src/storage/node/data-directory.js';

/*
 * Faults of disks, as far as the system lets a test make them: each offer says in words why there is none.
 */

const SMALL_DISK_MIB = 256;
const SMALL_DISK_NAME = 'barista-chaos';
const BALLAST = 'ballast';
/** Root may write where nobody may; without these capabilities it may not. */
const AS_A_USER = ['setpriv', '--bounding-set=-dac_override,-dac_read_search'];

export interface SmallDisk {
  readonly path: string;
  /** Leaves no byte free. */
  fill(): void;
  empty(): void;
  unmount(): void;
}

const isRoot = process.getuid?.() === 0;

/** A file system of its own in memory, so that it can be filled; or why there is none. */
export function mountSmallDisk(path: string): SmallDisk | string {
  if (process.platform !== 'linux' || !isRoot) return 'a small file system can be mounted by root on Linux only';
  unmountLeftovers();
  mkdirSync(path, { recursive: true });
  try {
    run('mount', ['-t', 'tmpfs', '-o', `size=${SMALL_DISK_MIB}m`, `${SMALL_DISK_NAME}-${process.pid}`, path]);
  } catch (thrown) {
    return `a small file system could not be mounted: ${messageOf(thrown)}`;
  }
  const ballast = join(path, BALLAST);
  return {
    path,
    fill: () => fill(ballast),
    empty: () => rmSync(ballast, { force: true }),
    unmount: () => run('umount', [path]),
  };
}

function fill(ballast: string): void {
  const file = openSync(ballast, 'a');
  try {
    for (let size = 1024 * 1024; size >= 1; ) {
      try {
        if (writeSync(file, Buffer.alloc(size)) < size) size = Math.floor(size / 2);
      } catch {
        size = Math.floor(size / 2);
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Those of runs that were killed before they could. */
function unmountLeftovers(): void {
  for (const line of readFileSync('/proc/mounts', 'utf8').split('\n')) {
    const [name = '', path = ''] = line.split(' ');
    const pid = name.startsWith(`${SMALL_DISK_NAME}-`) ? name.slice(SMALL_DISK_NAME.length + 1) : null;
    if (pid !== null && !existsSync(`/proc/${pid}`)) run('umount', [path]);
  }
}

/** Null if the sizes of a process's files can be limited while it runs; else why not. */
export function whyNoFileLimit(): string | null {
  return works('prlimit', ['--pid', `${process.pid}`, '--fsize']) ? null : 'prlimit of util-linux is not there';
}

/** Null: no limit. */
export function limitFiles(pid: number, bytes: number | null): void {
  run('prlimit', ['--pid', `${pid}`, `--fsize=${bytes ?? 'unlimited'}:`]);
}

/** What a program is to be started through so that `setWritable` means something to it; or why there is nothing. */
export function launcherForReadOnly(): readonly string[] | string {
  if (!isRoot) return [];
  const [file = '', ...args] = AS_A_USER;
  return works(file, [...args, 'true']) ? AS_A_USER : 'root writes to read-only folders, and setpriv is not there';
}

/** Whether files may be made, renamed and removed in the folders of a data directory. */
export function setWritable(dataDir: string, writable: boolean): void {
  for (const folder of ['', LOG_FOLDER, TABLE_FOLDER]) {
    const path = join(dataDir, folder);
    if (existsSync(path)) chmodSync(path, writable ? 0o700 : 0o500);
  }
}

function works(file: string, args: readonly string[]): boolean {
  try {
    run(file, args);
    return true;
  } catch {
    return false;
  }
}

function run(file: string, args: readonly string[]): void {
  execFileSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
