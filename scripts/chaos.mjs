import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

/*
 * `npm run chaos -- --minutes 60 --seed 3`: the test of tests/chaos for as long as one likes. It is run by Vitest, which
 * has it end whatever it started.
 */

const USAGE = `usage: npm run chaos -- [--minutes N | --seconds N] [--seed N] [--rate N] [--keep]
  --minutes, --seconds  how long clients write while things go wrong (60 s)
  --seed                what the faults and the clients are drawn from (drawn, and printed)
  --rate                operations of each of the 20 clients in a second, about (20)
  --keep                keep the files also of a run in which nothing was found`;

function numberOf(text, name) {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number) && number > 0) return number;
  throw new TypeError(`--${name} takes a number, not ${JSON.stringify(text)}`);
}

function environment() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      rate: { type: 'string', default: '20' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const seconds =
    values.minutes === undefined ? (values.seconds ?? '60') : String(60 * numberOf(values.minutes, 'minutes'));
  return {
    BARISTA_CHAOS_SECONDS: String(numberOf(seconds, 'seconds')),
    BARISTA_CHAOS_SEED: String(
      Math.trunc(numberOf(values.seed ?? String(1 + Math.floor(Math.random() * 1e6)), 'seed')),
    ),
    BARISTA_CHAOS_RATE: String(numberOf(values.rate, 'rate')),
    ...(values.keep ? { BARISTA_CHAOS_KEEP: '1' } : {}),
  };
}

let settings;
try {
  settings = environment();
} catch (error) {
  console.error(`${error.message}\n${USAGE}`);
  process.exit(2);
}
const vitest = spawn('npx', ['vitest', 'run', 'tests/chaos/chaos.test.ts', '--disable-console-intercept'], {
  stdio: 'inherit',
  env: { ...process.env, ...settings },
});
// Ctrl-C reaches the whole group: Vitest ends first, this waits for it.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => vitest.kill(signal));
vitest.on('exit', (code, signal) => process.exit(signal === null ? code : 1));
