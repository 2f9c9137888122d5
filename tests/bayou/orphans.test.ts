import { expect, test } from 'vitest';
import { kvOperationCodec } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import {
  exchange,
  fold,
  get,
  introduce,
  type KvReplica,
  LIMITS,
  log,
  openOver,
  pull,
  put,
  replicaOf,
  serve,
  store,
} from './replicas.js';

const TERMS = { clock: 'hybrid', retryWindowMs: 1_000_000 } as const;
const NOW = 1_000_000;
const LATER = NOW + 10_000;

/** `b` accepts two writes, `a` gets the first of them by a transfer that is cut, and `b` loses its disk. */
function leaveOrphan(): { readonly a: KvReplica; readonly c: KvReplica; readonly b2: KvReplica } {
  const [a, b, c] = ['a', 'b', 'c'].map((id) => replicaOf(id, TERMS)) as [KvReplica, KvReplica, KvReplica];
  introduce([a, b, c]);
  exchange([a, b, c], NOW);
  b.accept(put('x', 1, 'k', 'orphan'), NOW);
  b.accept(put('y', 1, 'lost', 'with the disk'), NOW);
  const request = a.nextPull(b.id, { ...LIMITS, writesMax: 1 });
  expect(a.integrate(b.id, request, serve(b, request, NOW), NOW)).toMatchObject({ more: true });
  a.interrupted(b.id);
  const b2 = openOver(new MemoryStorage(kvOperationCodec), 'b', TERMS, { incarnation: 2 });
  return { a, c, b2 };
}

test('what only a cut transfer has brought outlives the disk of who accepted it', () => {
  const { a, c, b2 } = leaveOrphan();
  for (const replica of [a, c]) replica.meet(b2.origin);
  exchange([a, c, b2], LATER);
  expect([a, c, b2].map((replica) => get(replica, 'k'))).toEqual(['orphan', 'absent', 'absent']);
  fold(a, LATER);
  exchange([a, c, b2], LATER);
  expect([a, c, b2].map((replica) => store(replica))).toEqual([['k=orphan'], ['k=orphan'], ['k=orphan']]);
  expect(log(a)).toEqual(log(c));
  expect(c.seen().equals(a.seen())).toBe(true);
  // A repeat of the operation is still the same one.
  expect(b2.accept(put('x', 1, 'k', 'orphan'), LATER)).toMatchObject({ stamp: { origin: a.origin } });
});

test('what was overwritten meanwhile does not come back', () => {
  const { a, c, b2 } = leaveOrphan();
  c.accept(put('z', 1, 'k', 'newer'), LATER);
  pull(a, c, LIMITS, LATER);
  for (const replica of [a, c]) replica.meet(b2.origin);
  exchange([a, c, b2], LATER);
  fold(a, LATER);
  exchange([a, c, b2], LATER);
  expect([a, c, b2].map((replica) => store(replica))).toEqual([['k=newer'], ['k=newer'], ['k=newer']]);
  expect(log(a)).toEqual(log(c));
});

test('nothing is taken up while a member may still hand it on', () => {
  const { a, c, b2 } = leaveOrphan();
  a.meet(b2.origin);
  exchange([a, b2], LATER);
  fold(a, LATER);
  expect(log(a).map((line) => line.split('@')[1])).toEqual(['b#1 k']);
  exchange([a, c, b2], LATER);
  fold(a, LATER);
  expect(log(a).map((line) => line.split('@')[1])).toEqual(['a#1 k']);
});
