import { expect, test } from 'vitest';
import { runMembership } from './membership.js';

/** Of the two kinds: where replicas meet by bundles alone, each healing makes hundreds of them. */
const SEEDS = { both: histories(120), bundles: histories(12) } as const;
const FIRST_SEED = Number(process.env['BARISTA_FIRST_SEED'] ?? 1);

function histories(unlessSet: number): number {
  return Number(process.env['BARISTA_HISTORIES'] ?? unlessSet);
}

function search(clock: 'logical' | 'hybrid', exchange: keyof typeof SEEDS): void {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS[exchange]; seed++) {
    let wrong: string | null;
    try {
      wrong = runMembership(seed, clock, { exchange });
    } catch (thrown) {
      throw new Error(`seed ${seed}`, { cause: thrown });
    }
    if (wrong !== null) expect.fail(`seed ${seed}: ${wrong}`);
  }
}

for (const clock of ['logical', 'hybrid'] as const) {
  test(`bundles made and taken beside pulls lose no write, with ${clock} clocks`, { timeout: 600_000 }, () => {
    search(clock, 'both');
  });

  test(`nor do replicas that only ever meet by bundles, with ${clock} clocks`, { timeout: 600_000 }, () => {
    search(clock, 'bundles');
  });
}
