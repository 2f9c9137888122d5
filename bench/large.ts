import { fill, get, KEY_BYTES, keyOf, VALUE_BYTES } from './load.js';
import { median, type Row, report, seconds } from './measure.js';
import { roundTripRate } from './round-trips.js';
import { bytesOnDisk, freshPath } from './scratch.js';
import { compact, linkBoth, procBytes, type Server, startServer, statusOf, sync } from './servers.js';

/*
 * More keys than the heap holds: five million under 256 MB, put through a connection, found again after kill -9, read,
 * pulled by a second replica that has no more room, folded by both, and their base store taken over by a third. Rates
 * beside the rates of the first hundredths, when all was small.
 * `BARISTA_BENCH_KEYS=1000000 npm run bench -- large` takes another number of keys.
 */

const KEYS = Number(process.env['BARISTA_BENCH_KEYS'] ?? 5_000_000);
const HEAP_MB = 256;
const GET_ROUNDS = 5;
const GET_MS = 1_000;
const LIVE_BYTES = KEYS * (KEY_BYTES + VALUE_BYTES);

const SPEC = { nodeFlags: [`--max-old-space-size=${HEAP_MB}`], retryWindow: '0ms' } as const;

async function getRate(server: Server, keys: number): Promise<number> {
  let next = 0;
  const rates: number[] = [];
  const call = (done: () => void): void => {
    next += 1;
    void get(server.connection, keyOf((next * 7_919_777) % keys)).then((reply) => {
      if (reply.kind !== 'found') throw new Error(`a key is ${reply.kind}`);
      done();
    });
  };
  for (let round = 0; round < GET_ROUNDS; round++) rates.push(await roundTripRate(call, 64, GET_MS));
  return median(rates);
}

async function memoryRow(server: Server, when: string): Promise<Row> {
  const [own, most] = [procBytes(server.pid, 'RssAnon'), procBytes(server.pid, 'VmHWM')];
  const { heapUsed } = await server.memory();
  return {
    measure: `memory ${when}`,
    barista: `heap ${megabytes(heapUsed)}, its own ${megabytes(own)}, with mapped files at most ${megabytes(most)}`,
    beside: `live bytes ${megabytes(LIVE_BYTES)}`,
    ratio: (own / LIVE_BYTES).toFixed(2),
  };
}

function rateRow(measure: string, rate: number, name: string, beside: number): Row {
  return {
    measure,
    barista: perSecond(rate),
    beside: `${name} ${perSecond(beside)}`,
    ratio: (rate / beside).toFixed(2),
  };
}

async function main(): Promise<void> {
  const rows: Row[] = [];
  const dataDir = freshPath('a');
  const first = await startServer({ id: 'a', dataDir, ...SPEC });
  const start = Math.round(KEYS / 100);
  // Compiled by then.
  await fill(first.connection, 'c', 0, start);
  const early = start / (await seconds(() => fill(first.connection, 'c', start, start)));
  const gets = await getRate(first, start);
  const rest = KEYS - 2 * start;
  const late = rest / (await seconds(() => fill(first.connection, 'c', 2 * start, rest)));
  const many = `${KEYS.toLocaleString('en')} keys under a heap of ${HEAP_MB} MB`;
  rows.push(rateRow(`durable puts, ${many}`, late, `the second ${start.toLocaleString('en')}`, early));
  rows.push(await memoryRow(first, 'after the puts'));
  await first.kill();
  const disk = bytesOnDisk(dataDir);
  const ratio = (disk / LIVE_BYTES).toFixed(2);
  rows.push({
    measure: 'bytes on disk',
    barista: megabytes(disk),
    beside: `live bytes ${megabytes(LIVE_BYTES)}`,
    ratio,
  });

  const opened: Server[] = [];
  const opening = await seconds(async () => {
    opened.push(await startServer({ id: 'a', dataDir, ...SPEC }));
    await get((opened[0] as Server).connection, keyOf(KEYS - 1));
  });
  const again = opened[0] as Server;
  rows.push({ measure: 'open after kill -9 and a first get', barista: milliseconds(opening), beside: '', ratio: '' });
  rows.push(rateRow('gets, 64 in flight, after that', await getRate(again, KEYS), 'with a hundredth', gets));

  const second = await startServer({ id: 'b', dataDir: freshPath('b'), ...SPEC });
  await linkBoth(again, second);
  const synced = KEYS / (await seconds(() => sync(second, again)));
  rows.push(rateRow('catch-up of a second replica', synced, 'the puts', late));
  rows.push(await memoryRow(again, 'of the first after it'), await memoryRow(second, 'of the second after it'));

  const folded = (2 * KEYS) / (await seconds(() => compact([again, second])));
  const { writes } = await statusOf(second);
  if (writes > 0) throw new Error(`${writes} writes were not folded`);
  rows.push(rateRow('writes folded, by both one after the other', folded, 'the puts', late));
  const third = await startServer({ id: 'c', dataDir: freshPath('c'), ...SPEC });
  await linkBoth(again, third);
  const taken = KEYS / (await seconds(() => sync(third, again)));
  rows.push(rateRow('the base store, taken by a third', taken, 'the puts', late));
  rows.push(rateRow('gets there, 64 in flight', await getRate(third, KEYS), 'with a hundredth', gets));
  rows.push(await memoryRow(again, 'of the first in the end'), await memoryRow(third, 'of the third'));
  for (const server of [again, second, third]) await server.kill();
  report('large', rows);
}

function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString('en')}/s`;
}

function milliseconds(time: number): string {
  return `${(time * 1_000).toFixed(0)} ms`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

await main();
