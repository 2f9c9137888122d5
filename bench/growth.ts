import { fileURLToPath } from 'node:url';
import type { CrdtAnswer, CrdtAsk } from './crdt-worker.js';
import { CRDT_PACKAGES, type CrdtName } from './crdts.js';
import { fill, KEY_BYTES, VALUE_BYTES } from './load.js';
import { median, type Row, report } from './measure.js';
import { hasPackage, notInstalled } from './peers.js';
import { bytesOnDisk, freshPath } from './scratch.js';
import { compact, linkBoth, startServer, sync } from './servers.js';
import { startWorker } from './worker.js';

/*
 * What is kept after every key was overwritten ten times: on disk, and resident in memory beyond what the process held
 * when it was empty; beside the bytes that live, keys and last values. In Barista by one client, whose older writes can go
 * at once, and by eleven clients, one a round, whose older writes wait until every replica holds what replaced them.
 */

const KEYS = 20_000;
const OVERWRITES = 10;
const RUNS = 5;
const LIVE_BYTES = KEYS * (KEY_BYTES + VALUE_BYTES);
const CRDTS: readonly CrdtName[] = ['yjs', 'loro', 'automerge'];

interface Kept {
  readonly disk: number;
  readonly memory: number;
  readonly heap: number;
}

async function ours(clientOf: (round: number) => string): Promise<Kept> {
  const [aDir, bDir] = [freshPath('a'), freshPath('b')];
  const a = await startServer({ id: 'a', dataDir: aDir, retryWindow: '0ms' });
  const b = await startServer({ id: 'b', dataDir: bDir, retryWindow: '0ms' });
  await linkBoth(a, b);
  const empty = await a.memory();
  for (let round = 0; round <= OVERWRITES; round++) await fill(a.connection, clientOf(round), 0, KEYS);
  await sync(b, a);
  await sync(a, b);
  // Both hold everything and know it of each other: from here on what was overwritten may go.
  await compact([a, b]);
  const { rss, heapUsed } = await a.memory();
  await a.end();
  await b.kill();
  return { disk: bytesOnDisk(aDir), memory: rss - empty.rss, heap: heapUsed - empty.heapUsed };
}

async function theirs(name: CrdtName): Promise<Kept> {
  const worker = startWorker<CrdtAsk, CrdtAnswer>(fileURLToPath(new URL('./crdt-worker.js', import.meta.url)), [
    '--expose-gc',
    '--max-old-space-size=8192',
  ]);
  await worker.ask({ kind: 'fill', name, keys: 1, rounds: 1 });
  const empty = await worker.ask({ kind: 'measure' });
  await worker.ask({ kind: 'fill', name, keys: KEYS, rounds: 1 + OVERWRITES });
  const { rssBytes, savedBytes, heapBytes } = await worker.ask({ kind: 'measure' });
  worker.end();
  return { disk: savedBytes, memory: rssBytes - empty.rssBytes, heap: heapBytes - empty.heapBytes };
}

async function times<T>(once: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let run = 0; run < RUNS; run++) results.push(await once());
  return results;
}

function keptRows(who: string, kept: readonly Kept[]): Row[] {
  return (['disk', 'memory', 'heap'] as const).map((what) => {
    const bytes = median(kept.map((sizes) => sizes[what]));
    const measure = `${{ disk: 'bytes on disk', memory: 'resident memory', heap: 'JavaScript heap' }[what]}, ${who}`;
    const ratio = (bytes / LIVE_BYTES).toFixed(2);
    return { measure, barista: megabytes(bytes), beside: `live bytes ${megabytes(LIVE_BYTES)}`, ratio };
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

const rows: Row[] = [];
for (const [who, clientOf] of [
  ['barista, one client', () => 'c'],
  ['barista, a client a round', (round: number) => `c${round}`],
] as const) {
  const sizes = await times(() => ours(clientOf));
  rows.push(...keptRows(who, sizes));
}
for (const name of CRDTS) {
  if (hasPackage(CRDT_PACKAGES[name])) rows.push(...keptRows(name, await times(() => theirs(name))));
  else rows.push({ measure: name, barista: '', beside: notInstalled(CRDT_PACKAGES[name]), ratio: '' });
}
report('growth', rows);
