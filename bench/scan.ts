import { open } from 'lmdb';
import { binary, openReplica, type Session } from '../src/server/library.js';
import { keyOf, VALUE_BYTES, valueFor } from './load.js';
import { median, type Row, report, seconds } from './measure.js';
import { freshPath } from './scratch.js';

/*
 * A million keys, read from the first to the last by a scan of the library in the process of its replica, which holds one state
 * for all pages; beside the same keys and values read so from an LMDB file alone. Both were opened anew after they were written.
 * `BARISTA_BENCH_KEYS=100000 npm run bench -- scan` takes another number of keys.
 */

const KEYS = Number(process.env['BARISTA_BENCH_KEYS'] ?? 1_000_000);
const ROUNDS = 5;
const IN_FLIGHT = 512;
const BATCH = 10_000;

async function fillReplica(dataDir: string): Promise<void> {
  const replica = await openReplica({ id: 'a', dataDir, antiEntropyMs: null });
  const session = replica.session({ codec: binary, guarantees: [] });
  let next = 0;
  const puts = async (): Promise<void> => {
    while (next < KEYS) {
      const i = next++;
      await session.put(keyOf(i), valueFor(i), { timeoutMs: 600_000 });
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, puts));
  await replica.close();
}

async function fillLmdb(path: string): Promise<void> {
  const table = open<Uint8Array, string>({ path, encoding: 'binary' });
  for (let from = 0; from < KEYS; from += BATCH) {
    await table.batch(() => {
      for (let i = from; i < Math.min(from + BATCH, KEYS); i++) void table.put(keyOf(i), valueFor(i));
    });
  }
  await table.flushed;
  await table.close();
}

async function scanAll(session: Session<Uint8Array>, snapshot: boolean): Promise<void> {
  const scan = await session.scan({ snapshot });
  if (scan.kind === 'missing') throw new Error(scan.code);
  let [count, bytes] = [0, 0];
  for await (const { value } of scan) {
    count += 1;
    bytes += value.length;
  }
  expectAll(count, bytes);
}

function expectAll(count: number, bytes: number): void {
  if (count !== KEYS || bytes !== KEYS * VALUE_BYTES) throw new Error(`${count} keys, ${bytes} bytes`);
}

async function main(): Promise<void> {
  const [dataDir, path] = [freshPath('replica'), freshPath('lmdb')];
  await fillReplica(dataDir);
  await fillLmdb(path);
  const replica = await openReplica({ id: 'a', dataDir, antiEntropyMs: null });
  const table = open<Uint8Array, string>({ path, encoding: 'binary', readOnly: true });
  const session = replica.session({ codec: binary, guarantees: [] });
  const readAll = async (): Promise<void> => {
    let [count, bytes] = [0, 0];
    for (const { value } of table.getRange()) {
      count += 1;
      bytes += value.length;
    }
    expectAll(count, bytes);
  };
  const rounds: { readonly held: number; readonly paged: number; readonly lmdb: number }[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const held = await seconds(() => scanAll(session, true));
    const paged = await seconds(() => scanAll(session, false));
    const lmdb = await seconds(readAll);
    if (round >= 0) rounds.push({ held, paged, lmdb });
  }
  await replica.close();
  await table.close();
  const row = (measure: string, times: (round: (typeof rounds)[number]) => number): Row => ({
    measure,
    barista: perSecond(median(rounds.map(times))),
    beside: `lmdb ${perSecond(median(rounds.map(({ lmdb }) => lmdb)))}`,
    ratio: median(rounds.map((round) => round.lmdb / times(round))).toFixed(2),
  });
  report('scan', [
    row(`scan of ${KEYS} keys, one state`, ({ held }) => held),
    row(`scan of ${KEYS} keys, a state a page`, ({ paged }) => paged),
  ]);
}

function perSecond(time: number): string {
  return `${Math.round(KEYS / time).toLocaleString('en-US')} keys/s`;
}

await main();
