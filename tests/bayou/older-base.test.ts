import { expect, test } from 'vitest';
import { clusterOf, exchange, fold, homeOf, type KvReplica, LIMITS, NO_WINDOW, put, serve, store } from './replicas.js';

test('a transfer that counted on a base store is not gone on with when an older one has taken its place', () => {
  const members = clusterOf(['ahead', 'behind']);
  const [ahead, behind] = members as [KvReplica, KvReplica];
  for (let i = 0; i < 10; i++) {
    ahead.accept(put('x', i + 1, `k${i}`, 'v'), 0);
    if (i !== 4) continue;
    exchange(members);
    fold(behind);
  }
  exchange(members);
  fold(ahead);
  expect([ahead.base > behind.base, behind.base > 0]).toEqual([true, true]);
  for (let i = 0; i < 4; i++) ahead.accept(put('y', i + 1, `t${i}`, 'tail'), 0);

  const { replica: late } = homeOf('late', NO_WINDOW);
  const step = (from: KvReplica, writesMax: number): boolean => {
    const request = late.nextPull(from.id, { ...LIMITS, writesMax });
    const outcome = late.integrate(from.id, request, serve(from, request), 0);
    if (outcome.kind !== 'integrated') throw new Error(JSON.stringify(outcome));
    return outcome.more;
  };
  step(ahead, 100);
  step(ahead, 2);
  expect(late.base).toBe(ahead.base);
  late.interrupted(ahead.id);
  // Both go on with what was cut; the one who is behind cannot, and gives its own base store.
  const request = late.nextPull(ahead.id, LIMITS);
  const rest = serve(ahead, request);
  expect(rest.more).toBe(false);
  step(behind, 100);
  expect(late.base).toBe(behind.base);
  late.integrate(ahead.id, request, rest, 0);
  for (let steps = 0; step(ahead, 100); steps++) expect(steps).toBeLessThan(10);
  expect(late.seen().dominates(ahead.seen())).toBe(true);
  expect(store(late)).toEqual(store(ahead));
});
