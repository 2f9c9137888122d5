import { expect, test } from 'vitest';
import { runMembership } from './membership.js';

const SEEDS = Number(process.env['BARISTA_HISTORIES'] ?? 2_000);
const FIRST_SEED = Number(process.env['BARISTA_FIRST_SEED'] ?? 1);

function tryMembership(seed: number, clock: 'logical' | 'hybrid'): string | null {
  try {
    return runMembership(seed, clock);
  } catch (thrown) {
    throw new Error(`seed ${seed}`, { cause: thrown });
  }
}

for (const clock of ['logical', 'hybrid'] as const) {
  test(`no history of joins, folding, retirements and returns loses a write, with ${clock} clocks`, {
    timeout: 600_000,
  }, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const wrong = tryMembership(seed, clock);
      if (wrong !== null) expect.fail(`seed ${seed}: ${wrong}`);
    }
  });
}
