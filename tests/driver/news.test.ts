import { beforeEach, describe, expect, test } from 'vitest';
import { type ClientId, type Origin, originOf, type ReplicaId } from '../../src/base/ids.js';
import type { Outcome } from '../../src/base/outcome.js';
import type { News } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { type Node, TERMS, World } from './world.js';

const HOUR = 3_600_000;
/** The longest a message takes in the world of these tests. */
const DELAY = 3;

describe('news', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });

  const start = (...ids: string[]): Node[] => ids.map((id) => world.start(id, { antiEntropyMs: HOUR }));

  function linkAll(nodes: readonly Node[]): void {
    for (const [i, a] of nodes.entries()) for (const b of nodes.slice(i + 1)) world.link(a, b);
    world.sleep(100);
  }

  function linkInARow(nodes: readonly Node[]): void {
    for (const [i, b] of nodes.entries()) {
      const a = nodes[i - 1];
      if (a !== undefined) world.link(a, b);
    }
    world.sleep(100);
  }

  /** The calls between replicas that `act` leads to, until nothing is under way. */
  function callsOf(act: () => void): { readonly news: number; readonly pulls: number } {
    const [news, pulls] = [world.network.calls('news'), world.network.calls('pull')];
    act();
    world.sleep(1_000);
    return { news: world.network.calls('news') - news, pulls: world.network.calls('pull') - pulls };
  }

  function tell(to: Node, change: Partial<News>): Outcome<void> {
    const from = originOf('b' as ReplicaId, 1);
    const news: News = { terms: TERMS, from, to: to.id, fresh: new VersionVector([[from, 1]]), ...change };
    return world.answer((done) => to.line.news(news, 1_000, done));
  }

  test('brings a put to a neighbour in three messages, however long the period', () => {
    const [a, b] = start('a', 'b') as [Node, Node];
    linkAll([a, b]);
    world.put(a, 'k');
    // The put's answer and the news left together; then a request and a batch.
    world.sleep(3 * DELAY);
    expect(world.has(b, 'k')).toBe(true);
  });

  test('goes along a chain, at three messages a link', () => {
    const nodes = start('a', 'b', 'c', 'd', 'e', 'f');
    linkInARow(nodes);
    const [first, last] = [nodes[0], nodes.at(-1)] as [Node, Node];
    const calls = callsOf(() => {
      world.put(first, 'k');
      world.sleep(5 * 3 * DELAY);
      expect(world.has(last, 'k')).toBe(true);
    });
    expect(calls).toEqual({ news: 5, pulls: 5 });
  });

  test('is not told back to where it came from', () => {
    const [a, b] = start('a', 'b') as [Node, Node];
    linkAll([a, b]);
    expect(callsOf(() => world.put(a, 'k'))).toEqual({ news: 1, pulls: 1 });
    expect(callsOf(() => world.put(b, 'k'))).toEqual({ news: 1, pulls: 1 });
  });

  test('in a mesh of ten, a put is pulled once by each and told at most once each way over each link', () => {
    for (let seed = 1; seed <= 20; seed++) {
      world = new World(seed);
      const nodes = start('0', '1', '2', '3', '4', '5', '6', '7', '8', '9');
      linkAll(nodes);
      const calls = callsOf(() => world.put(nodes[0] as Node, 'k'));
      expect(calls.pulls).toBe(9);
      // Nine by the writer; each of the other 36 pairs once, or twice if both tell before they hear.
      expect(calls.news).toBeGreaterThanOrEqual(9 + 36);
      expect(calls.news).toBeLessThanOrEqual(9 + 72);
      for (const node of nodes) expect(world.has(node, 'k')).toBe(true);
    }
  });

  test('of a burst of 1,000 writes costs a handful of calls', () => {
    const [a, b] = start('a', 'b') as [Node, Node];
    linkAll([a, b]);
    const calls = callsOf(() => {
      for (let i = 1; i <= 1_000; i++) {
        const operation = { kind: 'put', value: new Uint8Array(10) } as const;
        const request = { client: 'c' as ClientId, clientTime: i, key: `k${i}`, operation, after: 0, needs: null };
        a.line.write(request, 1_000, () => undefined);
      }
    });
    expect(world.status(b).writes).toBe(1_000);
    expect(calls.news).toBeLessThanOrEqual(4);
    expect(calls.pulls).toBeLessThanOrEqual(4);
  });

  test('an idle cluster sends nothing but the pulls of the period', () => {
    const nodes = start('a', 'b', 'c');
    linkAll(nodes);
    world.put(nodes[0] as Node, 'k');
    world.sleep(1_000);
    const [news, pulls] = [world.network.calls('news'), world.network.calls('pull')];
    world.sleep(10 * HOUR);
    expect(world.network.calls('news')).toBe(news);
    expect(world.network.calls('pull') - pulls).toBe(6 * 10);
  });

  test('is neither told nor heeded by a replica without a period', () => {
    const [a, b] = [world.start('a'), world.start('b', { antiEntropyMs: HOUR })];
    linkAll([a, b]);
    expect(callsOf(() => world.put(a, 'k'))).toEqual({ news: 0, pulls: 0 });
    expect(callsOf(() => world.put(b, 'k'))).toEqual({ news: 1, pulls: 0 });
  });

  test('a link that is made brings each side what the other has', () => {
    const [a, b] = start('a', 'b') as [Node, Node];
    world.put(a, 'from-a');
    world.put(b, 'from-b');
    linkAll([a, b]);
    expect([world.has(a, 'from-b'), world.has(b, 'from-a')]).toEqual([true, true]);
  });

  test('for a neighbour that is gone costs one call, and begins again when it is back', () => {
    const [a, b] = [world.start('a', { antiEntropyMs: 60_000 }), world.start('b', { antiEntropyMs: 60_000 })];
    linkAll([a, b]);
    b.replica.process.pause();
    const calls = callsOf(() => {
      for (let i = 0; i < 10; i++) {
        world.put(a, `k${i}`);
        world.sleep(3_000);
      }
    });
    expect(calls.news).toBe(1);
    b.replica.process.resume();
    world.sleep(60_000);
    expect(world.status(b).writes).toBe(10);
    expect(callsOf(() => world.put(a, 'k'))).toEqual({ news: 1, pulls: 1 });
    expect(world.has(b, 'k')).toBe(true);
  });

  test('a write whose announcer dies comes from another that announced it', () => {
    const [a, b, c] = start('a', 'b', 'c') as [Node, Node, Node];
    linkAll([a, b, c]);
    b.replica.process.pause();
    world.put(a, 'k');
    world.sleep(100);
    a.replica.kill();
    // It hears of both, asks a, in vain, and then c.
    const calls = callsOf(() => b.replica.process.resume());
    expect(world.has(b, 'k')).toBe(true);
    expect(calls.pulls).toBe(2);
  });

  test('a neighbour that announces what it has not got is asked once', () => {
    const [a, b] = start('a', 'b') as [Node, Node];
    linkAll([a, b]);
    const ghost = originOf('ghost' as ReplicaId, 1);
    const calls = callsOf(() =>
      expect(tell(a, { fresh: new VersionVector([[ghost, 7]]) })).toMatchObject({ ok: true }),
    );
    expect(calls.pulls).toBe(1);
    expect(world.status(a).seen.has(ghost)).toBe(false);
  });

  const refusals: readonly [string, (a: Origin) => Partial<News>, string][] = [
    ['of a stranger', () => ({ from: originOf('z' as ReplicaId, 1) }), 'ERR_NOT_LINKED'],
    ['of another cluster', () => ({ terms: { ...TERMS, cluster: 'prod' } }), 'ERR_CLUSTER_MISMATCH'],
    ['meant for another', () => ({ to: 'z' as ReplicaId }), 'ERR_IDENTITY'],
    ['of stamps the replica never gave', (a) => ({ fresh: new VersionVector([[a, 9]]) }), 'ERR_FORGED_STAMPS'],
  ];
  test.each(refusals)('%s is refused, and leads to nothing', (_what, change, code) => {
    const [a, b] = start('a', 'b') as [Node, Node];
    linkAll([a, b]);
    const calls = callsOf(() =>
      expect(tell(a, change(originOf('a' as ReplicaId, 1)))).toMatchObject({ ok: false, error: { code } }),
    );
    expect(calls.pulls).toBe(0);
  });
});
