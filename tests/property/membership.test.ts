import { expect, test } from 'vitest';
import { type HistoryOptions, runMembership } from './membership.js';

const SEEDS = Number(process.env['BARISTA_HISTORIES'] ?? 2_000);
const FIRST_SEED = Number(process.env['BARISTA_FIRST_SEED'] ?? 1);

function tryMembership(seed: number, clock: 'logical' | 'hybrid', options: HistoryOptions = {}): string | null {
  try {
    return runMembership(seed, clock, options);
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

for (const clock of ['logical', 'hybrid'] as const) {
  test(`nor counts an operation twice that reads what it changes, with ${clock} clocks`, { timeout: 600_000 }, () => {
    // What is never pruned makes long logs: each takes as long as ten of the others.
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS / 20; seed++) {
      const wrong = tryMembership(seed, clock, { operations: true });
      if (wrong !== null) expect.fail(`seed ${seed}: ${wrong}`);
    }
  });
}

for (const clock of ['logical', 'hybrid'] as const) {
  for (const exchange of ['pulls', 'both'] as const) {
    test(`nor shows a batch in halves, with ${clock} clocks and ${exchange}`, { timeout: 600_000 }, () => {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS / 4; seed++) {
        const wrong = tryMembership(seed, clock, { batches: true, exchange });
        if (wrong !== null) expect.fail(`seed ${seed}: ${wrong}`);
      }
    });
  }
}

/** What each of these showed first. */
const ONCE_FAILED = [
  ['logical', 1004492, 'a replica bound by what it attested to members that were retired since'],
  ['logical', 4010556, 'the same, after a restart'],
  ['logical', 2017804, 'a repeat of a folded write, brought by a stranger'],
  ['hybrid', 2011235, 'one that rejoins and one that lacks a tail, each waiting for the other'],
  ['hybrid', 2016168, 'the same, with a third that was retired'],
] as const;

test.each(ONCE_FAILED)('nor does the history of %s clocks and seed %i: %s', (clock, seed) => {
  expect(tryMembership(seed, clock)).toBeNull();
});

test('nor one of operations, of which a replica that is asked for its base store has a part that nobody claims', () => {
  expect(tryMembership(425, 'hybrid', { operations: true })).toBeNull();
});

/** What each of these showed first, of which a batch was seen in halves or accepted anew apart. */
const ONCE_IN_HALVES = [
  [
    'logical',
    'pulls',
    1329,
    'a part that its client had replaced, whose replacement was lost with a member that was retired',
  ],
  ['hybrid', 'both', 686, 'a part that was kept though replaced, and outlived what replaced it'],
  ['hybrid', 'pulls', 474, 'parts that one who rejoins has under several stamps'],
] as const;

test.each(ONCE_IN_HALVES)('nor shows the history of %s clocks, %s and seed %i a batch in halves: %s', (...args) => {
  const [clock, exchange, seed] = args;
  expect(tryMembership(seed, clock, { batches: true, exchange })).toBeNull();
});
