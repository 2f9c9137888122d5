import { beforeEach, describe, expect, test } from 'vitest';
import { type Node, TERMS, World } from './world.js';

const HYBRID = { ...TERMS, clock: 'hybrid' } as const;
const HOUR = 3_600_000;
const MINUTE = 60_000;

describe('a neighbour whose clock is an hour ahead', () => {
  let world: World;
  let right: Node;
  let fast: Node;
  beforeEach(() => {
    world = new World();
    right = start('right');
    fast = start('fast');
    fast.replica.process.skewMs = HOUR;
  });

  const start = (id: string, maxDriftMs: number | null = MINUTE): Node =>
    world.start(id, { antiEntropyMs: 10_000 }, HYBRID, maxDriftMs);

  test('is named with its drift by status, log and stabilize, and gets what the others have', () => {
    world.put(right, 'from-right');
    world.put(fast, 'from-fast');
    world.link(right, fast);
    const [outcome] = world.stabilize(right, [fast]).outcomes;
    expect(outcome).toMatchObject({ done: false, error: { code: 'ERR_CLOCK_DRIFT' } });
    expect(outcome?.error?.message).toMatch(
      /^replica fast has a write of fast#1 that is 3[56]\d{5} ms ahead of the wall clock$/,
    );
    const [link] = world.status(right).links;
    expect(link).toMatchObject({ peer: 'fast', lastError: 'ERR_CLOCK_DRIFT', drift: { origin: 'fast#1' } });
    expect(link?.drift?.aheadMs).toBeGreaterThan(HOUR - MINUTE);
    world.sleep(5 * MINUTE);
    // Once, not at every period.
    expect(world.said.filter((line) => line.startsWith('right: a write of fast#1 is 3'))).toHaveLength(1);
    expect([world.has(right, 'from-fast'), world.has(fast, 'from-right')]).toEqual([false, true]);
    expect(world.status(fast).links).toMatchObject([{ lastError: null, drift: null }]);
  });

  test('is taken from again, by itself, when time has caught up', () => {
    world.put(fast, 'k');
    world.link(right, fast);
    world.sleep(HOUR - 2 * MINUTE);
    expect(world.has(right, 'k')).toBe(false);
    world.sleep(2 * MINUTE);
    expect(world.has(right, 'k')).toBe(true);
    expect(world.status(right).links).toMatchObject([{ lastError: null, drift: null }]);
    expect(world.said.at(-1)).toBe('right: what replica fast has waits no longer');
  });

  test('is taken from at once by a replica that allows it', () => {
    const open = start('open', null);
    world.put(fast, 'k');
    world.link(open, fast);
    world.sleep(100);
    expect(world.has(open, 'k')).toBe(true);
  });

  test('delays no other, and passes on what it has of others', () => {
    const [third, behind] = [start('third'), start('behind')];
    for (const peer of [fast, third]) world.link(right, peer);
    world.link(fast, behind);
    world.put(fast, 'ahead');
    world.sleep(100);
    world.put(third, 'from-third');
    world.sleep(100);
    expect(world.has(right, 'from-third')).toBe(true);
    world.put(behind, 'from-behind');
    world.sleep(20_000);
    expect([world.has(right, 'from-behind'), world.has(right, 'ahead')]).toEqual([true, false]);
  });

  test('costs the pulls of the period and no more, also if both wait for each other', () => {
    const [third, behind] = [start('third'), start('behind')];
    // Each side holds something the other may not take yet, and something of others that it could.
    right.replica.process.skewMs = HOUR;
    for (const node of [right, fast]) {
      world.put(node, `of-${node.id}`);
      node.replica.process.skewMs = 0;
    }
    world.link(right, third);
    world.link(fast, behind);
    world.link(right, fast);
    world.put(third, 'from-third');
    world.put(behind, 'from-behind');
    world.sleep(60_000);
    const [news, pulls] = [world.network.calls('news'), world.network.calls('pull')];
    world.sleep(600_000);
    expect(world.network.calls('news')).toBe(news);
    // Six ends of links, sixty periods.
    expect(world.network.calls('pull') - pulls).toBeLessThanOrEqual(6 * 61);
    expect([world.has(right, 'from-behind'), world.has(fast, 'from-third')]).toEqual([true, true]);
  });
});
