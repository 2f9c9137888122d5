import { describe, expect, test } from 'vitest';
import type { ClientId } from '../../src/base/ids.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import {
  type Change,
  cursorBehind,
  START,
  type WatchCursor,
  type WatchFrom,
  type WatchReply,
} from '../../src/bayou/watch-messages.js';
import { kvOperationCodec } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import {
  clusterOf,
  exchange,
  introduce,
  type KvReplica,
  LIMITS,
  NO_WINDOW,
  openOver,
  pull,
  put,
  remove,
  replicaOf,
  serve,
  settle,
} from './replicas.js';

type Told = Extract<WatchReply<Uint8Array>, { kind: 'changes' }>;

function ask(replica: KvReplica, from: WatchFrom, prefix = '', changesMax = 100): Told {
  const request = { prefix, from, needs: null, changesMax, budgetMs: 0, name: null };
  const reply = replica.reader.watch(request, 0);
  if (reply.kind !== 'changes') throw new Error(reply.kind === 'refused' ? reply.code : 'ERR_DEP');
  return reply;
}

const now = (replica: KvReplica): WatchCursor => ask(replica, { kind: 'now' }).cursor;
const on = (cursor: WatchCursor): WatchFrom => ({ kind: 'cursor', cursor });

/** `key=value`, or `key` if it is absent; what did not stand in brackets behind it; `~` before what was reordered. */
function nameOf({ key, value, stands, reordered, lost }: Change<Uint8Array>): string {
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const now = value === null ? key : `${key}=${text(value)}`;
  return `${reordered ? '~' : ''}${now}${stands ? '' : `(${lost === null ? '' : text(lost)})`}`;
}

/** All that is left to tell, a few changes at a time. */
function drain(replica: KvReplica, from: WatchCursor, prefix = ''): { told: string[]; cursor: WatchCursor } {
  const told: string[] = [];
  for (let cursor = from; ; ) {
    const reply = ask(replica, on(cursor), prefix, 2);
    told.push(...reply.changes.map(nameOf));
    cursor = reply.cursor;
    if (reply.changes.length === 0 && !reply.more) return { told, cursor };
  }
}

const code = (call: () => unknown): string => {
  try {
    call();
  } catch (thrown) {
    return (thrown as Error).message;
  }
  return 'nothing';
};

