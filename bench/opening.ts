import { fileURLToPath } from 'node:url';
import { fill, get, keyOf, put, valueFor } from './load.js';
import { median, type Row, report, seconds } from './measure.js';
import type { OpenAsk } from './open-worker.js';
import { hasPackage, notInstalled } from './peers.js';
import { freshPath } from './scratch.js';
import { type Server, startServer } from './servers.js';
import { startWorker } from './worker.js';

/*
 * From nothing to the first get, after kill -9, with a million keys: a replica as a process; beside a process that opens an
 * LMDB or an SQLite file with the same keys and values, which was ended as roughly.
 */

const KEYS = 1_000_000;
const RUNS = 5;
/** Written before each kill, so that there is something to recover: more than a checkpoint leaves at times. */
const MORE_WRITES = 50_000;

async function ours(): Promise<number[]> {
  const dataDir = freshPath('a');
  let server = await startServer({ id: 'a', dataDir });
  await fill(server.connection, 'c', 0, KEYS);
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    await fill(server.connection, 'c', run * MORE_WRITES, MORE_WRITES);
    await server.kill();
    const opened: Server[] = [];
    times.push(
      await seconds(async () => {
        opened.push(await startServer({ id: 'a', dataDir }));
        await checkHolds(opened[0] as Server, keyOf(run * MORE_WRITES));
      }),
    );
    server = opened[0] as Server;
    // So that the next run begins with a replica that has begun to write.
    await put(server.connection, 'c', keyOf(0), valueFor(0));
  }
  await server.kill();
  return times;
}

async function checkHolds(server: Server, key: string): Promise<void> {
  const reply = await get(server.connection, key);
  if (reply.kind !== 'found') throw new Error(`${key} is ${reply.kind}`);
}

async function theirs(kind: 'lmdb' | 'sqlite'): Promise<number[]> {
  const path = freshPath(kind);
  const file = fileURLToPath(new URL('./open-worker.js', import.meta.url));
  let worker = startWorker<OpenAsk, string>(file);
  await worker.ask({ kind, path, write: { from: 0, count: KEYS }, read: keyOf(0) });
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const write = { from: run * MORE_WRITES, count: MORE_WRITES };
    await worker.ask({ kind, path, write, read: keyOf(0) });
    worker.end();
    times.push(
      await seconds(async () => {
        worker = startWorker<OpenAsk, string>(file);
        await worker.ask({ kind, path, write: null, read: keyOf(run) });
      }),
    );
  }
  worker.end();
  return times;
}

function ms(times: readonly number[]): string {
  return `${(median(times) * 1_000).toFixed(0)} ms`;
}

const measure = `open after kill -9 and a first get, ${KEYS.toLocaleString('en')} keys`;
const barista = await ours();
const rows: Row[] = [];
for (const kind of ['lmdb', 'sqlite'] as const) {
  if (kind === 'sqlite' && !hasPackage('better-sqlite3')) {
    rows.push({ measure, barista: ms(barista), beside: notInstalled('better-sqlite3'), ratio: '' });
    continue;
  }
  const beside = await theirs(kind);
  const ratio = median(barista.map((time, i) => time / (beside[i] as number))).toFixed(2);
  rows.push({ measure, barista: ms(barista), beside: `${kind} ${ms(beside)}`, ratio });
}
report('opening', rows);
