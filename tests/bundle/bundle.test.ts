import { describe, expect, test } from 'vitest';
import { BaristaError } from '../../src/base/errors.js';
import type { ClientId, Origin } from '../../src/base/ids.js';
import { fail, type Outcome } from '../../src/base/outcome.js';
import type { ImportReply } from '../../src/bayou/bundle-messages.js';
import type { PullBatch } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { Bundle } from '../../src/bundle/bundle.js';
import { BundlePeer } from '../../src/bundle/bundle-peer.js';
import { makeBlock, START } from '../../src/bundle/format.js';
import { importBundle } from '../../src/bundle/import.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { bundleEnd, bundleHead, bundlePart, encoded } from '../../src/rpc/bundle-codec.js';
import { type Node, TERMS, World } from '../driver/world.js';
import { good, made, now, opened } from './memory.js';

const done = { ok: true, value: undefined };

function offerOf({ head, end }: Bundle) {
  return { ...head, seen: end.seen };
}

/** Two that have never met. */
function strangers(): { readonly world: World; readonly a: Node; readonly b: Node } {
  const world = new World();
  return { world, a: world.start('a'), b: world.start('b') };
}

function bundleOf(node: Node, since?: VersionVector): Bundle {
  return good(opened(made(node.replica.driver.bundles, since).bytes));
}

function imported(world: World, node: Node, bundle: Bundle): Outcome<void> {
  return world.answer<void>((answer) => importBundle(node.replica.driver.bundles, bundle, answer));
}

function seenOf(world: World, node: Node): string {
  return world.status(node).seen.toString();
}

/** A way that goes through a bundle, but for some of its answers. */
function through(bundle: Bundle, change: (place: number) => Outcome<PullBatch<KvOperation>> | null): BundlePeer {
  const peer = new BundlePeer(bundle);
  const pull = peer.pull.bind(peer);
  let place = 0;
  peer.pull = (request, timeoutMs, answer) => {
    const changed = change(place++);
    return changed === null ? pull(request, timeoutMs, answer) : answer(changed);
  };
  return peer;
}

