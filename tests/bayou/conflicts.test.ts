import { describe, expect, test } from 'vitest';
import type { ClientId } from '../../src/base/ids.js';
import {
  type Conflict,
  type ConflictCursor,
  type ConflictsFrom,
  type ConflictsReply,
  cursorBehindLoser,
} from '../../src/bayou/conflict-messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { AcceptStamp } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';
import {
  clusterOf,
  homeOf,
  introduce,
  type KvReplica,
  LIMITS,
  NO_WINDOW,
  pull,
  put,
  rejoin,
  remove,
  replicaOf,
  serve,
  settle,
} from './replicas.js';

type Told = Extract<ConflictsReply<KvOperation>, { kind: 'conflicts' }>;

const START: ConflictsFrom = { kind: 'start' };

function ask(replica: KvReplica, from: ConflictsFrom, prefix = '', conflictsMax = 100): Told {
  const reply = replica.reader.conflicts({ prefix, from, needs: null, conflictsMax });
  if (reply.kind !== 'conflicts') throw new Error(reply.kind === 'refused' ? reply.code : 'ERR_DEP');
  if (from.kind === 'cursor' || from.kind === 'now') return reply;
  expect(reply).toMatchObject({ conflicts: [], more: true });
  return ask(replica, { kind: 'cursor', cursor: reply.cursor }, prefix, conflictsMax);
}

const on = (cursor: ConflictCursor): ConflictsFrom => ({ kind: 'cursor', cursor });
const now = (replica: KvReplica): ConflictCursor => ask(replica, { kind: 'now' }).cursor;

const nameOf = ({ acceptTime, origin }: AcceptStamp): string => `${acceptTime}@${origin.slice(0, -2)}`;

/** `k: 1@a ana overwritten by 2@b ben (unknown)`. */
function inWords({ key, lost, rule, winner, concurrent }: Conflict<KvOperation>): string {
  const to = winner === null ? 'nothing' : `${nameOf(winner.stamp)} ${winner.client}`;
  return `${key}: ${nameOf(lost.stamp)} ${lost.client} ${rule} ${to} (${concurrent})`;
}

/** All that is left to tell, `conflictsMax` at a time. */
function drain(replica: KvReplica, from: ConflictsFrom, prefix = '', conflictsMax = 2) {
  const told: string[] = [];
  for (let next = from; ; ) {
    const reply = ask(replica, next, prefix, conflictsMax);
    expect(reply.conflicts.length).toBeLessThanOrEqual(conflictsMax);
    told.push(...reply.conflicts.map(inWords));
    next = on(reply.cursor);
    if (!reply.more) return { told, cursor: reply.cursor };
    if (told.length > 1_000) throw new Error('it tells without end');
  }
}

const operationOf = (client: string, clientTime: number, key: string, operation: KvOperation) => ({
  ...put(client, clientTime, key, ''),
  operation,
});
const add = (client: string, clientTime: number, key = 'k') =>
  operationOf(client, clientTime, key, { kind: 'increment', by: 1 });
const claim = (client: string, key = 'k') =>
  operationOf(client, 1, key, { kind: 'putIfAbsent', value: new TextEncoder().encode(client) });

/** Replicas that know each other and exchange nothing. */
function apart(...ids: readonly string[]): KvReplica[] {
  const replicas = ids.map((id) => replicaOf(id));
  introduce(replicas);
  return replicas;
}

