import { describe, expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { BATCH_PARTS_MAX } from '../../src/base/limits.js';
import type { BatchPart, BatchRequest, PullBatch } from '../../src/bayou/messages.js';
import type { ScanRequest } from '../../src/bayou/read-messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { cursorBehind, START, type WatchCursor } from '../../src/bayou/watch-messages.js';
import type { Write } from '../../src/bayou/write.js';
import { type KvOperation, kvOperationCodec } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import {
  clusterOf,
  exchange,
  fold,
  get,
  homeOf,
  introduce,
  type KvReplica,
  LIMITS,
  log,
  openOver,
  pull,
  put,
  rejoin,
  replicaOf,
  serve,
  settle,
  store,
  tryPull,
} from './replicas.js';

const ONE = { ...LIMITS, writesMax: 1 };

function batch(
  client: string,
  clientTime: number,
  values: Readonly<Record<string, string | KvOperation>>,
  after = 0,
): BatchRequest<KvOperation> {
  const parts = Object.entries(values).map(([key, value]): BatchPart<KvOperation> => {
    const operation = typeof value === 'string' ? putOf(value) : value;
    return { key, operation };
  });
  return { client: client as ClientId, clientTime, parts, after, needs: null };
}

function putOf(text: string): KvOperation {
  return { kind: 'put', value: new TextEncoder().encode(text) };
}

/** Several keys in one state, or why not. */
function together(replica: KvReplica, ...keys: readonly string[]): string {
  const reply = replica.reader.readMany({ keys, needs: null }, 0);
  if (reply.kind !== 'values') return reply.kind === 'refused' ? reply.code : reply.kind;
  return reply.values.map((found) => (found === null ? '-' : new TextDecoder().decode(found.value))).join(' ');
}

function page(replica: KvReplica, options: Partial<ScanRequest> = {}) {
  const range = { from: null, before: null };
  const asked = { range, reverse: false, after: null, entriesMax: 10, hold: false, snapshot: null, needs: null };
  return replica.reader.scan({ ...asked, ...options }, 0);
}

function scanned(replica: KvReplica): string {
  const reply = page(replica);
  if (reply.kind !== 'page') return reply.kind === 'refused' ? reply.code : reply.kind;
  return reply.entries.map(({ key, value }) => `${key}=${new TextDecoder().decode(value)}`).join(' ');
}

/** The next step of a pull of at most one write, after which it is cut. */
function pullOne(to: KvReplica, from: KvReplica, now = 0): void {
  const request = to.nextPull(from.id, ONE);
  expect(to.integrate(from.id, request, serve(from, request, now), now)).toMatchObject({ kind: 'integrated' });
  to.interrupted(from.id);
}

describe('a batch', () => {
  test('is one write: one stamp, all of its keys, in their order', () => {
    const a = replicaOf('a');
    const reply = a.accept(batch('c', 1, { n: { kind: 'increment', by: 2 }, b: 'x', a: 'y' }), 0);
    expect(reply).toEqual({ kind: 'accepted', stamp: { origin: 'a#1', acceptTime: 1 } });
    expect(log(a)).toEqual(['1@a#1 a', '1@a#1 b', '1@a#1 n']);
    expect(together(a, 'a', 'b', 'n')).toBe('y x 2');
    expect(a.accept(put('c', 2, 'a', 'z'), 0)).toMatchObject({ stamp: { acceptTime: 2 } });
  });

  test('is not divided by a transfer, however little that may bring', () => {
    const [a, b] = clusterOf(['a', 'b']) as [KvReplica, KvReplica];
    a.accept(put('c', 1, 'a', 'before'), 0);
    a.accept(batch('c', 2, { a: '1', b: '1', c: '1' }), 0);
    a.accept(put('c', 3, 'd', 'behind'), 0);
    pullOne(b, a);
    expect(log(b)).toEqual(['2@a#1 a', '2@a#1 b', '2@a#1 c']);
    pull(b, a, ONE);
    expect(together(b, 'a', 'b', 'c', 'd')).toBe('1 1 1 behind');
    expect(log(b)).toEqual(log(a));
  });

  test('that a transfer has brought shows in reads of several keys once it is claimed, with all else', () => {
    const [a, b] = clusterOf(['a', 'b']) as [KvReplica, KvReplica];
    b.accept(put('old', 1, 'x', 'old'), 0);
    a.accept(batch('c', 1, { x: '1', y: '1' }, 5), 0);
    a.accept(put('d', 1, 'z', 'plain'), 0);
    // It replaces a part, and comes after the batch.
    a.accept(put('c', 2, 'x', '2'), 0);
    pullOne(b, a);
    expect([get(b, 'x'), get(b, 'y')]).toEqual(['1', '1']);
    expect(together(b, 'x', 'y')).toBe('old -');
    expect(scanned(b)).toBe('x=old');
    const held = page(b, { entriesMax: 1, hold: true });
    pullOne(b, a);
    expect(together(b, 'x', 'y', 'z')).toBe('old - plain');
    pull(b, a);
    expect(together(b, 'x', 'y', 'z')).toBe('2 1 plain');
    // The state that was held when it had come, and was not claimed.
    if (held.kind !== 'page') throw new Error(held.kind);
    const rest = page(b, { hold: true, snapshot: held.snapshot, after: held.upTo });
    expect(rest).toMatchObject({ kind: 'page', entries: [] });
  });

  test('stays whole until each of its parts was replaced by what its client writes later', () => {
    const [a, b] = clusterOf(['a', 'b']) as [KvReplica, KvReplica];
    a.accept(batch('c', 1, { x: '1', y: '1' }), 0);
    a.accept(put('c', 2, 'x', '2'), 0);
    a.accept(put('c', 3, 'x', '3'), 0);
    exchange([a, b]);
    for (const replica of [a, b]) expect(log(replica)).toEqual(['1@a#1 x', '1@a#1 y', '3@a#1 x']);
    a.accept(put('c', 4, 'y', '4'), 0);
    expect(log(a)).toEqual(['3@a#1 x', '5@a#1 y']);
    a.accept(batch('c', 5, { x: '5', y: '5' }), 0);
    expect(log(a)).toEqual(['6@a#1 x', '6@a#1 y']);
    exchange([a, b]);
    expect(log(b)).toEqual(log(a));
  });

  test('of which one part is replaced where it is, and another by what a transfer brings, goes with the claim', () => {
    const [a, b] = clusterOf(['a', 'b']) as [KvReplica, KvReplica];
    a.accept(batch('c', 1, { x: '1', y: '1' }), 0);
    exchange([a, b]);
    a.accept(put('c', 2, 'x', '2'), 0);
    b.accept(put('c', 3, 'y', '3', 2), 0);
    a.accept(put('d', 1, 'z', 'behind', 5), 0);
    pullOne(b, a);
    expect(log(b)).toEqual(['1@a#1 x', '1@a#1 y', '3@a#1 x', '4@b#1 y']);
    exchange([a, b]);
    for (const replica of [a, b]) expect(log(replica)).toEqual(['3@a#1 x', '4@b#1 y', '6@a#1 z']);
  });

  test('that two replicas accepted takes effect once', () => {
    const [a, b] = clusterOf(['a', 'b'], {}) as [KvReplica, KvReplica];
    const request = batch('c', 1, { n: { kind: 'increment', by: 5 }, x: '1' });
    a.accept(request, 0);
    b.accept(put('d', 1, 'z', 'earlier'), 0);
    b.accept(request, 0);
    exchange([a, b]);
    for (const replica of [a, b]) expect(together(replica, 'n', 'x')).toBe('5 1');
  });

  test('is folded whole', () => {
    const replicas = clusterOf(['a', 'b']) as [KvReplica, KvReplica];
    replicas[0].accept(batch('c', 1, { n: { kind: 'increment', by: 5 }, x: '1' }), 0);
    settle(replicas);
    expect(replicas.map((replica) => [log(replica), together(replica, 'n', 'x')])).toEqual([
      [[], '5 1'],
      [[], '5 1'],
    ]);
  });
});

describe('a batch that is sent again', () => {
  const first = batch('c', 1, { x: '1', y: '1' });

  test('is answered as it was', () => {
    const a = replicaOf('a');
    const reply = a.accept(first, 0);
    a.accept(put('d', 1, 'x', 'other'), 0);
    expect(a.accept(batch('c', 1, { y: '1', x: '1' }), 0)).toEqual(reply);
    // Of one that was replaced in part the rest tells.
    a.accept(put('c', 2, 'x', '2'), 0);
    expect(a.accept(first, 0)).toEqual(reply);
    expect(together(a, 'x', 'y')).toBe('2 1');
  });

  test.each([
    ['fewer keys', batch('c', 1, { x: '1' })],
    ['more keys', batch('c', 1, { x: '1', y: '1', z: '1' })],
    ['another key', batch('c', 1, { x: '1', z: '1' })],
    ['another value', batch('c', 1, { x: '1', y: '2' })],
    ['one of its keys alone', put('c', 1, 'x', '1')],
  ])('with %s is refused', (_, request) => {
    const a = replicaOf('a');
    a.accept(first, 0);
    expect(a.accept(request, 0)).toMatchObject({ kind: 'refused', code: 'ERR_CLIENT_TIME' });
    expect(log(a)).toHaveLength(2);
  });

  test('is refused where a write has its client time, or all of it was overtaken', () => {
    const a = replicaOf('a');
    a.accept(put('c', 1, 'x', '1'), 0);
    expect(a.accept(first, 0)).toMatchObject({ code: 'ERR_CLIENT_TIME' });
    const b = replicaOf('b');
    b.accept(batch('c', 2, { x: '2', y: '2' }), 0);
    expect(b.accept(first, 0)).toMatchObject({ code: 'ERR_CLIENT_TIME' });
  });
});

describe('while a base store is taken over', () => {
  test('several keys are refused, and one is not', () => {
    const replicas = clusterOf(['a', 'b']) as [KvReplica, KvReplica];
    const [a] = replicas;
    a.accept(batch('c', 1, { x: '1', y: '1', z: '1' }), 0);
    settle(replicas);
    const late = replicaOf('late', { retryWindowMs: 0 });
    pullOne(late, a);
    expect(late.isBehind).toBe(true);
    expect([get(late, 'x'), together(late, 'x'), together(late, 'y')]).toEqual(['1', '1', '-']);
    expect([together(late, 'x', 'y'), scanned(late)]).toEqual(['ERR_BEHIND', 'ERR_BEHIND']);
    pull(late, a);
    expect([together(late, 'x', 'y', 'z'), scanned(late)]).toEqual(['1 1 1', 'x=1 y=1 z=1']);
  });
});

describe('who rejoins', () => {
  const TERMS = { clock: 'hybrid', retryWindowMs: 1_000 } as const;
  const NOW = 1_000_000;
  const LATER = NOW + 20_000;

  test('accepts the parts of a batch anew under one stamp, in the order in which they stood', () => {
    const [a, c] = ['a', 'c'].map((id) => homeOf(id, TERMS)) as [ReturnType<typeof homeOf>, ReturnType<typeof homeOf>];
    introduce([a.replica, c.replica]);
    exchange([a.replica, c.replica], NOW);
    c.replica.accept(put('y', 1, 'x', 'before'), NOW);
    c.replica.accept(batch('z', 1, { n: { kind: 'increment', by: 3 }, w: '1', x: '1' }), NOW);
    c.replica.accept(put('y', 2, 'w', 'behind'), NOW);
    a.replica.retire(c.replica.id);
    expect(tryPull(c.replica, a.replica, LATER)).toMatchObject({ code: 'ERR_RETIRED' });
    rejoin(c, a.replica);
    pull(c.replica, a.replica, LIMITS, LATER);
    const [before, parts, behind] = stampsOf(c.replica);
    expect([before, parts, behind]).toEqual([['x'], ['n', 'w', 'x'], ['w']]);
    pullOne(a.replica, c.replica, LATER);
    pullOne(a.replica, c.replica, LATER);
    expect(together(a.replica, 'n', 'w', 'x')).toBe('- - before');
    pull(a.replica, c.replica, LIMITS, LATER);
    for (const { replica } of [a, c]) expect(together(replica, 'n', 'w', 'x')).toBe('3 behind 1');
  });

  test('leaves out the part that its client has overwritten elsewhere, where others have folded that and more', () => {
    const [a, c] = ['a', 'c'].map((id) => homeOf(id, TERMS)) as [ReturnType<typeof homeOf>, ReturnType<typeof homeOf>];
    introduce([a.replica, c.replica]);
    exchange([a.replica, c.replica], NOW);
    const reply = c.replica.accept(batch('w', 1, { x: '1', y: '1' }), NOW);
    const { acceptTime } = reply.kind === 'accepted' ? reply.stamp : expect.fail(reply.kind);
    a.replica.accept(put('w', 2, 'y', '2', acceptTime), NOW);
    pull(c.replica, a.replica, LIMITS, NOW);
    expect(c.replica.logSize).toBe(3);
    a.replica.accept(put('z', 1, 'y', 'newer'), NOW);
    a.replica.retire(c.replica.id);
    fold(a.replica, LATER);
    expect(log(a.replica)).toEqual([]);
    expect(tryPull(c.replica, a.replica, LATER)).toMatchObject({ code: 'ERR_RETIRED' });
    rejoin(c, a.replica);
    exchange([c.replica, a.replica], LATER);
    for (const { replica } of [a, c]) expect(together(replica, 'x', 'y')).toBe('1 newer');
  });

  /** `b` accepts a batch that `a` gets by a transfer that is cut, and loses its disk. */
  function leaveOrphan() {
    const [a, b, c] = ['a', 'b', 'c'].map((id) => replicaOf(id, TERMS)) as [KvReplica, KvReplica, KvReplica];
    introduce([a, b, c]);
    exchange([a, b, c], NOW);
    b.accept(batch('x', 1, { k: 'orphan', l: 'orphan', n: { kind: 'increment', by: 1 } }), NOW);
    b.accept(put('y', 1, 'lost', 'with the disk'), NOW);
    pullOne(a, b, NOW);
    const b2 = openOver(new MemoryStorage(kvOperationCodec), 'b', TERMS, { incarnation: 2 });
    for (const replica of [a, c]) replica.meet(b2.origin);
    return { a, c, b2 };
  }

  function takeUp(a: KvReplica, others: readonly KvReplica[]): void {
    exchange([a, ...others], LATER);
    fold(a, LATER);
    exchange([a, ...others], LATER);
  }

  test('what only a cut transfer has brought of a batch is taken up under one stamp', () => {
    const { a, c, b2 } = leaveOrphan();
    takeUp(a, [c, b2]);
    expect(stampsOf(a)).toEqual([['k', 'l', 'n']]);
    for (const replica of [a, c, b2]) expect(together(replica, 'k', 'l', 'n')).toBe('orphan orphan 1');
  });

  test('without the parts that were overwritten since', () => {
    const { a, c, b2 } = leaveOrphan();
    c.accept(put('z', 1, 'k', 'newer'), LATER);
    pull(a, c, LIMITS, LATER);
    takeUp(a, [c, b2]);
    for (const replica of [a, c, b2]) expect(together(replica, 'k', 'l', 'n')).toBe('newer orphan 1');
  });

  test('nor without one that its client had replaced before it was lost, with what replaced it', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((id) => replicaOf(id, TERMS)) as [KvReplica, KvReplica, KvReplica];
    introduce([a, b, c]);
    exchange([a, b, c], NOW);
    b.accept(batch('x', 1, { k: '1', l: '1' }), NOW);
    b.accept(put('x', 2, 'k', '2'), NOW);
    pullOne(a, b, NOW);
    const b2 = openOver(new MemoryStorage(kvOperationCodec), 'b', TERMS, { incarnation: 2 });
    for (const replica of [a, c]) replica.meet(b2.origin);
    takeUp(a, [c, b2]);
    for (const replica of [a, c, b2]) expect(together(replica, 'k', 'l')).toBe('1 1');
  });

  test('and not before what overwrites a part is claimed', () => {
    const { a, c, b2 } = leaveOrphan();
    exchange([a, c, b2], LATER);
    c.accept(batch('z', 1, { k: 'newer', m: 'newer' }), LATER);
    c.accept(put('z', 2, 'm', 'behind'), LATER);
    // It is here, and what is claimed does not cover it: what became of its own batch is not known yet.
    pullOne(a, c, LATER);
    fold(a, LATER);
    expect(together(a, 'k', 'l', 'n')).toBe('- - -');
    exchange([a, c, b2], LATER);
    takeUp(a, [c, b2]);
    for (const replica of [a, c, b2]) expect(together(replica, 'k', 'l', 'm', 'n')).toBe('newer orphan behind 1');
  });

  test('and not at all if a part would overwrite what others hold', () => {
    const { a, c, b2 } = leaveOrphan();
    const more: KvOperation = { kind: 'append', bytes: new TextEncoder().encode('more') };
    c.accept({ ...put('z', 1, 'k', ''), operation: more }, LATER);
    pull(a, c, LIMITS, LATER);
    takeUp(a, [c, b2]);
    for (const replica of [a, c, b2]) expect(store(replica)).toEqual(['k=more']);
  });

  function stampsOf(replica: KvReplica): string[][] {
    const stamps = new Map<number, string[]>();
    for (const { acceptTime, key } of replica.log(null)) {
      stamps.set(acceptTime, [...(stamps.get(acceptTime) ?? []), key]);
    }
    return [...stamps.values()];
  }
});

