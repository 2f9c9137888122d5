import { beforeEach, describe, expect, test } from 'vitest';
import { type Origin, originOf, type ReplicaId } from '../../src/base/ids.js';
import { TIME_MAX } from '../../src/base/limits.js';
import type { News, PullBatch, PullRequest } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { get, type KvReplica, LIMITS, log, pull, put, remove, replicaOf, serve, TERMS } from './replicas.js';

describe('a replica accepts writes', () => {
  let a: KvReplica;
  beforeEach(() => {
    a = replicaOf('a');
  });

  test('stamps rise from 1, past what the session has seen', () => {
    expect(a.accept(put('c', 1, 'k', 'x'), 0)).toEqual({
      kind: 'accepted',
      stamp: { origin: a.origin, acceptTime: 1 },
    });
    expect(a.accept(put('c', 2, 'k', 'x', 40), 0)).toMatchObject({ stamp: { acceptTime: 41 } });
    expect(a.accept(put('d', 1, 'k', 'x'), 0)).toMatchObject({ stamp: { acceptTime: 42 } });
  });

  test('a retry takes effect once and gets the first answer', () => {
    const first = a.accept(put('c', 1, 'k', 'x'), 0);
    a.accept(put('d', 1, 'k', 'y'), 0);
    expect(a.accept(put('c', 1, 'k', 'x'), 0)).toEqual(first);
    expect(get(a, 'k')).toBe('y');
    expect(a.logSize).toBe(2);
  });

  test('a client time that a later write has overtaken is refused: its client lost its counter', () => {
    a.accept(put('c', 1, 'k', 'old'), 0);
    a.accept(put('c', 2, 'k', 'new'), 0);
    expect(a.accept(put('c', 1, 'k', 'old'), 0)).toMatchObject({ kind: 'refused', code: 'ERR_CLIENT_TIME' });
    expect(get(a, 'k')).toBe('new');
  });

  test('a client time that names two operations is refused', () => {
    a.accept(put('c', 1, 'k', 'x'), 0);
    expect(a.accept(put('c', 1, 'k', 'y'), 0)).toMatchObject({ kind: 'refused', code: 'ERR_CLIENT_TIME' });
    expect(a.accept(remove('c', 1, 'k'), 0)).toMatchObject({ kind: 'refused', code: 'ERR_CLIENT_TIME' });
    expect(get(a, 'k')).toBe('x');
  });

  test('a write waits for what its session needs', () => {
    const b = replicaOf('b');
    b.accept(put('c', 1, 'k', 'x'), 0);
    const request = { ...put('c', 2, 'l', 'y'), needs: b.seen() };
    expect(a.accept(request, 0)).toMatchObject({ kind: 'missing' });
    expect(a.logSize).toBe(0);
    pull(a, b);
    expect(a.accept(request, 0)).toMatchObject({ kind: 'accepted', stamp: { acceptTime: 2 } });
  });

  test('no stamp is given beyond the largest exact integer', () => {
    expect(a.accept(put('c', 1, 'k', 'x', TIME_MAX - 1), 0)).toMatchObject({ stamp: { acceptTime: TIME_MAX } });
    expect(a.accept(put('c', 2, 'k', 'y'), 0)).toMatchObject({ kind: 'refused', code: 'ERR_CLOCK_EXHAUSTED' });
    expect(get(a, 'k')).toBe('x');
  });

  test('a hybrid clock follows the wall clock, and never goes back with it', () => {
    const h = replicaOf('h', { clock: 'hybrid' });
    const time = (clientTime: number, now: number): number => {
      const reply = h.accept(put('c', clientTime, 'k', 'x'), now);
      return reply.kind === 'accepted' ? reply.stamp.acceptTime : -1;
    };
    expect(time(1, 1_000)).toBe(1_000 * 2048);
    expect(time(2, 1_000)).toBe(1_000 * 2048 + 1);
    expect(time(3, 500)).toBe(1_000 * 2048 + 2);
    expect(time(4, 1_001)).toBe(1_001 * 2048);
  });
});

describe('a replica prunes', () => {
  test("a client's write is dropped behind its later one on the key, and only there", () => {
    const a = replicaOf('a');
    a.accept(put('c', 1, 'k', '1'), 0);
    a.accept(put('d', 1, 'k', '2'), 0);
    a.accept(put('c', 2, 'l', '3'), 0);
    expect(log(a)).toEqual(['1@a#1 k', '2@a#1 k', '3@a#1 l']);
    a.accept(remove('c', 3, 'k'), 0);
    expect(log(a)).toEqual(['2@a#1 k', '3@a#1 l', '4@a#1 k']);
    expect(get(a, 'k')).toBe('absent');
  });

  test('a write that arrives in a transfer replaces nothing before the transfer is whole', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    a.accept(put('c', 1, 'k', 'old'), 0);
    pull(b, a);
    b.accept(put('c', 2, 'k', 'new', 1), 0);
    b.accept(put('c', 3, 'l', 'more'), 0);
    const request = a.nextPull(b.id, { ...LIMITS, writesMax: 1 });
    a.integrate(b.id, request, serve(b, request), 0);
    expect(log(a)).toEqual(['1@a#1 k', '2@b#1 k']);
    pull(a, b);
    expect(log(a)).toEqual(['2@b#1 k', '3@b#1 l']);
  });
});

