import { expect, test } from 'vitest';
import { runSchedule } from './schedule.js';

const SEEDS = Number(process.env['BARISTA_SCHEDULES'] ?? 40_000);
const FIRST_SEED = Number(process.env['BARISTA_FIRST_SEED'] ?? 1);

test('no schedule of accepts, reads, pulls and cuts breaks a session or a vector', { timeout: 600_000 }, () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const wrong = runSchedule(seed);
    if (wrong !== null) expect.fail(`seed ${seed}: ${wrong}`);
  }
});
