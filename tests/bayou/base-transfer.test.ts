import { beforeEach, describe, expect, test } from 'vitest';
import type { PullBatch, StorePage } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { KvOperation } from '../../src/machine/kv.js';
import {
  clusterOf,
  exchange,
  fold,
  get,
  type Home,
  homeOf,
  type KvReplica,
  LIMITS,
  log,
  NO_WINDOW,
  openOver,
  pull,
  put,
  replicaOf,
  serve,
  settle,
  sizes,
  store,
  tryPull,
} from './replicas.js';

const MINUTE = 60_000;

/** What came of a base store in one answer. */
function pageOf(batch: PullBatch<KvOperation>): StorePage<KvOperation> {
  if (batch.store === null) throw new Error('the answer is no part of a base store');
  return batch.store;
}

/** One step of a pull; what it brought, and whether there is a next one. */
function step(to: KvReplica, from: KvReplica, writesMax: number): { keys: string[]; more: boolean } {
  const request = to.nextPull(from.id, { ...LIMITS, writesMax });
  const batch = serve(from, request);
  const outcome = to.integrate(from.id, request, batch, 0);
  if (outcome.kind !== 'integrated') throw new Error(JSON.stringify(outcome));
  return { keys: (batch.store?.entries ?? batch.writes).map(({ key }) => key), more: outcome.more };
}

/** Takes all that is left; the keys it brought. */
function takeRest(to: KvReplica, from: KvReplica, writesMax: number): string[] {
  const keys: string[] = [];
  for (;;) {
    const { keys: brought, more } = step(to, from, writesMax);
    keys.push(...brought);
    if (!more) return keys;
  }
}

