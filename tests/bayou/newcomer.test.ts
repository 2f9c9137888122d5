import { expect, test } from 'vitest';
import { clusterOf, fold, type KvReplica, put, replicaOf, store, tryPull } from './replicas.js';

const TERMS = { clock: 'hybrid', retryWindowMs: 60_000 } as const;
const NOW = 1_000_000_000;
const LATER = NOW + 3_600_000;

test('a newcomer that wrote alone a moment ago has folded nothing, and nobody rejoins on its account', () => {
  // Since one member is away, the others keep what is older than two windows in their logs.
  const [a, b] = clusterOf(['a', 'b', 'away'], TERMS) as [KvReplica, KvReplica];
  a.accept(put('x', 1, 'old', 'v'), NOW);
  tryPull(b, a, NOW);
  const newcomer = replicaOf('new', TERMS);
  newcomer.accept(put('y', 1, 'fresh', 'w'), LATER);
  fold(newcomer, LATER);
  expect(newcomer.base).toBe(0);
  for (let round = 0; round < 3; round++) {
    for (const [to, from] of [
      [a, newcomer],
      [newcomer, a],
      [b, newcomer],
      [newcomer, b],
    ] as const) {
      expect(tryPull(to, from, LATER)).toMatchObject({ kind: 'integrated' });
    }
  }
  for (const each of [a, b, newcomer]) expect(store(each)).toEqual(['fresh=w', 'old=v']);
});
