import { promised } from '../src/base/outcome.js';
import type { ReadReply } from '../src/bayou/messages.js';
import { VersionVector } from '../src/bayou/version-vector.js';
import type { AcceptStamp } from '../src/bayou/write.js';
import { keyOf, put, valueFor } from './load.js';
import { median, type Row, report } from './measure.js';
import { startProxy } from './proxy.js';
import { startRaw } from './raw-server.js';
import { roundTripSeconds } from './round-trips.js';
import { freshPath } from './scratch.js';
import { linkBoth, type Server, startServer } from './servers.js';

/*
 * A put at one replica, visible at its neighbour: from the request until a read there that needs the write finds it, read
 * again and again. Both are durable and exchange writes by themselves. Beside one raw round trip that ends in one sync.
 */

const ROUNDS = 5;
const PUTS = 200;
const TIMEOUT_MS = 10_000;
/** About as long as a put and its answer. */
const FRAME_BYTES = 200;

interface Seen {
  readonly acceptedSeconds: number;
  readonly visibleSeconds: number;
  readonly reads: number;
}

async function putAndSee(at: Server, neighbour: Server, i: number): Promise<Seen> {
  const startedAt = performance.now();
  const stamp = await put(at.connection, 'c', keyOf(i), valueFor(i));
  const acceptedSeconds = (performance.now() - startedAt) / 1000;
  for (let reads = 1; ; reads++) {
    const reply = await needingRead(neighbour, keyOf(i), stamp);
    if (reply.kind === 'absent') throw new Error('a replica that claims to hold a write does not');
    if (reply.kind === 'found')
      return { acceptedSeconds, visibleSeconds: (performance.now() - startedAt) / 1000, reads };
  }
}

function needingRead(server: Server, key: string, stamp: AcceptStamp): Promise<ReadReply<Uint8Array>> {
  const needs = new VersionVector([[stamp.origin, stamp.acceptTime]]);
  return promised((done) => server.connection.read({ key, needs }, TIMEOUT_MS, done));
}

/** Frames between the two for one put, of each kind of exchange. */
async function framesPerPut(): Promise<string> {
  const a = await startServer({ id: 'a', dataDir: freshPath('a'), antiEntropy: '10m' });
  const b = await startServer({ id: 'b', dataDir: freshPath('b'), antiEntropy: '10m' });
  const proxy = await startProxy(a.address);
  const back = await startProxy(b.address);
  await linkBoth({ ...a }, { ...b, address: back.address }, proxy.address);
  for (let i = 0; i < PUTS; i++) await putAndSee(a, b, i);
  proxy.take();
  back.take();
  for (let i = 0; i < PUTS; i++) await putAndSee(a, b, i);
  const [fromB, fromA] = [proxy.take(), back.take()];
  proxy.close();
  back.close();
  await a.kill();
  await b.kill();
  const perPut = (count: number): string => (count / PUTS).toFixed(2);
  return `a tells b ${perPut(fromA.framesTo)} times, b asks a ${perPut(fromB.framesTo)} times`;
}

async function main(): Promise<void> {
  const frames = await framesPerPut();
  const a = await startServer({ id: 'a', dataDir: freshPath('a'), antiEntropy: '10m' });
  const b = await startServer({ id: 'b', dataDir: freshPath('b'), antiEntropy: '10m' });
  await linkBoth(a, b);
  const raw = await startRaw(FRAME_BYTES, FRAME_BYTES, freshPath('raw'));
  for (let i = 0; i < PUTS; i++) await putAndSee(a, b, i);
  const rounds: { accepted: number; visible: number; raw: number; reads: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const seen: Seen[] = [];
    const rawTimes: number[] = [];
    for (let i = 0; i < PUTS; i++) {
      seen.push(await putAndSee(a, b, i));
      rawTimes.push(await roundTripSeconds(raw.call));
    }
    rounds.push({
      accepted: median(seen.map(({ acceptedSeconds }) => acceptedSeconds)),
      visible: median(seen.map(({ visibleSeconds }) => visibleSeconds)),
      raw: median(rawTimes),
      reads: median(seen.map(({ reads }) => reads)),
    });
  }
  await raw.close();
  await a.kill();
  await b.kill();
  const beside = median(rounds.map(({ raw }) => raw));
  const row = (measure: string, time: 'accepted' | 'visible'): Row => ({
    measure,
    barista: us(median(rounds.map((round) => round[time]))),
    beside: `raw round trip with one sync ${us(beside)}`,
    ratio: median(rounds.map((round) => round[time] / round.raw)).toFixed(2),
  });
  const reads = median(rounds.map(({ reads }) => reads));
  report('latency', [
    row('a durable put here, accepted', 'accepted'),
    row(`a durable put here, visible at the neighbour (${reads} reads; ${frames})`, 'visible'),
  ]);
}

function us(time: number): string {
  return `${(time * 1e6).toFixed(0)} µs`;
}

await main();
