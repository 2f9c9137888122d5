import { describe, expect, test } from 'vitest';
import type { ClientId } from '../../src/base/ids.js';
import type { WriteRequest } from '../../src/bayou/messages.js';
import { checkOperation, type KvOperation } from '../../src/machine/kv.js';
import {
  clusterOf,
  fold,
  get,
  homeOf,
  type KvReplica,
  log,
  NO_WINDOW,
  pull,
  put,
  rejoin,
  remove,
  replicaOf,
  settle,
  store,
} from './replicas.js';

const HYBRID = { clock: 'hybrid' } as const;
const TICKS_PER_MS = 2_048;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

let clientTime = 0;

function write(key: string, operation: KvOperation, client = 'x'): WriteRequest<KvOperation> {
  return { client: client as ClientId, clientTime: ++clientTime, key, operation, after: 0, needs: null };
}

function putFor(ttlMs: number, text = 'v'): KvOperation {
  return { kind: 'put', value: encoder.encode(text), ttlMs };
}

function putIfAbsentFor(ttlMs: number, text: string): KvOperation {
  return { kind: 'putIfAbsent', value: encoder.encode(text), ttlMs };
}

/** What is under the key at `now`. */
function at(replica: KvReplica, now: number, key = 'k'): string {
  const reply = replica.read({ key, needs: null }, now);
  return reply.kind === 'found' ? decoder.decode(reply.value) : reply.kind;
}

describe('what has a time to live', () => {
  test('is gone so many milliseconds after its accept stamp, and not before', () => {
    const a = replicaOf('a', HYBRID);
    a.accept(write('k', putFor(100)), 1_000);
    expect([at(a, 1_000), at(a, 1_099), at(a, 1_100)]).toEqual(['v', 'v', 'absent']);
  });

  test('says when that will be', () => {
    const a = replicaOf('a', HYBRID);
    a.accept(write('k', putFor(100)), 1_000);
    const expires = 1_100 * TICKS_PER_MS;
    expect(a.read({ key: 'k', needs: null }, 1_050)).toMatchObject({ kind: 'found', expires });
    expect(a.reader.readMany({ keys: ['k'], needs: null }, 1_050)).toMatchObject({ values: [{ expires }] });
    a.accept(put('y', 1, 'other', 'w'), 1_050);
    const other = a.read({ key: 'other', needs: null }, 1_050);
    expect(other).not.toHaveProperty('expires');
  });

  test('ends by that stamp at whom it comes to late, too', () => {
    const [a, b] = clusterOf(['a', 'b'], HYBRID) as [KvReplica, KvReplica];
    a.accept(write('k', putFor(100)), 1_000);
    pull(b, a, undefined, 1_090);
    expect([at(b, 1_099), at(b, 1_100)]).toEqual(['v', 'absent']);
    pull(replicaOf('c', HYBRID), a, undefined, 5_000);
  });

  test('counts accept times where the clock is a counter', () => {
    const a = replicaOf('a');
    a.accept(write('k', putFor(2)), 0);
    a.accept(put('y', 1, 'other', '1'), 0);
    expect(at(a, 0)).toBe('v');
    a.accept(put('y', 2, 'other', '2'), 0);
    expect([at(a, 0), store(a)]).toEqual(['absent', ['other=2']]);
  });

  test('does not come back where the wall clock goes back, and stands before what is written then', () => {
    const a = replicaOf('a', HYBRID);
    a.accept(write('k', putFor(100)), 1_000);
    expect(at(a, 2_000)).toBe('absent');
    expect(at(a, 1_001)).toBe('absent');
    expect(a.accept(write('k', { kind: 'increment', by: 1 }), 1_002)).toMatchObject({
      stamp: { acceptTime: 1_100 * TICKS_PER_MS + 1 },
    });
    expect(at(a, 1_003)).toBe('1');
  });

  test('has it not begin anew with a retry', () => {
    const [a, b] = clusterOf(['a', 'b'], HYBRID) as [KvReplica, KvReplica];
    const request = write('k', putFor(100));
    const first = a.accept(request, 1_000);
    expect(a.accept(request, 1_050)).toEqual(first);
    b.accept(request, 1_080);
    pull(b, a, undefined, 1_090);
    pull(a, b, undefined, 1_090);
    expect([at(a, 1_100), at(b, 1_100), at(a, 1_099)]).toEqual(['absent', 'absent', 'absent']);
    expect(a.accept({ ...request, operation: putFor(99) }, 1_050)).toMatchObject({ code: 'ERR_CLIENT_TIME' });
  });

  test('has it not begin anew where it is accepted anew', () => {
    const [a, b] = [homeOf('a', { ...HYBRID, ...NO_WINDOW }), homeOf('b', { ...HYBRID, ...NO_WINDOW })];
    a.replica.meet(b.replica.origin);
    b.replica.meet(a.replica.origin);
    a.replica.accept(write('k', putFor(1_000)), 1_000);
    b.replica.accept(put('y', 1, 'other', '1'), 1_000);
    rejoin(a, b.replica);
    pull(a.replica, b.replica, undefined, 1_500);
    pull(b.replica, a.replica, undefined, 1_600);
    expect(log(b.replica).filter((line) => line.endsWith(' k'))).toEqual([expect.stringContaining('@a#2 k')]);
    expect([at(b.replica, 1_999), at(b.replica, 2_000)]).toEqual(['v', 'absent']);
  });
});

