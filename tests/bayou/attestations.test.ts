import { describe, expect, test } from 'vitest';
import {
  clusterOf,
  homeOf,
  type KvReplica,
  LIMITS,
  NO_WINDOW,
  openOver,
  pull,
  put,
  serve,
  tryPull,
} from './replicas.js';

/** Writes so many keys of its own. */
function write(replica: KvReplica, count: number): void {
  for (let i = 1; i <= count; i++) replica.accept(put(`of ${replica.id}`, i, `${replica.id}${i}`, 'x'), 0);
}

describe('what a member attests', () => {
  test('counts for a peer once that holds all that the member claims, and not after a part of it', () => {
    const [a, b] = clusterOf(['a', 'b']) as [KvReplica, KvReplica];
    write(a, 2);
    write(b, 10);
    tryPull(a, b);
    const request = b.nextPull(a.id, { ...LIMITS, writesMax: 1, report: true });
    const outcome = b.integrate(a.id, request, serve(a, request), 0);
    expect(outcome).toMatchObject({ kind: 'integrated', more: true });
    b.compact(0);
    expect([b.stable, b.base]).toEqual([0, 0]);
    expect(tryPull(b, a)).toMatchObject({ kind: 'integrated' });
    expect(b.logSize).toBe(12);
  });

  test('binds it also when it is opened again', () => {
    const { storage, replica: a } = homeOf('a', NO_WINDOW);
    const [b] = clusterOf(['b']) as [KvReplica];
    b.accept(put('x', 1, 'k', 'v', 99), 0);
    // It passes the clock of who asks, and attests that.
    const batch = serve(a, b.nextPull(a.id, { ...LIMITS, report: true }));
    const clock = batch.report?.attestations.find(({ origin }) => origin === a.origin)?.clock ?? 0;
    expect(clock).toBeGreaterThanOrEqual(100);
    const again = openOver(storage, 'a', NO_WINDOW);
    const reply = again.accept(put('y', 1, 'k', 'w'), 0);
    expect(reply.kind === 'accepted' ? reply.stamp.acceptTime : 0).toBeGreaterThan(clock);
  });

  test('is not that it holds what it has not heard of, however far its clock is', () => {
    const [a, b, c] = clusterOf(['a', 'b', 'c']) as [KvReplica, KvReplica, KvReplica];
    write(a, 1);
    for (const other of [b, c]) {
      write(other, 5);
      tryPull(a, other);
    }
    a.compact(0);
    expect([a.stable, a.base, a.logSize]).toEqual([0, 0, 11]);
    pull(b, a);
    expect(b.logSize).toBe(11);
  });
});
