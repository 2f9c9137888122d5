import { beforeEach, describe, expect, test } from 'vitest';
import { originOf, type ReplicaId } from '../../src/base/ids.js';
import type { Held, Integrated } from '../../src/bayou/replica.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { get, type KvReplica, LIMITS, log, put, replicaOf, serve, TERMS } from './replicas.js';

const HYBRID = { ...TERMS, clock: 'hybrid' } as const;
const MAX_DRIFT_MS = 1_000;
const NOW = 1_000_000;
const TICKS_PER_MS = 2048;

/** `to` pulls from `from` until it ends, one way or the other, at the wall-clock time `now` of both. */
function pullAt(now: number, to: KvReplica, from: KvReplica, limits = LIMITS): Integrated | Held {
  for (;;) {
    const request = to.nextPull(from.id, limits);
    const outcome = to.integrate(from.id, request, serve(from, request, now), now);
    if (outcome.kind === 'refused' || outcome.kind === 'rejoin') throw new Error(outcome.message);
    if (outcome.kind === 'held' || !outcome.more) return outcome;
  }
}

/** The accept time of a new write. */
function stampAt(now: number, replica: KvReplica, after = 0): number {
  const reply = replica.accept(put('probe', replica.logSize + 1, 'probe', 'x', after), now);
  if (reply.kind !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(reply)}`);
  return reply.stamp.acceptTime;
}

describe('a write too far ahead of the wall clock', () => {
  let right: KvReplica;
  let fast: KvReplica;
  let third: KvReplica;
  beforeEach(() => {
    [right, fast, third] = ['right', 'fast', 'third'].map((id) => replicaOf(id, HYBRID, MAX_DRIFT_MS)) as [
      KvReplica,
      KvReplica,
      KvReplica,
    ];
    fast.accept(put('c', 1, 'before', 'good'), NOW);
    // Its clock jumps.
    fast.accept(put('c', 2, 'ahead', 'early'), NOW + 10_000);
  });

  test('is not taken; what stands before it is, but nothing is claimed', () => {
    expect(pullAt(NOW, right, fast)).toEqual({ kind: 'held', origin: fast.origin, aheadMs: 10_000 });
    expect([get(right, 'before'), get(right, 'ahead')]).toEqual(['good', 'absent']);
    expect(right.seen().get(fast.origin)).toBe(0);
  });

  test('does not drag the clock', () => {
    pullAt(NOW, right, fast);
    expect(stampAt(NOW, right)).toBeLessThan((NOW + 1) * TICKS_PER_MS);
  });

  test('comes by itself when time has caught up, and nothing was lost', () => {
    for (const now of [NOW, NOW + 5_000, NOW + 8_999]) expect(pullAt(now, right, fast)).toMatchObject({ kind: 'held' });
    expect(pullAt(NOW + 9_000, right, fast)).toMatchObject({ kind: 'integrated', more: false });
    expect(get(right, 'ahead')).toBe('early');
    expect(log(right)).toEqual(log(fast));
    expect(right.seen().equals(fast.seen())).toBe(true);
  });

  test('is asked for one write at a time while it waits, and then at full size again', () => {
    expect(pullAt(NOW, right, fast)).toMatchObject({ kind: 'held' });
    for (let i = 1; i <= 10; i++) third.accept(put('d', i, `k${i}`, 'x'), NOW);
    pullAt(NOW, fast, third);
    const request = right.nextPull(fast.id, LIMITS);
    expect(request.writesMax).toBe(1);
    right.integrate(fast.id, request, serve(fast, request, NOW), NOW);
    expect(right.nextPull(fast.id, LIMITS).writesMax).toBe(LIMITS.writesMax);
    expect(pullAt(NOW, right, fast)).toMatchObject({ kind: 'held' });
    expect(get(right, 'k10')).toBe('x');
  });

  test('stays with its peer when that cannot be reached for a while', () => {
    pullAt(NOW, right, fast);
    right.nextPull(fast.id, LIMITS);
    right.interrupted(fast.id);
    expect(right.nextPull(third.id, LIMITS).resume).toBeNull();
    expect(right.nextPull(fast.id, LIMITS)).toMatchObject({ writesMax: 1, resume: { target: fast.seen() } });
  });

  test('does not keep other transfers waiting', () => {
    third.accept(put('d', 1, 'k', 'x'), NOW);
    pullAt(NOW, right, fast);
    expect(pullAt(NOW, right, third)).toMatchObject({ kind: 'integrated' });
    expect(right.seen().covers(third.origin, 1)).toBe(true);
  });

  test('whose write stood before it on the same key is not claimed in its place', () => {
    // The good one was replaced by the one ahead before anybody else had it.
    const [author, reader] = [replicaOf('author', HYBRID, MAX_DRIFT_MS), replicaOf('reader', HYBRID, MAX_DRIFT_MS)];
    author.accept(put('c', 1, 'k', 'old'), NOW);
    pullAt(NOW, third, author);
    const held = third.seen();
    author.accept(put('c', 2, 'k', 'new'), NOW + 10_000);
    expect(pullAt(NOW, reader, author)).toMatchObject({ kind: 'held' });
    expect([get(third, 'k', held), get(reader, 'k', held)]).toEqual(['old', 'missing']);
  });

  test('is passed by the clock as far as it was taken', () => {
    const near = replicaOf('near', HYBRID, MAX_DRIFT_MS);
    near.accept(put('c', 1, 'k', 'x'), NOW + 500);
    near.accept(put('c', 2, 'l', 'x'), NOW + 10_000);
    expect(pullAt(NOW, right, near)).toMatchObject({ kind: 'held' });
    expect(right.accept(put('d', 1, 'k', 'y'), NOW)).toMatchObject({
      stamp: { acceptTime: (NOW + 500) * TICKS_PER_MS + 1 },
    });
    expect(get(right, 'k')).toBe('y');
  });

  test('does not drag the clock by the vector of who asks either', () => {
    serve(right, fast.nextPull(right.id, LIMITS), NOW);
    expect(stampAt(NOW, right)).toBeLessThan((NOW + 1) * TICKS_PER_MS);
  });

  test('is not claimed by a vector alone', () => {
    const ghost = originOf('ghost' as ReplicaId, 1);
    const request = right.nextPull(fast.id, LIMITS);
    const seen = new VersionVector([[ghost, (NOW + 60_000) * TICKS_PER_MS]]);
    const batch = { ...serve(fast, request, NOW), writes: [], seen, more: false };
    expect(right.integrate(fast.id, request, batch, NOW)).toEqual({ kind: 'held', origin: ghost, aheadMs: 60_000 });
    expect(right.seen().has(ghost)).toBe(false);
  });

  test('is no news yet', () => {
    const news = fast.nextNews(right.id, new VersionVector());
    if (news === null) throw new Error('there is news');
    expect(right.missing(news.fresh, NOW)).toBeNull();
    expect(right.missing(news.fresh, NOW + 9_000)?.equals(news.fresh)).toBe(true);
  });

  test('is taken by a replica that allows it, and by one whose clock counts', () => {
    const open = replicaOf('open', HYBRID, null);
    expect(pullAt(NOW, open, fast)).toMatchObject({ kind: 'integrated' });
    const [a, b] = [replicaOf('a', TERMS, MAX_DRIFT_MS), replicaOf('b', TERMS, MAX_DRIFT_MS)];
    a.accept(put('c', 1, 'k', 'x', 1e15), NOW);
    expect(pullAt(NOW, b, a)).toMatchObject({ kind: 'integrated' });
  });
});

describe('a session too far ahead of the wall clock', () => {
  test('cannot write, except where the clock is that far already', () => {
    const [right, fast] = [replicaOf('right', HYBRID, MAX_DRIFT_MS), replicaOf('fast', HYBRID, MAX_DRIFT_MS)];
    const after = stampAt(NOW + 10_000, fast);
    expect(right.accept(put('c', 1, 'k', 'x', after), NOW)).toMatchObject({ kind: 'refused', code: 'ERR_CLOCK_DRIFT' });
    expect(stampAt(NOW, right)).toBeLessThan((NOW + 1) * TICKS_PER_MS);
    // The fast one's wall clock was set right; what it gave stands.
    expect(stampAt(NOW, fast, after)).toBe(after + 1);
    expect(stampAt(NOW + 9_000, right, after)).toBe(after + 1);
  });

  test('may be ahead by what is allowed', () => {
    const right = replicaOf('right', HYBRID, MAX_DRIFT_MS);
    const after = (NOW + MAX_DRIFT_MS) * TICKS_PER_MS;
    expect(stampAt(NOW, right, after)).toBe(after + 1);
  });
});
