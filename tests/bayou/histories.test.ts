import { describe, expect, test } from 'vitest';
import type { ClientId } from '../../src/base/ids.js';
import type { HistoryReply, HistoryRequest } from '../../src/bayou/history-messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { nameStamp } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';
import {
  clusterOf,
  exchange,
  introduce,
  type KvReplica,
  LIMITS,
  pull,
  put,
  replicaOf,
  serve,
  settle,
} from './replicas.js';

type Page = Extract<HistoryReply<KvOperation>, { kind: 'history' }>;

function ask(replica: KvReplica, request: Partial<HistoryRequest> = {}): Page {
  const asked = { key: 'k', after: null, only: null, writesMax: 100, needs: null, ...request };
  const reply = replica.reader.history(asked, [], 0);
  if (reply.kind !== 'history') throw new Error(reply.kind);
  return reply;
}

const textOf = (operation: KvOperation): string =>
  'value' in operation ? `${operation.kind} ${new TextDecoder().decode(operation.value)}` : operation.kind;

/** `1@a#1 ana put x accepted overwritten`. */
const lines = ({ writes }: Page): string[] =>
  writes.map(({ stamp, client, operation, stage, fate }) => {
    return `${nameStamp(stamp)} ${client} ${textOf(operation)} ${stage} ${fate.kind}`;
  });

const increment = (client: string, clientTime: number, key = 'k') => ({
  ...put(client, clientTime, key, ''),
  operation: { kind: 'increment', by: 1 } as const,
});

describe('the history of a key', () => {
  test('has its writes in their order, whoever accepted them, and says what became of each', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')] as const;
    introduce([a, b]);
    a.accept(put('ana', 1, 'k', 'a'), 0);
    b.accept(put('ben', 1, 'k', 'b'), 0);
    b.accept(increment('ben', 2, 'other'), 0);
    a.accept(put('cem', 1, 'k', 'c'), 0);
    expect(lines(ask(a))).toEqual(['1@a#1 ana put a accepted overwritten', '2@a#1 cem put c accepted stands']);
    pull(a, b);
    expect(lines(ask(a))).toEqual([
      '1@a#1 ana put a accepted overwritten',
      '1@b#1 ben put b accepted overwritten',
      '2@a#1 cem put c accepted stands',
    ]);
    expect(ask(a).base).toBeNull();
    expect(ask(a, { key: 'nothing' })).toEqual({ kind: 'history', base: null, writes: [], more: false });
  });

  test('says of each whether it is claimed, and whether every member holds it', () => {
    const [a, b] = [replicaOf('a'), replicaOf('b')] as const;
    introduce([a, b]);
    a.accept(put('ana', 1, 'k', 'a'), 0);
    a.accept(put('ben', 1, 'k', 'b'), 0);
    // The first batch of two.
    const request = b.nextPull(a.id, { ...LIMITS, writesMax: 1 });
    b.integrate(a.id, request, serve(a, request), 0);
    expect(lines(ask(b))).toEqual(['1@a#1 ana put a received stands']);
    exchange([a, b]);
    expect(lines(ask(b))).toEqual(['1@a#1 ana put a stable overwritten', '2@a#1 ben put b stable stands']);
    b.accept(put('cem', 1, 'k', 'c'), 0);
    expect(lines(ask(b)).at(-1)).toMatch(/cem put c accepted stands$/);
  });

  test('comes page by page, each write once', () => {
    const a = replicaOf('a');
    for (let i = 1; i <= 7; i++) a.accept(put(`c${i}`, 1, 'k', `${i}`), 0);
    const told: string[] = [];
    for (
      let page = ask(a, { writesMax: 3 });
      ;
      page = ask(a, { writesMax: 3, after: page.writes.at(-1)?.stamp ?? null })
    ) {
      expect(page.writes.length).toBeLessThanOrEqual(3);
      told.push(...lines(page));
      if (!page.more) break;
    }
    expect(told).toEqual(lines(ask(a)));
    expect(told).toHaveLength(7);
  });

  test('a page ends at about a mebibyte, and at 4,096 writes', () => {
    const a = replicaOf('a');
    const large = 'x'.repeat(400_000);
    for (let i = 1; i <= 5; i++) a.accept(put(`c${i}`, 1, 'large', large), 0);
    expect(ask(a, { key: 'large' }).writes).toHaveLength(3);
    for (let i = 1; i <= 5_000; i++) a.accept(increment('ana', i), 0);
    expect(ask(a, { writesMax: 65_536 })).toMatchObject({ more: true, writes: { length: 4_096 } });
  });

  test('tells a single write, by its stamp', () => {
    const a = replicaOf('a');
    a.accept(put('ana', 1, 'k', 'a'), 0);
    a.accept(put('ben', 1, 'k', 'b'), 0);
    expect(lines(ask(a, { only: { origin: a.origin, acceptTime: 1 } }))).toEqual([
      // Nobody else is a member.
      '1@a#1 ana put a stable overwritten',
    ]);
    expect(ask(a, { only: { origin: a.origin, acceptTime: 3 } }).writes).toEqual([]);
  });

  test('what was folded is what it comes to, on the first page alone; of what its client overwrote nothing is left', () => {
    const [a, b] = clusterOf(['a', 'b']) as [KvReplica, KvReplica];
    a.accept(put('ana', 1, 'one', 'a'), 0);
    a.accept(increment('ana', 2), 0);
    a.accept(increment('ben', 1), 0);
    settle([a, b]);
    expect(a.logSize).toBe(0);
    const stamp = { origin: a.origin, acceptTime: 1 };
    const base = ask(a, { key: 'one' }).base;
    expect(base).toMatchObject({ stamp, client: 'ana', operation: { kind: 'put' }, fate: { kind: 'stands' } });
    expect(ask(a).base).toMatchObject({ stamp: { acceptTime: 3 }, client: 'ben', operation: { kind: 'total' } });
    a.accept(put('cem', 1, 'one', 'c'), 0);
    a.accept(put('cem', 2, 'one', 'd'), 0);
    const after = ask(a, { key: 'one' });
    expect(after.base?.fate).toMatchObject({ kind: 'overwritten', by: { client: 'cem' } });
    expect(lines(after)).toEqual([expect.stringContaining('cem put d accepted stands')]);
    expect(ask(a, { key: 'one', after: stamp }).base).toBeNull();
    expect(ask(a, { key: 'one', only: stamp })).toMatchObject({ base: { stamp }, writes: [] });
  });

  test('is refused who needs what is not there', () => {
    const a = replicaOf('a');
    const needs = new VersionVector([[a.origin, 1]]);
    const request = { key: 'k', after: null, only: null, writesMax: 1, needs };
    expect(a.reader.history(request, [], 0)).toEqual({ kind: 'missing', missing: needs });
    a.accept({ ...put('ana', 1, 'k', 'a'), client: 'ana' as ClientId }, 0);
    expect(a.reader.history(request, [], 0).kind).toBe('history');
  });
});
