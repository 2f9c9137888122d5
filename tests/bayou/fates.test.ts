import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { type Fate, fatesOf, type WriteName } from '../../src/bayou/fates.js';
import { foldHistory } from '../../src/bayou/key-history.js';
import { nameStamp, type Write } from '../../src/bayou/write.js';
import { type KvOperation, kvMachine } from '../../src/machine/kv.js';

type KvWrite = Write<KvOperation>;

const RULES = { machine: kvMachine, retryWindow: 100 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = (text: string): KvOperation => ({ kind: 'put', value: bytes(text) });
const add = (by: number): KvOperation => ({ kind: 'increment', by });
const claim = (text: string): KvOperation => ({ kind: 'putIfAbsent', value: bytes(text) });
const merge = (procedure: string): KvOperation => ({ kind: 'merge', value: bytes('3'), expects: null, procedure });
const member = (kind: 'setAdd' | 'setRemove', text: string): KvOperation => ({ kind, member: text });

/** A write at `time`; `of`: the client and its time. */
function write(time: number, of: readonly [string, number], operation: KvOperation, resubmitted = false): KvWrite {
  const common = { origin: originOf('r' as ReplicaId, 1), acceptTime: time, client: of[0] as ClientId };
  const rest = { clientTime: of[1], key: 'k', operation };
  return resubmitted ? { ...common, ...rest, resubmitted: true } : { ...common, ...rest };
}

function nameOf(by: WriteName | null): string {
  return by === null ? 'none' : `${by.stamp.acceptTime} ${by.client}`;
}

/** `stands`, `overwritten by ...`, or the rule and who. */
function inWords(fate: Fate | null): string {
  if (fate === null) return 'none';
  if (fate.kind === 'stands' || fate.kind === 'expired') return fate.kind;
  if (fate.kind === 'unknown') return `unknown without ${fate.lacks}`;
  return fate.kind === 'overwritten' ? `overwritten by ${nameOf(fate.by)}` : `${fate.rule} ${nameOf(fate.by)}`;
}

const told = (history: readonly KvWrite[], base: KvWrite | null = null): string[] =>
  fatesOf(base, history, RULES).writes.map(inWords);

describe('what became of the writes on a key', () => {
  test('a blind one overwrites what has stood up to there, and is the one that is named', () => {
    const history = [
      write(1, ['ana', 1], put('1')),
      write(2, ['ben', 1], add(1)),
      write(3, ['cem', 1], { kind: 'delete' }),
      write(4, ['ana', 2], put('4')),
      write(5, ['ben', 2], add(1)),
    ];
    expect(told(history)).toEqual([
      'overwritten by 3 cem',
      'overwritten by 3 cem',
      'overwritten by 4 ana',
      'stands',
      'stands',
    ]);
  });

  test('so it does with what was folded', () => {
    const base = write(1, ['ana', 1], { kind: 'total', value: bytes('7') });
    expect(inWords(fatesOf(base, [write(2, ['ben', 1], add(1))], RULES).base)).toBe('stands');
    const history = [write(2, ['ben', 1], add(1)), write(3, ['ben', 2], put('3')), write(4, ['cem', 1], put('4'))];
    expect(inWords(fatesOf(base, history, RULES).base)).toBe('overwritten by 3 ben');
    expect(fatesOf(null, history, RULES).base).toBeNull();
  });

  test('an operation that does not apply is told what left the value as it finds it', () => {
    const base = write(1, ['ana', 1], put('text'));
    expect(told([write(2, ['ben', 1], add(1)), write(3, ['cem', 1], claim('x'))], base)).toEqual([
      'inapplicable 1 ana',
      'inapplicable 1 ana',
    ]);
    const claims = [write(2, ['ben', 1], claim('b')), write(3, ['cem', 1], claim('c')), write(4, ['dan', 1], put('d'))];
    // What has no effect loses none to what stands after it.
    expect(told(claims)).toEqual(['overwritten by 4 dan', 'inapplicable 2 ben', 'stands']);
  });

  test('what would bring about what is so already is told so', () => {
    const history = [
      write(1, ['ana', 1], member('setRemove', 'x')),
      write(2, ['ana', 2], member('setAdd', 'x')),
      write(3, ['ben', 1], member('setAdd', 'x')),
      write(4, ['ben', 2], member('setRemove', 'y')),
      write(5, ['ben', 3], add(1)),
    ];
    expect(told(history)).toEqual(['met none', 'stands', 'met 2 ana', 'met 2 ana', 'inapplicable 2 ana']);
  });

  test('a repeat yields to the first, what was overwritten by its client to the later one, a first stamp to a new one', () => {
    expect(told([write(1, ['ana', 1], add(1)), write(2, ['ben', 1], add(1)), write(3, ['ana', 1], add(1))])).toEqual([
      'stands',
      'stands',
      'repeat 1 ana',
    ]);
    expect(told([write(1, ['ana', 2], put('2')), write(2, ['ana', 1], put('1'))])).toEqual([
      'stands',
      'outdated 1 ana',
    ]);
    const anew = [write(1, ['ana', 1], add(1)), write(2, ['ben', 1], add(1)), write(3, ['ana', 1], add(1), true)];
    expect(told(anew)).toEqual(['anew 3 ana', 'stands', 'stands']);
    // Beyond the retry window it is an operation of its own.
    expect(told([write(1, ['ana', 1], add(1)), write(101, ['ana', 1], add(1))])).toEqual(['stands', 'stands']);
  });

  test('of what rests on a procedure that is not there nothing is told, until a blind write ends it', () => {
    const history = [
      write(1, ['ana', 1], put('1')),
      write(2, ['ben', 1], merge('no-such@1')),
      write(3, ['cem', 1], add(1)),
      write(4, ['dan', 1], put('4')),
      write(5, ['ben', 2], merge('first-wins@1')),
    ];
    expect(told(history)).toEqual([
      'overwritten by 4 dan',
      'unknown without no-such@1',
      'unknown without no-such@1',
      'stands',
      'inapplicable 4 dan',
    ]);
  });
});

const operations = fc.oneof(
  fc.constantFrom(put('1'), put('a'), put('["x"]'), claim('2'), add(1), add(-2)),
  fc.constantFrom<KvOperation>({ kind: 'delete' }, { kind: 'append', bytes: bytes('7') }),
  fc.constantFrom('first-wins@1', 'highest@1', 'keep-both@1').map(merge),
  fc.constantFrom(member('setAdd', 'x'), member('setAdd', 'y'), member('setRemove', 'x')),
);
const histories = fc
  .array(
    fc.record({
      client: fc.constantFrom('ana', 'ben'),
      clientTime: fc.integer({ min: 1, max: 4 }),
      operation: operations,
      resubmitted: fc.boolean(),
      gap: fc.integer({ min: 1, max: 60 }),
    }),
    { maxLength: 9 },
  )
  .map((drawn) => {
    let time = 0;
    return drawn.map(({ client, clientTime, operation, resubmitted, gap }) => {
      time += gap;
      return write(time, [client, clientTime], operation, resubmitted);
    });
  });

/** All procedures that are drawn are there. */
function known(folded: ReturnType<typeof foldHistory<KvOperation, Uint8Array>>) {
  if (folded?.kind === 'unknown') throw new Error(folded.lacks);
  return folded;
}

const RUNS = { numRuns: 2_000 };

describe('as the fold has it', () => {
  test('what stands, and it alone, comes to the value', () => {
    fc.assert(
      fc.property(histories, ([first, ...rest]) => {
        const base = first === undefined || !kvMachine.isBlind(first.operation) ? null : first;
        const history = base === null && first !== undefined ? [first, ...rest] : rest;
        const folded = known(foldHistory(base, history, RULES));
        const fates = fatesOf(base, history, RULES);
        const standing = [
          ...(base !== null && fates.base?.kind === 'stands' ? [base] : []),
          ...history.filter((_, at) => fates.writes[at]?.kind === 'stands'),
        ];
        const folding = kvMachine.begin(undefined);
        const effects = standing.map(({ operation }) => folding.apply(operation, 0));
        expect(effects.every((effect) => effect)).toBe(true);
        expect(folding.value()).toEqual(folded?.value);
        if (folded !== null) expect(nameStamp(standing.at(-1) as KvWrite)).toBe(nameStamp(folded.last));
      }),
      RUNS,
    );
  });

  test('without one that has no effect, or is overwritten, the value is the same; and each names what is there', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const value = known(foldHistory(null, history, RULES))?.value;
        const fates = fatesOf(null, history, RULES).writes;
        const stamps = new Map(history.map((it) => [nameStamp(it), it.client]));
        for (const [at, fate] of fates.entries()) {
          if (fate.kind !== 'overwritten' && fate.kind !== 'no-effect') continue;
          if (fate.by !== null) expect(stamps.get(nameStamp(fate.by.stamp))).toBe(fate.by.client);
          const isAfter = fate.by !== null && fate.by.stamp.acceptTime > (history[at] as KvWrite).acceptTime;
          expect(isAfter).toBe(fate.kind === 'overwritten' || fate.rule === 'anew');
          if (fate.kind === 'no-effect' && (fate.rule === 'met' || fate.rule === 'inapplicable')) {
            // It still keeps its own repeats from taking effect: only those it leaves alone are compared.
            const { client } = history[at] as KvWrite;
            if (history.filter((other) => other.client === client).length > 1) continue;
            expect(known(foldHistory(null, history.toSpliced(at, 1), RULES))?.value).toEqual(value);
          }
        }
      }),
      RUNS,
    );
  });
});
