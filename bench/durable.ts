import { closeSync, fdatasync, mkdtempSync, openSync, rmSync, write } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { open } from 'lmdb';
import { type ClientId, originOf, type ReplicaId } from '../src/base/ids.js';
import { promised } from '../src/base/outcome.js';
import { Replica } from '../src/bayou/replica.js';
import { FlushGate } from '../src/driver/flush-gate.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../src/machine/kv.js';
import { DataDirectory } from '../src/storage/node/data-directory.js';
import { median, type Row, report, seconds } from './measure.js';
import { notInstalled, peerPackage } from './peers.js';

const RUNS = 5;
/** Not counted: the code is compiled in them. */
const WARM_UPS = 1;
const PUTS = 100_000;
const SINGLE_PUTS = 1_000;
const KEYS = 1_000_000;
const GETS = 200_000;
const VALUE = new Uint8Array(100).fill(7);
const IDENTITY = { id: 'a', cluster: 'bench', tieBreak: 'higher', clock: 'hybrid', retryWindowMs: 600_000 } as const;

const folder = mkdtempSync(join(tmpdir(), 'barista-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function keyOf(i: number): string {
  return `key-${String(i % KEYS).padStart(12, '0')}`;
}

/** The core over durable storage, answering through the gate as the driver does. */
function openLibrary(name: string) {
  const directory = DataDirectory.open<KvOperation>(join(folder, name), IDENTITY, 1, kvOperationCodec);
  const { storage } = directory;
  const terms = { protocol: 2, cluster: 'bench', tieBreak: 'higher', clock: 'hybrid', retryWindowMs: 600_000 } as const;
  const replica = new Replica({ origin: originOf('a' as ReplicaId, 1), terms, machine: kvMachine, storage });
  const gate = new FlushGate(
    storage,
    65_536,
    (run) => process.nextTick(run),
    (error) => {
      throw error;
    },
  );
  let clientTime = Date.now() * 1_000;
  const put = (i: number): Promise<unknown> => {
    clientTime += 1;
    const operation: KvOperation = { kind: 'put', value: VALUE };
    const request = { client: 'c' as ClientId, clientTime, key: keyOf(i), operation, after: 0, needs: null };
    const reply = replica.accept(request, Date.now());
    gate.changed('own writes');
    return promised((done) => gate.answer(done, { ok: true, value: reply }));
  };
  return { put, replica, storage, close: () => promised<void>((done) => directory.close(done)) };
}

async function inFlight(count: number, total: number, one: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < total) await one(next++);
  };
  await Promise.all(Array.from({ length: count }, worker));
}

/** Appends the same bytes and syncs, one sync for all that wait. */
function openBare(name: string) {
  const descriptor = openSync(join(folder, name), 'a');
  const record = new Uint8Array(16 + 100 + 30);
  let waiting: (() => void)[] = [];
  let busy = false;
  const pump = async (): Promise<void> => {
    busy = true;
    while (waiting.length > 0) {
      const served = waiting;
      waiting = [];
      await promisify(write)(descriptor, new Uint8Array(record.length * served.length));
      await promisify(fdatasync)(descriptor);
      for (const done of served) done();
    }
    busy = false;
  };
  const put = (): Promise<void> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (!busy) void pump();
    });
  return { put, close: () => closeSync(descriptor) };
}

type Sqlite = new (
  path: string,
) => {
  pragma(text: string): unknown;
  exec(text: string): void;
  prepare(text: string): { run(...values: readonly unknown[]): void };
  close(): void;
};

/** One transaction, synced, for all puts that wait. */
function openSqlite(Database: Sqlite, name: string) {
  const database = new Database(join(folder, name));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('CREATE TABLE t (k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID');
  const upsert = database.prepare('INSERT OR REPLACE INTO t VALUES (?, ?)');
  let waiting: { readonly key: string; readonly done: () => void }[] = [];
  const commit = (): void => {
    const served = waiting;
    waiting = [];
    database.exec('BEGIN');
    for (const { key } of served) upsert.run(key, VALUE);
    database.exec('COMMIT');
    for (const { done } of served) done();
  };
  const put = (i: number): Promise<void> =>
    new Promise((done) => {
      if (waiting.length === 0) setImmediate(commit);
      waiting.push({ key: keyOf(i), done });
    });
  return { put, close: () => database.close() };
}

