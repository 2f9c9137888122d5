import { beforeEach, describe, expect, test } from 'vitest';
import type { ClusterTerms } from '../../src/bayou/messages.js';
import { DEFAULT_SETTINGS } from '../../src/driver/settings.js';
import { TERMS, World } from './world.js';

describe('the driver', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });

  test('pulls batch after batch until a neighbour has nothing left', () => {
    const [a, b] = [world.start('a'), world.start('b', { batchWritesMax: 3 })];
    world.link(a, b);
    for (let i = 0; i < 10; i++) world.put(a, `k${i}`);
    expect(world.stabilize(b, [a]).outcomes).toEqual([{ peer: 'a', done: true, error: null }]);
    expect(world.status(b).writes).toBe(10);
  });

  test('exchanges nothing by itself unless it has a period', () => {
    const [a, b, c] = [world.start('a'), world.start('b', { antiEntropyMs: 100 }), world.start('c')];
    world.link(a, b);
    world.link(a, c);
    world.put(a, 'k');
    world.sleep(1_000);
    expect([world.has(b, 'k'), world.has(c, 'k')]).toEqual([true, false]);
  });

  test('a neighbour that hangs delays no other, and is used again at once when it comes back', () => {
    const [a, b, c] = [world.start('a'), world.start('b'), world.start('c')];
    world.link(a, b);
    world.link(a, c);
    world.put(b, 'from-b');
    world.put(c, 'from-c');
    b.replica.process.pause();
    const began = world.scheduler.now;
    const reply = world.stabilize(a, [b, c], 500);
    expect(world.scheduler.now - began).toBeLessThan(DEFAULT_SETTINGS.pullTimeoutMs);
    expect(reply.outcomes).toEqual([
      { peer: 'b', done: false, error: null },
      { peer: 'c', done: true, error: null },
    ]);
    expect(world.has(a, 'from-c')).toBe(true);
    const [hung] = world.stabilize(a, [b]).outcomes;
    expect(hung).toMatchObject({ done: false, error: { code: 'ERR_TIMEOUT' } });
    b.replica.process.resume();
    expect(world.stabilize(a, [b]).outcomes).toEqual([{ peer: 'b', done: true, error: null }]);
    expect(world.has(a, 'from-b')).toBe(true);
  });

  test('a neighbour killed in the middle of a transfer loses nothing that another can go on with', () => {
    const [a, b, c] = [world.start('a'), world.start('b', { batchWritesMax: 2 }), world.start('c')];
    world.link(a, b);
    world.link(a, c);
    world.link(b, c);
    for (let i = 0; i < 20; i++) world.put(a, `k${i}`);
    world.stabilize(c, [a]);
    world.stabilize(b, [a], 8);
    expect(world.status(b).writes).toBeGreaterThan(0);
    expect(world.status(b).writes).toBeLessThan(20);
    a.replica.kill();
    expect(world.stabilize(b, null).outcomes).toMatchObject([
      { peer: 'a', done: false },
      { peer: 'c', done: true },
    ]);
    expect(world.status(b).writes).toBe(20);
    expect(world.status(b).links).toMatchObject([
      { peer: 'a', lastError: expect.any(String) },
      { peer: 'c', lastError: null },
    ]);
  });

  test('a cut link carries nothing, not even the rest of a transfer', () => {
    const [a, b] = [world.start('a'), world.start('b', { batchWritesMax: 1 })];
    world.link(a, b);
    for (let i = 0; i < 10; i++) world.put(a, `k${i}`);
    world.stabilize(b, [a], 5);
    expect(world.answer<void>((done) => b.line.unlink({ peer: a.id }, 1_000, done)).ok).toBe(true);
    const { writes } = world.status(b);
    world.sleep(5_000);
    expect(world.status(b).writes).toBe(writes);
    expect(world.stabilize(b, [a]).outcomes).toMatchObject([
      { peer: 'a', done: false, error: { code: 'ERR_NOT_LINKED' } },
    ]);
    expect(world.stabilize(a, [b]).outcomes).toMatchObject([
      { peer: 'b', done: false, error: { code: 'ERR_NOT_LINKED' } },
    ]);
  });

  test('a peer of another cluster, version, tie-break or clock gets the reason', () => {
    const others: readonly [Partial<ClusterTerms>, string][] = [
      [{ cluster: 'prod' }, 'ERR_CLUSTER_MISMATCH'],
      [{ protocol: 2 }, 'ERR_VERSION_MISMATCH'],
      [{ tieBreak: 'lower' }, 'ERR_TIE_BREAK_MISMATCH'],
      [{ clock: 'hybrid' }, 'ERR_CLOCK_MISMATCH'],
    ];
    for (const [i, [terms, code]] of others.entries()) {
      const [a, b] = [world.start(`a${i}`), world.start(`b${i}`, {}, { ...TERMS, ...terms })];
      world.link(a, b);
      world.put(b, 'k');
      expect(world.stabilize(a, [b]).outcomes).toMatchObject([{ error: { code } }]);
      expect(world.has(a, 'k')).toBe(false);
    }
  });

  test('a link to the wrong address is found out', () => {
    const [a, b, c] = [world.start('a'), world.start('b'), world.start('c')];
    const request = { peer: b.id, address: c.replica.address, incarnation: null };
    world.answer<void>((done) => a.line.link(request, 1_000, done));
    expect(world.stabilize(a, [b]).outcomes).toMatchObject([{ error: { code: 'ERR_IDENTITY' } }]);
  });

  test('it cannot be linked with itself', () => {
    const a = world.start('a');
    const request = { peer: a.id, address: a.replica.address, incarnation: null };
    expect(world.answer<void>((done) => a.line.link(request, 1_000, done))).toMatchObject({
      ok: false,
      error: { code: 'ERR_IDENTITY' },
    });
  });

  test('the store and the log come in pages that join without gap or repeat', () => {
    const a = world.start('a');
    for (let i = 0; i < 25; i++) world.put(a, `k${String(i).padStart(2, '0')}`);
    const keys: string[] = [];
    for (let after: string | null = null, more = true; more; ) {
      const page = world.answer<{ entries: readonly { key: string }[]; more: boolean }>((done) =>
        a.line.store({ after, entriesMax: 7 }, 1_000, done),
      );
      if (!page.ok) throw page.error;
      keys.push(...page.value.entries.map(({ key }) => key));
      more = page.value.more;
      after = keys.at(-1) ?? null;
    }
    expect(keys).toEqual(Array.from({ length: 25 }, (_, i) => `k${String(i).padStart(2, '0')}`));
  });
});
