import { describe, expect, test } from 'vitest';
import type { WriteRequest } from '../../src/bayou/messages.js';
import { START, type WatchCursor } from '../../src/bayou/watch-messages.js';
import { type KvOperation, kvMachineWith, kvOperationCodec } from '../../src/machine/kv.js';
import { type Merge, Procedures } from '../../src/machine/procedures.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import {
  clusterOf,
  exchange,
  fold,
  get,
  introduce,
  type KvReplica,
  openOver,
  pull,
  put,
  settle,
  sizes,
  store,
} from './replicas.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const WINDOW = { retryWindowMs: 2 };

/** `expected`: undefined for nothing in particular, null for an absent key. */
function merge(
  [client, clientTime]: readonly [string, number],
  key: string,
  procedure: string,
  value: string,
  expected?: string | null,
): WriteRequest<KvOperation> {
  const expects = expected === undefined ? null : expected === null ? 'absent' : bytes(expected);
  const operation: KvOperation = { kind: 'merge', procedure, value: bytes(value), expects };
  return { ...put(client, clientTime, key, ''), operation };
}

const longest: Merge = ({ value, current }) => (value.length > (current?.length ?? 0) ? value : undefined);

interface Made {
  readonly replica: KvReplica;
  /** Gives it the procedure. */
  readonly give: () => boolean;
}

/** `ids` that know each other; those of `lacking` have not the procedure longest@1 until they are given it. */
function replicasOf(ids: readonly string[], lacking: readonly string[]): readonly Made[] {
  const made = ids.map((id) => {
    const procedures = new Procedures();
    const give = () => procedures.add('longest@1', longest);
    if (!lacking.includes(id)) give();
    return {
      replica: openOver(new MemoryStorage(kvOperationCodec), id, WINDOW, { machine: kvMachineWith(procedures) }),
      give,
    };
  });
  introduce(made.map(({ replica }) => replica));
  return made;
}

describe('a merge', () => {
  test('is run where it stands, at every replica, and again when something comes to stand before it', () => {
    const [a, b, c] = clusterOf(['a', 'b', 'c'], WINDOW) as [KvReplica, KvReplica, KvReplica];
    a.accept(put('x', 1, 'k', '12'), 0);
    pull(b, a);
    pull(c, a);
    b.accept(merge(['y', 1], 'k', 'keep-both@1', '14', '12'), 0);
    c.accept(merge(['z', 1], 'k', 'keep-both@1', '11', '12'), 0);
    expect([get(b, 'k'), get(c, 'k')]).toEqual(['14', '11']);
    pull(a, c);
    expect(get(a, 'k')).toBe('11');
    pull(a, b);
    pull(b, a);
    pull(c, a);
    for (const replica of [a, b, c]) expect(get(replica, 'k')).toBe('{"kept":["14","11"]}');
  });

  test('is folded into the value that it makes, which those read that have not its procedure', () => {
    const [a, b] = replicasOf(['a', 'b'], []).map(({ replica }) => replica) as [KvReplica, KvReplica];
    for (let i = 1; i <= 6; i++) a.accept(merge(['x', i], i % 2 === 0 ? 'even' : 'odd', 'longest@1', 'v'.repeat(i)), 0);
    // One alone, on an absent key, too.
    a.accept(merge(['x', 7], 'one', 'longest@1', 'v'), 0);
    for (let i = 8; i <= 20; i++) a.accept(put('x', i, 'other', ''), 0);
    settle([a, b]);
    settle([a, b]);
    expect(a.base).toBeGreaterThan(7);
    expect(store(a)).toEqual(['even=vvvvvv', 'odd=vvvvv', 'one=v', 'other=']);
    const late = openOver(new MemoryStorage(kvOperationCodec), 'c', WINDOW);
    exchange([a, b, late]);
    expect(store(late)).toEqual(store(a));
    expect(late.lacks).toEqual([]);
  });
});