describe('what comes after it', () => {
  test.each<[string, KvOperation, string, string]>([
    ['an increment leaves its end as it is', { kind: 'increment', by: 1 }, '8', 'absent'],
    ['an append likewise', { kind: 'append', bytes: encoder.encode('!') }, '7!', 'absent'],
    [
      'so does a merge',
      { kind: 'merge', procedure: 'highest@1', value: encoder.encode('9'), expects: null },
      '9',
      'absent',
    ],
    ['a put stays', { kind: 'put', value: encoder.encode('p') }, 'p', 'p'],
    ['a put with another ends with that', putFor(300, 'q'), 'q', 'q'],
    ['a putIfAbsent finds it there', putIfAbsentFor(300, 'r'), '7', 'absent'],
    ['a delete ends it', { kind: 'delete' }, 'absent', 'absent'],
  ])('%s', (_, operation, before, after) => {
    const a = replicaOf('a', HYBRID);
    a.accept(write('k', putFor(100, '7')), 1_000);
    a.accept(write('k', operation, 'y'), 1_050);
    expect([at(a, 1_099), at(a, 1_100)]).toEqual([before, after]);
  });

  test.each<[string, KvOperation, string]>([
    ['an increment counts from 0, and stays', { kind: 'increment', by: 1 }, '1'],
    ['an append puts its bytes after nothing', { kind: 'append', bytes: encoder.encode('!') }, '!'],
    ['a putIfAbsent takes effect', putIfAbsentFor(10_000, 'r'), 'r'],
    [
      'a merge finds nothing',
      { kind: 'merge', procedure: 'first-wins@1', value: encoder.encode('9'), expects: 'absent' },
      '9',
    ],
  ])('where it has expired %s', (_, operation, after) => {
    const a = replicaOf('a', HYBRID);
    a.accept(write('k', putFor(100, '7')), 1_000);
    a.accept(write('k', operation, 'y'), 1_100);
    expect([at(a, 1_100), at(a, 1_500)]).toEqual([after, after]);
    // Whether anybody looked in between makes no difference, nor which came first.
    const b = replicaOf('b', HYBRID);
    pull(b, a, undefined, 1_200);
    expect(at(b, 1_500)).toBe(after);
  });
});