describe('anti-entropy', () => {
  test('both sides hold the same after pulling from each other, in the same order', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    for (let i = 1; i <= 5; i++) a.accept(put('c', i, `a${i}`, 'x'), 0);
    for (let i = 1; i <= 3; i++) b.accept(put('d', i, `b${i}`, 'x'), 0);
    pull(a, b);
    pull(b, a);
    expect(log(a)).toEqual(log(b));
    expect(log(a).map((line) => line.split(' ')[0])).toEqual([
      '1@a#1',
      '1@b#1',
      '2@a#1',
      '2@b#1',
      '3@a#1',
      '3@b#1',
      '4@a#1',
      '5@a#1',
    ]);
    expect(a.seen().equals(b.seen())).toBe(true);
  });

  test('on equal accept times the higher id wins, or the lower if the cluster says so', () => {
    for (const [tieBreak, winner] of [
      ['higher', 'ten'],
      ['lower', 'nine'],
    ] as const) {
      const [nine, ten] = [replicaOf('9', { tieBreak }), replicaOf('10', { tieBreak })];
      nine.accept(put('c', 1, 'k', 'nine'), 0);
      ten.accept(put('d', 1, 'k', 'ten'), 0);
      pull(nine, ten);
      pull(ten, nine);
      expect([get(nine, 'k'), get(ten, 'k')]).toEqual([winner, winner]);
    }
  });

  test('the vector moves only when the transfer is whole, and with it what others are served', () => {
    const [a, b, c] = [replicaOf('a'), replicaOf('b'), replicaOf('c')];
    for (let i = 1; i <= 3; i++) a.accept(put('x', i, `k${i}`, 'x'), 0);
    const request = b.nextPull(a.id, { ...LIMITS, writesMax: 2 });
    expect(b.integrate(a.id, request, serve(a, request), 0)).toEqual({ kind: 'integrated', more: true, fresh: false });
    expect(b.seen().get(a.origin)).toBe(0);
    pull(c, b);
    expect(c.logSize).toBe(0);
    pull(b, a);
    expect(b.seen().get(a.origin)).toBe(3);
  });

  test('a transfer that was cut goes on with any peer whose vector dominates the last target', () => {
    const [a, b, c] = [replicaOf('a'), replicaOf('b'), replicaOf('c')];
    for (let i = 1; i <= 10; i++) a.accept(put('x', i, `k${i}`, 'x'), 0);
    pull(c, a);
    const first = b.nextPull(a.id, { ...LIMITS, writesMax: 6 });
    b.integrate(a.id, first, serve(a, first), 0);
    b.interrupted(a.id);
    const second = b.nextPull(c.id, LIMITS);
    const batch = serve(c, second);
    expect(batch).toMatchObject({ resumed: true, more: false });
    expect(batch.writes).toHaveLength(4);
    b.integrate(c.id, second, batch, 0);
    expect(log(b)).toEqual(log(a));
  });

  test('a peer that knows less than the last target starts again from what may be claimed', () => {
    const [a, b, c] = [replicaOf('a'), replicaOf('b'), replicaOf('c')];
    a.accept(put('x', 1, 'k1', 'x'), 0);
    pull(c, a);
    a.accept(put('x', 2, 'k2', 'x'), 0);
    const first = b.nextPull(a.id, { ...LIMITS, writesMax: 1 });
    b.integrate(a.id, first, serve(a, first), 0);
    b.interrupted(a.id);
    const second = b.nextPull(c.id, LIMITS);
    const batch = serve(c, second);
    expect(batch).toMatchObject({ resumed: false, more: false });
    expect(batch.writes).toHaveLength(1);
  });

  test('a batch is bounded by writes and by bytes, but never empty while something is left', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    for (let i = 1; i <= 10; i++) a.accept(put('x', i, `k${i}`, 'x'.repeat(1_000)), 0);
    expect(pull(b, a, { writesMax: 3, bytesMax: 1_000_000 })).toBe(4);
    expect(pull(replicaOf('c'), a, { writesMax: 100, bytesMax: 2_500 })).toBe(5);
    expect(pull(replicaOf('d'), a, { writesMax: 100, bytesMax: 1 })).toBe(10);
  });

  test('a write that the peer pulled while the request was on its way may come back', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    const request = a.nextPull(b.id, LIMITS);
    a.accept(put('x', 1, 'k', 'x'), 0);
    pull(b, a);
    const batch = serve(b, request);
    expect(batch.writes.map(({ origin }) => origin)).toEqual([a.origin]);
    expect(a.integrate(b.id, request, batch, 0)).toMatchObject({ kind: 'integrated', more: false });
    expect(log(a)).toEqual(['1@a#1 k']);
  });

  test('a clock passes every accept time it is shown, also by who asks', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    b.accept(put('x', 1, 'k', 'x', 99), 0);
    serve(a, b.nextPull(a.id, LIMITS));
    expect(a.accept(put('y', 1, 'k', 'y'), 0)).toMatchObject({ stamp: { acceptTime: 101 } });
  });

  test('news is what the peer is not known to cover, and nothing if there is none', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    a.meet(b.origin);
    a.accept(put('x', 1, 'k', 'x'), 0);
    const known = new VersionVector();
    const news = a.nextNews(b.id, known);
    expect([...(news?.fresh.entries() ?? [])]).toEqual([[a.origin, 1]]);
    expect(b.missing(news?.fresh ?? known, 0)).not.toBeNull();
    known.raise(a.origin, 1);
    expect(a.nextNews(b.id, known)).toBeNull();
  });

  test('a read is refused before its key is looked up', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    a.accept(put('x', 1, 'k', 'x'), 0);
    expect(get(b, 'k', a.seen())).toBe('missing');
    expect(get(b, 'k')).toBe('absent');
    pull(b, a);
    expect(get(b, 'k', a.seen())).toBe('x');
  });
});

