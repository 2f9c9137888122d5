import { describe, expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import type { AcceptStamp } from '../../src/bayou/write.js';
import { stampOrder } from '../../src/bayou/write.js';
import { WriteLog } from '../../src/bayou/write-log.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import {
  copyOf,
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
  serve,
  store,
  tryPull,
} from './replicas.js';

/*
 * Who comes back, having been retired or restored, holds writes of before that the others have folded since: what they hold is
 * theirs to say, and only what they never had is its own.
 */

const WINDOW_MS = 1_000;
const TERMS = { clock: 'hybrid', retryWindowMs: WINDOW_MS } as const;
const NOW = 1_000_000;
const REPEATED = NOW + WINDOW_MS - 100;

const INCREMENT = { ...put('x', 1, 'k', ''), operation: { kind: 'increment', by: 1 } } as const;

function three(): [Home, Home, Home] {
  const homes = ['a', 'b', 'c'].map((id) => homeOf(id, TERMS)) as [Home, Home, Home];
  introduce(homes.map(({ replica }) => replica));
  exchange(
    homes.map(({ replica }) => replica),
    NOW,
  );
  return homes;
}

function accept(replica: KvReplica, ...[request, now]: Parameters<KvReplica['accept']>): AcceptStamp {
  const reply = replica.accept(request, now);
  if (reply.kind !== 'accepted') throw new Error(JSON.stringify(reply));
  return reply.stamp;
}

/** They fold until what stands at `stamp` is folded, and little more. Returns what time it is then. */
function foldUpTo(homes: readonly Home[], stamp: AcceptStamp): number {
  const replicas = homes.map(({ replica }) => replica);
  let now = NOW + WINDOW_MS;
  for (; replicas.some(({ base }) => base < stamp.acceptTime); now += 50) {
    exchange(replicas, now, 2);
    for (const replica of replicas) fold(replica, now);
  }
  return now;
}

test('a write that reached the others, and was overwritten there, does not come back with who accepted it', () => {
  const [a, b, c] = three();
  const old = accept(c.replica, put('x', 1, 'k', 'old'), NOW);
  pull(a.replica, c.replica, LIMITS, NOW);
  // Its client's next write replaces it, and another client's that one.
  const next = accept(a.replica, put('x', 2, 'k', 'next', old.acceptTime), NOW);
  const last = accept(a.replica, put('y', 1, 'k', 'last', next.acceptTime), NOW);
  a.replica.retire(c.replica.id);
  const now = foldUpTo([a, b], last);
  rejoin(c, a.replica);
  pull(c.replica, a.replica, LIMITS, now);
  pull(a.replica, c.replica, LIMITS, now);
  expect([a, c].map(({ replica }) => store(replica))).toEqual([['k=last'], ['k=last']]);
});

describe.each([
  ['a put', put('x', 1, 'k', '1')],
  ['an increment', INCREMENT],
] as const)('%s that was sent twice, and folded with its repeat', (_, request) => {
  /** A has the first of it, which `c` has not, and both have what `c` accepted of it when it was sent again. */
  function sentTwice(): { readonly homes: [Home, Home, Home]; readonly first: AcceptStamp } {
    const homes = three();
    const [a, , c] = homes;
    const first = accept(a.replica, request, NOW);
    if (request.operation.kind === 'put') accept(a.replica, put('y', 1, 'k', 'between', first.acceptTime), NOW);
    accept(c.replica, request, REPEATED);
    return { homes, first };
  }

  test('counts once with a retired replica that has only the repeat', () => {
    const { homes, first } = sentTwice();
    const [a, b, c] = homes;
    pull(a.replica, c.replica, LIMITS, REPEATED);
    const expected = store(a.replica);
    a.replica.retire(c.replica.id);
    const now = foldUpTo([a, b], first);
    rejoin(c, a.replica);
    pull(c.replica, a.replica, LIMITS, now);
    expect(store(c.replica)).toEqual(expected);
    meetUp(homes, now);
    for (const { replica } of homes) expect(store(replica)).toEqual(expected);
  });

  test('counts once with a replica restored from a backup that has only the repeat', () => {
    const { homes, first } = sentTwice();
    const [a, b, c] = homes;
    const backup = copyOf(c.storage);
    const now = foldUpTo([a, b, c], first);
    const expected = store(a.replica);
    c.replica = openOver(backup, 'c', TERMS, { incarnation: 2, life: 1 });
    pull(c.replica, a.replica, LIMITS, now);
    expect(store(c.replica)).toEqual(expected);
  });

  test('counts once with a retired replica that hears from one who has not folded it yet', () => {
    const { homes, first } = sentTwice();
    const [a, b, c] = homes;
    pull(a.replica, c.replica, LIMITS, REPEATED);
    const expected = store(a.replica);
    a.replica.retire(c.replica.id);
    // B attests, and does not fold.
    let now = NOW + WINDOW_MS;
    for (; a.replica.base < first.acceptTime; now += 50) {
      exchange([a.replica, b.replica], now, 2);
      fold(a.replica, now);
    }
    rejoin(c, b.replica);
    pull(c.replica, a.replica, LIMITS, now);
    pull(c.replica, b.replica, LIMITS, now);
    expect(store(c.replica)).toEqual(expected);
    meetUp(homes, now);
    for (const { replica } of homes) expect(store(replica)).toEqual(expected);
  });
});