describe('who watches', () => {
  test('is told of a batch whole, and stands before it until it was told of its last part', () => {
    const a = replicaOf('a');
    a.accept(put('c', 1, 'a', '0'), 0);
    a.accept(batch('c', 2, { a: '1', b: '1', other: '1' }), 0);
    a.accept(put('c', 3, 'd', '2'), 0);
    const ask = (prefix: string, cursor: WatchCursor) => {
      const from = { kind: 'cursor', cursor } as const;
      const reply = a.reader.watch({ prefix, from, needs: null, changesMax: 1, budgetMs: 0, name: null }, 0);
      if (reply.kind !== 'changes') throw new Error(reply.kind);
      return reply;
    };
    // What it began with was pruned behind the batch.
    const reply = ask('', START);
    expect(reply.changes.map(({ key }) => key)).toEqual(['a', 'b', 'other']);
    const cursors = reply.changes.map((change, i) => cursorBehind(START, reply.cursor, change, reply.changes[i + 1]));
    expect(cursors.map(({ told }) => told.get(a.origin))).toEqual([0, 0, 2]);
    expect(ask('', reply.cursor).changes.map(({ key }) => key)).toEqual(['d']);
    expect(ask('b', START).changes.map(({ key }) => key)).toEqual(['b']);
  });
});

