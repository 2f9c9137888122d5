import { expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { runMembership } from './membership.js';
import { Watchers } from './membership-watchers.js';

const SEEDS = Number(process.env['BARISTA_WATCHED'] ?? 300);
const FIRST_SEED = Number(process.env['BARISTA_FIRST_SEED'] ?? 1);

/** Clocks, and whether clients increment, append and the like, too. */
const MIXES = [
  ['logical', false],
  ['hybrid', false],
  ['hybrid', true],
] as const;

test.each(MIXES)(
  'no history of joins, folding, retirements and crashes has a watch miss a change or see it twice: %s clocks, operations %s',
  {
    timeout: 600_000,
  },
  (clock, operations) => {
    const total = { changes: 0, reordered: 0, restarts: 0 };
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const watchers = new Watchers(seededRandom(seed + 7));
      const wrong = runMembership(seed, clock, { watchers, operations });
      if (wrong !== null) expect.fail(`seed ${seed}: ${wrong}`);
      const { changes, reordered, restarts } = watchers.tally;
      total.changes += changes;
      total.reordered += reordered;
      total.restarts += restarts;
    }
    // Of each kind there was enough to tell.
    expect(total.changes).toBeGreaterThan(20 * SEEDS);
    expect(total.reordered).toBeGreaterThan(SEEDS / 4);
    expect(total.restarts).toBeGreaterThan(SEEDS / 10);
  },
);
