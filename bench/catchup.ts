import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import type { CrdtAnswer, CrdtAsk } from './crdt-worker.js';
import { CRDT_PACKAGES, type CrdtName } from './crdts.js';
import { fill, KEY_BYTES, keyOf, VALUE_BYTES, valueFor } from './load.js';
import { median, type Row, report, seconds } from './measure.js';
import { hasPackage, notInstalled } from './peers.js';
import type { PouchAnswer, PouchAsk } from './pouch-worker.js';
import { startProxy } from './proxy.js';
import { freshPath } from './scratch.js';
import { linkBoth, type Server, startServer, statusOf, sync, unlink } from './servers.js';
import { startWorker } from './worker.js';

/*
 * A fresh replica, durable, takes all that another one holds, over loopback; beside what the others take for the same keys
 * and values from another process (PouchDB: from another database on LevelDB in one process, the fastest it offers). All
 * end with what came on disk and synced, but for PouchDB, which does not sync.
 */

const RUNS = 5;
const SIZES = [100_000, 1_000_000];
/** The others are measured up to here; beyond, their rate here stands beside Barista's. */
const PEER_KEYS_MAX: Readonly<Record<CrdtName | 'pouchdb', number>> = {
  yjs: 1_000_000,
  loro: 1_000_000,
  automerge: 100_000,
  pouchdb: 10_000,
};
/** As many as a part of a checkpoint has. */
const LMDB_BATCH = 8_192;
const CRDTS: readonly CrdtName[] = ['yjs', 'loro', 'automerge'];

/** What cannot be less: the key, the value, and a length for each of both. */
const BYTES_MIN = KEY_BYTES + VALUE_BYTES + 4;

async function freshReplica(source: Server, id: string): Promise<readonly [Server, number]> {
  const replica = await startServer({ id, dataDir: freshPath(id) });
  await linkBoth(source, replica);
  const time = await seconds(() => sync(replica, source));
  const [theirs, ours] = [await statusOf(source), await statusOf(replica)];
  if (!ours.seen.dominates(theirs.seen)) throw new Error('the replica is not up to date');
  return [replica, time];
}

async function ourRates(source: Server, size: number): Promise<number[]> {
  const rates: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const [replica, time] = await freshReplica(source, 'b');
    rates.push(size / time);
    await unlink(source, replica);
    await replica.kill();
  }
  return rates;
}

async function crdtRates(name: CrdtName, keys: number): Promise<number[]> {
  const file = fileURLToPath(new URL('./crdt-worker.js', import.meta.url));
  const source = startWorker<CrdtAsk, CrdtAnswer>(file);
  await source.ask({ kind: 'fill', name, keys, rounds: 1 });
  const { port } = await source.ask({ kind: 'serve' });
  const rates: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const sink = startWorker<CrdtAsk, CrdtAnswer>(file);
    const fetched = await sink.ask({ kind: 'fetch', name, port, file: freshPath(name) });
    if (fetched.keys !== keys) throw new Error(`${name} fetched ${fetched.keys} of ${keys} keys`);
    rates.push(keys / fetched.seconds);
    sink.end();
  }
  source.end();
  return rates;
}

async function pouchRates(keys: number): Promise<number[]> {
  const worker = startWorker<PouchAsk, PouchAnswer>(fileURLToPath(new URL('./pouch-worker.js', import.meta.url)));
  await worker.ask({ kind: 'fill', path: freshPath('pouch'), keys });
  const rates: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const replicated = await worker.ask({ kind: 'replicate', path: freshPath('pouch') });
    if (replicated.keys !== keys) throw new Error(`PouchDB replicated ${replicated.keys} of ${keys} documents`);
    rates.push(keys / replicated.seconds);
  }
  worker.end();
  return rates;
}

async function peerRows(measure: string, ours: readonly number[], size: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of ['pouchdb', ...CRDTS] as const) {
    const needed = name === 'pouchdb' ? 'pouchdb-adapter-leveldb' : CRDT_PACKAGES[name];
    if (!hasPackage(needed)) {
      rows.push({ measure, barista: rate(ours), beside: notInstalled(needed), ratio: '' });
      continue;
    }
    const keys = Math.min(size, PEER_KEYS_MAX[name]);
    const theirs = name === 'pouchdb' ? await pouchRates(keys) : await crdtRates(name, keys);
    const ratio = median(ours.map((value, i) => value / (theirs[i] as number))).toFixed(2);
    const what = keys === size ? name : `${name} with ${keys.toLocaleString('en')}`;
    rows.push({ measure, barista: rate(ours), beside: `${what} ${rate(theirs)}`, ratio });
  }
  return rows;
}

/** What LMDB itself takes, in one process and without a network: the same keys and values, in synced batches. */
async function lmdbRates(keys: number): Promise<number[]> {
  const rates: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const table = open<Buffer, string>({ path: freshPath('lmdb'), encoding: 'binary', overlappingSync: false });
    const time = await seconds(async () => {
      for (let from = 0; from < keys; from += LMDB_BATCH) {
        await table.batch(() => {
          for (let i = from; i < Math.min(from + LMDB_BATCH, keys); i++) {
            void table.put(keyOf(i), Buffer.from(valueFor(i)));
          }
        });
        await table.flushed;
      }
    });
    rates.push(keys / time);
    await table.close();
  }
  return rates;
}

/** Bytes on the wire for each write that is missing, both directions, of a pull of all there is and of a few. */
async function wireRows(source: Server, size: number): Promise<Row[]> {
  const proxy = await startProxy(source.address);
  const replica = await startServer({ id: 'w', dataDir: freshPath('w') });
  await linkBoth(source, replica, proxy.address);
  const rows: Row[] = [];
  const pull = async (what: string, missing: number): Promise<void> => {
    proxy.take();
    await sync(replica, source);
    const { bytesTo, bytesFrom, framesTo } = proxy.take();
    const perWrite = (bytesTo + bytesFrom) / Math.max(missing, 1);
    const measure = `bytes on the wire ${missing > 0 ? 'a missing write' : 'when nothing is missing'}, ${what}`;
    const beside = missing > 0 ? `key + value + 4: ${BYTES_MIN}` : `${framesTo} round trip`;
    const ratio = missing > 0 ? (perWrite / BYTES_MIN).toFixed(2) : '';
    rows.push({ measure, barista: perWrite.toFixed(1), beside, ratio });
  };
  await pull(`${size.toLocaleString('en')} missing`, size);
  await fill(source.connection, 'c', 0, 100);
  await pull('100 missing', 100);
  await pull('one pull', 0);
  await unlink(source, replica);
  await replica.kill();
  proxy.close();
  return rows;
}

function rate(values: readonly number[]): string {
  return `${Math.round(median(values)).toLocaleString('en')}/s`;
}

const rows: Row[] = [];
const wire: Row[] = [];
for (const size of SIZES) {
  const source = await startServer({ id: 'a', dataDir: freshPath('a') });
  await fill(source.connection, 'c', 0, size);
  const measure = `catch-up of a fresh replica, ${size.toLocaleString('en')} writes`;
  const ours = await ourRates(source, size);
  if (wire.length === 0) wire.push(...(await wireRows(source, size)));
  await source.kill();
  rows.push(...(await peerRows(measure, ours, size)));
  const lmdb = await lmdbRates(size);
  const ratio = median(ours.map((value, i) => value / (lmdb[i] as number))).toFixed(2);
  rows.push({ measure, barista: rate(ours), beside: `lmdb alone, no network ${rate(lmdb)}`, ratio });
}
report('catchup', [...rows, ...wire]);
