import { describe, expect, test } from 'vitest';
import { DiskPace, QUICK_SYNC_MS } from '../../src/storage/disk-pace.js';

/** How many of `syncs` block the caller, each of which takes what `msOf` says. */
function blocking(pace: DiskPace, syncs: number, msOf: (sync: number) => number): number {
  let blocked = 0;
  for (let sync = 0; sync < syncs; sync++) {
    if (!pace.blocks()) continue;
    blocked += 1;
    pace.took(msOf(sync));
  }
  return blocked;
}

const QUICK = QUICK_SYNC_MS / 10;
const SLOW = 10 * QUICK_SYNC_MS;

describe('the caller waits for the disk itself', () => {
  test('always while it is quick', () => {
    expect(blocking(new DiskPace(), 10_000, () => QUICK)).toBe(10_000);
  });

  test('hardly ever while it is slow', () => {
    const blocked = blocking(new DiskPace(), 10_000, () => SLOW);
    expect(blocked).toBeGreaterThan(10);
    expect(blocked).toBeLessThan(60);
  });

  test('but for a few syncs after one that took long', () => {
    expect(blocking(new DiskPace(), 10_000, (sync) => (sync % 100 === 0 ? SLOW : QUICK))).toBeGreaterThan(9_500);
  });

  test('again once a slow disk has become quick', () => {
    const pace = new DiskPace();
    blocking(pace, 10_000, () => SLOW);
    blocking(pace, 256, () => QUICK);
    expect(blocking(pace, 1_000, () => QUICK)).toBe(1_000);
  });
});
