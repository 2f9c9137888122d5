import { fill } from './load.js';
import { median, type Row, report, seconds } from './measure.js';
import { freshPath } from './scratch.js';
import { startServer } from './servers.js';

/*
 * Durable puts on keys that have a value already, by the client that wrote it, whose older write then goes, and by another
 * client, whose does not; beside puts on new keys. A put should cost the same whatever was there.
 */

const KEYS = 100_000;
const RUNS = 5;

interface Rates {
  readonly first: number;
  readonly same: number;
  readonly other: number;
}

async function once(): Promise<Rates> {
  const server = await startServer({ id: 'a', dataDir: freshPath('a') });
  const rate = async (client: string): Promise<number> =>
    KEYS / (await seconds(() => fill(server.connection, client, 0, KEYS)));
  const rates = { first: await rate('c'), same: await rate('c'), other: await rate('d') };
  await server.kill();
  return rates;
}

function row(who: string, ours: readonly number[], first: readonly number[]): Row {
  return {
    measure: `durable puts on ${KEYS.toLocaleString('en')} keys again, ${who}`,
    barista: perSecond(median(ours)),
    beside: `on new keys ${perSecond(median(first))}`,
    ratio: median(ours.map((rate, i) => rate / (first[i] as number))).toFixed(2),
  };
}

function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString('en')}/s`;
}

const runs: Rates[] = [];
for (let run = 0; run < RUNS; run++) runs.push(await once());
const first = runs.map((rates) => rates.first);
report('overwrite', [
  row(
    'by the same client',
    runs.map(({ same }) => same),
    first,
  ),
  row(
    'by another client',
    runs.map(({ other }) => other),
    first,
  ),
]);
