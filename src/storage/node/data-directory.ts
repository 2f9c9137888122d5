import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { BaristaError, type ErrorCode, messageOf } from '../../base/errors.js';
import { type Done, succeed } from '../../base/outcome.js';
import type { ClockKind } from '../../bayou/messages.js';
import type { TieBreak } from '../../bayou/write.js';
import { DurableStorage } from '../durable.js';
import type { OperationCodec } from '../operation-codec.js';
import { makeDirectory, syncDirectory } from './directory.js';
import { type DirectoryLock, lockDirectory } from './directory-lock.js';
import { codeOf } from './file-failure.js';
import { FileLogDirectory } from './file-log-directory.js';
import { LmdbTable } from './lmdb-table.js';

/** Whose data a directory holds. What is there must agree: the order of its writes rests on it. */
export interface Identity {
  readonly id: string;
  readonly cluster: string;
  readonly tieBreak: TieBreak;
  readonly clock: ClockKind;
}

interface StoredIdentity extends Identity {
  readonly format: number;
  readonly incarnation: number;
}

const FORMAT = 1;
const IDENTITY_FILE = 'replica.json';

const MISMATCHES: Readonly<Record<keyof Identity, ErrorCode>> = {
  id: 'ERR_IDENTITY',
  cluster: 'ERR_CLUSTER_MISMATCH',
  tieBreak: 'ERR_TIE_BREAK_MISMATCH',
  clock: 'ERR_CLOCK_MISMATCH',
};

/**
 * A replica's data on disk, used by one process at a time: `replica.json` says whose it is, `log/` holds the write-ahead
 * log, `table/` the checkpoints, `lock` who uses it.
 */
export class DataDirectory<Op> {
  /** Fixed when the directory was first used. */
  readonly incarnation: number;
  readonly storage: DurableStorage<Op>;
  readonly #lock: DirectoryLock;

  private constructor(incarnation: number, storage: DurableStorage<Op>, lock: DirectoryLock) {
    this.incarnation = incarnation;
    this.storage = storage;
    this.#lock = lock;
  }

  /**
   * Opens the directory, or makes one under `newIncarnation`. Throws ERR_LOCKED if another process uses it, ERR_IDENTITY or
   * a mismatch if it is another replica's or cluster's, ERR_CORRUPT if it is damaged, ERR_STORAGE if it cannot be used.
   */
  static open<Op>(
    path: string,
    identity: Identity,
    newIncarnation: number,
    codec: OperationCodec<Op>,
    onCheckpointFailure: (error: BaristaError) => void = () => undefined,
  ): DataDirectory<Op> {
    const directories = [path, join(path, 'log'), join(path, 'table')] as const;
    attempt(`${path} cannot be used`, () => {
      for (const directory of directories) makeDirectory(directory, 0o700);
    });
    const lock = lockDirectory(path);
    try {
      const stored =
        readIdentity(path) ?? writeIdentity(path, { format: FORMAT, ...identity, incarnation: newIncarnation });
      checkIdentity(path, stored, identity);
      const [, log, table] = directories;
      const storage = new DurableStorage<Op>({
        directory: new FileLogDirectory(log),
        table: openTable(table),
        codec,
        checksum: (bytes) => crc32(bytes),
        onCheckpointFailure,
      });
      return new DataDirectory(stored.incarnation, storage, lock);
    } catch (thrown) {
      lock.release();
      throw thrown;
    }
  }

  /** Makes everything durable and lets another process in. */
  close(done: Done<void>): void {
    this.storage.close(() => {
      this.#lock.release();
      done(succeed(undefined));
    });
  }
}

function readIdentity(path: string): StoredIdentity | null {
  const file = join(path, IDENTITY_FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null;
    throw new BaristaError('ERR_STORAGE', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  try {
    const stored = JSON.parse(text) as StoredIdentity;
    if (stored.format === FORMAT && Number.isSafeInteger(stored.incarnation)) return stored;
  } catch {
    // Said below.
  }
  throw new BaristaError('ERR_CORRUPT', `${file} is not what was written there`);
}

/** Durable when it returns; a crash leaves the file whole or not there. */
function writeIdentity(path: string, identity: StoredIdentity): StoredIdentity {
  const file = join(path, IDENTITY_FILE);
  attempt(`${file} cannot be written`, () => {
    writeFileSync(`${file}.new`, `${JSON.stringify(identity, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
    syncDirectory(path);
  });
  return identity;
}

/** The table's file is there for good when this returns, before any of the log is dropped in its favour. */
function openTable(path: string): LmdbTable {
  return attempt(`${path} cannot be opened`, () => {
    const table = new LmdbTable(path);
    syncDirectory(path);
    return table;
  });
}

function checkIdentity(path: string, stored: Identity, wanted: Identity): void {
  for (const what of ['id', 'cluster', 'tieBreak', 'clock'] as const) {
    if (stored[what] === wanted[what]) continue;
    throw new BaristaError(
      MISMATCHES[what],
      `${path} holds a replica with ${what} ${stored[what]}, not ${wanted[what]}`,
    );
  }
}

function attempt<T>(failure: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof BaristaError) throw thrown;
    throw new BaristaError('ERR_STORAGE', `${failure}: ${messageOf(thrown)}`, { cause: thrown });
  }
}
