import { describe, expect, test } from 'vitest';
import type { ClientId } from '../../src/base/ids.js';
import type { WriteRequest } from '../../src/bayou/messages.js';
import { Session } from '../../src/bayou/session.js';
import { START, type WatchCursor } from '../../src/bayou/watch-messages.js';
import { type KvOperation, kvMachine } from '../../src/machine/kv.js';
import {
  clusterOf,
  exchange,
  fold,
  get,
  homeOf,
  introduce,
  type KvReplica,
  log,
  meetUp,
  openOver,
  pull,
  put,
  rejoin,
  replicaOf,
  settle,
  sizes,
} from './replicas.js';

function increment(client: string, clientTime: number, key: string, by: number): WriteRequest<KvOperation> {
  return { ...put(client, clientTime, key, ''), operation: { kind: 'increment', by } };
}

function append(client: string, clientTime: number, key: string, text: string): WriteRequest<KvOperation> {
  return { ...put(client, clientTime, key, ''), operation: { kind: 'append', bytes: new TextEncoder().encode(text) } };
}

const WINDOW = { retryWindowMs: 100 };

describe('an operation that reads its key', () => {
  test('counts once for each replica that others have it from, whichever way it comes', () => {
    const [a, b, c] = clusterOf(['a', 'b', 'c'], WINDOW) as [KvReplica, KvReplica, KvReplica];
    a.accept(increment('x', 1, 'k', 1), 0);
    b.accept(increment('y', 1, 'k', 20), 0);
    c.accept(increment('z', 1, 'k', 300), 0);
    for (const [to, from] of [
      [b, a],
      [c, b],
      [a, c],
      [b, c],
      [c, a],
    ] as const)
      pull(to, from);
    expect([a, b, c].map((replica) => get(replica, 'k'))).toEqual(['321', '321', '321']);
  });

  test('counts once though two replicas accepted it, and others of its client between', () => {
    const [a, b] = clusterOf(['a', 'b'], WINDOW) as [KvReplica, KvReplica];
    a.accept(increment('x', 1, 'k', 1), 0);
    b.accept(put('y', 1, 'other', ''), 0);
    b.accept(increment('x', 2, 'k', 20), 0);
    b.accept(increment('x', 1, 'k', 1), 0);
    pull(a, b);
    pull(b, a);
    expect([get(a, 'k'), get(b, 'k')]).toEqual(['21', '21']);
    expect(sizes([a])).toEqual([4]);
    settle([a, b]);
    expect([get(a, 'k'), get(b, 'k')]).toEqual(['21', '21']);
  });

  test('gets the first answer again when it is sent again; another under its client time is refused', () => {
    const a = replicaOf('a', WINDOW);
    const first = a.accept(increment('x', 1, 'k', 1), 0);
    expect(a.accept(increment('x', 1, 'k', 1), 0)).toEqual(first);
    expect(a.accept(increment('x', 1, 'k', 2), 0)).toMatchObject({ code: 'ERR_CLIENT_TIME' });
    expect(a.accept(append('x', 1, 'k', '1'), 0)).toMatchObject({ code: 'ERR_CLIENT_TIME' });
    expect(get(a, 'k')).toBe('1');
  });

  test('that comes late, to stand before others, changes what they find', () => {
    const [a, b] = clusterOf(['a', 'b'], WINDOW) as [KvReplica, KvReplica];
    b.accept(put('y', 1, 'k', '5'), 0);
    a.accept(put('x', 1, 'other', ''), 0);
    a.accept(increment('x', 2, 'k', 1), 0);
    expect(get(a, 'k')).toBe('1');
    pull(a, b);
    expect(get(a, 'k')).toBe('6');
  });

  test('keeps the puts before it from being pruned behind one after it', () => {
    const a = replicaOf('a', WINDOW);
    a.accept(put('x', 1, 'k', '1'), 0);
    a.accept(increment('y', 1, 'k', 1), 0);
    a.accept(put('x', 2, 'k', '7'), 0);
    expect(sizes([a])).toEqual([3]);
    a.accept(put('x', 3, 'k', '8'), 0);
    expect(log(a)).toEqual(['1@a#1 k', '2@a#1 k', '4@a#1 k']);
  });
});

test('folded operations become the value they come to, a part of them as all', () => {
  const [a, b, c] = clusterOf(['a', 'b', 'c'], { retryWindowMs: 2 }) as [KvReplica, KvReplica, KvReplica];
  for (let i = 1; i <= 8; i++) {
    a.accept(increment('x', 2 * i, 'n', i), 0);
    b.accept(append('y', 2 * i, 'l', `${i}`), 0);
    b.accept(put('y', 2 * i + 1, 'p', `${i}`), 0);
    exchange([a, b, c]);
    if (i % 3 === 0) for (const replica of [a, c]) fold(replica);
  }
  settle([a, b, c]);
  expect(sizes([a, b, c])).not.toContain(24);
  for (const replica of [a, b, c])
    expect(['n', 'l', 'p'].map((key) => get(replica, key))).toEqual(['36', '12345678', '8']);
  // Who comes now has the base store, and the tail, and nothing of what they were made of.
  const late = replicaOf('late', { retryWindowMs: 2 });
  pull(late, a);
  expect(['n', 'l', 'p'].map((key) => get(late, key))).toEqual(['36', '12345678', '8']);
  late.accept(increment('z', 1, 'n', 64), 0);
  expect(get(late, 'n')).toBe('100');
});

