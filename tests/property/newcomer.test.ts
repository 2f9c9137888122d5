import { expect, test } from 'vitest';
import { playNewcomer } from './newcomer.js';

const HISTORIES = Number(process.env['BARISTA_NEWCOMERS'] ?? 1_000);
const FIRST = Number(process.env['BARISTA_FIRST_SEED'] ?? 1);

test('a newcomer that hears from several at once misses nothing', { timeout: 3_600_000 }, () => {
  for (let seed = FIRST; seed < FIRST + HISTORIES; seed++) {
    const wrong = playNewcomer(seed);
    if (wrong !== null) expect.fail(`seed ${seed}: ${wrong}`);
  }
});
