import { describe, expect, test } from 'vitest';
import { checkHistory } from '../../src/check/check.js';
import type {
  GuaranteeName,
  HistoryEvent,
  LoggedWrite,
  Stamp,
  StateEvent,
  Vector,
  WriteEvent,
} from '../../src/check/history.js';
import { CHECKS, type CheckName } from '../../src/check/report.js';
import { Procedures } from '../../src/machine/procedures.js';
import { mergesOf } from '../../src/sim/merging.js';
import { playHistory } from './played-history.js';

const ALL: readonly GuaranteeName[] = [
  'read-your-writes',
  'monotonic-reads',
  'writes-follow-reads',
  'monotonic-writes',
];

const MERGES = mergesOf(new Procedures());

const PLAYED = Number(process.env['BARISTA_HISTORIES'] ?? 60);
const FIRST_SEED = Number(process.env['BARISTA_FIRST_SEED'] ?? 1);

/** Small histories, written by hand: each call is the next event, a millisecond later. */
class Story {
  readonly events: HistoryEvent[] = [];
  readonly #times = new Map<string, number>();
  #now = 0;

  constructor(guarantees: readonly GuaranteeName[] = ALL, clients = ['c', 'd']) {
    for (const client of clients) this.events.push({ type: 'session', client, guarantees });
  }

