import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { ClientId } from '../../src/base/ids.js';
import type { Outcome } from '../../src/base/outcome.js';
import type { WatchCursor, WatchReply, WatchRequest } from '../../src/bayou/watch-messages.js';
import { Watches } from '../../src/bayou/watches.js';
import { type Node, World } from './world.js';

const HOUR = 3_600_000;
type Reply = WatchReply<Uint8Array>;

let world: World;
beforeEach(() => {
  world = new World();
});

function ask(node: Node, request: Partial<WatchRequest> = {}): Outcome<Reply>[] {
  const whole: WatchRequest = {
    prefix: '',
    from: { kind: 'now' },
    needs: null,
    changesMax: 10,
    budgetMs: 0,
    name: null,
    ...request,
  };
  const answers: Outcome<Reply>[] = [];
  node.line.watch(whole, 120_000, (outcome) => answers.push(outcome));
  return answers;
}

function begin(node: Node): WatchCursor {
  const answers = ask(node);
  world.sleep(20);
  const [outcome] = answers;
  if (outcome?.ok !== true || outcome.value.kind !== 'changes') throw new Error('it did not begin');
  return outcome.value.cursor;
}

/** A watch that waits for 20 seconds, or as long as is said. */
function wait(node: Node, prefix: string, request: Partial<WatchRequest> = {}): Outcome<Reply>[] {
  const answers = ask(node, { prefix, from: { kind: 'cursor', cursor: begin(node) }, budgetMs: 20_000, ...request });
  world.sleep(20);
  return answers;
}

/** The keys that were told, or how it was answered otherwise. */
function toldTo(answers: readonly Outcome<Reply>[]): unknown {
  return answers.map((outcome) => {
    if (!outcome.ok) return outcome.error.code;
    return outcome.value.kind === 'changes' ? outcome.value.changes.map(({ key }) => key) : 'missing';
  });
}

describe('a watch that waits', () => {
  test('is answered when a key of its prefix changes, and not before', () => {
    const a = world.start('a');
    const answers = wait(a, 'k/');
    world.put(a, 'k');
    world.sleep(100);
    expect(answers).toEqual([]);
    world.put(a, 'k/1');
    world.sleep(20);
    expect(toldTo(answers)).toEqual([['k/1']]);
  });

  test('is answered when a neighbour has brought the change and it is claimed', () => {
    const [a, b] = [world.start('a', { antiEntropyMs: HOUR }), world.start('b', { antiEntropyMs: HOUR })];
    world.link(a, b);
    const answers = wait(b, 'k');
    world.put(a, 'k');
    world.sleep(50);
    expect(toldTo(answers)).toEqual([['k']]);
  });

  test('is answered with what a transfer had brought before, once that is claimed', () => {
    const [a, b] = [world.start('a'), world.start('b', { batchWritesMax: 1 })];
    world.link(a, b);
    world.put(a, 'k');
    for (let i = 0; i < 20; i++) world.put(a, `x${i}`);
    const cursor = begin(b);
    const request = { peers: [a.id], budgetMs: 10_000, compact: false };
    b.line.stabilize(request, 60_000, () => undefined);
    world.sleep(20);
    expect([world.has(b, 'k'), world.status(b).seen.get(world.status(a).origin)]).toEqual([true, 0]);
    const answers = ask(b, { prefix: 'k', from: { kind: 'cursor', cursor }, budgetMs: 20_000 });
    world.sleep(500);
    expect(toldTo(answers)).toEqual([['k']]);
  });

  test('is told of nothing when its budget is spent, and then stands where the replica does', () => {
    const a = world.start('a');
    const answers = wait(a, 'k');
    world.put(a, 'other');
    world.sleep(19_000);
    expect(answers).toEqual([]);
    world.sleep(2_000);
    expect(answers).toMatchObject([{ ok: true, value: { changes: [], more: false } }]);
    const [outcome] = answers;
    if (outcome?.ok !== true || outcome.value.kind !== 'changes') throw new Error();
    expect(outcome.value.cursor.told.equals(world.status(a).seen)).toBe(true);
  });

  test('waits no longer than a call may', () => {
    const a = world.start('a', { waitMsMax: 1_000 });
    const answers = wait(a, 'k', { budgetMs: HOUR });
    world.sleep(1_100);
    expect(answers).toMatchObject([{ ok: true }]);
  });

  test('is one of so many; beyond they are refused, and when one has ended another may wait', () => {
    const a = world.start('a', { watchesMax: 2 });
    const waiting = ['x', 'y', 'z'].map((prefix) => wait(a, prefix));
    expect(waiting.map(toldTo)).toEqual([[], [], ['ERR_OVERLOADED']]);
    world.put(a, 'x');
    world.sleep(20);
    expect(toldTo(wait(a, 'z'))).toEqual([]);
  });

  test('is answered when the next request under its name comes, so that who is gone leaves nothing', () => {
    const a = world.start('a', { watchesMax: 1 });
    const name = 'w' as ClientId;
    const first = wait(a, 'k', { name });
    const second = wait(a, 'k', { name });
    expect([toldTo(first), toldTo(second)]).toEqual([[[]], []]);
    ask(a, { prefix: 'k', name });
    world.sleep(20);
    expect(toldTo(second)).toEqual([[]]);
  });

  test('ends with the replica', () => {
    const a = world.start('a');
    const answers = wait(a, 'k');
    a.replica.kill();
    world.sleep(200_000);
    expect(answers).toHaveLength(1);
  });

  test('costs nothing while other keys change; those that wait alike share one look', () => {
    const a = world.start('a');
    const cursor = begin(a);
    const answers = Array.from({ length: 500 }, () => {
      return ask(a, { prefix: 'k/', from: { kind: 'cursor', cursor }, budgetMs: 20_000 });
    });
    world.sleep(20);
    const looks = vi.spyOn(Watches.prototype, 'next');
    for (let i = 0; i < 100; i++) world.put(a, `other/${i}`);
    expect(looks).toHaveBeenCalledTimes(0);
    world.put(a, 'k/1');
    world.sleep(20);
    expect(looks).toHaveBeenCalledTimes(1);
    looks.mockRestore();
    expect(answers.map(toldTo)).toEqual(Array.from({ length: 500 }, () => [['k/1']]));
  });
});
