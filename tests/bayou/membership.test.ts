import { beforeEach, describe, expect, test } from 'vitest';
import { originOf, type ReplicaId } from '../../src/base/ids.js';
import type { PullRequest } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import {
  exchange,
  fold,
  get,
  type Home,
  homeOf,
  introduce,
  type KvReplica,
  LIMITS,
  log,
  meetUp,
  openOver,
  pull,
  put,
  rejoin,
  remove,
  replicaOf,
  serve,
  settle,
  store,
  TERMS,
  tryPull,
} from './replicas.js';

/** What is older than a second is folded, once all hold it. */
const SHORT_WINDOW = { clock: 'hybrid', retryWindowMs: 1_000 } as const;
const NOW = 1_000_000;
/** When all that came before may be folded. */
const LATER = NOW + 20_000;

/** All that the members hold is folded. */
function foldedCluster(ids: readonly string[]): Home[] {
  const homes = ids.map((id) => homeOf(id, SHORT_WINDOW));
  const replicas = homes.map(({ replica }) => replica);
  introduce(replicas);
  replicas[0]?.accept(put('founder', 1, 'old', 'of the cluster'), NOW);
  settle(replicas, LATER);
  expect(replicas.map(({ logSize }) => logSize)).toEqual(ids.map(() => 0));
  return homes;
}

function pullNow(to: KvReplica, from: KvReplica): void {
  pull(to, from, LIMITS, NOW);
}

function expectEqual(homes: readonly Home[]): void {
  const [first] = homes as readonly [Home];
  for (const { replica } of homes) {
    expect(store(replica)).toEqual(store(first.replica));
    expect(log(replica)).toEqual(log(first.replica));
    expect(`${replica.seen()}`).toBe(`${first.replica.seen()}`);
  }
}