describe('a watch', () => {
  test('tells of what is accepted from where it began, under its prefix, deletes too', () => {
    const a = replicaOf('a');
    a.accept(put('c', 1, 'k', 'before'), 0);
    const begun = now(a);
    a.accept(put('c', 2, 'k/1', 'v'), 0);
    a.accept(put('c', 3, 'other', 'v'), 0);
    a.accept(remove('d', 1, 'k/1'), 0);
    expect(drain(a, begun, 'k').told).toEqual(['k/1(v)', 'k/1']);
    expect(drain(a, begun, '').told).toEqual(['k/1(v)', 'other=v', 'k/1']);
  });

  test('from the start tells of all that is there, and then of what changes', () => {
    const a = replicaOf('a');
    a.accept(put('c', 1, 'k', '1'), 0);
    const { told, cursor } = drain(a, START, 'k');
    expect(told).toEqual(['k=1']);
    a.accept(put('c', 2, 'k', '2'), 0);
    expect(drain(a, cursor, 'k').told).toEqual(['k=2']);
  });

  test('from a stamp tells of what stands after it, and of what comes, wherever that stands', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    a.accept(put('c', 1, 'k/1', 'v'), 0);
    a.accept(put('c', 2, 'k/2', 'v'), 0);
    a.accept(put('c', 3, 'k/3', 'v'), 0);
    const stamp = { origin: a.origin, acceptTime: 2 };
    const { cursor } = ask(a, { kind: 'stamp', stamp });
    b.accept(put('d', 1, 'late', 'v'), 0);
    pull(a, b);
    expect(drain(a, cursor).told).toEqual(['late=v', 'k/3=v']);
    expect(code(() => ask(b, { kind: 'stamp', stamp }))).toBe('ERR_DEP');
  });

  test('gives what is pruned meanwhile only as what replaced it', () => {
    const a = replicaOf('a');
    const begun = now(a);
    for (let i = 1; i <= 3; i++) a.accept(put('c', i, 'k', `${i}`), 0);
    expect(drain(a, begun).told).toEqual(['k=3']);
  });

  test('does not tell of what a transfer has brought that is not claimed yet', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    for (let i = 1; i <= 3; i++) a.accept(put('c', i, `k/${i}`, 'v'), 0);
    const begun = now(b);
    const request = b.nextPull(a.id, { ...LIMITS, writesMax: 2 });
    b.integrate(a.id, request, serve(a, request), 0);
    expect(b.reader.watches.hasUnclaimed).toBe(true);
    expect(ask(b, on(begun))).toMatchObject({ changes: [], more: false });
    pull(b, a);
    expect(b.reader.watches.hasUnclaimed).toBe(false);
    expect(drain(b, begun).told).toEqual(['k/1=v', 'k/2=v', 'k/3=v']);
  });

  test('tells of a write that comes late behind one that it told of: the value stays, and who lost', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    a.accept(put('early', 1, 'k', 'old'), 0);
    b.accept(put('other', 1, 'x', ''), 0);
    b.accept(put('late', 1, 'k', 'new'), 0);
    const first = drain(b, START, 'k');
    expect(first.told).toEqual(['k=new']);
    pull(b, a);
    expect(drain(b, first.cursor, 'k').told).toEqual(['~k=new(old)']);
    const [change] = ask(b, on(first.cursor), 'k').changes;
    expect(change).toMatchObject({
      client: 'early' as ClientId,
      stamp: { origin: a.origin, acceptTime: 1 },
      standing: { origin: b.origin, acceptTime: 2 },
    });
  });

  test('tells of an operation that two replicas accepted once, unless its place changes', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    b.accept(put('x', 1, 'x', ''), 0);
    a.accept(put('c', 1, 'k', 'v'), 0);
    b.accept(put('c', 1, 'k', 'v'), 0);
    const atA = drain(a, START, 'k');
    const atB = drain(b, START, 'k');
    expect([atA.told, atB.told]).toEqual([['k=v'], ['k=v']]);
    pull(a, b);
    pull(b, a);
    // It took effect at a, and so does nothing at b's stamp; who saw that is told that it stands elsewhere.
    expect(drain(a, atA.cursor, 'k').told).toEqual([]);
    expect(drain(b, atB.cursor, 'k').told).toEqual(['~k=v']);
  });

  test('can be left after any change, and goes on behind it elsewhere', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')];
    const begun = now(a);
    for (let i = 1; i <= 4; i++) a.accept(put('c', i, `k/${i}`, 'v'), 0);
    const reply = ask(a, on(begun), 'k', 3);
    const left = cursorBehind(begun, reply.cursor, reply.changes[0] as Change<Uint8Array>, reply.changes[1]);
    expect(code(() => ask(b, on(left)))).toBe('ERR_DEP');
    pull(b, a);
    expect(drain(b, left, 'k').told).toEqual(['k/2=v', 'k/3=v', 'k/4=v']);
  });

  test('may ask for a few at a time, and is told when it looked at many in vain', () => {
    const a = replicaOf('a');
    const begun = now(a);
    for (let i = 1; i <= 5_000; i++) a.accept(put('c', i, `x${i}`, 'v'), 0);
    a.accept(put('c', 5_001, 'k', 'v'), 0);
    const first = ask(a, on(begun), 'k');
    expect([first.changes, first.more]).toEqual([[], true]);
    expect(ask(a, on(first.cursor), 'k').changes.map(nameOf)).toEqual(['k=v']);
  });
});

