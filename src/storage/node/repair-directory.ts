import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { BaristaError } from '../../base/errors.js';
import { type Origin, originOf, type ReplicaId } from '../../base/ids.js';
import type { LogDirectory } from '../log-directory.js';
import { segmentName } from '../log-segment.js';
import type { OperationCodec } from '../operation-codec.js';
import { inspectLog, type LogFindings, type TableFindings, tableBeside } from '../repair.js';
import { EMPTY_TABLE } from '../table.js';
import { FIRST_SEGMENT } from '../write-ahead-log.js';
import { LOG_FOLDER, TABLE_FOLDER } from './data-directory.js';
import { makeDirectory, syncDirectory } from './directory.js';
import { lockDirectory } from './directory-lock.js';
import { fileFailure } from './file-failure.js';
import { FileLogDirectory } from './file-log-directory.js';
import { readIdentity, type StoredIdentity, writeIdentity } from './identity-file.js';
import { LmdbTable } from './lmdb-table.js';
import { tableFileFault } from './table-file.js';

/** What a check of a data directory found, and what a repair did. */
export interface RepairReport {
  readonly path: string;
  readonly origin: Origin;
  readonly table: TableFindings;
  readonly log: LogFindings;
  /** Null if nothing was changed. */
  readonly repaired: Repaired | null;
}

interface Repaired {
  readonly origin: Origin;
  /** Where what was set aside is now. */
  readonly aside: readonly string[];
}

export interface RepairOptions<Op> {
  readonly path: string;
  /** Makes the directory usable again if it is damaged; without it nothing is changed. */
  readonly apply: boolean;
  /** The wall clock in milliseconds. */
  readonly now: number;
  readonly codec: OperationCodec<Op>;
  /**
   * Reads the whole table that is in a folder, if there is one, and changes nothing of it. Not in this process: to read a
   * damaged one may end the process.
   */
  readonly inspectTable: (path: string) => TableFindings;
}

const NO_LOG: LogDirectory = {
  list: () => [],
  read: () => new Uint8Array(),
  open: () => {
    throw new BaristaError('ERR_STORAGE', 'there is no log');
  },
  truncate: () => undefined,
  remove: () => undefined,
};

/**
 * Checks the data directory of a replica that does not run. With `apply` a damaged one is made usable again: what stands
 * before the first damage is kept, the rest is set aside in a folder of its own, and the replica gets a new incarnation,
 * since what is gone may hold stamps that it gave.
 *
 * Throws ERR_LOCKED if a process uses it, ERR_STORAGE if it is no data directory or cannot be read or changed, ERR_CORRUPT
 * if even whose it is cannot be read.
 */
export function repairDirectory<Op>(options: RepairOptions<Op>): RepairReport {
  const path = resolve(options.path);
  if (readIdentity(path) === null) {
    throw new BaristaError('ERR_STORAGE', `${path} is no data directory of a replica: it has no replica.json`);
  }
  const lock = lockDirectory(path);
  try {
    // Again: a replica may have used it until the lock was taken.
    const identity = readIdentity(path) as StoredIdentity;
    const { table, log } = inspect(path, options);
    const isSound = table.kind === 'sound' && log.damage === null;
    const repaired = isSound || !options.apply ? null : repair(path, identity, table, log, options.now);
    return { path, origin: originOf(identity.id as ReplicaId, identity.incarnation), table, log, repaired };
  } finally {
    lock.release();
  }
}

function inspect<Op>(
  path: string,
  { codec, inspectTable }: RepairOptions<Op>,
): { readonly table: TableFindings; readonly log: LogFindings } {
  const tablePath = join(path, TABLE_FOLDER);
  const logPath = join(path, LOG_FOLDER);
  // It is made when it is opened, and nothing is to be made here.
  const directory = existsSync(logPath) ? new FileLogDirectory(logPath) : NO_LOG;
  const fault = tableFileFault(tablePath);
  let found: TableFindings = fault === null ? inspectTable(tablePath) : { kind: 'damaged', what: fault };
  const checksum = (bytes: Uint8Array): number => crc32(bytes);
  if (found.kind === 'sound') {
    const table = LmdbTable.toRead(tablePath);
    try {
      const log = inspectLog({ directory, table, codec, checksum }, found.segment);
      found = tableBeside(found, log);
      if (found.kind === 'sound') return { table: found, log };
    } finally {
      table.close(() => undefined);
    }
  }
  // Only a log from the very beginning is worth anything without the table.
  return { table: found, log: inspectLog({ directory, table: EMPTY_TABLE, codec, checksum }, FIRST_SEGMENT) };
}

/**
 * In an order that a crash may cut anywhere: the incarnation first, since from the next step on writes may be gone; then
 * from the end of the log backward, so that what is left to do stays damage until all is done.
 */
function repair(path: string, identity: StoredIdentity, table: TableFindings, log: LogFindings, now: number): Repaired {
  const incarnation = Math.max(now, identity.incarnation + 1);
  writeIdentity(path, { ...identity, incarnation });
  const aside = newAside(path);
  const moved: string[] = [];
  const logPath = join(path, LOG_FOLDER);
  try {
    const { damage } = log;
    if (damage !== null) {
      makeDirectory(logPath, 0o700);
      for (const { segment, name } of log.segments.toReversed()) {
        if (segment > damage.segment) moved.unshift(moveAside(join(logPath, name), aside));
      }
      syncDirectory(logPath);
      const cut = cutAside(logPath, log, damage.segment, aside);
      if (cut !== null) moved.unshift(cut);
    }
    if (table.kind === 'damaged') {
      moved.push(moveAside(join(path, TABLE_FOLDER), aside));
      makeDirectory(join(path, TABLE_FOLDER), 0o700);
    }
    syncDirectory(aside);
    syncDirectory(path);
  } catch (thrown) {
    throw fileFailure(thrown, 'repair', path);
  }
  return { origin: originOf(identity.id as ReplicaId, incarnation), aside: moved };
}

/** Puts the sound part of the damaged segment in its place, and the segment aside. Null if the segment is missing. */
function cutAside(logPath: string, log: LogFindings, segment: number, aside: string): string | null {
  const name = segmentName(segment);
  const found = log.segments.find((other) => other.segment === segment);
  const isFirst = log.segments.every((other) => other.segment >= segment);
  // A log begins with its first segment, or is new; a later one that is missing leaves the one before as the last.
  if (found === undefined && (!isFirst || segment === 1)) return null;
  const bytes = found === undefined ? new Uint8Array() : new FileLogDirectory(logPath).read(name);
  const file = join(logPath, name);
  writeFileSync(`${file}.new`, bytes.subarray(0, found?.soundBytes ?? 0), { mode: 0o600, flush: true });
  const to = join(aside, name);
  if (found !== undefined) linkSync(file, to);
  renameSync(`${file}.new`, file);
  syncDirectory(logPath);
  return found === undefined ? null : to;
}

function moveAside(file: string, aside: string): string {
  const to = join(aside, basename(file));
  renameSync(file, to);
  return to;
}

/** `set-aside.1`, or the next one. */
function newAside(path: string): string {
  try {
    const numbers = readdirSync(path).map((name) => Number(/^set-aside\.(\d{1,9})$/.exec(name)?.[1] ?? 0));
    const aside = join(path, `set-aside.${Math.max(0, ...numbers) + 1}`);
    mkdirSync(aside, { mode: 0o700 });
    return aside;
  } catch (thrown) {
    throw fileFailure(thrown, 'make a folder in', path);
  }
}
