import { beforeEach, describe, expect, test } from 'vitest';
import {
  clusterOf,
  exchange,
  fold,
  get,
  type Home,
  homeOf,
  introduce,
  type KvReplica,
  log,
  NO_WINDOW,
  openOver,
  pull,
  put,
  remove,
  replicaOf,
  settle,
  sizes,
  store,
  tryPull,
} from './replicas.js';

const MINUTE = 60_000;

describe('writes are folded', () => {
  let a: KvReplica;
  let b: KvReplica;
  let c: KvReplica;
  beforeEach(() => {
    [a, b, c] = clusterOf(['a', 'b', 'c']) as [KvReplica, KvReplica, KvReplica];
  });

  test('when every member holds them, and every one of them then leaves the log', () => {
    for (let i = 1; i <= 5; i++) a.accept(put('x', i, `a${i}`, 'v'), 0);
    for (let i = 1; i <= 5; i++) b.accept(put('y', i, `b${i}`, 'v'), 0);
    expect(sizes([a, b, c])).toEqual([5, 5, 0]);
    exchange([a, b, c]);
    expect(sizes([a, b, c])).toEqual([10, 10, 10]);
    for (const replica of [a, b, c]) fold(replica);
    expect(sizes([a, b, c])).toEqual([0, 0, 0]);
    expect(log(a)).toEqual([]);
    expect(store(a)).toHaveLength(10);
    expect([store(b), store(c)]).toEqual([store(a), store(a)]);
    expect(a.base).toBeGreaterThanOrEqual(5);
  });

  test('not while one member has not been heard from', () => {
    a.accept(put('x', 1, 'k', 'v'), 0);
    settle([a, b]);
    expect([a.base, b.base, a.stable]).toEqual([0, 0, 0]);
    expect(sizes([a, b])).toEqual([1, 1]);
    expect(a.waitsFor).toContain(c.origin);
    // What it holds may also come by way of another.
    for (let i = 0; i < 4; i++) {
      pull(c, b);
      tryPull(b, c);
      tryPull(c, b);
      tryPull(a, b);
      tryPull(b, a);
    }
    for (const replica of [a, b, c]) fold(replica);
    expect(sizes([a, b, c])).toEqual([0, 0, 0]);
  });

  test('not while the members are counted differently', () => {
    const d = replicaOf('d', NO_WINDOW);
    a.accept(put('x', 1, 'k', 'v'), 0);
    a.meet(d.origin);
    // b and c hear of d with the vector of a, and none of them has heard from it.
    settle([a, b, c]);
    expect(sizes([a, b, c])).toEqual([1, 1, 1]);
    settle([a, b, c, d]);
    expect(sizes([a, b, c, d])).toEqual([0, 0, 0, 0]);
  });

  test('not before each member has attested anew, once there is one more', () => {
    a.accept(put('x', 1, 'k', 'v'), 0);
    exchange([a, b, c]);
    const d = replicaOf('d', NO_WINDOW);
    for (let i = 0; i < 2; i++) tryPull(d, a);
    expect(a.seen().has(d.origin)).toBe(true);
    fold(a);
    expect([a.logSize, a.stable]).toEqual([1, 0]);
    // The others do not know of it yet, and what it writes stands after all they were told.
    fold(b);
    expect(b.logSize).toBe(0);
    const reply = d.accept(put('z', 1, 'k', 'late'), 0);
    expect(reply.kind === 'accepted' && reply.stamp.acceptTime).toBeGreaterThan(b.base);
    settle([a, b, c, d]);
    expect([sizes([a, b, c, d]), get(b, 'k')]).toEqual([[0, 0, 0, 0], 'late']);
  });

  test('and the next write of any member stands after what is folded anywhere', () => {
    a.accept(put('x', 1, 'k', 'v', 40), 0);
    settle([a, b, c]);
    const highest = Math.max(a.base, b.base, c.base);
    expect(highest).toBeGreaterThanOrEqual(41);
    for (const [i, replica] of [a, b, c].entries()) {
      const reply = replica.accept(put('z', i + 1, 'k', 'late'), 0);
      expect(reply.kind === 'accepted' && reply.stamp.acceptTime).toBeGreaterThan(highest);
    }
    settle([a, b, c]);
    expect([get(a, 'k'), sizes([a, b, c])]).toEqual(['late', [0, 0, 0]]);
  });

  test('without any change of what is read, whatever was written over what', () => {
    const writers = [a, b, c];
    for (let i = 1; i <= 60; i++) {
      const replica = writers[i % 3] as KvReplica;
      const key = `k${i % 7}`;
      replica.accept(i % 5 === 0 ? remove(`x${i % 2}`, i, key) : put(`x${i % 2}`, i, key, `v${i}`), 0);
      if (i % 9 === 0) pull(writers[(i + 1) % 3] as KvReplica, replica);
    }
    exchange(writers);
    const before = store(a);
    expect(before.length).toBeGreaterThan(3);
    for (const replica of writers) {
      fold(replica);
      expect(store(replica)).toEqual(before);
      expect(replica.logSize).toBe(0);
    }
  });

  test('also by a replica alone, which goes on to be read', () => {
    const alone = replicaOf('alone', NO_WINDOW);
    alone.accept(put('x', 1, 'k', 'v'), 0);
    alone.accept(put('x', 2, 'l', 'w'), 0);
    fold(alone);
    expect([alone.logSize, alone.base, alone.stable]).toEqual([0, 2, 2]);
    expect(store(alone)).toEqual(['k=v', 'l=w']);
    const reply = alone.read({ key: 'k', needs: alone.seen() }, 0);
    expect(reply).toMatchObject({ kind: 'found', stamp: { origin: alone.origin, acceptTime: 1 } });
  });

  test('and are still folded when the replica is opened again', () => {
    const home = homeOf('home', NO_WINDOW);
    home.replica.accept(put('x', 1, 'k', 'v'), 0);
    fold(home.replica);
    const { base } = home.replica;
    home.replica = openOver(home.storage, 'home', NO_WINDOW);
    expect([home.replica.base, home.replica.logSize, store(home.replica)]).toEqual([base, 0, ['k=v']]);
    expect(home.replica.accept(put('x', 2, 'k', 'w'), 0)).toMatchObject({ stamp: { acceptTime: base + 1 } });
  });
});