describe('a watch of what is folded', () => {
  /** Two members that have folded all they hold: `k/1` to `k/5`, `k/deleted` and `other`. */
  function folded(): KvReplica[] {
    const replicas = clusterOf(['a', 'b']);
    const [a] = replicas as [KvReplica];
    for (let i = 1; i <= 5; i++) a.accept(put('c', i, `k/${i}`, `${i}`), 0);
    a.accept(put('c', 6, 'k/deleted', ''), 0);
    a.accept(remove('c', 7, 'k/deleted'), 0);
    a.accept(put('c', 8, 'other', ''), 0);
    settle(replicas);
    expect(replicas.map(({ logSize }) => logSize)).toEqual([0, 0]);
    return replicas;
  }

  test('from the start tells of the base store by key, then of the log; each once, also elsewhere', () => {
    const [a, b] = folded() as [KvReplica, KvReplica];
    a.accept(put('d', 1, 'k/2', 'new'), 0);
    const reply = ask(a, on(START), 'k/', 3);
    expect(reply.changes.map(nameOf)).toEqual(['k/1=1', 'k/2=new(2)', 'k/3=3']);
    const left = cursorBehind(START, reply.cursor, reply.changes[1] as Change<Uint8Array>, reply.changes[2]);
    expect(left.store).toEqual({ time: a.base, after: 'k/2' });
    pull(b, a);
    expect(drain(b, left, 'k/').told).toEqual(['k/3=3', 'k/4=4', 'k/5=5', 'k/2=new']);
    expect(drain(a, START, '').told).toHaveLength(7);
  });

  test('a key that is the prefix itself is told', () => {
    const replicas = clusterOf(['a', 'b']);
    (replicas[0] as KvReplica).accept(put('c', 1, 'k', 'v'), 0);
    settle(replicas);
    expect(drain(replicas[0] as KvReplica, START, 'k').told).toEqual(['k=v']);
  });

  test('is refused to who was told of some of it, and not of all: what was deleted has left no trace', () => {
    const replicas = clusterOf(['a', 'b']);
    const [a, b] = replicas as [KvReplica, KvReplica];
    a.accept(put('c', 1, 'k', 'v'), 0);
    const begun = now(a);
    a.accept(remove('c', 2, 'k'), 0);
    settle(replicas);
    for (const replica of [a, b]) expect(code(() => ask(replica, on(begun)))).toBe('ERR_FOLDED');
    const stamp = { origin: a.origin, acceptTime: 1 };
    expect(code(() => ask(a, { kind: 'stamp', stamp }))).toBe('ERR_FOLDED');
    expect(drain(a, START).told).toEqual([]);
  });

  test('is refused to who was told of what was pruned and deleted, though none of that was folded itself', () => {
    const replicas = clusterOf(['a', 'b']);
    const [a, b] = replicas as [KvReplica, KvReplica];
    a.accept(put('c', 1, 'k', 'v'), 0);
    const { cursor, told } = drain(a, START);
    expect(told).toEqual(['k=v']);
    pull(b, a);
    b.accept(remove('c', 2, 'k'), 0);
    settle(replicas);
    expect(code(() => ask(b, on(cursor)))).toBe('ERR_FOLDED');
  });

  test('goes on for who was told of all of it', () => {
    const [a] = folded() as [KvReplica];
    const begun = now(a);
    a.accept(put('d', 1, 'k/1', 'v'), 0);
    expect(drain(a, begun).told).toEqual(['k/1=v']);
  });

  test('nothing is folded while it is told; if it was all the same the watch begins again', () => {
    const replicas = folded();
    const [a, b] = replicas as [KvReplica, KvReplica];
    const { base } = a;
    const { cursor } = ask(a, on(START), 'k/', 2);
    a.accept(put('d', 1, 'k/9', 'v'), 0);
    exchange(replicas);
    expect(a.compact(1_000)).toBe(false);
    expect(a.base).toBe(base);
    while (b.compact(1_000));
    expect(b.base).toBeGreaterThan(base);
    expect(code(() => ask(b, on(cursor), 'k/'))).toBe('ERR_FOLDED');
    expect(drain(a, cursor, 'k/').told).toHaveLength(4);
  });

  test('that a newcomer takes over is told to who watched it from the beginning', () => {
    const replicas = folded();
    const [a] = replicas as [KvReplica];
    const c = replicaOf('c', NO_WINDOW);
    introduce([c]);
    const begun = now(c);
    const request = c.nextPull(a.id, { ...LIMITS, writesMax: 2 });
    c.integrate(a.id, request, serve(a, request), 0);
    expect(c.isBehind).toBe(true);
    expect(ask(c, on(begun))).toMatchObject({ changes: [], cursor: begun, more: false });
    pull(c, a);
    expect(drain(c, begun, 'k/').told).toEqual(['k/1=1', 'k/2=2', 'k/3=3', 'k/4=4', 'k/5=5']);
  });
});

test('what was told by a replica that has lost its disk since, and by nobody else, is not waited for in vain', () => {
  const replicas = clusterOf(['a', 'b', 'c']);
  const [a, b, c] = replicas as [KvReplica, KvReplica, KvReplica];
  exchange(replicas);
  const begun = now(c);
  c.accept(put('x', 1, 'k', 'lost'), 0);
  const { told, cursor } = drain(c, begun);
  expect(told).toEqual(['k=lost']);
  const again = openOver(new MemoryStorage(kvOperationCodec), 'c', NO_WINDOW, { incarnation: 2 });
  pull(again, a);
  // Another member might have it yet.
  expect(code(() => ask(a, on(cursor)))).toBe('ERR_DEP');
  exchange([a, b, again], 0, 6);
  expect(code(() => ask(a, on(cursor)))).toBe('ERR_FOLDED');
});

test('what a waiting watch keeps of its cursor is no more than the replica knows', () => {
  const a = replicaOf('a');
  a.accept(put('c', 1, 'k', 'v'), 0);
  const { target } = now(a);
  const strange = target.clone();
  for (let i = 0; i < 1_000; i++) strange.raise(`x${i}#1` as typeof a.origin, 0);
  const narrowed = a.reader.watches.narrowed({ told: new VersionVector(), target: strange, store: null });
  expect(narrowed.target.equals(target)).toBe(true);
  expect(narrowed.told.size).toBe(0);
});
