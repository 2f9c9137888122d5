import { fill } from './load.js';
import { median, type Row, report, seconds } from './measure.js';
import { freshPath } from './scratch.js';
import { copyOf, linkBoth, type Server, startServer, statusOf, sync } from './servers.js';

/*
 * Both sides of a cut wrote the same keys; then it is healed, and each takes over what the other has. Every key then has
 * two writes. The time a write should not depend on how many there are.
 */

const SIZES = [10_000, 100_000, 1_000_000];
const RUNS = 5;

/** A data directory whose replica has written every key. */
async function written(id: string, size: number): Promise<string> {
  const dataDir = freshPath(id);
  const server = await startServer({ id, dataDir });
  await fill(server.connection, `client-of-${id}`, 0, size);
  await server.end();
  return dataDir;
}

async function healed(left: string, right: string, size: number): Promise<number> {
  const a = await startServer({ id: 'a', dataDir: copyOf(left), isCopy: true });
  const b = await startServer({ id: 'b', dataDir: copyOf(right), isCopy: true });
  await linkBoth(a, b);
  const time = await seconds(async () => {
    await Promise.all([sync(a, b), sync(b, a)]);
  });
  for (const server of [a, b]) await checkWrites(server, 2 * size);
  await a.kill();
  await b.kill();
  return time;
}

async function checkWrites(server: Server, wanted: number): Promise<void> {
  const { writes } = await statusOf(server);
  if (writes !== wanted) throw new Error(`${server.id} holds ${writes} writes, not ${wanted}`);
}

const rows: Row[] = [];
let smallest: number | null = null;
for (const size of SIZES) {
  const [left, right] = [await written('a', size), await written('b', size)];
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) times.push(await healed(left, right, size));
  const perWrite = median(times) / (2 * size);
  smallest ??= perWrite;
  rows.push({
    measure: `a healed cut, ${size.toLocaleString('en')} writes on each side, the same keys`,
    barista: `${(perWrite * 1e6).toFixed(1)} µs a write (${(median(times) * 1_000).toFixed(0)} ms)`,
    beside: `with ${(SIZES[0] as number).toLocaleString('en')}: ${(smallest * 1e6).toFixed(1)} µs`,
    ratio: (perWrite / smallest).toFixed(2),
  });
}
report('merge', rows);