describe('what has expired', () => {
  const TERMS = { ...HYBRID, ...NO_WINDOW };

  test('leaves the base store, also of members that write nothing more', () => {
    const cluster = clusterOf(['a', 'b'], TERMS) as [KvReplica, KvReplica];
    const [a, b] = cluster;
    a.accept(write('k', putFor(60_000)), 1_000);
    a.accept(put('y', 1, 'other', '1'), 1_000);
    pull(b, a, undefined, 1_100);
    settle(cluster, 2_000);
    expect([a.logSize, b.logSize, at(a, 2_000), a.hasToFold(2_000)]).toEqual([0, 0, 'v', false]);
    expect(a.hasToFold(61_001)).toBe(true);
    settle(cluster, 62_000);
    for (const replica of cluster) {
      expect(replica.hasToFold(70_000)).toBe(false);
      expect([...replica.reader.entries(null, 0)].map(({ key }) => key)).toEqual(['other']);
      expect(at(replica, 0)).toBe('absent');
    }
  });

  test('is there yet for what comes late from a member that was away, and stands before its end', () => {
    const cluster = clusterOf(['a', 'b'], TERMS) as [KvReplica, KvReplica];
    const [a, b] = cluster;
    a.accept(write('k', putFor(60_000, '7')), 1_000);
    settle(cluster, 2_000);
    expect(a.logSize).toBe(0);
    fold(a, 100_000);
    b.accept(write('k', { kind: 'increment', by: 1 }), 50_000);
    pull(a, b, undefined, 55_000);
    expect([at(a, 55_000), at(a, 61_000)]).toEqual(['8', 'absent']);
  });

  test('is what several writes came to, when those are folded', () => {
    const cluster = clusterOf(['a', 'b'], TERMS) as [KvReplica, KvReplica];
    const [a, b] = cluster;
    a.accept(write('k', putFor(60_000, '7')), 1_000);
    b.accept(write('k', { kind: 'increment', by: 1 }), 1_500);
    settle(cluster, 2_000);
    expect([a.logSize, at(a, 60_999), at(a, 61_000)]).toEqual([0, '8', 'absent']);
  });

  test('keeps its place, but not its value, at a replica that knows no other', () => {
    const { storage, replica } = homeOf('a', TERMS);
    replica.accept(write('k', putFor(1_000, 'x'.repeat(1_000))), 1_000);
    fold(replica, 1_500);
    expect(storage.base('k')?.operation.kind).toBe('put');
    fold(replica, 3_000);
    expect(storage.base('k')?.operation).toEqual({ kind: 'delete' });
    expect(replica.hasToFold(9_000)).toBe(false);
  });

  test('is dropped some at a time', () => {
    const cluster = clusterOf(['a', 'b'], TERMS) as [KvReplica, KvReplica];
    const [a, b] = cluster;
    for (let i = 0; i < 3_000; i++) a.accept(write(`k${i}`, putFor(1_000)), 1_000);
    pull(b, a, undefined, 1_100);
    settle(cluster, 1_500);
    expect(a.logSize).toBe(0);
    for (const to of cluster) for (const from of cluster) if (to !== from) settle([to, from], 9_000);
    expect([a.hasToFold(9_000), b.hasToFold(9_000)]).toEqual([false, false]);
    expect([store(a), store(b)]).toEqual([[], []]);
  });

  test('is not what conflicts tell of, and its history says so', () => {
    const a = replicaOf('a', HYBRID);
    a.accept(write('k', putFor(100), 'x'), 1_000);
    a.accept(write('k', { kind: 'increment', by: 2 }, 'y'), 2_000);
    a.accept(write('k', putFor(100), 'z'), 3_000);
    const history = (now: number) => {
      const request = { key: 'k', after: null, only: null, writesMax: 10, needs: null };
      const reply = a.reader.history(request, [], now);
      return reply.kind === 'history' ? reply.writes.map(({ fate }) => fate.kind) : reply.kind;
    };
    expect(history(3_050)).toEqual(['expired', 'overwritten', 'stands']);
    expect(history(3_100)).toEqual(['expired', 'overwritten', 'expired']);
    let reply = a.reader.conflicts({ prefix: '', from: { kind: 'start' }, needs: null, conflictsMax: 10 });
    if (reply.kind !== 'conflicts') return expect.fail(reply.kind);
    const from = { kind: 'cursor', cursor: reply.cursor } as const;
    reply = a.reader.conflicts({ prefix: '', from, needs: null, conflictsMax: 10 });
    expect(reply).toMatchObject({ conflicts: [{ operation: { kind: 'increment' } }] });
  });

  test('is left out of a scan, which shows the time at which it began', () => {
    const a = replicaOf('a', HYBRID);
    for (const key of ['k1', 'k2', 'k3']) a.accept(write(key, putFor(100)), 1_000);
    a.accept(put('y', 1, 'k4', '1'), 1_000);
    const first = {
      range: { from: null, before: null },
      reverse: false,
      after: null,
      entriesMax: 1,
      hold: true,
      snapshot: null,
      needs: null,
    };
    const begun = a.reader.scan(first, 1_050);
    if (begun.kind !== 'page') return expect.fail(begun.kind);
    expect(begun.entries.map(({ key }) => key)).toEqual(['k1']);
    const next = { ...first, entriesMax: 10, after: begun.upTo };
    a.accept(remove('z', 1, 'k3'), 1_200);
    const on = a.reader.scan({ ...next, snapshot: begun.snapshot }, 1_300);
    expect(on).toMatchObject({ entries: [{ key: 'k2' }, { key: 'k3' }, { key: 'k4' }] });
    expect(a.reader.scan({ ...next, hold: false }, 1_300)).toMatchObject({ entries: [{ key: 'k4' }] });
  });

  test('is told by a watch with its end beforehand, and not when that comes', () => {
    const a = replicaOf('a', HYBRID);
    const ask = (from: Parameters<typeof a.reader.watch>[0]['from'], now: number) => {
      const reply = a.reader.watch({ prefix: '', from, needs: null, changesMax: 10, budgetMs: 0, name: null }, now);
      if (reply.kind !== 'changes') throw new Error(reply.kind);
      return reply;
    };
    const begun = ask({ kind: 'now' }, 900);
    a.accept(write('k', putFor(100)), 1_000);
    const from = { kind: 'cursor', cursor: begun.cursor } as const;
    const told = ask(from, 1_050);
    expect(told.changes).toMatchObject([{ key: 'k', value: encoder.encode('v'), expires: 1_100 * TICKS_PER_MS }]);
    expect(ask({ kind: 'cursor', cursor: told.cursor }, 1_200).changes).toEqual([]);
    expect(ask(from, 1_200).changes).toMatchObject([{ key: 'k', value: null, stands: true }]);
  });
});