describe('a bundle', () => {
  test('brings all to a newcomer, and what it claims with it', () => {
    const { world, a, b } = strangers();
    for (let i = 0; i < 20; i++) world.put(a, `k${i}`);
    const { bytes, made: summary } = made(a.replica.driver.bundles);
    expect(summary).toMatchObject({ from: 'a#1', entries: 20, bytes: bytes.length });
    expect(imported(world, b, good(opened(bytes)))).toEqual(done);
    expect(world.has(b, 'k7')).toBe(true);
    expect(seenOf(world, b)).toBe('a#1:20 b#1:0');
  });

  test('makes nobody a member by being made', () => {
    const { world, a } = strangers();
    world.put(a, 'k');
    made(a.replica.driver.bundles);
    expect(seenOf(world, a)).toBe('a#1:1');
    expect(world.status(a).waitsFor).toEqual([]);
  });

  test('brings what came since the one before, and is empty if nothing did', () => {
    const { world, a, b } = strangers();
    world.put(a, 'k');
    const first = bundleOf(a);
    world.put(a, 'l');
    const second = bundleOf(a, first.end.seen);
    expect([first.end.entries, second.end.entries, bundleOf(a, second.end.seen).end.entries]).toEqual([1, 1, 0]);
    expect(imported(world, b, first)).toEqual(done);
    expect(imported(world, b, second)).toEqual(done);
    expect(seenOf(world, b)).toBe(`${seenOf(world, a)} b#1:0`);
  });

  test('that goes on from what the replica lacks is refused, with what that is', () => {
    const { world, a, b } = strangers();
    world.put(a, 'k');
    const first = bundleOf(a);
    world.put(a, 'l');
    const outcome = imported(world, b, bundleOf(a, first.end.seen));
    expect(outcome).toMatchObject({ ok: false, error: { code: 'ERR_BUNDLE_GAP' } });
    expect(outcome.ok ? '' : outcome.error.message).toMatch(/of a#1 goes on from what this replica lacks: a#1:1$/);
    expect(seenOf(world, b)).toBe('b#1:0');
  });

  test('can be taken again, by who has more by then, and by who made it', () => {
    const { world, a, b } = strangers();
    world.put(a, 'k');
    const bundle = bundleOf(a);
    expect(imported(world, b, bundle)).toEqual(done);
    world.put(b, 'k');
    world.put(a, 'l');
    expect(imported(world, b, bundleOf(a))).toEqual(done);
    const before = seenOf(world, b);
    for (const node of [b, b, a]) expect(imported(world, node, bundle)).toEqual(done);
    expect(seenOf(world, b)).toBe(before);
    expect(world.status(b).writes).toBe(2);
  });

  test.each([
    ['cluster', { ...TERMS, cluster: 'other' }, 'ERR_CLUSTER_MISMATCH'],
    ['protocol', { ...TERMS, protocol: 9 }, 'ERR_VERSION_MISMATCH'],
    ['tie-break', { ...TERMS, tieBreak: 'lower' }, 'ERR_TIE_BREAK_MISMATCH'],
    ['clock', { ...TERMS, clock: 'hybrid' }, 'ERR_CLOCK_MISMATCH'],
    ['retry window', { ...TERMS, retryWindowMs: 1 }, 'ERR_RETRY_WINDOW_MISMATCH'],
  ] as const)('of another %s is refused', (_, terms, code) => {
    const world = new World();
    const [a, b] = [world.start('a', {}, terms), world.start('b')];
    world.put(a, 'k');
    expect(imported(world, b, bundleOf(a))).toMatchObject({ ok: false, error: { code } });
    expect(seenOf(world, b)).toBe('b#1:0');
  });

  test('of who was retired is refused; and who finds in one that it was retired rejoins, and loses nothing', () => {
    const { world, a, b } = strangers();
    world.put(a, 'k');
    world.put(b, 'l');
    expect(imported(world, b, bundleOf(a))).toEqual(done);
    expect(imported(world, a, bundleOf(b))).toEqual(done);
    world.put(b, 'm');
    expect(world.answer<void>((answer) => a.line.retire({ id: b.id }, 1_000, answer))).toEqual(done);
    expect(imported(world, a, bundleOf(b))).toMatchObject({ ok: false, error: { code: 'ERR_RETIRED' } });
    expect(imported(world, b, bundleOf(a))).toEqual(done);
    expect(world.status(b).origin).toBe('b#2');
    expect(imported(world, a, bundleOf(b))).toEqual(done);
    expect(['k', 'l', 'm'].map((key) => world.has(a, key))).toEqual([true, true, true]);
  });

  test('that is cut is gone on with, from where it was', () => {
    const { world, a, b } = strangers();
    for (let i = 0; i < 5_000; i++) world.put(a, `k${i}`);
    const bundle = bundleOf(a);
    const lost = fail<PullBatch<KvOperation>>(new BaristaError('ERR_BUNDLE', 'the stick was pulled out'));
    const take = (way: BundlePeer) =>
      world.answer<void>((answer) => b.replica.driver.bundles.pullThrough(offerOf(bundle), way, answer));
    expect(take(through(bundle, (place) => (place === 1 ? lost : null)))).toMatchObject({
      ok: false,
      error: { code: 'ERR_BUNDLE' },
    });
    const { writes } = world.status(b);
    expect(writes).toBeGreaterThan(4_000);
    expect(seenOf(world, b)).toBe('b#1:0');
    const peer = through(bundle, () => null);
    let taken = 0;
    const pull = peer.pull.bind(peer);
    peer.pull = (request, timeoutMs, answer) =>
      pull(request, timeoutMs, (batch) => {
        if (batch.ok) taken += batch.value.writes.length;
        answer(batch);
      });
    expect(take(peer)).toEqual(done);
    expect([taken + writes, seenOf(world, b)]).toEqual([5_000, 'a#1:5000 b#1:0']);
  });

  test('answers each who takes it from where that one stands', () => {
    const { world, a, b } = strangers();
    const c = world.start('c');
    for (let i = 0; i < 5_000; i++) world.put(a, `k${i}`);
    const bundle = bundleOf(a);
    const way = new BundlePeer(bundle);
    for (const node of [b, c]) {
      const { bundles } = node.replica.driver;
      expect(world.answer<void>((answer) => bundles.pullThrough(offerOf(bundle), way, answer))).toEqual(done);
      expect(world.status(node).writes).toBe(5_000);
    }
  });

  test('takes its turn with pulls over the link to who made it, and is told of to others', () => {
    const world = new World();
    const often = { antiEntropyMs: 100 };
    const [a, b, c] = [world.start('a', often), world.start('b', often), world.start('c', often)];
    world.put(a, 'k');
    const bundle = bundleOf(a);
    world.link(b, c);
    world.link(a, b);
    expect(imported(world, b, bundle)).toEqual(done);
    world.put(a, 'l');
    world.sleep(1_000);
    for (const node of [b, c]) expect(['k', 'l'].map((key) => world.has(node, key))).toEqual([true, true]);
    expect(world.status(b).links.map(({ peer, lastError }) => [peer, lastError])).toEqual([
      ['a', null],
      ['c', null],
    ]);
  });

  test('waits like any pull while what it holds is too far ahead', () => {
    const world = new World();
    const terms = { ...TERMS, clock: 'hybrid' } as const;
    const [a, b] = [world.start('a', {}, terms), world.start('b', {}, terms, 1_000)];
    const operation = { kind: 'put', value: new Uint8Array() } as const;
    const after = (a.replica.process.now() + 60_000) * 2048;
    const request = { client: 'c' as ClientId, clientTime: 1, key: 'k', operation, after, needs: null };
    world.answer((answer) => a.line.write(request, 1_000, answer));
    const bundle = bundleOf(a);
    expect(imported(world, b, bundle)).toMatchObject({ ok: false, error: { code: 'ERR_CLOCK_DRIFT' } });
    expect(world.has(b, 'k')).toBe(false);
    world.sleep(60_000);
    expect(imported(world, b, bundle)).toEqual(done);
    expect(world.has(b, 'k')).toBe(true);
  });

  test('brings the base store, and what came after it', () => {
    const world = new World();
    const terms = { ...TERMS, retryWindowMs: 0 };
    const [a, b] = [world.start('a', {}, terms), world.start('b', {}, terms)];
    for (let i = 0; i < 50; i++) world.put(a, `k${i}`);
    const request = { peers: [], budgetMs: 1_000, compact: true };
    world.answer((answer) => a.line.stabilize(request, 60_000, answer));
    expect(world.status(a)).toMatchObject({ writes: 0, base: 50 });
    world.put(a, 'tail');
    const bundle = bundleOf(a);
    expect(bundle).toMatchObject({ store: { time: 50 }, end: { entries: 51 } });
    expect(imported(world, b, bundle)).toEqual(done);
    expect(world.status(b)).toMatchObject({ base: 50, writes: 1 });
    expect(['k0', 'k49', 'tail'].map((key) => world.has(b, key))).toEqual([true, true, true]);
  });

  test('brings all that came after the base store if it brings a part of that', () => {
    const world = new World();
    const terms = { ...TERMS, retryWindowMs: 0 };
    const [a, b] = [world.start('a', {}, terms), world.start('b', {}, terms)];
    world.put(a, 'k');
    world.put(a, 'l');
    const first = bundleOf(a);
    world.put(a, 'folded');
    world.answer((answer) => a.line.stabilize({ peers: [], budgetMs: 1_000, compact: true }, 60_000, answer));
    world.put(a, 'tail');
    const second = bundleOf(a, first.end.seen);
    expect([first.store, second.store === null, second.head.since.size]).toEqual([null, false, 0]);
    expect(imported(world, b, first)).toEqual(done);
    expect(imported(world, b, second)).toEqual(done);
    expect(['k', 'folded', 'tail'].map((key) => world.has(b, key))).toEqual([true, true, true]);
    expect(seenOf(world, b)).toBe(`${seenOf(world, a)} b#1:0`);
  });

  test('as many as there may be are taken at a time', () => {
    const world = new World();
    const [a, b] = [world.start('a'), world.start('b', { importsMax: 1 })];
    world.put(a, 'k');
    const bundle = bundleOf(a);
    const { bundles } = b.replica.driver;
    const hanging = new BundlePeer(bundle);
    hanging.pull = () => undefined;
    bundles.pullThrough(offerOf(bundle), hanging, () => undefined);
    expect(imported(world, b, bundle)).toMatchObject({ ok: false, error: { code: 'ERR_OVERLOADED' } });
    world.link(b, a);
    expect(imported(world, b, bundle)).toEqual(done);
  });
});

describe('an import by calls', () => {
  function begun() {
    const { world, a, b } = strangers();
    world.put(a, 'k');
    const bundle = bundleOf(a);
    const { bundles } = b.replica.driver;
    const first = good(world.answer<ImportReply>((answer) => bundles.beginImport(offerOf(bundle), answer)));
    const goOn = (number: number, batch: Outcome<PullBatch<KvOperation>>): Outcome<ImportReply> =>
      world.answer<ImportReply>((answer) => bundles.importBatch({ number, batch }, answer));
    const batchFor = ({ request }: ImportReply): Outcome<PullBatch<KvOperation>> => {
      if (request === null) throw new Error('nothing is asked');
      return now((answer) => new BundlePeer(bundle).pull(request, 1_000, answer));
    };
    return { world, b, first, goOn, batchFor };
  }

  test('asks in its answers, until it has all', () => {
    const { world, b, first, goOn, batchFor } = begun();
    let reply = first;
    while (reply.request !== null) reply = good(goOn(reply.number, batchFor(reply)));
    expect(world.has(b, 'k')).toBe(true);
    expect(goOn(first.number, fail(new BaristaError('ERR_BUNDLE', 'more')))).toMatchObject({
      ok: false,
      error: { code: 'ERR_CLOSED' },
    });
  });

  test('ends with what its caller says of the bundle', () => {
    const { first, goOn } = begun();
    const outcome = goOn(first.number, fail(new BaristaError('ERR_BUNDLE', 'the stick was pulled out')));
    expect(outcome).toMatchObject({ ok: false, error: { code: 'ERR_BUNDLE', message: 'the stick was pulled out' } });
  });

  test('is given up when its next call does not come in time', () => {
    const { world, first, goOn, batchFor } = begun();
    world.sleep(31_000);
    expect(goOn(first.number, batchFor(first))).toMatchObject({ ok: false, error: { code: 'ERR_CLOSED' } });
  });

  test('takes only what was asked', () => {
    const { world, b, first, goOn } = begun();
    const strange = { ...good(begun().batchFor(first)), from: 'c#1' as Origin };
    expect(goOn(first.number, { ok: true, value: strange })).toMatchObject({
      ok: false,
      error: { code: 'ERR_IDENTITY' },
    });
    expect(seenOf(world, b)).toBe('b#1:0');
  });
});

describe('a file', () => {
  const { world, a } = strangers();
  world.put(a, 'k');
  world.put(a, 'l');
  const { bytes } = made(a.replica.driver.bundles);

  test('that is damaged at any byte is refused', () => {
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const other = Buffer.from(bytes);
        other[at] = (other[at] ?? 0) ^ flip;
        expect(opened(other), `byte ${at}`).toMatchObject({ ok: false, error: { code: 'ERR_BUNDLE' } });
      }
    }
  });

  test('that is cut off at any byte, or goes on after its end, is refused', () => {
    for (let end = 0; end < bytes.length; end++) {
      expect(opened(bytes.subarray(0, end)), `${end} bytes`).toMatchObject({
        ok: false,
        error: { code: 'ERR_BUNDLE' },
      });
    }
    const outcome = opened(Buffer.concat([bytes, Buffer.alloc(1)]));
    expect(outcome).toMatchObject({ ok: false, error: { message: expect.stringMatching(/bytes after its end$/) } });
  });

  test('with a byte missing or a byte more anywhere is refused', () => {
    for (let at = 0; at < bytes.length; at++) {
      const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
      for (const other of [
        Buffer.concat([before, after.subarray(1)]),
        Buffer.concat([before, Buffer.from([7]), after]),
      ])
        expect(opened(other), `byte ${at}`).toMatchObject({ ok: false, error: { code: 'ERR_BUNDLE' } });
    }
  });

  test.each([
    ['nothing', Buffer.alloc(0), /it is no bundle, or cut off$/],
    ['text', Buffer.from('a text that is not a bundle'), /it is no bundle$/],
    ['a later format', Buffer.concat([bytes.subarray(0, 8), Buffer.from([2]), bytes.subarray(9)]), /its format is 2/],
  ])('of %s is refused', (_, other, message) => {
    expect(opened(other)).toMatchObject({
      ok: false,
      error: { code: 'ERR_BUNDLE', message: expect.stringMatching(message) },
    });
  });

  test('whose checksums are right and whose parts do not go on from each other is refused', () => {
    const bundle = good(opened(bytes));
    const batch = now<PullBatch<KvOperation>>((answer) => {
      const request = { ...good(requestOf(world, bundle)), seen: new VersionVector() };
      new BundlePeer(bundle).pull(request, 1_000, answer);
    });
    const [first, second] = good(batch).writes;
    if (first === undefined || second === undefined) throw new Error('two writes');
    const page = { time: 1, vector: new VersionVector(), after: null, entries: [], upTo: 'k' };
    const head = ['head', encoded(bundleHead, bundle.head)] as const;
    const end = ['end', encoded(bundleEnd, bundle.end)] as const;
    const part = (writes: readonly (typeof first)[], store: typeof page | null = null) =>
      ['part', encoded(bundlePart, { writes, store })] as const;
    const low = encoded(bundleEnd, { ...bundle.end, seen: new VersionVector([['a#1' as Origin, 1]]) });
    const whole = part([first, second]);
    for (const [blocks, message] of [
      [[whole, end], 'no head there'],
      [[head, head, whole, end], 'second head'],
      [[head, end], 'it holds 0 entries, and says 2'],
      [[head, part([second]), part([first]), end], 'does not go on from those before'],
      [[head, whole, whole, end], 'does not go on from those before'],
      [[head, whole, ['end', low]], 'its vector does not cover'],
      [[head, part([], page), whole, end], 'the base store ends too early'],
      [[head, whole, part([], page), end], 'stands among writes'],
      [[head, part([], { ...page, upTo: 'l' }), part([], page), end], 'does not go on from the one before'],
      [[head, ['part', Buffer.from('garbage')], end], 'block'],
      [[head, ['end', Buffer.from([0])]], 'required field'],
    ] as const) {
      let place = START.next;
      const made = blocks.map(([kind, content]) => {
        const block = makeBlock(kind, content, place);
        place = block.next;
        return block.bytes;
      });
      expect(opened(Buffer.concat([START.bytes, ...made])), message).toMatchObject({
        ok: false,
        error: { code: 'ERR_BUNDLE', message: expect.stringContaining(message) },
      });
    }
  });
});

/** What a newcomer would ask of the bundle first. */
function requestOf(world: World, bundle: Bundle): Outcome<NonNullable<ImportReply['request']>> {
  const { bundles } = world.start('n').replica.driver;
  const reply = good(world.answer<ImportReply>((answer) => bundles.beginImport(offerOf(bundle), answer)));
  if (reply.request === null) throw new Error('nothing is asked');
  return { ok: true, value: reply.request };
}
