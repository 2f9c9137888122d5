import { expect, test } from 'vitest';
import { runChaos } from './chaos.js';

/*
 * Replicas as processes of their own, on disk, and clients over TCP, while everything goes wrong that the system lets go
 * wrong. `npm run chaos -- --minutes 60 --seed 3` runs the same for longer.
 */

const SECONDS = Number(process.env['BARISTA_CHAOS_SECONDS'] ?? 60);
const SEED = Number(process.env['BARISTA_CHAOS_SEED'] ?? 1);
/** Operations of a client in a second, about. */
const RATE = Number(process.env['BARISTA_CHAOS_RATE'] ?? 20);

const KEEP = process.env['BARISTA_CHAOS_KEEP'] !== undefined;

/** Whatever else happens, a run that does not end is a failure. */
const LIMIT_MS = SECONDS * 2_000 + 1_800_000;

test(`replicas and clients keep every promise through ${SECONDS} s of chaos, seed ${SEED}`, {
  timeout: LIMIT_MS,
}, async () => {
  const print = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  const tally = await runChaos({ seed: SEED, seconds: SECONDS, rate: RATE, keep: KEEP, print });
  expect(tally.violations).toEqual([]);
  expect(tally.operations).toBeGreaterThan(0);
});
