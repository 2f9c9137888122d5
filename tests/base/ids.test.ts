import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareIds,
  compareKeys,
  compareOrigins,
  incarnationOf,
  originOf,
  type ReplicaId,
  replicaIdOf,
} from '../../src/base/ids.js';

describe('ids', () => {
  test('numbers compare as numbers, other ids by length and then by character', () => {
    expect(['10', '9', 'b', '100', 'a', 'aa'].sort(compareIds)).toEqual(['9', 'a', 'b', '10', 'aa', '100']);
  });

  test('an origin gives back its id and incarnation, whatever the id holds', () => {
    for (const id of ['1', 'a#2', '#', 'till 7']) {
      const origin = originOf(id as ReplicaId, 12);
      expect([replicaIdOf(origin), incarnationOf(origin)]).toEqual([id, 12]);
    }
  });

  test('incarnations of one id compare as numbers', () => {
    const [two, ten] = [originOf('1' as ReplicaId, 2), originOf('1' as ReplicaId, 10)];
    expect(compareOrigins(two, ten)).toBeLessThan(0);
    expect(compareOrigins(originOf('9' as ReplicaId, 5), originOf('10' as ReplicaId, 1))).toBeLessThan(0);
  });

  test('keys compare as their UTF-8 bytes do', () => {
    const key = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });
});