describe('the retry window', () => {
  test('keeps what is younger than two of it in the log', () => {
    const replicas = clusterOf(['a', 'b'], { retryWindowMs: 10 });
    const [a, b] = replicas as [KvReplica, KvReplica];
    for (let i = 1; i <= 30; i++) a.accept(put('x', i, `k${i}`, 'v'), 0);
    settle(replicas);
    expect(a.base).toBe(a.stable - 20);
    expect(a.stable).toBeGreaterThanOrEqual(30);
    expect(log(a).map((line) => Number(line.split('@')[0]))).toEqual(
      Array.from({ length: 30 }, (_, i) => i + 1).filter((time) => time > a.base),
    );
    expect(b.logSize).toBe(30 - b.base);
  });

  test('is milliseconds with a hybrid clock, and passes without a write', () => {
    const replicas = clusterOf(['a', 'b'], { retryWindowMs: MINUTE, clock: 'hybrid' });
    const [a, b] = replicas as [KvReplica, KvReplica];
    a.accept(put('x', 1, 'k', 'v'), 1_000_000);
    settle(replicas, 1_000_000 + 2 * MINUTE - 1);
    expect(sizes(replicas)).toEqual([1, 1]);
    settle(replicas, 1_000_000 + 2 * MINUTE + 10);
    expect([...sizes(replicas), get(b, 'k')]).toEqual([0, 0, 'v']);
  });

  test('lets a repeat within it stay without effect, also after its first stamp was folded', () => {
    const replicas = clusterOf(['a', 'b'], { retryWindowMs: 10 });
    const [a, b] = replicas as [KvReplica, KvReplica];
    a.accept(put('x', 1, 'k', 'mine'), 0);
    a.accept(put('y', 1, 'k', 'theirs'), 0);
    // The answer to x was lost, and b has not heard of it.
    expect(b.accept(put('x', 1, 'k', 'mine', 5), 0)).toMatchObject({ stamp: { origin: b.origin, acceptTime: 6 } });
    exchange(replicas);
    expect([get(a, 'k'), get(b, 'k')]).toEqual(['theirs', 'theirs']);
    // Only the first two are due, and the repeat is younger than the base.
    a.accept(put('z', 1, 'l', 'clock', 22), 0);
    for (let upTo = 0; upTo < 20 && a.base < 2; upTo++) {
      exchange(replicas, 0, 1);
      a.compact(0);
    }
    expect(a.base).toBeGreaterThanOrEqual(2);
    expect(a.base).toBeLessThan(6);
    expect(get(a, 'k')).toBe('theirs');
    settle(replicas);
    expect([get(a, 'k'), get(b, 'k')]).toEqual(['theirs', 'theirs']);
    expect(log(a).filter((line) => line.endsWith(' k'))).toEqual([]);
  });

  test('lets a repeat within it stay without effect also if one who joins brings it, when all or some have folded', () => {
    const terms = { clock: 'hybrid', retryWindowMs: 1_000 } as const;
    const now = 1_000_000;
    const replicas = clusterOf(['a', 'b'], terms);
    const [a, b] = replicas as [KvReplica, KvReplica];
    const late = replicaOf('late', terms);
    a.accept(put('x', 1, 'k', 'mine'), now);
    late.accept(put('y', 1, 'k', 'theirs'), now + 250);
    // The answer of a was lost.
    late.accept(put('x', 1, 'k', 'mine'), now + 500);
    exchange(replicas, now + 1_010);
    // One of them would have folded the first stamp by now if it kept it for one window only, the other not yet.
    fold(a, now + 1_010);
    exchange([a, b, late], now + 1_020);
    expect([a, b, late].map((replica) => get(replica, 'k'))).toEqual(['theirs', 'theirs', 'theirs']);
    settle([a, b, late], now + 100_000);
    expect([a, b, late].map((replica) => get(replica, 'k'))).toEqual(['theirs', 'theirs', 'theirs']);
  });

  test('answers a repeat of what is folded with its first stamp', () => {
    const alone = replicaOf('alone', NO_WINDOW);
    const first = alone.accept(put('x', 1, 'k', 'v'), 0);
    fold(alone);
    expect(alone.accept(put('x', 1, 'k', 'v'), 0)).toEqual(first);
    expect(alone.accept(put('x', 1, 'k', 'other'), 0)).toMatchObject({ code: 'ERR_CLIENT_TIME' });
    expect(alone.logSize).toBe(0);
  });
});

