import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareKeys } from '../../src/base/ids.js';
import { seededRandom } from '../../src/base/random.js';
import { SortedKeys } from '../../src/storage/sorted-keys.js';
import { byNumber, SortedMap } from '../../src/storage/sorted-map.js';

function drain(map: SortedMap<number, string>, after?: number): [number, string][] {
  const cursor = map.cursor(after);
  const found: [number, string][] = [];
  for (let key = cursor.key(); key !== undefined; key = cursor.key()) found.push([key, cursor.take() as string]);
  return found;
}

describe('a sorted map', () => {
  test('shows what a map would, in order, through any changes and from any place', () => {
    const random = seededRandom(1);
    const sorted = new SortedMap<number, string>(byNumber);
    const plain = new Map<number, string>();
    for (let round = 0; round < 20; round++) {
      for (let step = 0; step < 400; step++) {
        const key = random.below(3_000);
        if (random.below(round < 12 ? 4 : 2) === 0) {
          expect(sorted.delete(key)).toBe(plain.delete(key));
        } else {
          sorted.set(key, `${round}:${step}`);
          plain.set(key, `${round}:${step}`);
        }
      }
      const expected = [...plain].sort(([a], [b]) => a - b);
      expect([...sorted.entries()]).toEqual(expected);
      expect(sorted.size).toBe(plain.size);
      const [low, high] = [random.below(3_000), random.below(3_000)];
      expect(drain(sorted, low)).toEqual(expected.filter(([key]) => key > low));
      expect(sorted.count(low, high)).toBe(expected.filter(([key]) => key > low && key <= high).length);
      for (let key = 0; key < 3_000; key += 7) expect(sorted.get(key)).toBe(plain.get(key));
    }
  });

  test('a cursor goes on where it was, whatever comes and goes', () => {
    const sorted = new SortedMap<number, string>(byNumber);
    for (let key = 0; key < 2_000; key += 2) sorted.set(key, 'even');
    const cursor = sorted.cursor(-1);
    const found: number[] = [];
    for (let key = cursor.key(); key !== undefined; key = cursor.key()) {
      found.push(key);
      cursor.take();
      sorted.delete(key);
      if (key < 1_000) sorted.set(key + 1, 'odd');
      if (key === 1_998) sorted.set(5_000, 'last');
    }
    const expected = Array.from({ length: 2_000 }, (_, key) => key).filter((key) => key <= 1_000 || key % 2 === 0);
    expect(found).toEqual([...expected, 5_000]);
  });
});

describe('sorted keys', () => {
  test('are those of the map, in order', () => {
    const steps = fc.array(fc.tuple(fc.nat(30), fc.constantFrom('set', 'set', 'delete', 'look')), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (changes) => {
        const map = new Map<string, null>();
        const keys = new SortedKeys(map);
        for (const [number, change] of changes) {
          const key = String.fromCodePoint(0xffe0 + 5 * number);
          if (change === 'delete') map.delete(key);
          if (change === 'set' && !map.has(key)) {
            map.set(key, null);
            keys.add(key);
          }
          if (change !== 'look') continue;
          const sorted = [...map.keys()].sort(compareKeys);
          expect([...keys.after(undefined)]).toEqual(sorted);
          expect([...keys.after(key)]).toEqual(sorted.filter((other) => compareKeys(other, key) > 0));
        }
      }),
    );
  });

  test('that come and go while nobody looks are forgotten', () => {
    const map = new Map<string, null>();
    const keys = new SortedKeys(map);
    for (let i = 0; i < 10_000; i++) {
      map.set(`k${i}`, null);
      keys.add(`k${i}`);
      if (i >= 3) map.delete(`k${i}`);
      if (i % 1_000 === 0)
        expect([...keys.after(undefined)].slice(0, 3)).toEqual(['k0', 'k1', 'k2'].slice(0, map.size));
    }
    expect([...keys.after('k1')]).toEqual(['k2']);
  });
});
