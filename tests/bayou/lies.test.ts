import { describe, expect, test } from 'vitest';
import { type ClientId, type Origin, originOf, type ReplicaId } from '../../src/base/ids.js';
import { ORIGINS_MAX } from '../../src/base/limits.js';
import type { PullBatch } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { Write } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { get, type KvReplica, LIMITS, log, put, replicaOf } from './replicas.js';

/* Peers that say what no replica of ours would. */

const LIAR = originOf('liar' as ReplicaId, 1);

function writeAt(acceptTime: number, key: string, client: string): Write<KvOperation> {
  const operation = { kind: 'put' as const, value: new TextEncoder().encode(`${key} ${acceptTime}`) };
  return { origin: LIAR, acceptTime, client: client as ClientId, clientTime: acceptTime, key, operation };
}

/** The replica pulls from the liar, which answers this. */
function answer(replica: KvReplica, parts: Partial<PullBatch<KvOperation>>): string {
  const request = replica.nextPull('liar' as ReplicaId, LIMITS);
  const batch: PullBatch<KvOperation> = {
    from: LIAR,
    resumed: false,
    writes: [],
    seen: new VersionVector(),
    more: false,
    standing: { base: 0, floor: 0, clock: 0, members: 2 },
    store: null,
    left: null,
    report: null,
    ...parts,
  };
  const outcome = replica.integrate('liar' as ReplicaId, request, batch, 0);
  return outcome.kind === 'refused' ? outcome.code : outcome.kind;
}

const origins = (count: number, name: string): VersionVector =>
  new VersionVector(
    Array.from({ length: count }, (_, i): [Origin, number] => [originOf(`${name}${i}` as ReplicaId, 1), 0]),
  );

describe('one stamp given to two writes', () => {
  test('names the one that came first, also if the transfer began anew between', () => {
    const replica = replicaOf('r');
    const seen = new VersionVector([[LIAR, 6]]);
    expect(answer(replica, { writes: [writeAt(5, 'first', 'a')], seen, more: true })).toBe('integrated');
    expect(answer(replica, { writes: [writeAt(5, 'second', 'b'), writeAt(6, 'first', 'b')], seen })).toBe('integrated');
    expect([get(replica, 'first'), get(replica, 'second')]).toEqual(['first 6', 'absent']);
    expect(log(replica)).toHaveLength(2);
  });

  test('is taken if it is the same write again', () => {
    const replica = replicaOf('r');
    const seen = new VersionVector([[LIAR, 7]]);
    expect(answer(replica, { writes: [writeAt(5, 'k', 'a'), writeAt(7, 'l', 'a')], seen, more: true })).toBe(
      'integrated',
    );
    const writes = [writeAt(5, 'k', 'a'), writeAt(6, 'm', 'a'), writeAt(7, 'l', 'a')];
    expect(answer(replica, { writes, seen })).toBe('integrated');
    expect(log(replica)).toHaveLength(3);
  });
});

describe('more origins than a vector may have', () => {
  test('are not taken, in one batch or in many', () => {
    const replica = replicaOf('r');
    expect(answer(replica, { seen: origins(ORIGINS_MAX, 'a') })).toBe('ERR_OVERLOADED');
    expect(answer(replica, { seen: origins(ORIGINS_MAX - 1, 'a') })).toBe('integrated');
    expect(answer(replica, { seen: origins(1, 'b') })).toBe('ERR_OVERLOADED');
    expect(replica.seen().size).toBe(ORIGINS_MAX);
    replica.meet(originOf('late' as ReplicaId, 1));
    expect(replica.seen().size).toBe(ORIGINS_MAX);
    expect(replica.accept(put('c', 1, 'k', 'v'), 0).kind).toBe('accepted');
  });

  test('are not retired', () => {
    const replica = replicaOf('r');
    const retired = (count: number, name: string): PullBatch<KvOperation>['report'] => ({
      attestations: [],
      retired: [...origins(count, name).entries()].map(([origin]) => origin),
    });
    expect(answer(replica, { report: retired(ORIGINS_MAX + 1, 'a') })).toBe('ERR_OVERLOADED');
    for (const name of ['a', 'b']) expect(answer(replica, { report: retired(ORIGINS_MAX, name) })).toBe('integrated');
    expect(replica.retired).toHaveLength(ORIGINS_MAX);
  });
});

test('a part of a base store that the vector does not cover is refused', () => {
  const replica = replicaOf('r');
  const entries = [writeAt(5, 'k', 'a')];
  const store = { time: 5, vector: new VersionVector([[LIAR, 5]]), after: null, entries, upTo: null };
  expect(answer(replica, { store, more: true, seen: new VersionVector([[LIAR, 4]]) })).toBe('ERR_PROTOCOL');
  expect(answer(replica, { store, more: true, seen: new VersionVector([[LIAR, 5]]) })).toBe('integrated');
});
