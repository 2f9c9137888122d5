import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { assert } from '../../base/assert.js';
import { BaristaError, type ErrorCode, messageOf, toBaristaError } from '../../base/errors.js';
import { type Done, fail, succeed } from '../../base/outcome.js';
import { DurableStorage } from '../durable.js';
import type { OperationCodec } from '../operation-codec.js';
import { makeDirectory, syncDirectory } from './directory.js';
import { type DirectoryLock, lockDirectory } from './directory-lock.js';
import { FileLogDirectory } from './file-log-directory.js';
import {
  found,
  type Identity,
  isCopied,
  ownMark,
  readIdentity,
  type StoredIdentity,
  writeIdentity,
} from './identity-file.js';
import { LmdbTable } from './lmdb-table.js';
import { tableFileFault } from './table-file.js';

export type { Identity } from './identity-file.js';

export const LOG_FOLDER = 'log';
export const TABLE_FOLDER = 'table';

const MISMATCHES: Readonly<Record<keyof Identity, ErrorCode>> = {
  id: 'ERR_IDENTITY',
  cluster: 'ERR_CLUSTER_MISMATCH',
  tieBreak: 'ERR_TIE_BREAK_MISMATCH',
  clock: 'ERR_CLOCK_MISMATCH',
  retryWindowMs: 'ERR_RETRY_WINDOW_MISMATCH',
};

/**
 * A replica's data on disk, used by one process at a time: `replica.json` says whose it is, `mark` tells it from a copy,
 * `log/` holds the write-ahead log, `table/` the checkpoints, `lock` who uses it.
 */
export class DataDirectory<Op> {
  readonly storage: DurableStorage<Op>;
  readonly #path: string;
  readonly #lock: DirectoryLock;
  #identity: StoredIdentity;

  private constructor(path: string, identity: StoredIdentity, storage: DurableStorage<Op>, lock: DirectoryLock) {
    this.#path = path;
    this.#identity = identity;
    this.storage = storage;
    this.#lock = lock;
  }

  /**
   * Opens the directory, or makes one under `newIncarnation`. With `takeNew` one that is there is given a new incarnation
   * too, `newIncarnation` if that is higher than its own; then it may also be a copy, and the copy of another replica's.
   *
   * Throws ERR_LOCKED if another process uses it, ERR_COPIED if it is a copy, ERR_IDENTITY or a mismatch if it is another
   * replica's or cluster's, ERR_CORRUPT if it is damaged, ERR_STORAGE if it cannot be used.
   */
  static open<Op>(
    path: string,
    identity: Identity,
    newIncarnation: number,
    codec: OperationCodec<Op>,
    onCheckpointFailure: (error: BaristaError) => void = () => undefined,
    takeNew = false,
  ): DataDirectory<Op> {
    attempt(`${path} cannot be used`, () => {
      for (const folder of ['', LOG_FOLDER, TABLE_FOLDER]) makeDirectory(join(path, folder), 0o700);
    });
    const lock = lockDirectory(path);
    try {
      const stored = ownIdentity(path, identity, newIncarnation, takeNew);
      const storage = openStorage(path, codec, onCheckpointFailure);
      return new DataDirectory(path, stored, storage, lock);
    } catch (thrown) {
      lock.release();
      throw thrown;
    }
  }

  get incarnation(): number {
    return this.#identity.incarnation;
  }

  /** The incarnation the directory was made under. */
  get founded(): number {
    return this.#identity.founded;
  }

  /**
   * A number for the process that uses it, higher than that of any before, also if the clock was set back meanwhile: else
   * peers would take it for an older one. Durable when it returns.
   */
  beginLife(now: number): number {
    const life = Math.max(now, (this.#identity.life ?? 0) + 1);
    this.#identity = writeIdentity(this.#path, { ...this.#identity, life });
    return life;
  }

  /** Takes a new incarnation in place of the one it has. Durable when it returns; a crash leaves one or the other. */
  renew(incarnation: number): void {
    const before = this.#identity.incarnation;
    assert(Number.isSafeInteger(incarnation) && incarnation > before, `${incarnation} does not follow ${before}`);
    this.#identity = writeIdentity(this.#path, { ...this.#identity, incarnation });
  }

  /** Makes everything durable and lets another process in; ERR_STORAGE if the lock cannot be let go of. */
  close(done: Done<void>): void {
    this.storage.close(() => {
      try {
        this.#lock.release();
      } catch (thrown) {
        return done(fail(toBaristaError(thrown, 'ERR_STORAGE')));
      }
      done(succeed(undefined));
    });
  }
}

function ownIdentity(path: string, wanted: Identity, newIncarnation: number, takeNew: boolean): StoredIdentity {
  const stored = readIdentity(path);
  if (stored === null) return found(path, wanted, newIncarnation);
  const copied = isCopied(path, stored.mark);
  if (copied && !takeNew) {
    const owner = `replica ${stored.id}#${stored.incarnation}`;
    throw new BaristaError('ERR_COPIED', `${path} is a copy of the data directory of ${owner}, or was restored`);
  }
  checkIdentity(path, copied ? { ...stored, id: wanted.id } : stored, wanted);
  if (!takeNew) return stored;
  const incarnation = Math.max(newIncarnation, stored.incarnation + 1);
  return writeIdentity(path, { ...stored, id: wanted.id, incarnation, mark: ownMark(path) });
}

function checkIdentity(path: string, stored: Identity, wanted: Identity): void {
  for (const what of ['id', 'cluster', 'tieBreak', 'clock', 'retryWindowMs'] as const) {
    if (stored[what] === wanted[what]) continue;
    throw new BaristaError(
      MISMATCHES[what],
      `${path} holds a replica with ${what} ${stored[what]}, not ${wanted[what]}`,
    );
  }
}

function openStorage<Op>(
  path: string,
  codec: OperationCodec<Op>,
  onCheckpointFailure: (error: BaristaError) => void,
): DurableStorage<Op> {
  const directory = new FileLogDirectory(join(path, LOG_FOLDER));
  const table = openTable(join(path, TABLE_FOLDER));
  try {
    const checksum = (bytes: Uint8Array): number => crc32(bytes);
    return new DurableStorage<Op>({ directory, table, codec, checksum, onCheckpointFailure });
  } catch (thrown) {
    table.close(() => undefined);
    throw thrown instanceof BaristaError && thrown.code === 'ERR_CORRUPT' ? located(path, thrown) : thrown;
  }
}

/** The table's file is there for good when this returns, before any of the log is dropped in its favour. */
function openTable(path: string): LmdbTable {
  return attempt(`${path} cannot be opened`, () => {
    const fault = tableFileFault(path);
    if (fault !== null) throw new BaristaError('ERR_CORRUPT', `${path}/${fault}`);
    const table = new LmdbTable(path);
    syncDirectory(path);
    return table;
  });
}

/** The same error with the whole path: the log names its segment by its name; what it cannot read names no place. */
function located(path: string, damage: BaristaError): BaristaError {
  const where = /^log-\d/.test(damage.message) ? `${join(path, LOG_FOLDER)}/` : `${path}: `;
  return new BaristaError('ERR_CORRUPT', `${where}${damage.message}`, { cause: damage });
}

function attempt<T>(failure: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof BaristaError) throw thrown;
    throw new BaristaError('ERR_STORAGE', `${failure}: ${messageOf(thrown)}`, { cause: thrown });
  }
}