describe('a conflict', () => {
  test('is a write that another client overwrote, and names what overwrote it', () => {
    const [a, b] = apart('a', 'b') as [KvReplica, KvReplica];
    a.accept(put('ana', 1, 'k', 'a'), 0);
    b.accept(put('ben', 1, 'k', 'b'), 0);
    a.accept(put('ana', 2, 'l', 'a'), 0);
    b.accept(put('ben', 2, 'other', 'b'), 0);
    a.accept(remove('ana', 3, 'other'), 0);
    expect(drain(a, START).told).toEqual([]);
    pull(a, b);
    expect(drain(a, START).told).toEqual([
      'k: 1@a ana overwritten 1@b ben (yes)',
      'other: 2@b ben overwritten 3@a ana (unknown)',
    ]);
    expect(drain(a, START, 'k').told).toHaveLength(1);
    expect(ask(a, START).conflicts[0]?.operation).toMatchObject({ kind: 'put' });
  });

  test('is not to overwrite what one wrote oneself', () => {
    const a = replicaOf('a');
    a.accept(put('ana', 1, 'k', '1'), 0);
    a.accept(add('ben', 1), 0);
    a.accept(put('ana', 2, 'k', '2'), 0);
    // Not pruned, since an operation stands between.
    expect(drain(a, START).told).toEqual(['k: 2@a ben overwritten 3@a ana (no)']);
  });

  test('is also an operation that does not apply where it stands, whoever left that so', () => {
    const a = replicaOf('a');
    a.accept(put('ana', 1, 'k', 'text'), 0);
    a.accept(add('ana', 2), 0);
    a.accept(claim('ben'), 0);
    a.accept(operationOf('ben', 2, 's', { kind: 'setAdd', member: 'm' }), 0);
    // It finds what it would bring about.
    a.accept(operationOf('ana', 3, 's', { kind: 'setAdd', member: 'm' }), 0);
    expect(drain(a, START).told).toEqual([
      'k: 2@a ana inapplicable 1@a ana (no)',
      'k: 3@a ben inapplicable 1@a ana (no)',
    ]);
  });

  test('is not a repeat: the operation has its effect elsewhere', () => {
    const [a, b] = apart('a', 'b') as [KvReplica, KvReplica];
    a.accept(add('ana', 1), 0);
    b.accept(put('ben', 1, 'x', 'x'), 0);
    b.accept(add('ana', 1), 0);
    pull(a, b);
    expect(drain(a, START).told).toEqual([]);
  });

  test('among what is claimed alone', () => {
    const [a, b] = apart('a', 'b') as [KvReplica, KvReplica];
    b.accept(put('ana', 1, 'k', '1'), 0);
    b.accept(put('ben', 1, 'k', '2'), 0);
    b.accept(put('ben', 2, 'l', '2'), 0);
    const request = a.nextPull(b.id, { ...LIMITS, writesMax: 2 });
    a.integrate(b.id, request, serve(b, request), 0);
    expect(drain(a, START).told).toEqual([]);
    pull(a, b);
    expect(drain(a, START).told).toEqual(['k: 1@b ana overwritten 2@b ben (no)']);
  });
});