test('what a retired replica wrote counts once, though one has it under its first stamp and another does not', () => {
  const homes = ['a', 'b', 'c'].map((id) => homeOf(id, { retryWindowMs: 10_000 }));
  const [a, b, c] = homes as [(typeof homes)[0], (typeof homes)[0], (typeof homes)[0]];
  introduce(homes.map(({ replica }) => replica));
  c.replica.accept(increment('x', 1, 'k', 5), 0);
  c.replica.accept(append('x', 2, 'l', 'c;'), 0);
  // B has them from it; a, which retires it, has not.
  pull(b.replica, c.replica);
  a.replica.accept(increment('y', 1, 'k', 100), 0);
  a.replica.retire(c.replica.id);
  rejoin(c, a.replica);
  pull(c.replica, a.replica);
  expect(get(c.replica, 'k')).toBe('105');
  pull(a.replica, c.replica);
  expect([get(a.replica, 'k'), get(a.replica, 'l')]).toEqual(['105', 'c;']);
  meetUp(homes, 0);
  for (const { replica } of homes) expect([get(replica, 'k'), get(replica, 'l')]).toEqual(['105', 'c;']);
  // Sessions that know it by its first stamp are served.
  const first = b.replica.seen();
  for (const { replica } of homes) expect(get(replica, 'k', first)).toBe('105');
  c.replica = openOver(c.storage, 'c', c.replica.terms, { incarnation: 2, life: 9 });
  expect(get(c.replica, 'k', first)).toBe('105');
});

test('a session needs all that a value it read rests on', () => {
  const [a, b, c] = clusterOf(['a', 'b', 'c'], WINDOW) as [KvReplica, KvReplica, KvReplica];
  const session = new Session<KvOperation>('x' as ClientId);
  const read = (replica: KvReplica): string => {
    const reply = replica.read(session.read('k'), 0);
    if (reply.kind === 'found') session.found('k', reply.stamp, undefined, reply.basis);
    return reply.kind === 'found' ? new TextDecoder().decode(reply.value) : reply.kind;
  };
  a.accept(increment('y', 1, 'k', 1), 0);
  b.accept(increment('z', 1, 'k', 20), 0);
  pull(c, b);
  pull(b, a);
  expect(read(b)).toBe('21');
  // It has the last of the two, and not the other.
  expect(read(c)).toBe('missing');
  pull(c, a);
  expect(read(c)).toBe('21');
  const operation: KvOperation = { kind: 'increment', by: 300 };
  const reply = c.accept(session.write('k', operation), 0);
  if (reply.kind !== 'accepted') throw new Error(reply.kind);
  session.wrote('k', reply.stamp, kvMachine.isBlind(operation));
  expect([read(a), read(b), read(c)]).toEqual(['missing', 'missing', '321']);
  // A put releases all of it.
  a.accept({ ...put('y', 2, 'k', '7'), after: 100 }, 0);
  pull(c, a);
  expect([read(c), read(a), read(b)]).toEqual(['7', '7', 'missing']);
});

test('who watches is told of each operation, what it came to, and all that rests on; also of what was folded', () => {
  const [a, b] = clusterOf(['a', 'b'], { retryWindowMs: 1 }) as [KvReplica, KvReplica];
  const changesAt = (replica: KvReplica, cursor: WatchCursor) => {
    const request = { prefix: '', needs: null, changesMax: 100, budgetMs: 0, name: null };
    const told: string[] = [];
    const bases: string[] = [];
    for (let from = cursor; ; ) {
      const reply = replica.reader.watch({ ...request, from: { kind: 'cursor', cursor: from } }, 0);
      if (reply.kind !== 'changes') throw new Error(reply.kind);
      for (const { key, stamp, value, basis } of reply.changes) {
        told.push(
          `${stamp.acceptTime}@${stamp.origin} ${key}=${value === null ? '' : new TextDecoder().decode(value)}`,
        );
        bases.push(`${basis ?? 'alone'}`);
      }
      if (!reply.more) return { told, bases, cursor: reply.cursor };
      from = reply.cursor;
    }
  };
  const now = changesAt(b, START);
  a.accept(increment('x', 1, 'k', 1), 0);
  b.accept(increment('y', 1, 'k', 20), 0);
  pull(b, a);
  const later = changesAt(b, now.cursor);
  expect(later.told).toEqual(['1@a#1 k=21', '1@b#1 k=21']);
  expect(later.bases).toEqual(['a#1:1 b#1:1', 'a#1:1 b#1:1']);
  a.accept(increment('x', 2, 'alone', 3), 0);
  for (let i = 1; i < 9; i++) {
    b.accept(put('z', i, 'last', `${i}`), 0);
    settle([a, b]);
  }
  expect(log(b).filter((line) => !line.endsWith('last'))).toEqual([]);
  const told = changesAt(b, START).told.map((line) => line.split(' ')[1]);
  expect(told.slice(0, 2)).toEqual(['alone=3', 'k=21']);
});
