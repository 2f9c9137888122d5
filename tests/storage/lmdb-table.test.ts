import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compareKeys } from '../../src/base/ids.js';
import { promised } from '../../src/base/outcome.js';
import { seededRandom } from '../../src/base/random.js';
import type { BytesPart } from '../../src/storage/bytes.js';
import { LmdbTable } from '../../src/storage/node/lmdb-table.js';
import type { PutEntry, TableChanges } from '../../src/storage/table.js';

const A = 0;
const B = 300;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Changes extends Partial<Pick<TableChanges, 'runs' | 'meta'>> {
  readonly entries?: readonly (readonly [key: string, entry: Uint8Array | null])[];
}

function putAll(entries: Required<Changes>['entries'], put: PutEntry): void {
  for (const [key, entry] of entries) {
    put(key, entry === null ? null : { bytes: entry, start: 0, end: entry.length });
  }
}

describe('checkpoints in LMDB', () => {
  let path: string;
  let table: LmdbTable;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'barista-table-'));
    table = new LmdbTable(path);
  });
  afterEach(async () => {
    await promised<void>((done) => table.close(done));
    rmSync(path, { recursive: true });
  });

  const commit = ({ entries = [], runs = [], meta = bytes('none') }: Changes): Promise<void> =>
    promised((done) => table.commit({ entries: (put) => putAll(entries, put), runs, meta }, done));
  const all = <T>(items: Iterator<T>): T[] => {
    const found: T[] = [];
    for (let next = items.next(); next.done !== true; next = items.next()) found.push(next.value);
    return found;
  };
  const textOf = ({ bytes, start, end }: BytesPart): string => new TextDecoder().decode(bytes.subarray(start, end));
  const text = (key: string): string | undefined => {
    const entry = table.entry(key);
    return entry === undefined ? undefined : textOf(entry);
  };
  /** The keys, and what was found with them. */
  const walked = (after: string | null, reverse: boolean, most = Number.POSITIVE_INFINITY): [string, string][] => {
    const found: [string, string][] = [];
    table.walk(after, reverse, (key, entry) => found.push([key, textOf(entry)]) < most);
    return found;
  };
  const lengthOf = (key: string): number | undefined => text(key)?.length;
  const meta = (): string | undefined => {
    const found = table.meta();
    return found === undefined ? undefined : new TextDecoder().decode(found);
  };

  test('an empty one has nothing', () => {
    expect([table.meta(), table.entry('k'), all(table.keys()), all(table.run(A, 0, 100))]).toEqual([
      undefined,
      undefined,
      [],
      [],
    ]);
  });

  test('holds what was committed, also after it was opened again', async () => {
    await commit({
      entries: [
        ['k', bytes('one')],
        ['l', bytes('two')],
      ],
      runs: [
        [
          A,
          [
            [1, 'k', true],
            [Number.MAX_SAFE_INTEGER, 'm', true],
          ],
        ],
        [B, [[2 ** 40, 'l', true]]],
      ],
      meta: bytes('first'),
    });
    await promised<void>((done) => table.close(done));
    table = new LmdbTable(path);
    expect([text('k'), text('l'), meta()]).toEqual(['one', 'two', 'first']);
    expect(all(table.run(A, 0, Number.POSITIVE_INFINITY))).toEqual([
      [1, 'k'],
      [Number.MAX_SAFE_INTEGER, 'm'],
    ]);
    expect(all(table.run(B, 2 ** 40 - 1, 2 ** 40))).toEqual([[2 ** 40, 'l']]);
    expect(all(table.run(B, 2 ** 40, 2 ** 41))).toEqual([]);
    expect([table.count(A, 0, 1), table.count(A, 0, 2 ** 60), table.count(B, 2 ** 40, 2 ** 41)]).toEqual([1, 2, 0]);
    await commit({ entries: [['k', null]], runs: [[A, [[1, 'k', false]]]], meta: bytes('second') });
    expect([text('k'), all(table.keys()), all(table.run(A, 0, 100)), meta()]).toEqual([undefined, ['l'], [], 'second']);
  });

  test('keys up to the longest that are allowed, in the order of their code points', async () => {
    const long = 'x'.repeat(4_000);
    const keys = [
      '',
      'a',
      'x',
      'x'.repeat(1_900),
      'x'.repeat(1_901),
      `${long}c`,
      `${long}a`,
      `${long}b`,
      'y',
      'é'.repeat(2_000),
      '😀',
    ];
    await commit({ entries: keys.filter((key) => key !== '').map((key) => [key, bytes(key.slice(-3))] as const) });
    const sorted = keys.filter((key) => key !== '').sort(compareKeys);
    const withText = (key: string): [string, string] => [key, key.slice(-3)];
    expect(all(table.keys())).toEqual(sorted);
    for (const [i, key] of sorted.entries()) {
      expect(text(key)).toBe(key.slice(-3));
      expect(all(table.keys(key))).toEqual(sorted.slice(i + 1));
      expect(walked(key, false)).toEqual(sorted.slice(i + 1).map(withText));
      expect(walked(key, true)).toEqual(sorted.slice(0, i).reverse().map(withText));
      expect(walked(null, false, i + 1)).toEqual(sorted.slice(0, i + 1).map(withText));
    }
    expect(walked(null, true)).toEqual(sorted.toReversed().map(withText));
    expect(walked(`${long}bb`, true)).toEqual(
      sorted
        .slice(0, sorted.indexOf(`${long}c`))
        .reverse()
        .map(withText),
    );
    const large = bytes('v'.repeat(200_000));
    await commit({ entries: [['x', large]] });
    expect(walked('a', false, 1)).toEqual([['x', 'v'.repeat(200_000)]]);
    await commit({ entries: [[`${long}a`, null]] });
    expect([text(`${long}a`), text(`${long}b`)]).toEqual([undefined, 'xxb']);
  });

  test('a run shows what came and went of it, in any order, and about how many there are', async () => {
    const random = seededRandom(1);
    const byTimeAndKey = (a: readonly [number, string, ...unknown[]], b: readonly [number, string, ...unknown[]]) =>
      a[0] - b[0] || compareKeys(a[1], b[1]);
    const plain = new Map<string, readonly [number, string]>();
    for (let round = 0; round < 12; round++) {
      const changes = new Map<string, readonly [number, string, boolean]>();
      for (let step = 0; step < 300; step++) {
        // The parts of a batch have one time; there are some of more parts than a record has writes.
        const time = random.below(4) === 0 ? 1_000 : 1 + random.below(2_000);
        const key = `k${random.below(time === 1_000 ? 200 : 3)}`;
        changes.set(`${time} ${key}`, [time, key, random.below(round < 8 ? 3 : 1) !== 0]);
      }
      for (const [name, [time, key, isThere]] of changes) {
        if (isThere) plain.set(name, [time, key]);
        else plain.delete(name);
      }
      await commit({ runs: [[A, [...changes.values()].sort(byTimeAndKey)]] });
      const sorted = [...plain.values()].sort(byTimeAndKey);
      const [low, high] = [random.below(2_000), random.below(2_000)];
      const between = sorted.filter(([time]) => time > low && time <= high);
      expect(all(table.run(A, 0, Number.POSITIVE_INFINITY))).toEqual(sorted);
      expect(all(table.run(A, low, high))).toEqual(between);
      expect(all(table.run(B, 0, 2_000))).toEqual([]);
      const count = table.count(A, low, high);
      expect(count).toBeGreaterThanOrEqual(between.length / 2 - 264);
      expect(count).toBeLessThanOrEqual(between.length * 2 + 264);
    }
    const left = [...plain.values()].sort(byTimeAndKey);
    await commit({ runs: [[A, left.map(([time, key]) => [time, key, false] as const)]] });
    expect(all(table.run(A, 0, Number.POSITIVE_INFINITY))).toEqual([]);
  });

  test('iterators that were not used up keep nothing', async () => {
    const keys = Array.from({ length: 1_000 }, (_, i) => `k${String(i).padStart(4, '0')}`);
    await commit({
      entries: keys.map((key) => [key, bytes(key)] as const),
      runs: [[A, keys.map((key, i) => [i + 1, key, true] as const)]],
    });
    for (let i = 0; i < 10; i++) {
      expect(table.keys().next().value).toBe('k0000');
      expect(table.run(A, i, 1_000).next().value).toEqual([i + 1, keys[i]]);
    }
    expect(all(table.keys('k0299'))).toEqual(keys.slice(300));
    expect(walked('k0700', true).map(([key]) => key)).toEqual(keys.slice(0, 700).reverse());
  });

  test('a file that became much longer than what is in it is written anew, while the table is in use', async () => {
    await promised<void>((done) => table.close(done));
    table = new LmdbTable(path, 1);
    const keys = Array.from({ length: 3_000 }, (_, i) => `k${String((i * 7_919) % 3_000).padStart(4, '0')}`);
    const entries = (length: number) => keys.map((key) => [key, new Uint8Array(length).fill(length)] as const);
    const sizeOfFile = (): number => statSync(join(path, 'data.mdb')).size;
    await commit({
      entries: entries(400),
      runs: [[A, keys.map((key, i) => [i + 1, key, true] as const)]],
      meta: bytes('one'),
    });
    await commit({ entries: entries(100), meta: bytes('two') });
    const before = sizeOfFile();
    while (sizeOfFile() >= before) {
      expect(lengthOf('k0007')).toBe(100);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const check = (): void => {
      expect(all(table.keys())).toEqual([...keys].sort());
      expect(all(table.run(A, 0, 10_000))).toEqual(keys.map((key, i) => [i + 1, key]));
      expect([meta(), lengthOf('k0007')]).toEqual(['two', 100]);
    };
    check();
    await commit({ entries: [['z', bytes('last')]] });
    expect(text('z')).toBe('last');
    await commit({ entries: [['z', null]], meta: bytes('two') });
    await promised<void>((done) => table.close(done));
    table = new LmdbTable(path);
    check();
    expect(readdirSync(path).sort()).toEqual(['data.mdb', 'lock.mdb']);
  });

  test('a commit while the file is being written anew is in the table', async () => {
    await promised<void>((done) => table.close(done));
    for (let round = 0; round < 10; round++) {
      table = new LmdbTable(path, 1);
      const keys = Array.from({ length: 4_000 }, (_, i) => `k${(i * 7_919) % 4_000}`);
      for (const length of [300, 50]) {
        await commit({ entries: keys.map((key) => [key, new Uint8Array(length).fill(round)] as const) });
      }
      for (let wait = 0; wait < 3 * round; wait++) await new Promise((resolve) => setImmediate(resolve));
      await commit({ entries: [['k1', bytes(`round ${round}`)]] });
      expect(text('k1')).toBe(`round ${round}`);
      await promised<void>((done) => table.close(done));
      table = new LmdbTable(path);
      expect([text('k1'), all(table.keys()).length]).toEqual([`round ${round}`, 4_000]);
      if (round < 9) await promised<void>((done) => table.close(done));
    }
  });
});