describe('a replica that lacks the base store', () => {
  const KEYS = Array.from({ length: 10 }, (_, i) => `k${i}`);
  let a: KvReplica;
  let b: KvReplica;
  let late: Home;
  beforeEach(() => {
    const replicas = clusterOf(['a', 'b']);
    [a, b] = replicas as [KvReplica, KvReplica];
    for (const [i, key] of KEYS.entries()) a.accept(put('x', i + 1, key, `v${i}`), 0);
    settle(replicas);
    expect(sizes(replicas)).toEqual([0, 0]);
    // The same base store, and the same tail.
    expect(a.base).toBe(b.base);
    for (let i = 0; i < 4; i++) a.accept(put('y', i + 1, `t${i}`, 'tail'), 0);
    pull(b, a);
    late = homeOf('late', NO_WINDOW);
  });

  const expectAll = (): void => {
    expect(store(late.replica)).toEqual(store(a));
    expect(late.replica.base).toBe(a.base);
    expect(log(late.replica)).toEqual(log(a));
    expect(late.replica.seen().dominates(a.seen())).toBe(true);
  };

  test('gets it page by page, in the order of its keys, and then the tail', () => {
    const brought = takeRest(late.replica, a, 3);
    expect(brought).toEqual([...KEYS, 't0', 't1', 't2', 't3']);
    expectAll();
  });

  test('gets pages of a bounded size', () => {
    const big = replicaOf('big', NO_WINDOW);
    for (const [i, key] of KEYS.entries()) big.accept(put('x', i + 1, key, 'v'.repeat(1_000)), 0);
    fold(big);
    const request = late.replica.nextPull(big.id, { writesMax: 100, bytesMax: 3_500 });
    expect(pageOf(serve(big, request))).toMatchObject({ after: null, upTo: 'k2', entries: { length: 3 } });
    // One at least, however large.
    const small = late.replica.nextPull(big.id, { writesMax: 100, bytesMax: 1 });
    expect(pageOf(serve(big, small)).entries).toHaveLength(1);
  });

  test('claims nothing of it, and serves and folds nothing, before the tail is there', () => {
    const needs = a.seen();
    for (let more = true; more; ) {
      more = step(late.replica, a, 3).more;
      if (!more) break;
      expect(late.replica.seen().get(a.origin)).toBe(0);
      expect(get(late.replica, 'k0', needs)).toBe('missing');
      expect(late.replica.compact(0)).toBe(false);
      const request = b.nextPull(late.replica.id, LIMITS);
      expect(late.replica.serve(request, 0)).toMatchObject({ kind: 'refused', code: 'ERR_BEHIND' });
      b.interrupted(late.replica.id);
    }
    expect(get(late.replica, 'k0', needs)).toBe('v0');
    expect(tryPull(b, late.replica)).toMatchObject({ kind: 'integrated' });
  });

  test('keeps it from being folded on, until a minute after the last page', () => {
    step(late.replica, a, 3);
    exchange([a, b]);
    expect(a.stable).toBeGreaterThan(a.base);
    expect([a.compact(0), a.compact(MINUTE - 1), a.logSize]).toEqual([false, false, 4]);
    fold(a, MINUTE);
    expect(a.logSize).toBe(0);
  });

  test('keeps it from being folded on for an hour in all', () => {
    const { base } = a;
    exchange([a, b]);
    for (let minute = 0; minute < 60; minute++) {
      const request = late.replica.nextPull(a.id, { ...LIMITS, writesMax: 1 });
      serve(a, request, minute * MINUTE);
      fold(a, minute * MINUTE);
      expect(a.base).toBe(base);
    }
    fold(a, 60 * MINUTE);
    expect(a.base).toBeGreaterThan(base);
  });

  for (const at of [1, 2, 3, 4, 5]) {
    test(`goes on where it was, when it is opened again after step ${at}`, () => {
      const brought: string[] = [];
      for (let i = 0; i < at; i++) brought.push(...step(late.replica, a, 3).keys);
      late.replica = openOver(late.storage, 'late', NO_WINDOW, { life: 1 });
      brought.push(...takeRest(late.replica, a, 3));
      expect(brought).toEqual([...KEYS, 't0', 't1', 't2', 't3']);
      expectAll();
    });

    test(`goes on with another that has the same one, when the first is lost after step ${at}`, () => {
      const brought: string[] = [];
      for (let i = 0; i < at; i++) brought.push(...step(late.replica, a, 3).keys);
      late.replica.interrupted(a.id);
      brought.push(...takeRest(late.replica, b, 3));
      expect(brought).toEqual([...KEYS, 't0', 't1', 't2', 't3']);
      expectAll();
    });

    test(`loses no more than one page when an answer is lost after step ${at}, and it is opened again`, () => {
      const brought: string[] = [];
      for (let i = 0; i < at; i++) brought.push(...step(late.replica, a, 3).keys);
      // One more is on its way, and nobody is there to take it.
      const lost = serve(a, late.replica.nextPull(a.id, { ...LIMITS, writesMax: 3 }));
      late.replica = openOver(late.storage, 'late', NO_WINDOW, { life: 1 });
      const rest = takeRest(late.replica, b, 3);
      expect([...brought, ...rest]).toEqual([...KEYS, 't0', 't1', 't2', 't3']);
      expect((lost.store?.entries ?? lost.writes).length).toBeLessThanOrEqual(3);
      expectAll();
    });
  }

  test('begins again with one who has folded more, and ends with that', () => {
    step(late.replica, a, 3);
    late.replica.interrupted(a.id);
    exchange([a, b]);
    fold(b);
    expect(b.logSize).toBe(0);
    a.accept(put('z', 1, 'tail', 'v'), 0);
    pull(b, a);
    expect(takeRest(late.replica, b, 3)).toEqual([...KEYS, 't0', 't1', 't2', 't3', 'tail']);
    expect([store(late.replica), late.replica.base, log(late.replica)]).toEqual([store(b), b.base, log(b)]);
  });

  test('gets no page again when it has only been folded further than its own', () => {
    takeRest(late.replica, a, 3);
    settle([a, b, late.replica], MINUTE);
    a.accept(put('z', 1, 'new', 'v'), 0);
    exchange([a, b, late.replica], MINUTE);
    fold(a, MINUTE);
    expect([a.logSize, late.replica.logSize]).toEqual([0, 1]);
    const batch = serve(a, late.replica.nextPull(a.id, LIMITS));
    expect([batch.store, batch.writes, batch.more]).toEqual([null, [], false]);
  });

  test('can claim it also when nothing has happened since all was folded, whoever it asks', () => {
    settle([a, b]);
    expect(sizes([a, b])).toEqual([0, 0]);
    for (let i = 0; i < 10; i++) {
      tryPull(late.replica, b);
      // They have nothing to fold, and so ask for no attestation.
      pull(a, b);
      pull(b, a);
    }
    expect(late.replica.seen().dominates(b.seen())).toBe(true);
  });

  test('keeps its own writes that stand after it', () => {
    late.replica.accept(put('own', 1, 'own', 'mine', 1_000), 0);
    pull(late.replica, a);
    expect(store(late.replica)).toEqual([...store(a), 'own=mine'].sort());
    expect(tryPull(a, late.replica)).toMatchObject({ kind: 'integrated' });
    expect(get(a, 'own')).toBe('mine');
  });
});