describe('a member that is retired', () => {
  let a: Home;
  let b: Home;
  let c: Home;
  beforeEach(() => {
    [a, b, c] = ['a', 'b', 'c'].map((id) => homeOf(id, SHORT_WINDOW)) as [Home, Home, Home];
    introduce([a, b, c].map(({ replica }) => replica));
    a.replica.accept(put('x', 1, 'k', 'v'), NOW);
    exchange([a.replica, b.replica, c.replica], NOW);
    a.replica.accept(put('x', 2, 'k', 'w'), NOW);
  });

  test('is waited for no more, by all who hear of it by way of others', () => {
    settle([a.replica, b.replica], LATER);
    expect([a.replica.logSize, a.replica.waitsFor]).toEqual([1, [c.replica.origin]]);
    expect(a.replica.retire(c.replica.id)).toBeNull();
    const d = replicaOf('d', SHORT_WINDOW);
    settle([a.replica, b.replica], LATER);
    tryPull(d, b.replica, LATER);
    expect([a.replica, b.replica, d].map(({ retired }) => retired)).toEqual([['c#1'], ['c#1'], ['c#1']]);
    settle([a.replica, b.replica, d], LATER);
    expect([a.replica, b.replica, d].map(({ logSize }) => logSize)).toEqual([0, 0, 0]);
    expect(store(d)).toEqual(['k=w']);
  });

  test('stays so when who heard of it is opened again', () => {
    a.replica.retire(c.replica.id);
    a.replica = openOver(a.storage, 'a', SHORT_WINDOW, { life: 1 });
    expect(a.replica.retired).toEqual(['c#1']);
  });

  test('gets nothing any more, and nothing is taken from it', () => {
    a.replica.retire(c.replica.id);
    const request = c.replica.nextPull(a.replica.id, LIMITS);
    expect(a.replica.serve(request, NOW)).toMatchObject({ kind: 'refused', code: 'ERR_RETIRED' });
    c.replica.accept(put('y', 1, 'mine', 'v'), NOW);
    const news = c.replica.nextNews(a.replica.id, new VersionVector());
    if (news === null) throw new Error('there is news');
    expect(a.replica.refusalOf(news)).toMatchObject({ kind: 'refused', code: 'ERR_RETIRED' });
    expect(tryPull(a.replica, c.replica, LATER)).toMatchObject({ kind: 'refused', code: 'ERR_BEHIND' });
    expect(get(a.replica, 'mine')).toBe('absent');
    // Who has not heard of it yet takes its writes, and so may others then: they are as good as any.
    pullNow(b.replica, c.replica);
    pullNow(a.replica, b.replica);
    expect(get(a.replica, 'mine')).toBe('v');
  });

  test('cannot be the replica that is asked, or one that is not known', () => {
    expect(a.replica.retire(a.replica.id)).toMatchObject({ kind: 'refused', code: 'ERR_IDENTITY' });
    expect(a.replica.retire('z' as ReplicaId)).toMatchObject({ kind: 'refused', code: 'ERR_UNKNOWN_ID' });
    expect(a.replica.retired).toEqual([]);
  });

  for (const folded of [false, true]) {
    describe(`and returns when the others have ${folded ? 'folded all' : 'all in their logs'}`, () => {
      const retireAndGoOn = (): void => {
        a.replica.retire(c.replica.id);
        exchange([a.replica, b.replica], NOW);
        if (folded) settle([a.replica, b.replica], LATER);
      };

      test('takes another incarnation, and submits once what nobody had received', () => {
        c.replica.accept(put('y', 1, 'own', '1'), NOW);
        c.replica.accept(put('y', 2, 'own', '2'), NOW);
        c.replica.accept(put('z', 1, 'other', '3'), NOW);
        c.replica.accept(remove('z', 2, 'k'), NOW);
        retireAndGoOn();
        expect(tryPull(c.replica, a.replica, LATER)).toMatchObject({ kind: 'refused', code: 'ERR_RETIRED' });
        rejoin(c, a.replica);
        expect(c.replica.origin).toBe('c#2');
        // Nothing is folded yet, so that every write is still to be seen.
        for (const to of [c, a, b, c]) for (const from of [a, c]) if (to !== from) pullNow(to.replica, from.replica);
        expect(log(c.replica)).toEqual(log(a.replica));
        expect(store(a.replica)).toEqual(['other=3', 'own=2']);
        const own = log(a.replica).filter((line) => line.includes('@c#'));
        expect(own.map((line) => line.split('@')[1]).sort()).toEqual(['c#2 k', 'c#2 other', 'c#2 own']);
        meetUp([a, b, c], LATER);
        expectEqual([a, b, c]);
        expect([a.replica.logSize, store(b.replica)]).toEqual([0, ['other=3', 'own=2']]);
      });

      test('submits nothing that one of the others had received', () => {
        c.replica.accept(put('y', 1, 'shared', '1'), NOW);
        pullNow(b.replica, c.replica);
        c.replica.accept(put('y', 2, 'own', '2'), NOW);
        retireAndGoOn();
        meetUp([a, b, c], LATER);
        expectEqual([a, b, c]);
        expect(store(a.replica)).toEqual(['k=w', 'own=2', 'shared=1']);
        const reply = a.replica.read({ key: 'shared', needs: null }, 0);
        expect(reply).toMatchObject({ kind: 'found', stamp: { origin: 'c#1' } });
      });

      test('does not bring back what its client has overwritten elsewhere', () => {
        const reply = c.replica.accept(put('y', 1, 'moved', 'old'), NOW);
        const after = reply.kind === 'accepted' ? reply.stamp.acceptTime : 0;
        a.replica.accept(put('y', 2, 'moved', 'new', after), NOW);
        a.replica.retire(c.replica.id);
        settle([a.replica, b.replica], LATER);
        meetUp([a, b, c], LATER);
        expectEqual([a, b, c]);
        expect(get(c.replica, 'moved')).toBe('new');
      });

      test('may be retired again, and return again', () => {
        retireAndGoOn();
        meetUp([a, b, c], LATER);
        expect(c.replica.origin).toBe('c#2');
        c.replica.accept(put('y', 1, 'own', 'of the second'), NOW);
        expect(a.replica.retire(c.replica.id)).toBeNull();
        settle([a.replica, b.replica], LATER);
        meetUp([a, b, c], LATER);
        expect(c.replica.origin).toBe('c#3');
        expectEqual([a, b, c]);
        expect(get(a.replica, 'own')).toBe('of the second');
      });
    });
  }

  test('and returns to the only one that is left, which still lacks the tail of its base store: both go on', () => {
    const [one, late] = ['one', 'late'].map((id) => homeOf(id, SHORT_WINDOW)) as [Home, Home];
    one.replica.accept(put('x', 1, 'k', 'v'), NOW);
    fold(one.replica, LATER);
    late.replica.meet(one.replica.origin);
    const request = late.replica.nextPull(one.replica.id, LIMITS);
    late.replica.integrate(one.replica.id, request, serve(one.replica, request, LATER), LATER);
    late.replica.interrupted(one.replica.id);
    expect([late.replica.base > 0, late.replica.seen().get(one.replica.origin)]).toEqual([true, 0]);
    late.replica.accept(put('y', 1, 'l', 'w'), LATER);
    expect(late.replica.retire(one.replica.id)).toBeNull();
    meetUp([one, late], LATER);
    expectEqual([one, late]);
    expect(store(one.replica)).toEqual(['k=v', 'l=w']);
  });

  test('tells that it has left, also when it is opened again before it has another incarnation', () => {
    expect(c.replica.hasLeft).toBe(false);
    c.replica.leave(a.replica.id);
    expect(c.replica.hasLeft).toBe(true);
    expect(openOver(c.storage, 'c', SHORT_WINDOW).hasLeft).toBe(true);
    expect(openOver(c.storage, 'c', SHORT_WINDOW, { incarnation: 2 }).hasLeft).toBe(false);
  });
});