describe('a tombstone', () => {
  test('is freed when it is folded by members that know each other', () => {
    const homes = ['a', 'b'].map((id) => homeOf(id, NO_WINDOW)) as [Home, Home];
    const replicas = homes.map(({ replica }) => replica);
    introduce(replicas);
    const [a] = replicas as [KvReplica];
    a.accept(put('x', 1, 'k', 'v'), 0);
    a.accept(remove('y', 1, 'k'), 0);
    exchange(replicas);
    expect(homes.map(({ storage }) => storage.keyCount)).toEqual([1, 1]);
    settle(replicas);
    expect(homes.map(({ storage }) => [storage.keyCount, storage.base('k')])).toEqual([
      [0, null],
      [0, null],
    ]);
    expect(get(a, 'k')).toBe('absent');
  });

  test('is kept by a replica alone, which others may join that hold what it deletes', () => {
    const home = homeOf('alone', NO_WINDOW);
    home.replica.accept(put('x', 1, 'k', 'v'), 0);
    home.replica.accept(remove('x', 2, 'k'), 0);
    fold(home.replica);
    expect(home.storage.base('k')).toMatchObject({ operation: { kind: 'delete' } });
    expect([get(home.replica, 'k'), home.replica.logSize]).toEqual(['absent', 0]);
  });
});