  write(client: string, key: string, value: string | null, stamp: Stamp | null, more: Partial<WriteEvent> = {}): this {
    const clientTime = (this.#times.get(client) ?? 0) + 1;
    this.#times.set(client, clientTime);
    const head = {
      type: 'write',
      client,
      clientTime,
      key,
      value,
      ...this.#span(),
      replica: stamp?.[1] ?? null,
    } as const;
    const answer = stamp === null ? ({ outcome: 'unknown' } as const) : ({ outcome: 'accepted', stamp } as const);
    this.events.push({ ...head, ...answer, ...more });
    return this;
  }

  read(client: string, key: string, value: string | null, stamp: Stamp | null, seen?: Vector): this {
    const head = { type: 'read', client, key, ...this.#span(), replica: 'a', ...(seen && { seen }) } as const;
    if (value === null || stamp === null) this.events.push({ ...head, outcome: 'absent' });
    else this.events.push({ ...head, outcome: 'found', value, stamp });
    return this;
  }

  /** Puts the value under each of the keys at once. */
  batch(client: string, keys: readonly string[], value: string, stamp: Stamp): this {
    const [first, ...others] = keys as [string, ...string[]];
    this.write(client, first, value, stamp, { part: true });
    const part = this.events.at(-1) as WriteEvent;
    for (const key of others) this.events.push({ ...part, key });
    return this;
  }

  /** Several keys, of one state. */
  together(
    client: string,
    shown: readonly (readonly [key: string, value: string | null, stamp: Stamp | null])[],
  ): this {
    const when = this.#span();
    const together = this.events.length;
    for (const [key, value, stamp] of shown) {
      const head = { type: 'read', client, key, ...when, replica: 'a', together } as const;
      if (value === null || stamp === null) this.events.push({ ...head, outcome: 'absent' });
      else this.events.push({ ...head, outcome: 'found', value, stamp });
    }
    return this;
  }

  state(state: Partial<StateEvent> & Pick<StateEvent, 'seen'>): this {
    const { begin: at } = this.#span();
    const none = { received: [], base: 0, stable: 0, log: [], store: [], final: false };
    this.events.push({ type: 'state', at, replica: 'a', incarnation: 1, ...none, ...state });
    return this;
  }

  life(event: 'start' | 'end' | 'retired' | 'lost', replica = 'a'): this {
    this.events.push({ type: 'life', at: this.#span().begin, replica, incarnation: 1, event });
    return this;
  }

  /** The checks that it breaks. */
  broken(retryWindow = 1_000, tieBreak: 'higher' | 'lower' = 'higher'): CheckName[] {
    const header = { type: 'history', version: 1, tieBreak, retryWindow } as const;
    const report = checkHistory({ header, events: this.events }, MERGES);
    expect(new Set(report.violations.map(({ check }) => check)).size).toBe(
      report.checks.filter(({ violations }) => violations > 0).length,
    );
    return report.checks.filter(({ violations }) => violations > 0).map(({ check }) => check);
  }

  #span(): { begin: number; end: number } {
    this.#now += 1;
    return { begin: this.#now, end: this.#now };
  }
}

const story = (...guarantees: readonly GuaranteeName[]): Story => new Story(guarantees);

function logged(stamp: Stamp, name: string, key: string, value: string | null, resubmitted?: true): LoggedWrite {
  const [client, clientTime] = name.split(':') as [string, string];
  return { stamp, client, clientTime: Number(clientTime), key, value, ...(resubmitted && { resubmitted }) };
}

const A1: Stamp = [1, 'a', 1];
const A2: Stamp = [2, 'a', 1];
const A3: Stamp = [3, 'a', 1];
const B2: Stamp = [2, 'b', 1];
const B3: Stamp = [3, 'b', 1];

describe('a history that keeps every promise', () => {
  test('of real replicas, also when members come and go', { timeout: 600_000 }, () => {
    const looked = new Set<CheckName>();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + PLAYED; seed++) {
      const what = {
        keys: 1 + (seed % 3),
        membersChange: seed % 2 === 0,
        changes: seed % 4 < 2,
        batches: seed % 3 > 0,
      };
      const spec = { seed, steps: 200, clients: 3, ...what };
      const report = checkHistory(playHistory(spec), MERGES);
      expect(report.violations, `seed ${seed}`).toEqual([]);
      for (const { check, looked: count } of report.checks) if (count > 0) looked.add(check);
    }
    expect(CHECKS.filter((check) => !looked.has(check))).toEqual([]);
  });

  test('with nothing in it was looked at by no check', () => {
    const { ok, checks } = checkHistory({
      header: { type: 'history', version: 1, tieBreak: 'higher', retryWindow: 0 },
      events: [],
    });
    expect(ok).toBe(true);
    expect(checks.map(({ looked }) => looked)).toEqual(CHECKS.map(() => 0));
  });

  test('in which a batch is overwritten in part, and two reads of one key each come before and after it', () => {
    const seen = story()
      .write('d', 'order', 'x', A1)
      .batch('d', ['order', 'stock'], 'y', A2)
      .read('c', 'order', 'x', A1)
      .read('c', 'stock', 'y', A2)
      .write('d', 'stock', 'z', A3);
    seen.together('c', [
      ['stock', 'z', A3],
      ['order', 'y', A2],
    ]);
    expect(seen.broken()).toEqual([]);
  });

  test('in which a repeat has two stamps, and took effect at the lower, which nobody saw', () => {
    const repeated = { repeated: true } as const;
    const told = story('read-your-writes').write('d', 'k', 'y', A2).write('c', 'k', 'x', B3, repeated);
    expect(told.read('c', 'k', 'y', A2).broken()).toEqual([]);
    const once = story('read-your-writes').write('d', 'k', 'y', A2).write('c', 'k', 'x', B3);
    expect(once.read('c', 'k', 'y', A2).broken()).toEqual(['read-your-writes']);
  });

  test('in which what only a lost disk held is gone', () => {
    const gone = (): Story => new Story().write('c', 'k', 'x', A1);
    const final = { replica: 'b', seen: [], final: true };
    expect(
      gone()
        .life('lost')
        .state(final)
        .state({ ...final, replica: 'a', incarnation: 2 })
        .broken(),
    ).toEqual([]);
    expect(
      gone()
        .state(final)
        .state({ ...final, replica: 'a' })
        .broken(),
    ).toEqual(['vectors', 'durability']);
  });

  test('in which a replica that rejoined accepted a write anew', () => {
    const anew: Stamp = [9, 'a', 2];
    const log = [logged(anew, 'c:1', 'k', 'x', true)];
    const state = { incarnation: 2, seen: [A1, anew], log, store: [['k', 'x', anew]] as const };
    expect(new Story().write('c', 'k', 'x', A1).state(state).broken()).toEqual([]);
  });

  test('in which ties break the other way', () => {
    const tied = (): Story => new Story().write('c', 'k', 'x', A2).write('d', 'k', 'y', B2);
    const seen = [A2, B2];
    expect(tied().read('c', 'k', 'y', B2, seen).broken(1_000, 'higher')).toEqual([]);
    expect(tied().read('d', 'k', 'x', A2, seen).broken(1_000, 'lower')).toEqual([]);
    expect(tied().read('d', 'k', 'x', A2, seen).broken(1_000, 'higher')).toContain('oracle');
  });
});

/** Each breaks one promise, and no other. */
const PLANTED: readonly (readonly [name: string, check: CheckName, story: Story, retryWindow?: number])[] = [
  ['a value that nobody wrote', 'operations', story().write('c', 'k', 'x', A1).read('d', 'k', 'z', A2)],
  [
    'a write that was refused, and is there',
    'operations',
    story()
      .write('c', 'k', 'x', null, { outcome: 'failed' })
      .state({ seen: [A1], log: [logged(A1, 'c:1', 'k', 'x')], store: [['k', 'x', A1]] }),
  ],
  [
    'a write that nobody sent',
    'operations',
    story().state({ seen: [A1], log: [logged(A1, 'c:1', 'k', 'x')], store: [['k', 'x', A1]] }),
  ],
  [
    'a client whose counter began anew',
    'operations',
    story().write('c', 'k', 'x', A1).write('c', 'k', 'y', A2, { clientTime: 1 }),
  ],
  ['a stamp given twice', 'stamps', story().write('c', 'k', 'x', A1).write('d', 'k', 'y', A1)],
  [
    'a write that stands before what its client had read',
    'order',
    story().write('d', 'k', 'x', A2).read('c', 'k', 'x', A2).write('c', 'l', 'y', A1),
  ],
  [
    'a log out of order',
    'order',
    story()
      .write('c', 'k', 'x', A1)
      .write('d', 'l', 'y', A2)
      .state({
        seen: [A2],
        log: [logged(A2, 'd:1', 'l', 'y'), logged(A1, 'c:1', 'k', 'x')],
        store: [
          ['k', 'x', A1],
          ['l', 'y', A2],
        ],
      }),
  ],
  [
    'a vector that goes back',
    'vectors',
    story()
      .state({ seen: [B3] })
      .state({ seen: [B2] }),
  ],
  [
    'a read from behind a state',
    'vectors',
    story()
      .state({ seen: [B3] })
      .read('c', 'k', null, null, [B2])
      .state({ seen: [B3] }),
  ],
  ['an own write acknowledged, and not claimed', 'vectors', story().write('c', 'k', 'x', A1).state({ seen: [] })],
  [
    'a write covered and absent',
    'prefix',
    story()
      .write('c', 'k', 'x', B2)
      .write('d', 'k', 'y', B3)
      .state({ seen: [B3], log: [logged(B3, 'd:1', 'k', 'y')], store: [['k', 'y', B3]] }),
  ],
  [
    'a write that left the log too early',
    'prefix',
    story()
      .write('c', 'k', 'x', B2)
      .write('d', 'k', 'y', B3)
      .state({ seen: [B3], log: [logged(B2, 'c:1', 'k', 'x'), logged(B3, 'd:1', 'k', 'y')], store: [['k', 'y', B3]] })
      .state({ seen: [B3], log: [logged(B3, 'd:1', 'k', 'y')], store: [['k', 'y', B3]] }),
  ],
  [
    'a write replaced by what is not there',
    'prefix',
    story()
      .write('c', 'k', 'x', A1)
      .write('c', 'k', 'y', B2)
      .write('d', 'k', 'z', A3)
      .state({ seen: [A3], log: [logged(A3, 'd:1', 'k', 'z')], store: [['k', 'z', A3]] }),
  ],
  [
    'a store that is not the fold of its log',
    'store',
    story()
      .write('c', 'k', 'x', A1)
      .write('d', 'k', 'y', B2)
      .state({ seen: [A1], log: [logged(A1, 'c:1', 'k', 'x'), logged(B2, 'd:1', 'k', 'y')], store: [['k', 'x', A1]] }),
  ],
  [
    'a read older than what the replica claims',
    'oracle',
    story().write('c', 'k', 'x', A1).write('c', 'k', 'y', A2).read('d', 'k', 'x', A1, [A2]),
  ],
  [
    'nothing, where the replica claims a put that nobody deleted',
    'oracle',
    story().write('c', 'k', 'x', A1).read('d', 'k', null, null, [A1]),
  ],
  [
    'a folded store that lost a write',
    'oracle',
    story()
      .write('c', 'k', 'x', A1)
      .write('d', 'k', 'y', A2)
      .state({ seen: [A2], base: 5, store: [['k', 'x', A1]] }),
  ],
  [
    'a repeat that took effect again',
    'at-most-once',
    story()
      .write('c', 'k', 'x', A1, { repeated: true })
      .write('d', 'k', 'y', A2)
      .state({ replica: 'b', seen: [B3], log: [logged(B3, 'c:1', 'k', 'x')], store: [['k', 'x', B3]] })
      .read('d', 'k', 'x', B3, [A2, B3]),
  ],
  [
    'a deleted value that comes back',
    'deletes',
    story().write('c', 'k', 'x', A1).write('c', 'k', null, A2).read('d', 'k', 'x', A1, [A2]),
  ],
  [
    'a tombstone that is never freed',
    'deletes',
    story()
      .write('c', 'k', null, A1)
      .state({ seen: [A1], stable: 100, log: [logged(A1, 'c:1', 'k', null)], final: true }),
    10,
  ],
  [
    'final states that differ in what they claim',
    'convergence',
    story()
      .state({ seen: [B2], final: true })
      .state({ replica: 'e', seen: [B3], final: true }),
  ],
  [
    'the same writes, other values',
    'convergence',
    story()
      .write('c', 'k', 'x', null, { repeated: true })
      .state({ seen: [A1, B2], base: 5, store: [['k', 'x', A1]] })
      .state({ replica: 'b', seen: [A1, B2], base: 5, store: [['k', 'x', B2]] }),
  ],
  [
    'a client that does not see its own write',
    'read-your-writes',
    story('read-your-writes').write('d', 'k', 'x', A1).write('c', 'k', 'y', B2).read('c', 'k', 'x', A1),
  ],
  [
    'a client that sees nothing of its own write',
    'read-your-writes',
    story('read-your-writes').write('c', 'k', 'y', B2).read('c', 'k', null, null),
  ],
  [
    'an answer by who does not claim the client’s write',
    'read-your-writes-set',
    story('read-your-writes').write('d', 'k', 'x', A3).write('c', 'k', 'y', B2).read('c', 'k', 'x', A3, [A3]),
  ],
  [
    'a client that reads backwards',
    'monotonic-reads',
    story('monotonic-reads')
      .write('d', 'k', 'x', A1)
      .write('d', 'k', 'y', A2)
      .read('c', 'k', 'y', A2)
      .read('c', 'k', 'x', A1),
  ],
  [
    'a client for whom a value vanishes',
    'monotonic-reads',
    story('monotonic-reads').write('d', 'k', 'x', A1).read('c', 'k', 'x', A1).read('c', 'k', null, null),
  ],
  [
    'an answer by who does not claim what the client read',
    'monotonic-reads-set',
    story('monotonic-reads').write('d', 'k', 'x', B2).read('c', 'k', 'x', B2).read('c', 'k', 'x', B2, [A1]),
  ],
  [
    'a write held without what its client had read',
    'writes-follow-reads-set',
    story('writes-follow-reads')
      .write('d', 'k', 'x', B2)
      .read('c', 'k', 'x', B2)
      .write('c', 'l', 'y', A3)
      .state({ seen: [A3], log: [logged(A3, 'c:1', 'l', 'y')], store: [['l', 'y', A3]] }),
  ],
  [
    'a write held without the one before it',
    'monotonic-writes-set',
    story('monotonic-writes')
      .write('c', 'k', 'x', B2)
      .write('c', 'l', 'y', A3)
      .state({ seen: [A3], log: [logged(A3, 'c:2', 'l', 'y')], store: [['l', 'y', A3]] }),
  ],
  [
    'an effect seen without its cause',
    'causal',
    new Story()
      .write('d', 'photo', 'x', A1)
      .write('d', 'album', 'y', A2)
      .read('c', 'album', 'y', A2)
      .read('c', 'photo', null, null),
  ],
  ...[
    ['a batch in halves', 'x', A1],
    ['a batch of which a part is not there', null, null],
  ].map(([name, value, stamp]): (typeof PLANTED)[number] => [
    name as string,
    'atomicity',
    new Story([])
      .write('d', 'order', 'x', A1)
      .batch('d', ['order', 'stock'], 'y', A2)
      .together('c', [
        ['order', value as string | null, stamp as Stamp | null],
        ['stock', 'y', A2],
      ]),
  ]),
  [
    'an effect seen without its cause, through a third',
    'causal',
    new Story(ALL, ['c', 'd', 'e'])
      .write('d', 'photo', 'x', A1)
      .read('e', 'photo', 'x', A1)
      .write('e', 'album', 'y', B2)
      .read('c', 'album', 'y', B2)
      .read('c', 'photo', null, null),
  ],
];

describe('a history with a fault planted in it', () => {
  for (const [name, check, planted, retryWindow] of PLANTED) {
    test(name, () => expect(planted.broken(retryWindow)).toEqual([check]));
  }

  test('an increment that counts twice, or not at all', () => {
    const add = { change: 'increment' } as const;
    const counted = (shown: string): Story =>
      story()
        .write('c', 'n', '5', A1, add)
        .write('d', 'n', '2', A2, add)
        .state({ seen: [A2], base: 2, store: [['n', shown, A2]] });
    expect(['7', '12', '5', '2'].map((shown) => counted(shown).broken())).toEqual([
      [],
      ['changes'],
      ['changes'],
      ['changes'],
    ]);
    // One that was not answered may have counted, and may not.
    const unsure = (shown: string): Story =>
      story()
        .write('c', 'n', '5', A1, add)
        .write('d', 'n', '2', null, add)
        .state({ seen: [A2], base: 2, store: [['n', shown, A1]] });
    expect(['7', '5', '4', '9'].map((shown) => unsure(shown).broken())).toEqual([[], [], ['changes'], ['changes']]);
  });

  test('a log that comes to another value than is shown', () => {
    const logOf = (shown: string): Story =>
      story()
        .write('c', 'k', 'a', A1)
        .write('c', 'k', 'b', A2, { change: 'append' })
        .write('d', 'k', '1', A3, { change: 'increment' })
        .state({
          seen: [A3],
          log: [
            logged(A1, 'c:1', 'k', 'a'),
            { ...logged(A2, 'c:2', 'k', 'b'), change: 'append' },
            { ...logged(A3, 'd:1', 'k', '1'), change: 'increment' },
          ],
          store: [['k', shown, A2]],
        });
    expect(logOf('ab').broken()).toEqual([]);
    expect(logOf('ab1').broken()).toEqual(['store', 'changes']);
  });

  test('a merge that came to something else, unless its procedure is not known', () => {
    const of = (procedure: string, expects?: string | null) =>
      JSON.stringify({ procedure, value: '7', ...(expects === undefined ? {} : { expects }) });
    const merged = (carried: string, shown: string): Story =>
      story()
        .write('c', 'k', '9', A1)
        .write('d', 'k', carried, A2, { change: 'merge' })
        .state({
          seen: [A2],
          log: [logged(A1, 'c:1', 'k', '9'), { ...logged(A2, 'd:1', 'k', carried), change: 'merge' }],
          store: [['k', shown, A2]],
        });
    expect(merged(of('highest@1'), '9').broken()).toEqual([]);
    expect(merged(of('lowest@1'), '7').broken()).toEqual([]);
    expect(merged(of('lowest@1'), '9').broken()).toEqual(['store', 'changes']);
    expect(merged(of('highest@1', '9'), '7').broken()).toEqual([]);
    expect(merged(of('highest@1', '9'), '9').broken()).toEqual(['store', 'changes']);
    expect(merged(of('highest@1', null), '7').broken()).toEqual(['store', 'changes']);
    expect(merged(of('guess@1'), 'anything').broken()).toEqual([]);
  });

  test('a session that reads where its own increment is not', () => {
    const add = { change: 'increment' } as const;
    const lacks = story('read-your-writes').write('d', 'n', '2', B2, add).write('c', 'n', '5', A1, add);
    expect(lacks.read('c', 'n', '2', B2, [B2]).broken()).toEqual(['read-your-writes-set']);
  });

  test('an acknowledged write that is nowhere', () => {
    const there = story().write('c', 'k', 'x', B2);
    const gone = there.state({ seen: [], final: true }).state({ replica: 'b', seen: [], final: true });
    expect(gone.broken()).toEqual(['vectors', 'durability']);
  });

  test('a write lost with one disk, though another held it', () => {
    const held = { replica: 'e', seen: [B2], store: [['k', 'x', B2]] as const };
    const lost = story()
      .write('c', 'k', 'x', B2)
      .state({ ...held, log: [logged(B2, 'c:1', 'k', 'x')] })
      .life('lost', 'b')
      .state({ seen: [], final: true })
      .state({ ...held, base: 4, final: true });
    expect(lost.broken()).toEqual(['durability', 'convergence']);
  });

  test('a write out of its session’s order breaks the guarantee that was asked for, too', () => {
    const follow = story('writes-follow-reads').write('d', 'k', 'x', A2).read('c', 'k', 'x', A2);
    expect(follow.write('c', 'l', 'y', A1).broken()).toEqual(['order', 'writes-follow-reads']);
    const writes = story('monotonic-writes').write('c', 'k', 'x', A2).write('c', 'l', 'y', A1);
    expect(writes.broken()).toEqual(['order', 'monotonic-writes']);
  });

  test('a session that asked for nothing is promised nothing of the kind', () => {
    const backwards = (it: Story): Story =>
      it.write('d', 'k', 'x', A1).write('c', 'k', 'y', A2).read('c', 'k', 'y', A2).read('c', 'k', 'x', A1);
    expect(backwards(story()).broken()).toEqual([]);
    expect(backwards(story('read-your-writes', 'monotonic-reads')).broken()).toEqual([
      'read-your-writes',
      'monotonic-reads',
    ]);
  });

  test('a message names what is concerned', () => {
    const events = story('read-your-writes').write('c', 'k', 'y', B2).read('c', 'k', null, null).events;
    const header = { type: 'history', version: 1, tieBreak: 'higher', retryWindow: 0 } as const;
    expect(checkHistory({ header, events }).violations).toEqual([
      {
        check: 'read-your-writes',
        message:
          'the read of k by c, 2 to 2 ms, at a, which returned nothing: its client had written the put of k = "y" (c:1, stamped 2@b#1)',
      },
    ]);
  });
});
