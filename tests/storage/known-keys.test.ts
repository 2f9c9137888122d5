import { describe, expect, test } from 'vitest';
import { KnownKeys } from '../../src/storage/known-keys.js';

describe('what is known of the keys of a storage', () => {
  const keysFrom = (from: number, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `key ${from + i}`);
  const layerOf = (keys: readonly string[]): ReadonlyMap<string, null> => new Map(keys.map((key) => [key, null]));

  test('no key that came is new, and most of the others are', () => {
    const known = new KnownKeys(true);
    expect(known.isTableEmpty).toBe(true);
    known.setAside(layerOf(keysFrom(0, 5_000)));
    expect(known.isTableEmpty).toBe(false);
    for (const key of keysFrom(5_000, 5_000)) known.add(key);
    known.setAside(layerOf(keysFrom(5_000, 5_000)));
    expect(keysFrom(0, 10_000).filter((key) => known.isNew(key))).toEqual([]);
    expect(keysFrom(10_000, 10_000).filter((key) => known.isNew(key)).length).toBeGreaterThan(9_900);
  });

  test('nothing is known of a table that had something when it was opened, or of far too many keys', () => {
    const opened = new KnownKeys(false);
    opened.setAside(layerOf(keysFrom(0, 10)));
    const full = new KnownKeys(true);
    full.setAside(layerOf(['the first']));
    for (const key of keysFrom(0, 100_000)) full.add(key);
    for (const known of [opened, full]) {
      expect([known.isTableEmpty, known.isNew('one that never came')]).toEqual([false, false]);
    }
  });
});
