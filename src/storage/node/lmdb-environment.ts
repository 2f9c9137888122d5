import { type Database, open, type RootDatabase } from 'lmdb';

/** LMDB takes keys of up to 1,978 bytes; ours have up to 4 KiB. A longer one is stored by its beginning and a digest. */
export const DIRECT_KEY_BYTES_MAX = 1_900;

/** Keys as they are, without a step of our own between text and LMDB. */
const keyEncoder = {
  writeKey(key: string | Buffer, target: Buffer, start: number): number {
    return start + (typeof key === 'string' ? target.write(key, start) : key.copy(target, start));
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
  readonly runs: Database<Buffer, Buffer>;
  readonly meta: Database<Buffer, string>;
}

/** `path` is a directory; it is created if it is not there. A commit answers when it is on disk, unless `noSync` is set. */
export function openEnvironment(path: string, noSync = false): LmdbEnvironment {
  const root = open({ path, noSubdir: false, maxDbs: 4, overlappingSync: false, noSync });
  const options = { encoding: 'binary', keyEncoder } as const;
  return {
    root,
    entries: root.openDB({ name: 'entries', ...options }),
    runs: root.openDB({ name: 'runs', encoding: 'binary', keyEncoding: 'binary' }),
    meta: root.openDB({ name: 'meta', ...options }),
  };
}

/** One transaction, on disk when this returns. */
export async function transact(root: RootDatabase, change: () => void): Promise<void> {
  await root.batch(change);
  await root.flushed;
}
