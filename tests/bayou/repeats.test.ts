import { beforeEach, describe, expect, test } from 'vitest';
import { clusterOf, exchange, fold, type KvReplica, LIMITS, log, pull, put, replicaOf, serve } from './replicas.js';

/*
 * An operation that two replicas accepted takes effect at its lowest stamp. Once that is folded, the other leaves the log
 * with it; who takes over the base store must come to the same, whatever it has heard from those who have yet to fold.
 */

const TERMS = { retryWindowMs: 200 } as const;

describe('a repeat of what is folded elsewhere', () => {
  let a: KvReplica;
  let b: KvReplica;
  let newcomer: KvReplica;
  beforeEach(() => {
    [a, b] = clusterOf(['a', 'b'], TERMS) as [KvReplica, KvReplica];
    a.accept(put('x', 1, 'k', 'v'), 0);
    b.accept(put('x', 1, 'k', 'v', 149), 0);
    b.accept(put('y', 1, 'other', 'w'), 0);
    a.accept(put('z', 1, 'late', 'w', 420), 0);
    exchange([a, b]);
    fold(a);
    expect([a.base, b.base]).toEqual([expect.toSatisfy((base) => base > 1 && base < 150), 0]);
    expect(log(a)).not.toContain('150@b#1 k');
    expect(log(b)).toEqual(['1@a#1 k', '150@b#1 k', '151@b#1 other', '421@a#1 late']);
    newcomer = replicaOf('n', TERMS);
  });

  /** What the newcomer comes to once all have folded all they can. */
  const end = (): unknown => {
    for (let round = 0; round < 3; round++) exchange([a, b, newcomer]);
    return newcomer.read({ key: 'k', needs: null }, 0);
  };

  test('which a transfer brought that was cut, does not outlast the base store', () => {
    // So that the transfer cannot be gone on with at a.
    b.accept(put('y', 2, 'new', 'w'), 0);
    const request = newcomer.nextPull(b.id, { ...LIMITS, writesMax: 2 });
    expect(newcomer.integrate(b.id, request, serve(b, request), 0)).toMatchObject({ more: true });
    newcomer.interrupted(b.id);
    expect(log(newcomer)).toEqual(['1@a#1 k', '150@b#1 k']);
    pull(newcomer, a);
    expect(newcomer.read({ key: 'k', needs: null }, 0)).toEqual(a.read({ key: 'k', needs: null }, 0));
    expect(end()).toEqual(a.read({ key: 'k', needs: null }, 0));
  });

  test('is not taken from who has yet to fold that', () => {
    for (let more = true; more; ) {
      const request = newcomer.nextPull(a.id, LIMITS);
      const batch = serve(a, request);
      if (batch.store === null) break;
      const outcome = newcomer.integrate(a.id, request, batch, 0);
      more = outcome.kind === 'integrated' && outcome.more;
    }
    newcomer.interrupted(a.id);
    expect(newcomer.base).toBe(a.base);
    const request = newcomer.nextPull(b.id, LIMITS);
    expect(newcomer.integrate(b.id, request, serve(b, request), 0)).toMatchObject({ more: false, fresh: false });
    expect(log(newcomer)).toEqual([]);
    pull(newcomer, a);
    expect(log(newcomer)).toEqual(log(a));
    expect(end()).toEqual(a.read({ key: 'k', needs: null }, 0));
  });
});
