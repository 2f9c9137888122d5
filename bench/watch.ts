import { setTimeout as delay } from 'node:timers/promises';
import { nameAddress } from '../src/base/address.js';
import { type Change, type Client, connect } from '../src/client/library.js';
import { keyOf, put, putRequest, valueFor } from './load.js';
import { median, type Row, report } from './measure.js';
import { startRaw } from './raw-server.js';
import { roundTripRate, roundTripSeconds, roundTrips } from './round-trips.js';
import { freshPath } from './scratch.js';
import { linkBoth, type Server, startServer } from './servers.js';

/*
 * From a durable put at one replica until who watches is told of it: at that replica, and at its neighbour; beside one raw
 * round trip that ends in one sync. One put until the last of 1,000 watchers is told, beside 1,000 raw round trips that are
 * in flight together. And durable puts on other keys while 1,000 watchers wait, beside the same without them. All watchers
 * are in one process, which is not that of the replica.
 */

const ROUNDS = 5;
const PUTS = 100;
const WATCHERS = 1_000;
/** Of one client; a connection has at most twice as many calls served at a time. */
const WATCHERS_EACH = 250;
const TIMEOUT_MS = 60_000;
const RATE_MS = 1_000;
/** About as long as a put and its answer. */
const FRAME_BYTES = 200;
/** Until the next request of each watch is at the replica. */
const SETTLE_MS = 50;

type Changes = AsyncIterator<Change<string>>;

async function watching(client: Client, prefix: string): Promise<Changes> {
  const watch = client.watch(prefix);
  await watch.begun();
  return watch[Symbol.asyncIterator]();
}

function clientOf(server: Server): Promise<Client> {
  return connect({ endpoints: [nameAddress(server.address)] });
}

/** From the put until it is told. */
async function tell(server: Server, changes: readonly Changes[], i: number): Promise<number> {
  const told = Promise.all(changes.map((each) => each.next()));
  await delay(changes.length > 1 ? SETTLE_MS : 2);
  const startedAt = performance.now();
  const write = put(server.connection, 'c', keyOf(i), textFor(i));
  await told;
  const took = (performance.now() - startedAt) / 1000;
  await write;
  return took;
}

/** As text: that is what the watches are told. */
function textFor(i: number): Uint8Array {
  return new TextEncoder().encode(String(i).padStart(valueFor(i).length, 'x'));
}

async function latencyRows(a: Server, b: Server): Promise<Row[]> {
  const [clientA, clientB] = await Promise.all([clientOf(a), clientOf(b)]);
  const [here, there] = await Promise.all([watching(clientA, 'key-'), watching(clientB, 'key-')]);
  const raw = await startRaw(FRAME_BYTES, FRAME_BYTES, freshPath('raw'));
  const rounds: { here: number; there: number; raw: number }[] = [];
  let i = 0;
  for (let round = -1; round < ROUNDS; round++) {
    const times = { here: [] as number[], there: [] as number[], raw: [] as number[] };
    for (let n = 0; n < PUTS; n++) {
      // Each watch is told of every put, and is measured with every other.
      const skipped = there.next();
      times.here.push(await tell(a, [here], i++));
      await skipped;
      const skippedHere = here.next();
      times.there.push(await tell(a, [there], i++));
      await skippedHere;
      times.raw.push(await roundTripSeconds(raw.call));
    }
    if (round >= 0) rounds.push({ here: median(times.here), there: median(times.there), raw: median(times.raw) });
  }
  await Promise.all([clientA.close(), clientB.close(), raw.close()]);
  const beside = `raw round trip with one sync ${us(median(rounds.map(({ raw }) => raw)))}`;
  return (['here', 'there'] as const).map((where) => ({
    measure: `a durable put here, told to who watches ${where === 'here' ? 'here' : 'the neighbour'}`,
    barista: us(median(rounds.map((round) => round[where]))),
    beside,
    ratio: median(rounds.map((round) => round[where] / round.raw)).toFixed(2),
  }));
}

async function fanOutRows(server: Server): Promise<Row[]> {
  const clients = await Promise.all(Array.from({ length: WATCHERS / WATCHERS_EACH }, () => clientOf(server)));
  const changes = await Promise.all(
    clients.flatMap((client) => Array.from({ length: WATCHERS_EACH }, () => watching(client, 'key-'))),
  );
  const raw = await startRaw(FRAME_BYTES, FRAME_BYTES, null, false);
  const rounds: { told: number; raw: number }[] = [];
  for (let n = -5; n < 20; n++) {
    const told = await tell(server, changes, 1_000_000 + n);
    const startedAt = performance.now();
    await roundTrips(WATCHERS, WATCHERS, raw.call);
    const took = (performance.now() - startedAt) / 1000;
    if (n >= 0) rounds.push({ told, raw: took });
  }
  await Promise.all([...clients.map((client) => client.close()), raw.close()]);
  return [
    {
      measure: `a durable put, told to all of ${WATCHERS.toLocaleString('en')} watchers`,
      barista: `${(median(rounds.map(({ told }) => told)) * 1000).toFixed(1)} ms`,
      beside: `as many raw round trips at once ${(median(rounds.map(({ raw }) => raw)) * 1000).toFixed(1)} ms`,
      ratio: median(rounds.map(({ told, raw }) => told / raw)).toFixed(2),
    },
  ];
}

/** What watchers cost whose keys do not change. */
async function idleRows(server: Server): Promise<Row[]> {
  let next = 0;
  const rate = (): Promise<number> =>
    roundTripRate(
      (done) => {
        const i = next++;
        server.connection.write(putRequest('c', keyOf(i % 10_000), valueFor(i)), TIMEOUT_MS, (outcome) => {
          if (!outcome.ok) throw outcome.error;
          done();
        });
      },
      64,
      RATE_MS,
    );
  const whileWatched = async (): Promise<number> => {
    const clients = await Promise.all(Array.from({ length: WATCHERS / WATCHERS_EACH }, () => clientOf(server)));
    const waiting = await Promise.all(
      clients.flatMap((client, c) =>
        Array.from({ length: WATCHERS_EACH }, (_, i) => watching(client, `idle-${c}-${i}/`)),
      ),
    );
    for (const changes of waiting) changes.next().catch(() => undefined);
    await delay(SETTLE_MS);
    const idle = await rate();
    await Promise.all(clients.map((client) => client.close()));
    await delay(SETTLE_MS);
    return idle;
  };
  await rate();
  const rounds: { idle: number; alone: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = await rate();
    const idle = await whileWatched();
    rounds.push({ idle, alone: (before + (await rate())) / 2 });
  }
  const each = (value: number): string => `${Math.round(value).toLocaleString('en')}/s`;
  return [
    {
      measure: `durable puts, 64 in flight, while ${WATCHERS.toLocaleString('en')} watch other keys`,
      barista: each(median(rounds.map(({ idle }) => idle))),
      beside: `without them ${each(median(rounds.map(({ alone }) => alone)))}`,
      ratio: median(rounds.map(({ idle, alone }) => idle / alone)).toFixed(2),
    },
  ];
}

function us(time: number): string {
  return `${(time * 1e6).toFixed(0)} µs`;
}

async function main(): Promise<void> {
  const a = await startServer({ id: 'a', dataDir: freshPath('a'), antiEntropy: '10m' });
  const b = await startServer({ id: 'b', dataDir: freshPath('b'), antiEntropy: '10m' });
  await linkBoth(a, b);
  const latency = await latencyRows(a, b);
  await b.kill();
  const rows = [...latency, ...(await fanOutRows(a)), ...(await idleRows(a))];
  await a.kill();
  report('watch', rows);
}

await main();
