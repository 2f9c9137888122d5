import { beforeEach, describe, expect, test } from 'vitest';
import { originOf, type ReplicaId } from '../../src/base/ids.js';
import type { Outcome } from '../../src/base/outcome.js';
import type { HoldsReply, WriteState } from '../../src/bayou/hold-messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { type Node, World } from './world.js';

const HOUR = 3_600_000;
const origin = (id: string) => originOf(id as ReplicaId, 1);
/** A replica's first write, with logical clocks. */
const firstOf = (id: string) => ({ origin: origin(id), acceptTime: 1 });

let world: World;
beforeEach(() => {
  world = new World();
});

function holds(node: Node, needs: VersionVector, budgetMs: number): Outcome<HoldsReply> {
  return world.answer((done) => node.line.holds({ needs, budgetMs }, 60_000, done));
}

function stateOf(node: Node, id: string, asked: { holders?: number; stable?: boolean; budgetMs?: number } = {}) {
  const request = { stamp: firstOf(id), holders: 0, stable: false, budgetMs: 0, ...asked };
  const outcome = world.answer<WriteState>((done) => node.line.writeState(request, 60_000, done));
  if (!outcome.ok) throw outcome.error;
  return outcome.value;
}

describe('a caller that waits for writes', () => {
  const needs = new VersionVector([[origin('a'), 1]]);

  test('is answered when they come, long before its budget is spent', () => {
    const [a, b] = [world.start('a', { antiEntropyMs: HOUR }), world.start('b', { antiEntropyMs: HOUR })];
    world.link(a, b);
    const answers: Outcome<HoldsReply>[] = [];
    b.line.holds({ needs, budgetMs: 20_000 }, 60_000, (outcome) => answers.push(outcome));
    world.sleep(100);
    expect(answers).toEqual([]);
    world.put(a, 'k');
    world.sleep(20);
    expect(answers).toEqual([{ ok: true, value: { missing: null } }]);
  });

  test('is told what is missing when its budget is spent, at once if it has none', () => {
    const a = world.start('b');
    expect(holds(a, needs, 0)).toEqual({ ok: true, value: { missing: needs } });
    const before = world.scheduler.now;
    expect(holds(a, needs, 5_000)).toEqual({ ok: true, value: { missing: needs } });
    expect(world.scheduler.now - before).toBeGreaterThanOrEqual(5_000);
  });

  test('waits no longer than a call may, and no more than so many wait', () => {
    const a = world.start('b', { waitsMax: 2, waitMsMax: 1_000 });
    const answers: Outcome<HoldsReply>[] = [];
    const wait = (): void => a.line.holds({ needs, budgetMs: HOUR }, HOUR, (outcome) => answers.push(outcome));
    for (let i = 0; i < 3; i++) wait();
    world.sleep(500);
    expect(answers).toMatchObject([{ ok: false, error: { code: 'ERR_OVERLOADED' } }]);
    world.sleep(1_000);
    expect(answers).toHaveLength(3);
    expect(holds(a, needs, 0)).toMatchObject({ ok: true });
  });
});

describe('the state of a write', () => {
  const exchange = { antiEntropyMs: HOUR };

  test('names who holds it and who does not, as the replica knows from what neighbours say', () => {
    const [a, b] = [world.start('a'), world.start('b')];
    world.link(a, b);
    world.stabilize(b, [a]);
    world.put(a, 'k');
    world.stabilize(a, [b]);
    expect(stateOf(a, 'a')).toEqual({ holders: [origin('a')], waitsFor: [origin('b')], stable: false });
    world.stabilize(b, [a]);
    world.stabilize(a, [b]);
    expect(stateOf(a, 'a')).toMatchObject({ holders: [origin('a'), origin('b')], waitsFor: [] });
    expect(stateOf(b, 'a')).toMatchObject({ holders: [origin('a'), origin('b')] });
  });

  test('is waited for: neighbours are asked, and answer long before the period', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((id) => world.start(id, exchange)) as [Node, Node, Node];
    for (const peer of [b, c]) world.link(a, peer);
    world.sleep(100);
    world.put(a, 'k');
    const before = world.scheduler.now;
    const { holders } = stateOf(a, 'a', { holders: 3, budgetMs: 20_000 });
    expect(holders).toEqual([origin('a'), origin('b'), origin('c')]);
    expect(world.scheduler.now - before).toBeLessThan(1_000);
  });

  test('becomes stable once all members attest that they hold it', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((id) => world.start(id, { antiEntropyMs: 500, compactMs: 1_000 })) as [
      Node,
      Node,
      Node,
    ];
    world.link(a, b);
    world.link(b, c);
    world.sleep(5_000);
    world.put(a, 'k');
    expect(stateOf(a, 'a', { stable: true, budgetMs: 25_000 })).toEqual({
      holders: [origin('a'), origin('b'), origin('c')],
      waitsFor: [],
      stable: true,
    });
  });

  test('with a member away it does not, and the answer names the member', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((id) => world.start(id, { antiEntropyMs: 500, compactMs: 1_000 })) as [
      Node,
      Node,
      Node,
    ];
    world.link(a, b);
    world.link(a, c);
    world.sleep(5_000);
    c.replica.kill();
    world.put(a, 'k');
    expect(stateOf(a, 'a', { stable: true, budgetMs: 25_000 })).toEqual({
      holders: [origin('a'), origin('b')],
      waitsFor: [origin('c')],
      stable: false,
    });
  });

  test('of a write that is nowhere is that nobody holds it', () => {
    const a = world.start('a');
    expect(stateOf(a, 'z', { holders: 1, budgetMs: 10 })).toEqual({
      holders: [],
      waitsFor: [origin('a')],
      stable: false,
    });
  });
});
