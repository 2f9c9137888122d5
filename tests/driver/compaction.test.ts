import { crc32 } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ClientId } from '../../src/base/ids.js';
import type { RetireRequest, StoreReply } from '../../src/bayou/admin-messages.js';
import type { WriteReply } from '../../src/bayou/messages.js';
import type { DriverSettings } from '../../src/driver/settings.js';
import { type KvOperation, kvOperationCodec } from '../../src/machine/kv.js';
import { FaultyDirectory } from '../../src/sim/disk/faulty-directory.js';
import { MemoryTable } from '../../src/sim/disk/memory-table.js';
import { DurableStorage } from '../../src/storage/durable.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import { type Node, TERMS, World } from './world.js';

const WINDOW_MS = 5_000;
const HYBRID = { ...TERMS, clock: 'hybrid', retryWindowMs: WINDOW_MS } as const;
const BY_ITSELF = { antiEntropyMs: 500, compactMs: 1_000 } as const;
/** For so long after who takes a base store last asked nothing is folded. */
const PIN_MS = 60_000;

describe('replicas that exchange by themselves', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });

  const start = (
    id: string,
    settings: Partial<DriverSettings> = {},
    storage = new MemoryStorage<KvOperation>(kvOperationCodec),
  ): Node => world.start(id, { ...BY_ITSELF, ...settings }, HYBRID, 60_000, storage);

  const mesh = (nodes: readonly Node[]): void => {
    for (const [i, a] of nodes.entries()) for (const b of nodes.slice(0, i)) world.link(a, b);
  };
  const chain = (nodes: readonly Node[]): void => {
    for (const [i, a] of nodes.entries()) {
      const next = nodes[i + 1];
      if (next !== undefined) world.link(a, next);
    }
  };
  const cut = (a: Node, b: Node): void => {
    for (const [node, peer] of [
      [a, b.id],
      [b, a.id],
    ] as const) {
      world.answer<void>((done) => node.line.unlink({ peer }, 1_000, done));
    }
  };
  const retire = (at: Node, { id }: RetireRequest): void => {
    expect(world.answer<void>((done) => at.line.retire({ id }, 1_000, done))).toMatchObject({ ok: true });
  };
  const put = (node: Node, key: string, clientTime: number): void => {
    const operation = { kind: 'put', value: new TextEncoder().encode(`${key} of ${node.id}`) } as const;
    const client = `client of ${node.id}` as ClientId;
    const request = { client, clientTime, key, operation, after: 0, needs: null };
    const outcome = world.answer<WriteReply>((done) => node.line.write(request, 1_000, done));
    expect(outcome).toMatchObject({ ok: true, value: { kind: 'accepted' } });
  };
  const storeOf = (node: Node): string[] => {
    const page = world.answer<StoreReply<Uint8Array>>((done) =>
      node.line.store({ after: null, entriesMax: 10_000 }, 1_000, done),
    );
    if (!page.ok) throw page.error;
    return page.value.entries.map(({ key, value }) => `${key}=${new TextDecoder().decode(value)}`);
  };
  const sizes = (nodes: readonly Node[]): number[] => nodes.map((node) => world.status(node).writes);
  const nothing = (nodes: readonly Node[]): number[] => nodes.map(() => 0);
  const expectEqual = (nodes: readonly Node[], keys: readonly string[]): void => {
    const [first] = nodes as readonly [Node];
    expect(storeOf(first).map((entry) => entry.split('=')[0])).toEqual([...keys].sort());
    for (const node of nodes) {
      expect(storeOf(node)).toEqual(storeOf(first));
      expect(`${world.status(node).seen}`).toBe(`${world.status(first).seen}`);
      expect(world.status(node).links.map(({ lastError }) => lastError)).toEqual(
        world.status(node).links.map(() => null),
      );
    }
  };

  const shapes = [
    ['three that are all linked', ['a', 'b', 'c'], mesh],
    ['five in a chain', ['a', 'b', 'c', 'd', 'e'], chain],
  ] as const;
  for (const [what, ids, link] of shapes) {
    test(`fold what is older than the retry window, and nothing younger: ${what}`, () => {
      const nodes = ids.map((id) => start(id));
      link(nodes);
      const keys = nodes.flatMap((node, i) => [0, 1, 2, 3].map((n) => [node, `k${i}${n}`] as const));
      for (const [i, [node, key]] of keys.entries()) put(node, key, i + 1);
      world.sleep(WINDOW_MS - 500);
      expect(sizes(nodes)).toEqual(nodes.map(() => keys.length));
      const before = storeOf(nodes[0] as Node);
      // A round of attestations takes a period for each link on the way, there and back.
      world.sleep(3 * WINDOW_MS);
      expect(sizes(nodes)).toEqual(nothing(nodes));
      expectEqual(
        nodes,
        keys.map(([, key]) => key),
      );
      expect(storeOf(nodes[0] as Node)).toEqual(before);
      put(nodes[0] as Node, 'new', 1_000);
      world.sleep(1_500);
      expect(sizes(nodes)).toEqual(nodes.map(() => 1));
      world.sleep(4 * WINDOW_MS);
      expect(sizes(nodes)).toEqual(nothing(nodes));
      const { seen } = world.status(nodes[0] as Node);
      for (const node of nodes) expect(world.status(node).base).toBeGreaterThanOrEqual(seen.highestTime());
    });
  }

  test('do no more than the pulls of the period once all is folded, and make nothing durable', () => {
    const disks = ['a', 'b', 'c'].map(() => new FaultyDirectory(1));
    const nodes = ['a', 'b', 'c'].map((id, i) => {
      const directory = disks[i] as FaultyDirectory;
      const checksum = (bytes: Uint8Array): number => crc32(bytes);
      const config = { directory, table: new MemoryTable(), codec: kvOperationCodec, checksum };
      return world.start(
        id,
        BY_ITSELF,
        HYBRID,
        null,
        new DurableStorage({ ...config, logOptions: { sectorBytes: 64 } }),
      );
    });
    mesh(nodes);
    for (let i = 0; i < 10; i++) put(nodes[i % 3] as Node, `k${i}`, i + 1);
    world.sleep(10 * WINDOW_MS);
    expect(sizes(nodes)).toEqual(nothing(nodes));
    const counts = (): number[] => [world.network.calls('news'), ...disks.map(({ appends, syncs }) => appends + syncs)];
    const [before, pulls] = [counts(), world.network.calls('pull')];
    world.sleep(100 * BY_ITSELF.antiEntropyMs);
    expect(counts()).toEqual(before);
    // Six ends of links; a period begins when the pull before it has ended.
    expect(world.network.calls('pull') - pulls).toBeLessThanOrEqual(6 * 101);
  });

  test('wait for a member that is away, until it is retired; it returns by itself, with what only it had', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((id) => start(id)) as [Node, Node, Node];
    mesh([a, b, c]);
    put(a, 'shared', 1);
    world.sleep(2_000);
    for (const node of [a, b]) cut(node, c);
    put(a, 'meanwhile', 2);
    put(c, 'only c had this', 1);
    put(c, 'and this', 2);
    world.sleep(10 * WINDOW_MS);
    expect(sizes([a, b])).toEqual([2, 2]);
    expect(world.status(a).waitsFor).toContain('c#1');
    retire(b, c);
    world.sleep(4 * WINDOW_MS);
    expect(sizes([a, b])).toEqual([0, 0]);
    expect(world.status(a).retired).toEqual(['c#1']);
    world.link(a, c);
    world.sleep(4 * WINDOW_MS);
    expect(world.status(c).origin).toBe('c#2');
    expect(world.said.filter((line) => line.includes('rejoins as'))).toEqual(['c: c#1 rejoins as c#2']);
    expectEqual([a, b, c], ['shared', 'meanwhile', 'only c had this', 'and this']);
    world.sleep(PIN_MS + 4 * WINDOW_MS);
    expect(sizes([a, b, c])).toEqual([0, 0, 0]);
    expectEqual([a, b, c], ['shared', 'meanwhile', 'only c had this', 'and this']);
  });

  test('give the base store to who joins late, also by way of another that joined late', () => {
    const [a, b] = [start('a'), start('b')];
    world.link(a, b);
    const keys = Array.from({ length: 30 }, (_, i) => `k${String(i).padStart(2, '0')}`);
    for (const [i, key] of keys.entries()) put(i % 2 === 0 ? a : b, key, i + 1);
    world.sleep(5 * WINDOW_MS);
    expect(sizes([a, b])).toEqual([0, 0]);
    const late = start('late', { batchWritesMax: 4 });
    const later = start('later', { batchWritesMax: 7 });
    world.link(late, b);
    world.link(later, late);
    world.sleep(4 * WINDOW_MS);
    expectEqual([a, b, late, later], keys);
    for (const node of [late, later])
      expect(world.status(node)).toMatchObject({ base: world.status(b).base, writes: 0 });
    // From then on nothing is folded without them.
    put(later, 'new', 100);
    world.sleep(PIN_MS + 4 * WINDOW_MS);
    expect(sizes([a, b, late, later])).toEqual([0, 0, 0, 0]);
    expectEqual([a, b, late, later], [...keys, 'new']);
  });

  test('fold nothing that one who has just joined lacks', () => {
    const [a, b] = [start('a'), start('b')];
    world.link(a, b);
    world.sleep(2_000);
    const late = start('late');
    world.link(late, b);
    world.sleep(2_000);
    cut(late, b);
    put(a, 'k', 1);
    world.sleep(10 * WINDOW_MS);
    expect(sizes([a, b, late])).toEqual([1, 1, 0]);
    world.link(late, b);
    world.sleep(4 * WINDOW_MS);
    expect(sizes([a, b, late])).toEqual([0, 0, 0]);
    expectEqual([a, b, late], ['k']);
  });
});

