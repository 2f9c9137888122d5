import { expect, test } from 'vitest';
import { runLives } from './durable-life.js';

const SEEDS = Number(process.env['BARISTA_LIVES'] ?? 4_000);
const FIRST_SEED = Number(process.env['BARISTA_FIRST_SEED'] ?? 1);

test('no life of a durable replica begins with less than was acknowledged, or with halves', {
  timeout: 600_000,
}, () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const wrong = runLives(seed);
    if (wrong !== null) expect.fail(`seed ${seed}: ${wrong}`);
  }
});