describe('a replica that has not the procedure', () => {
  const made = replicasOf(['a', 'b', 'c'], ['b', 'c']);
  const [a, b, c] = made.map(({ replica }) => replica) as [KvReplica, KvReplica, KvReplica];
  a.accept(put('x', 1, 'before', '1'), 0);
  a.accept(put('x', 2, 'k', 'short'), 0);
  a.accept(merge(['x', 3], 'k', 'longest@1', 'longer one'), 0);
  a.accept(put('x', 4, 'later', '2'), 0);
  const refusal = { kind: 'refused', code: 'ERR_PROCEDURE' };
  const range = { from: null, before: null };
  const page = { range, reverse: false, after: null, entriesMax: 10, hold: false, snapshot: null, needs: null };
  const watched = (cursor: WatchCursor) =>
    b.reader.watch({ prefix: '', from: { kind: 'cursor', cursor }, needs: null, changesMax: 10 } as never, 0);

  test('takes what others wrote with it, and says what it lacks', () => {
    pull(b, a);
    expect(b.seen().equals(a.seen())).toBe(true);
    expect(b.lacks).toEqual(['longest@1']);
    expect(a.lacks).toEqual([]);
  });

  test('refuses such a write, and reads of what rests on one', () => {
    expect(b.accept(merge(['y', 1], 'other', 'longest@1', 'v'), 0)).toMatchObject(refusal);
    expect(b.read({ key: 'k', needs: null }, 0)).toMatchObject({
      ...refusal,
      message: 'what is under "k" rests on the merge procedure longest@1, which this replica has not',
    });
    expect(b.reader.readMany({ keys: ['before', 'k'], needs: null }, 0)).toMatchObject(refusal);
    expect(() => store(b)).toThrow(expect.objectContaining({ code: 'ERR_PROCEDURE' }));
  });

  test('reads everything else', () => {
    expect(get(b, 'before')).toBe('1');
    expect(b.reader.readMany({ keys: ['before', 'later'], needs: null }, 0)).toMatchObject({ kind: 'values' });
    // A scan gives what comes before, and then says why it ends.
    expect(b.reader.scan(page, 0)).toMatchObject({ kind: 'page', entries: [{ key: 'before' }], upTo: 'before' });
    expect(b.reader.scan({ ...page, after: 'before' }, 0)).toMatchObject(refusal);
    expect(b.reader.scan({ ...page, after: 'k' }, 0)).toMatchObject({ entries: [{ key: 'later' }], upTo: null });
    expect(b.reader.scan({ ...page, reverse: true }, 0)).toMatchObject({ entries: [{ key: 'later' }] });
  });

  test('tells who watches what stands before it, and no further', () => {
    const told = watched(START);
    expect(told).toMatchObject({ kind: 'changes', changes: [{ key: 'before' }], more: true });
    expect(watched((told as { cursor: WatchCursor }).cursor)).toMatchObject(refusal);
  });

  test('hands it on, and folds nothing that stands after it', () => {
    for (let i = 5; i <= 20; i++) a.accept(put('x', i, 'later', `${i}`), 0);
    pull(c, b);
    expect(get(c, 'before')).toBe('1');
    expect(c.lacks).toEqual(['longest@1']);
    exchange([a, b, c]);
    fold(b);
    expect(b.base).toBe(2);
    fold(a);
    expect(a.base).toBeGreaterThan(4);
    expect(sizes([b])[0]).toBeGreaterThan(sizes([a])[0] as number);
  });

  test('goes on as any other once it has it', () => {
    for (const { give } of made) give();
    expect(b.lacks).toEqual([]);
    expect(get(b, 'k')).toBe('longer one');
    expect(b.accept(merge(['y', 1], 'k', 'longest@1', 'the longest of all'), 0)).toMatchObject({ kind: 'accepted' });
    settle([a, b, c]);
    settle([a, b, c]);
    expect(Math.min(b.base, c.base)).toBeGreaterThanOrEqual(a.base);
    for (const replica of [b, c]) expect(store(replica)).toEqual(store(a));
  });
});