describe('a part of a base store is refused', () => {
  const a = replicaOf('a', NO_WINDOW);
  for (let i = 0; i < 6; i++) a.accept(put('x', i + 1, `k${i}`, 'v'), 0);
  fold(a);
  const late = replicaOf('late', NO_WINDOW);
  const request = late.nextPull(a.id, { ...LIMITS, writesMax: 3 });
  const batch = serve(a, request);
  const page = pageOf(batch);
  const [first, second, third] = page.entries;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three entries');

  const pages: readonly [string, Partial<StorePage<KvOperation>>][] = [
    ['whose keys are not in order', { entries: [second, first, third] }],
    ['with a key twice', { entries: [first, first] }],
    ['with a key beyond its end', { upTo: 'k1' }],
    ['with a key at or before its beginning', { after: 'k0' }],
    ['with a write its base store does not cover', { vector: new VersionVector() }],
    ['with a write that stands after its base store', { time: 1 }],
    ['that does not get on', { after: 'k5', entries: [], upTo: 'k5' }],
  ];
  const batches: readonly (readonly [string, Partial<PullBatch<KvOperation>>])[] = [
    ...pages.map(([what, change]) => [what, { store: { ...page, ...change } }] as const),
    ['with writes beside it', { writes: [first] }],
    ['after which nothing comes', { more: false }],
  ];
  test.each(batches)('%s', (_what, change) => {
    const outcome = late.integrate(a.id, request, { ...batch, ...change }, 0);
    expect(outcome).toMatchObject({ kind: 'refused', code: 'ERR_PROTOCOL' });
    expect([store(late), late.base, late.logSize]).toEqual([[], 0, 0]);
  });

  test('and not otherwise', () => {
    expect(late.integrate(a.id, request, batch, 0)).toMatchObject({ kind: 'integrated', more: true });
    expect(store(late)).toEqual(['k0=v', 'k1=v', 'k2=v']);
  });
});

describe('a transfer of the log', () => {
  for (const at of [1, 2, 4]) {
    test(`goes on where it was when the requester is opened again after batch ${at}`, () => {
      const a = replicaOf('a');
      for (let i = 0; i < 10; i++) a.accept(put('x', i + 1, `k${i}`, 'v'), 0);
      const late = homeOf('late');
      const brought: string[] = [];
      for (let i = 0; i < at; i++) brought.push(...step(late.replica, a, 2).keys);
      late.replica = openOver(late.storage, 'late', {}, { life: 1 });
      expect(late.replica.nextPull(a.id, LIMITS).resume).not.toBeNull();
      late.replica.interrupted(a.id);
      brought.push(...takeRest(late.replica, a, 2));
      expect(brought).toEqual(Array.from({ length: 10 }, (_, i) => `k${i}`));
      expect(log(late.replica)).toEqual(log(a));
      expect(late.replica.nextPull(a.id, LIMITS).resume).toBeNull();
    });
  }

  test('is forgotten once it is whole, also by the storage', () => {
    const a = replicaOf('a');
    for (let i = 0; i < 4; i++) a.accept(put('x', i + 1, `k${i}`, 'v'), 0);
    const late = homeOf('late');
    takeRest(late.replica, a, 1);
    late.replica = openOver(late.storage, 'late', {}, { life: 1 });
    expect(late.replica.nextPull(a.id, LIMITS).resume).toBeNull();
  });
});