describe('from a cursor', () => {
  test('each is told once, whichever of the two came later, a few at a time', () => {
    const [a, b] = apart('a', 'b') as [KvReplica, KvReplica];
    for (let i = 1; i <= 5; i++) {
      a.accept(put('ana', i, `k${i}`, 'a'), 0);
      b.accept(put('ben', i, `k${i}`, 'b'), 0);
    }
    let cursor = now(a);
    expect(drain(a, on(cursor)).told).toEqual([]);
    pull(a, b);
    const first = drain(a, on(cursor));
    expect(first.told).toEqual([1, 2, 3, 4, 5].map((i) => `k${i}: ${i}@a ana overwritten ${i}@b ben (yes)`));
    cursor = first.cursor;
    expect(drain(a, on(cursor)).told).toEqual([]);
    a.accept(put('cem', 1, 'k3', 'c'), 0);
    expect(drain(a, on(cursor)).told).toEqual(['k3: 3@b ben overwritten 6@a cem (unknown)']);
  });

  test('what comes late and loses is told, and that nobody who accepted what it lost to knew of it', () => {
    const [a, b] = apart('a', 'b') as [KvReplica, KvReplica];
    b.accept(put('ben', 1, 'k', 'b'), 0);
    for (let i = 1; i <= 3; i++) a.accept(put('ana', i, 'k', `${i}`), 0);
    const cursor = now(a);
    pull(a, b);
    expect(drain(a, on(cursor)).told).toEqual(['k: 1@b ben overwritten 3@a ana (yes)']);
    // From the start nothing says which of them came first.
    expect(drain(a, START).told).toEqual(['k: 1@b ben overwritten 3@a ana (unknown)']);
  });

  test('what takes away the effect of what was told of is told, as the loss of that', () => {
    const [a, b] = apart('a', 'b') as [KvReplica, KvReplica];
    b.accept(claim('ben'), 0);
    a.accept(put('x', 1, 'x', 'x'), 0);
    a.accept(claim('ana'), 0);
    const cursor = drain(a, START).cursor;
    pull(a, b);
    expect(drain(a, on(cursor)).told).toEqual(['k: 2@a ana inapplicable 1@b ben (yes)']);
  });

  test('whose loss was told is not told again when the winner overwrites itself, and so is pruned', () => {
    const [a, b] = apart('a', 'b') as [KvReplica, KvReplica];
    a.accept(put('ana', 1, 'k', 'a'), 0);
    pull(b, a);
    let { cursor } = drain(b, START);
    const told: string[] = [];
    for (let i = 1; i <= 4; i++) {
      b.accept(put('ben', i, 'k', `${i}`), 0);
      const more = drain(b, on(cursor));
      told.push(...more.told);
      cursor = more.cursor;
    }
    expect(told).toEqual(['k: 1@a ana overwritten 2@b ben (unknown)']);
    // Another who asks is told of what is there.
    expect(drain(b, START).told).toEqual(['k: 1@a ana overwritten 5@b ben (unknown)']);
  });

  test('who was told of the winner and not of the loser is told of it, though others were before', () => {
    const [a, b] = apart('a', 'b') as [KvReplica, KvReplica];
    b.accept(put('ben', 1, 'k', 'b'), 0);
    a.accept(put('ana', 1, 'x', 'a'), 0);
    a.accept(put('ana', 2, 'k', 'a'), 0);
    const early = now(a);
    pull(a, b);
    expect(drain(a, START).told).toHaveLength(1);
    expect(drain(a, on(early)).told).toEqual(['k: 1@b ben overwritten 2@a ana (yes)']);
  });

  test('in the middle of a part goes on behind any loser, at another replica, though more has come', () => {
    const [a, b] = apart('a', 'b') as [KvReplica, KvReplica];
    for (let i = 1; i <= 6; i++) a.accept(add(`c${i}`, 1), 0);
    a.accept(put('ana', 1, 'k', '0'), 0);
    const before = { told: new VersionVector(), target: new VersionVector(), after: null };
    const whole = ask(a, START);
    expect(whole.conflicts).toHaveLength(6);
    const losers = whole.conflicts.map(inWords);
    const cut = ask(a, START, '', 4);
    for (const reply of [whole, cut]) {
      for (const [at, { lost }] of reply.conflicts.entries()) {
        const cursor = cursorBehindLoser(before, reply.cursor, lost.stamp);
        expect(drain(a, on(cursor)).told).toEqual(losers.slice(at + 1));
      }
    }
    const middle = cursorBehindLoser(before, whole.cursor, (whole.conflicts[2] as Conflict<KvOperation>).lost.stamp);
    expect(() => drain(b, on(middle))).toThrow('ERR_DEP');
    pull(b, a);
    b.accept(put('ben', 1, 'k', 'b'), 0);
    expect(drain(b, on(middle)).told).toEqual([...losers.slice(3), 'k: 7@a ana overwritten 8@b ben (unknown)']);
  });

  test('a part ends at 4,096 writes, and its losers at as many', () => {
    const a = replicaOf('a');
    for (let i = 1; i <= 9_000; i++) a.accept(add('ben', i), 0);
    a.accept(put('ana', 1, 'k', '0'), 0);
    const told: number[] = [];
    let next: ConflictsFrom = START;
    for (;;) {
      const { conflicts, cursor, more } = ask(a, next, '', 65_536);
      told.push(conflicts.length);
      if (!more) break;
      next = on(cursor);
    }
    expect(told).toEqual([0, 0, 4_096, 4_096, 808]);
  });

  test('a cursor that no replica gave costs no more than another', () => {
    const a = replicaOf('a');
    a.accept(put('ana', 1, 'k', '0'), 0);
    a.accept(put('ben', 1, 'k', '0'), 0);
    for (let i = 1; i <= 20_000; i++) a.accept(add('ben', i + 1, `k${i}`), 0);
    const made = { told: new VersionVector(), target: a.seen(), after: { origin: a.origin, acceptTime: 1 } };
    const reply = ask(a, on(made));
    expect(reply.conflicts.map(inWords)).toEqual(['k: 1@a ana overwritten 2@a ben (no)']);
    expect(reply.cursor.told.get(a.origin)).toBe(4_096);
  });

  test('begins at a stamp: what comes of what stands after it, and of what comes', () => {
    const [a, b] = apart('a', 'b') as [KvReplica, KvReplica];
    for (const [client, key] of Object.entries({ ana: 'k', ben: 'k', cem: 'l', dan: 'l' }))
      a.accept(put(client, 1, key, ''), 0);
    b.accept(put('eve', 1, 'm', ''), 0);
    b.accept(put('fay', 1, 'm', ''), 0);
    const from = { kind: 'stamp', stamp: { origin: a.origin, acceptTime: 3 } } as const;
    const first = drain(a, from);
    expect(first.told).toEqual(['l: 3@a cem overwritten 4@a dan (no)']);
    pull(a, b);
    expect(drain(a, on(first.cursor)).told).toEqual(['m: 1@b eve overwritten 2@b fay (no)']);
    expect(() => ask(a, { kind: 'stamp', stamp: { origin: a.origin, acceptTime: 99 } })).toThrow('ERR_DEP');
  });

  test('what was folded since is refused; the start is what the log still has', () => {
    const [a, b] = clusterOf(['a', 'b']) as [KvReplica, KvReplica];
    const begun = now(a);
    a.accept(put('ana', 1, 'k', 'a'), 0);
    a.accept(put('ben', 1, 'k', 'b'), 0);
    settle([a, b]);
    expect(a.logSize).toBe(0);
    expect(() => ask(a, on(begun))).toThrow('ERR_FOLDED');
    expect(() => ask(a, { kind: 'stamp', stamp: { origin: a.origin, acceptTime: 1 } })).toThrow('ERR_FOLDED');
    expect(drain(a, START).told).toEqual([]);
    a.accept(add('cem', 1), 0);
    expect(drain(a, START).told).toEqual(['k: 4@a cem inapplicable 2@a ben (no)']);
  });

  test('is refused while the replica takes over what it missed, and of what was accepted anew nothing is known', () => {
    const [a, home] = [replicaOf('a', NO_WINDOW), homeOf('b', NO_WINDOW)];
    introduce([a, home.replica]);
    home.replica.accept(put('ben', 1, 'k', 'b'), 0);
    rejoin(home, a);
    expect(() => ask(home.replica, START)).toThrow('ERR_BEHIND');
    a.accept(put('ana', 1, 'x', 'a'), 0);
    a.accept(put('ana', 2, 'k', 'a'), 0);
    pull(home.replica, a);
    const told = drain(home.replica, START).told;
    expect(told).toEqual([expect.stringMatching(/^k: .*\(unknown\)$/)]);
  });

  test('needs what the session does', () => {
    const a = replicaOf('a');
    const needs = new VersionVector([[a.origin, 1]]);
    const request = { prefix: '', from: START, needs, conflictsMax: 1 };
    expect(a.reader.conflicts(request)).toEqual({ kind: 'missing', missing: needs });
    a.accept({ ...put('ana', 1, 'k', ''), client: 'ana' as ClientId }, 0);
    expect(a.reader.conflicts(request)).toMatchObject({ kind: 'conflicts', conflicts: [], more: true });
  });
});
