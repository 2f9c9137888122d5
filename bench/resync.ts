import { fill, keyOf, put, valueFor } from './load.js';
import { median, type Row, report, seconds } from './measure.js';
import { startRaw } from './raw-server.js';
import { roundTripSeconds } from './round-trips.js';
import { freshPath } from './scratch.js';
import { linkBoth, type Server, stabilize, startServer, sync } from './servers.js';

/*
 * What it costs two replicas that hold the same writes to stay in step, however many those are: a hundred new writes, or
 * nothing at all. Beside the same at the smallest size, which should be no less, and a raw round trip.
 */

const SIZES = [10_000, 100_000, 1_000_000];
const RUNS = 21;
/** Of what takes no longer than a few messages: each is a matter of when a core wakes. */
const SHORT_RUNS = 1_000;
/** Not counted: the code is compiled in them. */
const WARM_UPS = 3_000;
const NEW_WRITES = 100;
/** As long as a pull that asks and is told nothing. */
const FRAME_BYTES = 200;

interface Times {
  readonly few: number;
  readonly nothing: number;
}

/** The command itself is a round trip to the replica: what it takes without a neighbour to ask. */
function commandSeconds(to: Server): Promise<number> {
  return seconds(async () => void (await stabilize(to, [])));
}

async function timesAt(size: number): Promise<Times> {
  const a = await startServer({ id: 'a', dataDir: freshPath('a') });
  const b = await startServer({ id: 'b', dataDir: freshPath('b') });
  await linkBoth(a, b);
  await fill(a.connection, 'c', 0, size);
  await sync(b, a);
  const few: number[] = [];
  const nothing: number[] = [];
  const command: number[] = [];
  for (let run = 0; run < WARM_UPS; run++) await sync(b, a);
  for (let run = 0; run < SHORT_RUNS; run++) {
    command.push(await commandSeconds(b));
    nothing.push(await seconds(() => sync(b, a)));
  }
  for (let run = 0; run < RUNS; run++) {
    // Spread over all the keys, so that most of them are not at hand in memory.
    const step = Math.floor(size / NEW_WRITES);
    const writes = Array.from({ length: NEW_WRITES }, (_, i) =>
      put(a.connection, 'c', keyOf(i * step + run), valueFor(i)),
    );
    await Promise.all(writes);
    few.push(await seconds(() => sync(b, a)));
  }
  await a.kill();
  await b.kill();
  const beside = median(command);
  return { few: median(few) - beside, nothing: median(nothing) - beside };
}

async function rawSeconds(): Promise<number[]> {
  const raw = await startRaw(FRAME_BYTES, FRAME_BYTES, null);
  const times: number[] = [];
  for (let run = 0; run < WARM_UPS; run++) await roundTripSeconds(raw.call);
  for (let run = 0; run < SHORT_RUNS; run++) times.push(await roundTripSeconds(raw.call));
  await raw.close();
  return times;
}

function row(measure: string, time: number, name: string, beside: number): Row {
  return { measure, barista: ms(time), beside: `${name} ${ms(beside)}`, ratio: (time / beside).toFixed(2) };
}

function ms(time: number): string {
  return `${(time * 1_000).toFixed(2)} ms`;
}

const raw = await rawSeconds();
const few: Row[] = [];
const nothing: Row[] = [];
let smallest: Times | null = null;
for (const size of SIZES) {
  const times = await timesAt(size);
  smallest ??= times;
  const among = `with ${size.toLocaleString('en')} in common`;
  const least = `with ${(SIZES[0] as number).toLocaleString('en')}`;
  few.push(row(`${NEW_WRITES} new writes to a neighbour ${among}`, times.few, least, smallest.few));
  nothing.push(row(`a sync with nothing missing ${among}`, times.nothing, 'a raw round trip', median(raw)));
}
report('resync', [...few, ...nothing]);