describe('a replica that wrote alone', () => {
  test('joins a cluster that has folded beyond its writes, and loses none', () => {
    const [a, b] = foldedCluster(['a', 'b']) as [Home, Home];
    const loner = homeOf('loner', SHORT_WINDOW);
    for (let i = 1; i <= 5; i++) loner.replica.accept(put('y', i, `own${i}`, `v${i}`), NOW);
    loner.replica.accept(put('y', 6, 'old', 'of the loner'), NOW);
    expect(tryPull(loner.replica, a.replica, LATER)).toMatchObject({ kind: 'rejoin' });
    expect(tryPull(a.replica, loner.replica, LATER)).toMatchObject({ kind: 'refused', code: 'ERR_BEHIND' });
    meetUp([a, b, loner], LATER);
    expectEqual([a, b, loner]);
    expect([loner.replica.origin, a.replica.origin, b.replica.origin]).toEqual(['loner#2', 'a#1', 'b#1']);
    expect(store(a.replica)).toEqual(['old=of the loner', 'own1=v1', 'own2=v2', 'own3=v3', 'own4=v4', 'own5=v5']);
    expect(a.replica.logSize).toBe(0);
  });

  test('and deleted what another holds that wrote alone too deletes it there', () => {
    const [a, b] = ['a', 'b'].map((id) => homeOf(id, SHORT_WINDOW)) as [Home, Home];
    a.replica.accept(put('x', 1, 'k', 'v'), NOW);
    pullNow(b.replica, a.replica);
    const apart = openOver(b.storage, 'b', SHORT_WINDOW);
    apart.accept(remove('x', 2, 'k'), NOW);
    b.replica = apart;
    meetUp([a, b], LATER);
    expectEqual([a, b]);
    expect(store(a.replica)).toEqual([]);
  });

  for (const [what, aheadMs] of [
    ['less', -1],
    ['as much', 0],
    ['more', 1],
  ] as const) {
    test(`and folded ${what} joins a group that has folded too, and nothing is lost`, () => {
      const [a, b] = foldedCluster(['a', 'b']) as [Home, Home];
      const loner = homeOf('loner', SHORT_WINDOW);
      for (let i = 1; i <= 3; i++) loner.replica.accept(put('y', i, `own${i}`, `v${i}`), NOW);
      fold(loner.replica, LATER + aheadMs);
      expect(loner.replica.logSize).toBe(0);
      meetUp([a, b, loner], LATER);
      expect(store(a.replica)).toEqual(['old=of the cluster', 'own1=v1', 'own2=v2', 'own3=v3']);
      expectEqual([a, b, loner]);
    });

    test(`and folded ${what} joins a larger group, and nothing is lost`, () => {
      const cluster = foldedCluster(['x', 'y', 'z']);
      const loner = homeOf('a', SHORT_WINDOW);
      loner.replica.accept(put('q', 1, 'own', 'v'), NOW);
      fold(loner.replica, LATER + aheadMs);
      meetUp([...cluster, loner], LATER);
      expectEqual([loner, ...cluster]);
      expect(store(loner.replica)).toEqual(['old=of the cluster', 'own=v']);
    });

    test(`and folded ${what} than another that did: one of them yields, and nothing is lost`, () => {
      const [x, y] = ['x', 'y'].map((id) => homeOf(id, SHORT_WINDOW)) as [Home, Home];
      for (let i = 1; i <= 3; i++) {
        x.replica.accept(put('p', i, `x${i}`, `v${i}`), NOW);
        y.replica.accept(put('q', i, `y${i}`, `v${i}`), NOW);
      }
      x.replica.accept(put('p', 6, 'both', 'of x'), NOW);
      y.replica.accept(put('q', 6, 'both', 'of y'), NOW);
      fold(x.replica, LATER);
      fold(y.replica, LATER + aheadMs);
      expect([x.replica.logSize, y.replica.logSize]).toEqual([0, 0]);
      meetUp([x, y], LATER);
      expectEqual([x, y]);
      // What was accepted anew stands later.
      const yielding = y.replica.origin === 'y#2' ? 'y' : 'x';
      expect([x.replica.origin, y.replica.origin].filter((origin) => origin.endsWith('#2'))).toEqual([`${yielding}#2`]);
      const each = ['x', 'y'].flatMap((id) => [1, 2, 3].map((i) => `${id}${i}=v${i}`));
      expect(store(x.replica)).toEqual([`both=of ${yielding}`, ...each]);
      expect(x.replica.logSize).toBe(0);
    });
  }

  test('is admitted as it is by a cluster that could not have folded beyond its writes', () => {
    const [a, loner] = ['a', 'loner'].map((id) => homeOf(id, SHORT_WINDOW)) as [Home, Home];
    a.replica.accept(put('x', 1, 'k', 'v'), NOW);
    for (let i = 1; i <= 5; i++) loner.replica.accept(put('y', i, `own${i}`, 'v'), NOW);
    meetUp([a, loner], NOW);
    expectEqual([a, loner]);
    expect(loner.replica.origin).toBe('loner#1');
  });
});

