import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkOperation, type KvOperation, kvMachine, kvOperationCodec } from '../../src/machine/kv.js';

const encoder = new TextEncoder();
const bytes = (text: string): Uint8Array => encoder.encode(text);
const MAX = Number.MAX_SAFE_INTEGER;

/** What the operations come to, one after the other, and which of them took effect. */
function run(before: string | null, ...operations: readonly KvOperation[]): readonly [string | null, ...boolean[]] {
  const folding = kvMachine.begin(before === null ? undefined : bytes(before));
  const effects = operations.map((operation) => folding.apply(operation, 0));
  const value = folding.value();
  return [value === undefined ? null : new TextDecoder().decode(value), ...effects];
}

const increment = (by: number): KvOperation => ({ kind: 'increment', by });
const append = (text: string): KvOperation => ({ kind: 'append', bytes: bytes(text) });
const setAdd = (member: string): KvOperation => ({ kind: 'setAdd', member });
const setRemove = (member: string): KvOperation => ({ kind: 'setRemove', member });
const put = (text: string): KvOperation => ({ kind: 'put', value: bytes(text) });

describe('an increment', () => {
  test('adds to a number, and an absent key counts as 0', () => {
    expect(run(null, increment(5), increment(-7))).toEqual(['-2', true, true]);
    expect(run('40', increment(2))).toEqual(['42', true]);
    expect(run(null, increment(-0))).toEqual(['0', true]);
  });

  test.each(['abc', '', ' 1', '01', '+1', '-0', '1.0', '1e3', '9007199254740992', '[]', '1\n'])(
    'takes no effect on %j',
    (value) => expect(run(value, increment(1))).toEqual([value, false]),
  );

  test('takes no effect where the sum would not be exact', () => {
    expect(run(`${MAX}`, increment(1), increment(-1))).toEqual([`${MAX - 1}`, false, true]);
    expect(run(`${-MAX}`, increment(-1))).toEqual([`${-MAX}`, false]);
  });
});

describe('an append', () => {
  test('puts bytes after those that are there, and an absent key counts as empty', () => {
    expect(run(null, append('a'), append(''), append('bc'))).toEqual(['abc', true, true, true]);
    expect(run(null, append(''))).toEqual(['', true]);
    expect(run('é', append('日'))).toEqual(['é日', true]);
  });

  test('takes no effect where the value would be too long', () => {
    const long = 'x'.repeat(2 ** 20);
    expect(run(long.slice(1), append('yz'), append('y'))[0]).toBe(`${long.slice(1)}y`);
    expect(run(long, append('y'), append(''))).toEqual([long, false, true]);
  });
});

describe('a set', () => {
  test('is a JSON array of its members, each once, ascending by code point', () => {
    expect(run(null, setAdd('b'), setAdd('a'), setAdd('b'))).toEqual(['["a","b"]', true, true, false]);
    // By UTF-16 the last two would stand the other way round.
    expect(run(null, setAdd('😀'), setAdd('\uffee'), setAdd('z'))[0]).toBe('["z","\uffee","😀"]');
    expect(run('["a","b"]', setRemove('a'), setRemove('a'), setRemove('b'))).toEqual(['[]', true, false, true]);
    expect(run(null, setRemove('a'))).toEqual([null, false]);
  });

  test('is read in any order and spacing, and left as it is where nothing changes', () => {
    expect(run(' [ "b", "a" , "b" ] ', setAdd('a'))).toEqual([' [ "b", "a" , "b" ] ', false]);
    expect(run(' [ "b", "a" , "b" ] ', setAdd('c'))).toEqual(['["a","b","c"]', true]);
  });

  test.each(['', 'a', '{}', '[1]', '["a"', '"a"', 'null', '["a"]x'])('is not %j', (value) =>
    expect(run(value, setAdd('b'), setRemove('a'))).toEqual([value, false, false]),
  );

  test('takes no member for which there is no room', () => {
    const full = `["${'x'.repeat(2 ** 20 - 8)}"]`;
    expect(run(full, setAdd('ab'), setAdd('a'))).toEqual([full.replace('["x', '["a","x'), false, true]);
  });
});

test('a putIfAbsent puts where the key is absent', () => {
  const first: KvOperation = { kind: 'putIfAbsent', value: bytes('x') };
  expect(run(null, first, first)).toEqual(['x', true, false]);
  expect(run(null, put(''), first)).toEqual(['', true, false]);
  expect(run('y', { kind: 'delete' }, first)).toEqual(['x', true, true]);
});

const operation: fc.Arbitrary<KvOperation> = fc.oneof(
  fc.constantFrom('', '7', '[]', 'x').map(put),
  fc.constant({ kind: 'delete' } as const),
  fc.integer({ min: -3, max: 3 }).map(increment),
  fc.constantFrom('1', 'x').map(append),
  fc.constantFrom('a', 'b', '"').map(setAdd),
  fc.constantFrom('a', 'b', '"').map(setRemove),
  fc.constantFrom('9', '[]').map((value): KvOperation => ({ kind: 'putIfAbsent', value: bytes(value) })),
);

test('of a set alone it can be that what an operation would bring about is so already', () => {
  const isMet = (before: string | null, one: KvOperation): boolean =>
    kvMachine.begin(before === null ? undefined : bytes(before)).isMet(one);
  expect([setAdd('a'), setAdd('b'), setRemove('a'), setRemove('b')].map((one) => isMet('["a"]', one))).toEqual([
    true,
    false,
    false,
    true,
  ]);
  expect([setAdd('a'), setRemove('a')].map((one) => isMet(null, one))).toEqual([false, true]);
  for (const one of [setAdd('a'), setRemove('a'), increment(1), append('x')]) expect(isMet('text', one)).toBe(false);
  expect(isMet('x', { kind: 'putIfAbsent', value: bytes('x') })).toBe(false);
});

test('a run of operations comes to the same as each alone on the value before', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
      let value: string | null = null;
      for (const one of operations) [value] = run(value, one);
      expect(run(null, ...operations)[0]).toBe(value);
    }),
  );
});

test('operations come back from disk as they were', () => {
  const { kindOf, bodyOf, decode } = kvOperationCodec;
  fc.assert(
    fc.property(operation, (one) => {
      expect(kvMachine.equal(decode(kindOf(one), bodyOf(one)), one)).toBe(true);
    }),
  );
});

test.each<[string, KvOperation]>([
  ['an increment by a fraction', increment(0.5)],
  ['an increment beyond 2^53 - 1', increment(2 ** 53)],
  ['a long member', setAdd('m'.repeat(4097))],
  ['a member without a UTF-8 form', setRemove('\ud800')],
  ['a long value', { kind: 'putIfAbsent', value: new Uint8Array(2 ** 20 + 1) }],
  ['a total', { kind: 'total', value: bytes('1') }],
])('%s is refused', (_, one) => expect(checkOperation(one)?.code).toBe('ERR_INVALID_VALUE'));
