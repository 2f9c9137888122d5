import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compareKeys, originOf, type ReplicaId } from '../../src/base/ids.js';
import { promised } from '../../src/base/outcome.js';
import { LmdbTable } from '../../src/storage/node/lmdb-table.js';
import type { TableChanges } from '../../src/storage/table.js';

const A = originOf('a' as ReplicaId, 1);
const B = originOf('b' as ReplicaId, 1);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

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

  const commit = (changes: Partial<TableChanges>): Promise<void> =>
    promised((done) => table.commit({ histories: [], runs: [], meta: '{}', ...changes }, done));
  const all = <T>(items: Iterator<T>): T[] => {
    const found: T[] = [];
    for (let next = items.next(); next.done !== true; next = items.next()) found.push(next.value);
    return found;
  };
  const text = (key: string): string | undefined => {
    const history = table.history(key);
    return history === undefined ? undefined : new TextDecoder().decode(history);
  };

  test('an empty one has nothing', () => {
    expect([table.meta(), table.history('k'), all(table.keys()), all(table.run(A, 0, 100))]).toEqual([
      undefined,
      undefined,
      [],
      [],
    ]);
  });

  test('holds what was committed, also after it was opened again', async () => {
    await commit({
      histories: [
        ['k', bytes('one')],
        ['l', bytes('two')],
      ],
      runs: [
        [A, 1, 'k'],
        [B, 2 ** 40, 'l'],
        [A, Number.MAX_SAFE_INTEGER, 'm'],
      ],
      meta: 'first',
    });
    await promised<void>((done) => table.close(done));
    table = new LmdbTable(path);
    expect([text('k'), text('l'), table.meta()]).toEqual(['one', 'two', 'first']);
    expect(all(table.run(A, 0, Number.POSITIVE_INFINITY))).toEqual([
      [1, 'k'],
      [Number.MAX_SAFE_INTEGER, 'm'],
    ]);
    expect(all(table.run(B, 2 ** 40 - 1, 2 ** 40))).toEqual([[2 ** 40, 'l']]);
    expect(all(table.run(B, 2 ** 40, 2 ** 41))).toEqual([]);
    await commit({ histories: [['k', null]], runs: [[A, 1, null]], meta: 'second' });
    expect([text('k'), all(table.keys()), all(table.run(A, 0, 100)), table.meta()]).toEqual([
      undefined,
      ['l'],
      [],
      'second',
    ]);
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
    await commit({ histories: keys.filter((key) => key !== '').map((key) => [key, bytes(key.slice(-3))] as const) });
    const sorted = keys.filter((key) => key !== '').sort(compareKeys);
    expect(all(table.keys())).toEqual(sorted);
    for (const [i, key] of sorted.entries()) {
      expect(text(key)).toBe(key.slice(-3));
      expect(all(table.keys(key))).toEqual(sorted.slice(i + 1));
    }
    await commit({ histories: [[`${long}a`, null]] });
    expect([text(`${long}a`), text(`${long}b`)]).toEqual([undefined, 'xxb']);
  });
});