describe('a transfer that was cut', () => {
  test('keeps nobody from joining by what it brought, once that was replaced', () => {
    const [one, other, gone] = ['one', 'other', 'gone'].map((id) => homeOf(id, SHORT_WINDOW)) as [Home, Home, Home];
    for (const [i, key] of ['k', 'l'].entries()) other.replica.accept(put('x', i + 1, key, 'old'), NOW);
    const request = one.replica.nextPull(other.replica.id, { ...LIMITS, writesMax: 1 });
    one.replica.integrate(other.replica.id, request, serve(other.replica, request, NOW), NOW);
    one.replica.interrupted(other.replica.id);
    expect(store(one.replica)).toEqual(['k=old']);
    one.replica.accept(put('y', 1, 'own', 'w'), LATER);
    // From here on it may be that this one, which is not heard from again, has folded up to a second before.
    tryPull(gone.replica, one.replica, LATER);
    tryPull(one.replica, gone.replica, LATER);
    tryPull(gone.replica, one.replica, LATER);
    for (const [i, key] of ['k', 'l'].entries()) other.replica.accept(put('x', i + 3, key, 'new'), LATER);
    meetUp([other, one], LATER);
    expectEqual([one, other]);
    expect(store(one.replica)).toEqual(['k=new', 'l=new', 'own=w']);
  });
});

describe('a newer incarnation', () => {
  test('takes the place of the older one, whose process is refused', () => {
    const a = homeOf('a', SHORT_WINDOW);
    const [old, young] = [1, 2].map((incarnation) => {
      const { storage } = homeOf('c', SHORT_WINDOW);
      return openOver(storage, 'c', SHORT_WINDOW, { incarnation });
    }) as [KvReplica, KvReplica];
    introduce([a.replica, old]);
    old.accept(put('x', 1, 'k', 'v'), NOW);
    pullNow(a.replica, old);
    a.replica.meet(young.origin);
    tryPull(a.replica, young, LATER);
    expect(a.replica.serve(old.nextPull(a.replica.id, LIMITS), NOW)).toMatchObject({ code: 'ERR_IDENTITY' });
    old.accept(put('x', 2, 'k', 'w'), NOW);
    expect(tryPull(a.replica, old, LATER)).toMatchObject({ kind: 'refused', code: 'ERR_IDENTITY' });
    expect(get(a.replica, 'k')).toBe('v');
    // It alone is waited for, and what the older one had given away remains.
    settle([a.replica, young], LATER);
    expect([a.replica.logSize, young.logSize]).toEqual([0, 0]);
    expect([store(a.replica), store(young)]).toEqual([['k=v'], ['k=v']]);
  });
});