test('who has taken a base store over goes on without those who have folded as much, should they be gone', () => {
  const homes = three();
  const [a, b, c] = homes;
  const first = accept(a.replica, INCREMENT, NOW);
  accept(b.replica, put('y', 1, 'l', 'v'), NOW);
  a.replica.retire(c.replica.id);
  let now = NOW + WINDOW_MS;
  for (; a.replica.base < first.acceptTime; now += 50) {
    exchange([a.replica, b.replica], now, 2);
    fold(a.replica, now);
  }
  accept(c.replica, { ...INCREMENT, client: 'z' as ClientId }, now);
  rejoin(c, a.replica);
  const request = c.replica.nextPull(a.replica.id, LIMITS);
  c.replica.integrate(a.replica.id, request, serve(a.replica, request, now), now);
  c.replica.interrupted(a.replica.id);
  expect([c.replica.base > b.replica.base, c.replica.isBehind]).toEqual([true, true]);
  for (let pulls = 0; c.replica.isBehind; pulls++) {
    expect(pulls).toBeLessThan(40);
    tryPull(c.replica, b.replica, now);
  }
  pull(b.replica, c.replica, LIMITS, now);
  for (const { replica } of [b, c]) expect(store(replica)).toEqual(['k=2', 'l=v']);
});

test('who has a part of a base store that nobody else has folded hears all anew, as its next incarnation', () => {
  const homes = three();
  const [a, b] = homes;
  accept(a.replica, INCREMENT, NOW);
  const first = accept(a.replica, { ...INCREMENT, key: 'l', clientTime: 2 }, NOW);
  accept(a.replica, { ...INCREMENT, client: 'y' as ClientId, clientTime: 1 }, NOW);
  let now = NOW + WINDOW_MS;
  for (; a.replica.base < first.acceptTime; now += 50) {
    exchange(
      homes.map(({ replica }) => replica),
      now,
      2,
    );
    fold(a.replica, now);
  }
  const late = homeOf('late', TERMS);
  accept(late.replica, { ...INCREMENT, client: 'z' as ClientId }, now);
  const request = late.replica.nextPull(a.replica.id, { ...LIMITS, writesMax: 1 });
  late.replica.integrate(a.replica.id, request, serve(a.replica, request, now), now);
  late.replica.interrupted(a.replica.id);
  expect([get(late.replica, 'k'), late.replica.isBehind, b.replica.base]).toEqual(['3', true, 0]);
  let outcome = tryPull(late.replica, b.replica, now);
  for (let pulls = 0; outcome.kind !== 'rejoin'; pulls++) {
    expect(pulls).toBeLessThan(40);
    outcome = tryPull(late.replica, b.replica, now);
  }
  rejoin(late, b.replica);
  pull(late.replica, b.replica, LIMITS, now);
  expect(late.replica.isBehind).toBe(false);
  pull(b.replica, late.replica, LIMITS, now);
  for (const { replica } of [b, late]) expect(store(replica)).toEqual(['k=3', 'l=1']);
});

describe('what a retired replica wrote, of which a cut transfer brought a part', () => {
  /** All have folded something; `a` has one of two increments that `c` accepted since, without its claim. Returns what time it is. */
  function cutShort(): { readonly homes: [Home, Home, Home]; readonly now: number } {
    const homes = three();
    const [a, , c] = homes;
    const now = foldUpTo(homes, accept(a.replica, put('y', 1, 'folded', ''), NOW));
    accept(c.replica, INCREMENT, now);
    accept(c.replica, { ...INCREMENT, clientTime: 2 }, now);
    const request = a.replica.nextPull(c.replica.id, { ...LIMITS, writesMax: 1 });
    expect(a.replica.integrate(c.replica.id, request, serve(c.replica, request, now), now)).toMatchObject({
      more: true,
    });
    a.replica.interrupted(c.replica.id);
    a.replica.retire(c.replica.id);
    return { homes, now };
  }

  test('counts once when it is accepted anew by who returns, however late the part is taken up', () => {
    const { homes, now } = cutShort();
    const [a, , c] = homes;
    rejoin(c, a.replica);
    pull(c.replica, a.replica, LIMITS, now + 2 * WINDOW_MS);
    pull(a.replica, c.replica, LIMITS, now + 2 * WINDOW_MS);
    meetUp(homes, now + 4 * WINDOW_MS);
    for (const { replica } of homes) expect(get(replica, 'k')).toBe('2');
  });

  test('is taken up though a newcomer takes the base store', () => {
    const { homes, now } = cutShort();
    const [a, b] = homes;
    expect(serve(a.replica, homeOf('late', TERMS).replica.nextPull(a.replica.id, LIMITS), now).store).not.toBeNull();
    exchange([a.replica, b.replica], now);
    fold(a.replica, now);
    expect(log(a.replica).map((line) => line.split('@')[1])).toEqual(['a#1 k']);
  });
});

test('what is folded does not rest on what is not claimed', () => {
  const self = originOf('x' as ReplicaId, 1);
  const retryWindow = 100;
  const rules = { machine: kvMachine, retryWindow };
  const log = new WriteLog(new MemoryStorage<KvOperation>(kvOperationCodec), stampOrder('higher'), rules, self);
  const write = { client: 'x' as ClientId, clientTime: 1, key: 'k', operation: INCREMENT.operation };
  const [member, stranger] = ['a', 'b'].map((id) => originOf(id as ReplicaId, 1)) as [typeof self, typeof self];
  log.insertReceived({ ...write, origin: member, acceptTime: 1 });
  log.insertReceived({ ...write, origin: stranger, acceptTime: 50, resubmitted: true });
  log.raiseSeen(member, 1);
  log.fold(1, 10, false);
  log.fold(50, 10, false);
  expect(log.read('k')).toMatchObject({ value: new TextEncoder().encode('1') });
});