async function puts(count: number, total: number): Promise<Row[]> {
  const ours: number[] = [];
  const bare: number[] = [];
  const lmdb: number[] = [];
  const sqlite: number[] = [];
  const Database = peerPackage<Sqlite>('better-sqlite3');
  for (let run = 0; run < WARM_UPS + RUNS; run++) {
    const library = openLibrary(`puts-${count}-${run}`);
    ours.push(total / (await seconds(() => inFlight(count, total, (i) => library.put(i)))));
    await library.close();
    const appender = openBare(`bare-${count}-${run}`);
    bare.push(total / (await seconds(() => inFlight(count, total, () => appender.put()))));
    appender.close();
    const table = open({ path: join(folder, `lmdb-${count}-${run}`), encoding: 'binary', overlappingSync: false });
    lmdb.push(total / (await seconds(() => inFlight(count, total, (i) => table.put(keyOf(i), Buffer.from(VALUE))))));
    await table.close();
    if (Database === null) continue;
    const database = openSqlite(Database, `sqlite-${count}-${run}`);
    sqlite.push(total / (await seconds(() => inFlight(count, total, (i) => database.put(i)))));
    database.close();
  }
  for (const rates of [ours, bare, lmdb, sqlite]) rates.splice(0, WARM_UPS);
  const what = `durable puts, ${count} in flight (16 B key, 100 B value)`;
  const beside =
    Database === null
      ? { measure: what, barista: '', beside: notInstalled('better-sqlite3'), ratio: '' }
      : row(what, ours, 'sqlite', sqlite);
  return [row(what, ours, 'append + fdatasync', bare), row(what, ours, 'lmdb', lmdb), beside];
}

async function gets(): Promise<Row[]> {
  const library = openLibrary('gets');
  await inFlight(1_000, KEYS, (i) => library.put(i));
  const table = open({ path: join(folder, 'lmdb-gets'), encoding: 'binary' });
  await inFlight(1_000, KEYS, (i) => table.put(keyOf(i), Buffer.from(VALUE)));
  const ours: number[] = [];
  const lmdb: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const spread = (i: number): string => keyOf(i * 7_919 + run);
    ours.push(
      GETS /
        (await seconds(async () => {
          for (let i = 0; i < GETS; i++) library.replica.read({ key: spread(i), needs: null }, Date.now());
        })),
    );
    lmdb.push(
      GETS /
        (await seconds(async () => {
          for (let i = 0; i < GETS; i++) table.get(spread(i));
        })),
    );
  }
  await library.close();
  const opened: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    let again: ReturnType<typeof openLibrary> | null = null;
    opened.push(
      await seconds(async () => {
        again = openLibrary('gets');
      }),
    );
    await (again as ReturnType<typeof openLibrary> | null)?.close();
  }
  await table.close();
  return [
    row(`get in the library, ${KEYS.toLocaleString('en')} keys`, ours, 'lmdb get', lmdb),
    {
      measure: `open, ${KEYS.toLocaleString('en')} keys`,
      barista: `${(median(opened) * 1_000).toFixed(0)} ms`,
      beside: '',
      ratio: '',
    },
  ];
}

function row(measure: string, ours: readonly number[], name: string, theirs: readonly number[]): Row {
  const rate = (values: readonly number[]): string => `${Math.round(median(values)).toLocaleString('en')}/s`;
  const ratio = median(ours.map((value, i) => value / (theirs[i] as number))).toFixed(2);
  return { measure, barista: rate(ours), beside: `${name} ${rate(theirs)}`, ratio };
}

report('durable', [...(await puts(64, PUTS)), ...(await puts(1, SINGLE_PUTS)), ...(await gets())]);
