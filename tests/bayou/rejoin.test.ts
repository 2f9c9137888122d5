import { expect, test } from 'vitest';
import { exchange, get, type Home, homeOf, introduce, LIMITS, pull, put, rejoin, tryPull } from './replicas.js';

const TERMS = { clock: 'hybrid', retryWindowMs: 1_000 } as const;
const NOW = 1_000_000;
/** When a repeat takes effect again. */
const LATER = NOW + 20_000;

test('who rejoins after the retry window does not bring back what its client has overwritten elsewhere', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((id) => homeOf(id, TERMS)) as [Home, Home, Home];
  introduce([a, b, c].map(({ replica }) => replica));
  exchange([a.replica, b.replica, c.replica], NOW);
  const reply = c.replica.accept(put('y', 1, 'moved', 'old'), NOW);
  const after = reply.kind === 'accepted' ? reply.stamp.acceptTime : 0;
  a.replica.accept(put('y', 2, 'moved', 'new', after), NOW);
  a.replica.retire(c.replica.id);
  expect(tryPull(c.replica, a.replica, LATER)).toMatchObject({ kind: 'refused', code: 'ERR_RETIRED' });
  rejoin(c, a.replica);
  pull(c.replica, a.replica, LIMITS, LATER);
  pull(a.replica, c.replica, LIMITS, LATER);
  expect([a, c].map(({ replica }) => get(replica, 'moved'))).toEqual(['new', 'new']);
});
