import { describe, expect, test } from 'vitest';
import type { Found } from '../../src/storage/entry.js';
import { EntryCache } from '../../src/storage/entry-cache.js';

const KEYS_MAX = 2 * 16_384;
const BYTES_MAX = 2 * 4 * 1024 * 1024;

function found(key: string, bytes = 100): Found<null> {
  return { key, entry: { base: null, history: [] }, in: 'bytes', bytes };
}

/** Asks for the key as its owner does; true if it was there. */
function ask(cache: EntryCache<null>, key: string, bytes = 100): boolean {
  if (cache.get(key) !== undefined) return true;
  const answer = found(key, bytes);
  if (cache.wants(answer)) cache.keep(answer);
  return false;
}

function keys(count: number, prefix = 'key'): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
}

/** Which of `keys` are there. Looking may let some of them go, if there are many. */
function held(cache: EntryCache<null>, keys: readonly string[]): string[] {
  return keys.filter((key) => cache.get(key) !== undefined);
}

describe('the cache of entries', () => {
  test('keeps what is asked for again', () => {
    const cache = new EntryCache<null>();
    expect([1, 2, 3, 4].map(() => ask(cache, 'a'))).toEqual([false, false, true, true]);
  });

  test('keeps nothing of what is asked for once, and lets nothing go for it', () => {
    const cache = new EntryCache<null>();
    const often = keys(1_000, 'often');
    for (const key of [...often, ...often]) ask(cache, key);
    const before = held(cache, often).length;
    expect(before).toBeGreaterThan(900);
    const once = keys(200_000, 'once');
    for (const key of once) ask(cache, key);
    expect(held(cache, often)).toHaveLength(before);
    expect(held(cache, once)).toHaveLength(0);
  });

  test('is bounded in keys, and lets go of those that were not asked for lately', () => {
    const cache = new EntryCache<null>();
    const all = keys(100_000);
    for (const [i, key] of all.entries()) {
      cache.keep(found(key));
      if (i % 1_000 === 0) cache.get('key-0');
    }
    const left = held(cache, all);
    expect(left.length).toBeLessThanOrEqual(KEYS_MAX);
    expect(left.length).toBeGreaterThanOrEqual(KEYS_MAX / 2);
    expect(left).toContain('key-0');
    expect(left).toContain('key-99999');
    expect(left).not.toContain('key-1');
  });

  test('is bounded in bytes', () => {
    const cache = new EntryCache<null>();
    const all = keys(5_000);
    for (const key of all) cache.keep(found(key, 10_000));
    const left = held(cache, all).length;
    expect(left * 10_000).toBeLessThanOrEqual(BYTES_MAX);
    expect(left * 10_000).toBeGreaterThanOrEqual(BYTES_MAX / 2 - 10_000);
  });

  test('takes no entry that would have the place of many', () => {
    const cache = new EntryCache<null>();
    expect([1, 2, 3].map(() => ask(cache, 'a', 1_000_000))).toEqual([false, false, false]);
  });

  test('holds nothing once it was cleared', () => {
    const cache = new EntryCache<null>();
    const all = keys(20_000);
    for (const key of all) cache.keep(found(key));
    cache.clear();
    expect(held(cache, all)).toEqual([]);
  });
});