describe('a replica refuses', () => {
  const [a, b] = [replicaOf('a'), replicaOf('b')];
  a.accept(put('x', 1, 'k1', 'x'), 0);
  a.accept(put('x', 2, 'k2', 'x'), 0);
  const request = b.nextPull(a.id, LIMITS);
  const batch = serve(a, request);
  const vector = (origin: Origin, time: number): VersionVector => new VersionVector([[origin, time]]);
  const [write1, write2] = batch.writes;
  if (write1 === undefined || write2 === undefined) throw new Error('two writes');

  const requests: readonly [string, Partial<PullRequest>, string][] = [
    ['another protocol version', { terms: { ...TERMS, protocol: 2 } }, 'ERR_VERSION_MISMATCH'],
    ['another cluster', { terms: { ...TERMS, cluster: 'prod' } }, 'ERR_CLUSTER_MISMATCH'],
    ['another tie-break', { terms: { ...TERMS, tieBreak: 'lower' } }, 'ERR_TIE_BREAK_MISMATCH'],
    ['another clock', { terms: { ...TERMS, clock: 'hybrid' } }, 'ERR_CLOCK_MISMATCH'],
    ['a request meant for another', { to: 'z' as ReplicaId }, 'ERR_IDENTITY'],
    ['a peer that says it is this replica', { from: a.origin }, 'ERR_IDENTITY'],
    ['stamps it never gave', { seen: vector(a.origin, 3) }, 'ERR_FORGED_STAMPS'],
    [
      'stamps it never gave, in a resumed transfer',
      { resume: { received: vector(a.origin, 9), target: vector(b.origin, 1) } },
      'ERR_FORGED_STAMPS',
    ],
  ];
  test.each(requests)('%s', (_what, change, code) => {
    const before = a.seen();
    expect(a.serve({ ...request, ...change }, 0)).toMatchObject({ kind: 'refused', code });
    expect(a.seen().equals(before)).toBe(true);
  });

  const news: readonly [string, Partial<News>, string][] = [
    ['news of another cluster', { terms: { ...TERMS, cluster: 'prod' } }, 'ERR_CLUSTER_MISMATCH'],
    ['news meant for another', { to: 'z' as ReplicaId }, 'ERR_IDENTITY'],
    ['news that says it is its own', { from: a.origin }, 'ERR_IDENTITY'],
    ['news of stamps it never gave', { fresh: vector(a.origin, 3) }, 'ERR_FORGED_STAMPS'],
  ];
  test.each(news)('%s', (_what, change, code) => {
    const told: News = { terms: TERMS, from: b.origin, to: a.id, fresh: vector(b.origin, 1) };
    expect(a.refusalOf(told)).toBeNull();
    expect(a.refusalOf({ ...told, ...change })).toMatchObject({ kind: 'refused', code });
  });

  const batches: readonly [string, Partial<PullBatch<KvOperation>>, string][] = [
    ['an answer of another replica', { from: originOf('z' as ReplicaId, 1) }, 'ERR_IDENTITY'],
    [
      'a vector with stamps it never gave',
      {
        seen: new VersionVector([
          [a.origin, 2],
          [b.origin, 7],
        ]),
      },
      'ERR_FORGED_STAMPS',
    ],
    ['its own write sent back', { writes: [{ ...write1, origin: b.origin }] }, 'ERR_FORGED_STAMPS'],
    ['a batch out of order', { writes: [write2, write1] }, 'ERR_PROTOCOL'],
    ['a write twice', { writes: [write1, write1] }, 'ERR_PROTOCOL'],
    ['a write that the vector does not cover', { writes: [{ ...write1, acceptTime: 3 }] }, 'ERR_PROTOCOL'],
    ['a transfer resumed that was not named', { resumed: true }, 'ERR_PROTOCOL'],
    ['an empty batch that says more is left', { writes: [], more: true }, 'ERR_PROTOCOL'],
  ];
  test.each(batches)('%s', (_what, change, code) => {
    expect(b.integrate(a.id, request, { ...batch, ...change }, 0)).toMatchObject({ kind: 'refused', code });
    expect(b.logSize).toBe(0);
    expect(b.seen().get(a.origin)).toBe(0);
  });
});