describe('a time to live', () => {
  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 10 * 365 * 24 * 3_600_000 + 1])(
    'is not %d ms',
    (ttlMs) => {
      expect(checkOperation(putFor(ttlMs))).toMatchObject({ code: 'ERR_INVALID_VALUE' });
      expect(checkOperation(putIfAbsentFor(ttlMs, 'v'))).toMatchObject({ code: 'ERR_INVALID_VALUE' });
    },
  );

  test('is up to ten years', () => {
    expect(checkOperation(putFor(10 * 365 * 24 * 3_600_000))).toBeNull();
    expect(checkOperation(putFor(1))).toBeNull();
  });

  test("ends where the replica says, which is no client's to say", () => {
    const operation: KvOperation = { kind: 'put', value: encoder.encode('v'), ttlMs: 5, expires: 9 };
    expect(checkOperation(operation)).toMatchObject({ code: 'ERR_INVALID_VALUE' });
  });

  test('does not end beyond what a time can be', () => {
    const a = replicaOf('a');
    const late = { ...write('k', putFor(10)), after: Number.MAX_SAFE_INTEGER - 3 };
    expect(a.accept(late, 0)).toMatchObject({ kind: 'accepted' });
    expect(a.read({ key: 'k', needs: null }, 0)).toMatchObject({ kind: 'found', expires: Number.MAX_SAFE_INTEGER });
    expect(get(a, 'k')).toBe('v');
  });
});