describe('a copy is noticed', () => {
  let a: KvReplica;
  let c: Home;
  beforeEach(() => {
    a = replicaOf('a');
    c = homeOf('c');
    for (let i = 1; i <= 3; i++) c.replica.accept(put('x', i, `k${i}`, 'v'), 0);
    pull(a, c.replica);
  });

  const asked = (change: Partial<PullRequest> = {}): PullRequest => ({
    ...c.replica.nextPull(a.id, LIMITS),
    ...change,
  });

  test('when two processes take turns under one origin', () => {
    serve(a, asked({ life: 1 }));
    serve(a, asked({ life: 2 }));
    serve(a, asked({ life: 2 }));
    expect(a.serve(asked({ life: 1 }), 0)).toMatchObject({ kind: 'refused', code: 'ERR_COPIED' });
    // The later one goes on.
    serve(a, asked({ life: 2 }));
  });

  test('when one claims less of its own writes than it has given away', () => {
    serve(a, asked());
    const less = new VersionVector([[c.replica.origin, 2]]);
    expect(a.serve(asked({ seen: less }), 0)).toMatchObject({ kind: 'refused', code: 'ERR_COPIED' });
  });

  test('but not a request that was overtaken by its own writes', () => {
    const request = asked();
    c.replica.accept(put('x', 4, 'k4', 'v'), 0);
    serve(a, request);
    pull(a, c.replica);
    serve(a, request);
  });

  test('nor a second one, after the first was given up, that both were', () => {
    const [first, second] = [asked(), asked()];
    c.replica.accept(put('x', 4, 'k4', 'v'), 0);
    pull(a, c.replica);
    serve(a, first);
    serve(a, second);
  });

  test('by the replica itself, when it is shown stamps it never gave: it reads on, and stamps and serves no more', () => {
    // Its storage is an older one.
    const older = { replica: openOver(homeOf('c').storage, 'c', TERMS, { life: 1 }) };
    older.replica.accept(put('y', 1, 'here', 'v'), 0);
    const request = older.replica.nextPull(a.id, LIMITS);
    expect(older.replica.integrate(a.id, request, serve(a, request), 0)).toMatchObject({ code: 'ERR_FORGED_STAMPS' });
    expect(older.replica.accept(put('y', 2, 'more', 'v'), 0)).toMatchObject({ kind: 'refused', code: 'ERR_COPIED' });
    expect(get(older.replica, 'here')).toBe('v');
    const asks = a.nextPull(older.replica.id, LIMITS);
    expect(older.replica.serve(asks, 0)).toMatchObject({ kind: 'refused', code: 'ERR_FORGED_STAMPS' });
    expect(older.replica.logSize).toBe(1);
  });

  test('by the replica itself also if the first answer that shows it is lost', () => {
    const older = openOver(homeOf('c').storage, 'c', TERMS, { life: 1 });
    serve(a, older.nextPull(a.id, LIMITS));
    older.interrupted(a.id);
    const again = older.nextPull(a.id, LIMITS);
    expect(older.integrate(a.id, again, serve(a, again), 0)).toMatchObject({ code: 'ERR_FORGED_STAMPS' });
    expect(older.accept(put('y', 1, 'k', 'v'), 0)).toMatchObject({ kind: 'refused', code: 'ERR_COPIED' });
  });

  test('and opened under another incarnation it is a member as any other', () => {
    const copy = openOver(c.storage, 'c', TERMS, { incarnation: 2 });
    expect(copy.origin).toBe(originOf('c' as ReplicaId, 2));
    expect(copy.accept(put('y', 1, 'more', 'v'), 0)).toMatchObject({ kind: 'accepted', stamp: { acceptTime: 4 } });
    pull(a, copy);
    expect(get(a, 'more')).toBe('v');
  });
});
