import { open } from 'lmdb';
import { keyOf, VALUE_BYTES, valueFor } from './load.js';
import { peerPackage } from './peers.js';
import { serveWorker } from './worker.js';

/** Run in a process of its own: a file of keys and values that is opened at the first question. */
export interface OpenAsk {
  readonly kind: 'lmdb' | 'sqlite';
  readonly path: string;
  /** Keys to write first, durably; null: none. */
  readonly write: { readonly from: number; readonly count: number } | null;
  /** A key to read then. */
  readonly read: string;
}

interface Store {
  write(from: number, count: number): Promise<void>;
  read(key: string): Uint8Array | undefined;
}

type SqliteClass = new (
  path: string,
) => {
  pragma(text: string): unknown;
  exec(text: string): void;
  prepare(text: string): {
    run(...values: readonly unknown[]): void;
    get(key: string): { readonly v: Uint8Array } | undefined;
  };
};

const OPENERS: Readonly<Record<OpenAsk['kind'], (path: string) => Store>> = {
  lmdb: (path) => {
    const table = open<Uint8Array, string>({ path, encoding: 'binary', overlappingSync: false });
    return {
      write: async (from, count) => {
        await table.batch(() => {
          for (let i = from; i < from + count; i++) void table.put(keyOf(i), valueFor(i));
        });
        await table.flushed;
      },
      read: (key) => table.get(key),
    };
  },
  sqlite: (path) => {
    const Sqlite = peerPackage<SqliteClass>('better-sqlite3') as SqliteClass;
    const database = new Sqlite(path);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.exec('CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID');
    const select = database.prepare('SELECT v FROM kv WHERE k = ?');
    return {
      write: async (from, count) => {
        const insert = database.prepare('INSERT OR REPLACE INTO kv VALUES (?, ?)');
        database.exec('BEGIN');
        for (let i = from; i < from + count; i++) insert.run(keyOf(i), valueFor(i));
        database.exec('COMMIT');
      },
      read: (key) => select.get(key)?.v,
    };
  },
};

let store: Store | null = null;

serveWorker<OpenAsk, string>(async ({ kind, path, write, read }) => {
  store ??= OPENERS[kind](path);
  if (write !== null) await store.write(write.from, write.count);
  if (store.read(read)?.length !== VALUE_BYTES) throw new Error(`${kind} has no ${read}`);
  return 'held';
});
