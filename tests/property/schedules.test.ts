import { expect, test } from 'vitest';
import { runSchedule } from './schedule.js';

const SEEDS = Number(process.env['BARISTA_SCHEDULES'] ?? 40_000);
const FIRST_SEED = Number(process.env['BARISTA_FIRST_SEED'] ?? 1);

function search(seeds: number, clock: 'logical' | 'hybrid', withBundles = false): void {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + seeds; seed++) {
    const wrong = runSchedule(seed, clock, withBundles);
    if (wrong !== null) expect.fail(`seed ${seed}: ${wrong}`);
  }
}

test('no schedule of accepts, reads, pulls and cuts breaks a session or a vector', { timeout: 600_000 }, () => {
  search(SEEDS, 'logical');
});

test('nor does one in which bundles answer, made while things go on, and old', { timeout: 600_000 }, () => {
  search(SEEDS / 40, 'logical', true);
  search(SEEDS / 40, 'hybrid', true);
});

test('nor does one with wall clocks that are wrong, and no clock drags another along', { timeout: 600_000 }, () => {
  search(SEEDS / 2, 'hybrid');
});