for (const folded of [false, true]) {
  describe(`a pull of many ${folded ? 'keys that are folded' : 'writes'}`, () => {
    const COUNT = 500;
    const BATCH = 10;
    let world: World;
    let a: Node;
    beforeEach(() => {
      world = new World();
      a = world.start('a', folded ? { compactMs: 1_000 } : {}, HYBRID);
      for (let i = 0; i < COUNT; i++) world.put(a, `k${i}`);
      world.sleep(3 * WINDOW_MS);
      expect(world.status(a).writes).toBe(folded ? 0 : COUNT);
    });

    const stabilize = (node: Node, budgetMs = 60_000): void => void world.stabilize(node, [a], budgetMs);
    const start = (storage = new MemoryStorage<KvOperation>(kvOperationCodec)): Node => {
      const late = world.start('late', { batchWritesMax: BATCH }, HYBRID, null, storage);
      world.link(late, a);
      return late;
    };

    test('shows in the status how far it is, and no more when it is over', () => {
      const late = start();
      expect(world.status(late).links).toMatchObject([{ progress: null }]);
      let last = 0;
      stabilize(late, 30);
      for (let seen = 0; seen < 5; seen++) {
        const [link] = world.status(late).links;
        expect(link?.progress).toMatchObject({ total: COUNT });
        const { done = 0, perSecond = 0 } = link?.progress ?? {};
        expect(done).toBeGreaterThan(last);
        expect(done).toBeLessThan(COUNT);
        expect(done % BATCH).toBe(0);
        // A batch takes 2 to 6 milliseconds, there and back.
        expect(perSecond).toBeGreaterThan((BATCH * 1_000) / 12);
        expect(perSecond).toBeLessThan((BATCH * 1_000) / 1);
        last = done;
        world.sleep(20);
      }
      world.sleep(5_000);
      expect(world.status(late).links).toMatchObject([{ progress: null }]);
      stabilize(late);
      expect(world.status(late).links).toMatchObject([{ progress: null, lastError: null }]);
      expect(world.status(late).seen.dominates(world.status(a).seen)).toBe(true);
    });

    test('goes on where it was when the replica is started again in the middle', () => {
      const storage = new MemoryStorage<KvOperation>(kvOperationCodec);
      const pulls = world.network.calls('pull');
      for (const restarts of [1, 2, 3]) {
        const late = start(storage);
        stabilize(late, 40);
        late.replica.kill();
        expect(storage.keyCount).toBeGreaterThan(restarts * 3 * BATCH);
        expect(storage.keyCount).toBeLessThan(COUNT);
      }
      const late = start(storage);
      stabilize(late);
      stabilize(late);
      expect(world.status(late).seen.dominates(world.status(a).seen)).toBe(true);
      expect(storage.keyCount).toBe(COUNT);
      // A batch may be lost with each restart; the tail behind the base store costs one more, and so does hearing that nothing is new.
      expect(world.network.calls('pull') - pulls).toBeLessThanOrEqual(COUNT / BATCH + 3 + 3);
    });

    test('is over when the first stabilize says so', () => {
      const late = start();
      expect(world.stabilize(late, [a], 60_000).outcomes).toEqual([{ peer: 'a', done: true, error: null }]);
      expect(world.status(late).seen.dominates(world.status(a).seen)).toBe(true);
    });
  });
}
