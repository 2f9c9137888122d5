import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase, type RootDatabaseOptions } from 'lmdb';
import { BaristaError } from '../../base/errors.js';
import type { BytesPart } from '../bytes.js';

/** What LMDB calls the file in its directory. */
export const DATA_FILE = 'data.mdb';

/** LMDB takes keys of up to 1,978 bytes; ours have up to 4 KiB. A longer one is stored by its beginning and a digest. */
export const DIRECT_KEY_BYTES_MAX = 1_900;

/** Of ASCII and up to this length a loop copies faster than a call. */
const SHORT_KEY_MAX = 64;

/** Keys as they are, without a step of our own between text and LMDB. */
const keyEncoder = {
  writeKey(key: string | Buffer, target: Buffer, start: number): number {
    if (typeof key !== 'string') return start + key.copy(target, start);
    const { length } = key;
    if (length > SHORT_KEY_MAX) return start + target.write(key, start);
    for (let at = 0; at < length; at++) {
      const unit = key.charCodeAt(at);
      if (unit >= 0x80) return start + target.write(key, start);
      target[start + at] = unit;
    }
    return start + length;
  },
  /** A long key, which is none as it stands, as bytes. */
  readKey(source: Buffer, start: number, end: number): string | Buffer {
    if (end - start <= DIRECT_KEY_BYTES_MAX) return source.toString('utf8', start, end);
    return Buffer.from(source.subarray(start, end));
  },
};

/** The sub-databases of a table, in one file. */
export interface LmdbEnvironment {
  readonly root: RootDatabase;
  readonly entries: Database<Buffer, string | Buffer>;
  /** The entries once more, to be walked through: their values are LMDB's own bytes, good until the next read. */
  readonly walked: Database<BytesPart, string | Buffer>;
  readonly runs: Database<Buffer, Buffer>;
  readonly meta: Database<Buffer, string>;
}

const NAMES = ['entries', 'runs', 'meta'] as const;

/**
 * `path` is a directory; it and what is in it are created if they are not there. A commit answers when it is on disk,
 * unless `noSync` is set. Throws ERR_CORRUPT, and changes nothing, if the file has lost a database.
 */
export function openEnvironment(path: string, noSync = false): LmdbEnvironment {
  const { root } = openRoot(path, { noSync });
  return databasesOf(root);
}

/**
 * To read what is there: no byte of the file is changed, whatever is wrong with it. Null if it is not there, or was never
 * finished. Throws ERR_CORRUPT if it has lost a database.
 */
export function openToRead(path: string): LmdbEnvironment | null {
  // LMDB takes no empty file to read.
  if ((statSync(join(path, DATA_FILE), { throwIfNoEntry: false })?.size ?? 0) === 0) return null;
  const { root, isFinished } = openRoot(path, { readOnly: true });
  if (isFinished) return databasesOf(root);
  void root.close();
  return null;
}

interface OpenedRoot {
  readonly root: RootDatabase;
  /** All databases are there. */
  readonly isFinished: boolean;
}

/** LMDB creates a database that it does not find by its name, so whether one was lost must be known before. */
function openRoot(path: string, options: RootDatabaseOptions): OpenedRoot {
  const root = open({
    path,
    noSubdir: false,
    maxDbs: 4,
    overlappingSync: false,
    keyEncoding: 'binary',
    ...options,
  }) as RootDatabase<Buffer, Buffer>;
  try {
    const names = [...root.getKeys()].map((name) => name.toString());
    // As LMDB keeps them.
    const known = NAMES.filter((name) => names.includes(`${name}\0`)).length;
    // Not all, if a crash came while they were created: then nothing was ever put in them.
    if (known === names.length) return { root, isFinished: known === NAMES.length };
    const what = `of ${names.length} databases only ${known} are known by their names`;
    throw new BaristaError('ERR_CORRUPT', `${join(path, DATA_FILE)}: ${what}`);
  } catch (thrown) {
    void root.close();
    throw thrown;
  }
}

function databasesOf(root: RootDatabase): LmdbEnvironment {
  const options = { encoding: 'binary', keyEncoder } as const;
  // The types do not know of encoders.
  const walked = { name: 'entries', ...options, encoder: passing() };
  return {
    root,
    entries: root.openDB({ name: 'entries', ...options }),
    walked: root.openDB(walked),
    runs: root.openDB({ name: 'runs', encoding: 'binary', keyEncoding: 'binary' }),
    meta: root.openDB({ name: 'meta', ...options }),
  };
}

/** LMDB's own bytes of a value, in one object for all: no copy is made. */
function passing() {
  const found: { bytes: Uint8Array; start: number; end: number } = { bytes: new Uint8Array(), start: 0, end: 0 };
  const decode = (bytes: Uint8Array, length: number): BytesPart => {
    found.bytes = bytes;
    found.end = length;
    return found;
  };
  return { encode: <T>(value: T) => value, decode };
}

/** One transaction, on disk when this returns. */
export async function transact(root: RootDatabase, change: () => void): Promise<void> {
  await root.batch(change);
  await root.flushed;
}