describe('a peer that sends batches that are none', () => {
  const LIAR = originOf('liar' as ReplicaId, 1);
  const part = (key: string, changes: Partial<Write<KvOperation>> = {}): Write<KvOperation> => ({
    origin: LIAR,
    acceptTime: 5,
    client: 'c' as ClientId,
    clientTime: 1,
    key,
    operation: putOf('v'),
    part: true,
    ...changes,
  });

  /** How the replica takes these. */
  function take(replica: KvReplica, writes: readonly Write<KvOperation>[], seen = 9): string {
    const request = replica.nextPull('liar' as ReplicaId, LIMITS);
    const answer: PullBatch<KvOperation> = {
      from: LIAR,
      resumed: false,
      writes,
      seen: new VersionVector([[LIAR, seen]]),
      more: true,
      standing: { base: 0, floor: 0, clock: 0, members: 2 },
      store: null,
      left: null,
      report: null,
    };
    const outcome = replica.integrate('liar' as ReplicaId, request, answer, 0);
    return outcome.kind === 'refused' ? outcome.code : outcome.kind;
  }

  const many = (count: number, length: number) =>
    Array.from({ length: count }, (_, i) =>
      part(`k${String(i).padStart(3, '0')}`, { operation: putOf('v'.repeat(length)) }),
    );

  test.each([
    ['one key twice', [part('a'), part('a')]],
    ['keys that are not in order', [part('b'), part('a')]],
    ['a write that is no part', [part('a'), part('b', { operation: putOf('v') }), omitPart(part('c'))]],
    ['two clients', [part('a'), part('b', { client: 'd' as ClientId })]],
    ['two client times', [part('a'), part('b', { clientTime: 2 })]],
    ['one part accepted anew', [part('a'), part('b', { resubmitted: true })]],
    ['too many keys', many(BATCH_PARTS_MAX + 1, 1)],
    ['too many bytes', many(2, 600_000)],
    ['another stamp between', [part('a'), part('b', { acceptTime: 6 }), part('c')]],
  ])('is refused, as %s', (_, writes) => {
    const replica = replicaOf('r');
    expect([take(replica, writes), log(replica)]).toEqual(['ERR_PROTOCOL', []]);
  });

  test('is believed if it is a whole one', () => {
    const replica = replicaOf('r');
    expect([take(replica, many(BATCH_PARTS_MAX, 8_000)), log(replica).length]).toEqual(['integrated', BATCH_PARTS_MAX]);
  });

  test('cannot add to one that is here', () => {
    const replica = replicaOf('r');
    take(replica, [part('a'), part('b')]);
    replica.interrupted('liar' as ReplicaId);
    expect(take(replica, [part('a'), part('c', { client: 'd' as ClientId })])).toBe('ERR_PROTOCOL');
    expect(take(replica, [omitPart(part('c'))])).toBe('integrated');
    expect(log(replica)).toEqual(['5@liar#1 a', '5@liar#1 b']);
  });

  function omitPart({ part: _, ...write }: Write<KvOperation>): Write<KvOperation> {
    return write;
  }
});
