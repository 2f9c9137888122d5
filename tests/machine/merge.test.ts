import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkOperation, type KvOperation, kvMachine, kvMachineWith, kvOperationCodec } from '../../src/machine/kv.js';
import { Procedures } from '../../src/machine/procedures.js';

const encoder = new TextEncoder();
const bytes = (text: string): Uint8Array => encoder.encode(text);

type Expected = string | null | undefined;

/** `expected`: undefined for nothing in particular, null for an absent key. */
function merge(procedure: string, value: string, expected?: Expected): KvOperation {
  const expects = expected === undefined ? null : expected === null ? 'absent' : bytes(expected);
  return { kind: 'merge', procedure, value: bytes(value), expects };
}

/** What the key holds after them; null if it is absent. */
function run(before: string | null, ...operations: readonly KvOperation[]): string | null {
  const folding = kvMachine.begin(before === null ? undefined : bytes(before));
  for (const operation of operations) folding.apply(operation, 0);
  expect(folding.lacks).toBeNull();
  const value = folding.value();
  return value === undefined ? null : new TextDecoder().decode(value);
}

describe('a merge whose check holds', () => {
  test('sets the value, whatever the procedure would make of it', () => {
    expect(run('12', merge('first-wins@1', '11', '12'))).toBe('11');
    expect(run(null, merge('first-wins@1', '11', null))).toBe('11');
    expect(run('', merge('first-wins@1', '11', ''))).toBe('11');
    // It needs no procedure for that.
    const folding = kvMachine.begin(bytes('12'));
    expect(folding.apply(merge('unheard-of@1', '11', '12'), 0)).toBe(true);
    expect(folding.lacks).toBeNull();
  });

  test('does not hold for a key that is absent where a value is expected, nor the other way round', () => {
    expect(run(null, merge('first-wins@1', '11', ''))).toBeNull();
    expect(run('', merge('first-wins@1', '11', null))).toBe('');
    expect(run('1', merge('first-wins@1', '11', '12'))).toBe('1');
  });
});

describe.each<readonly [procedure: string, cases: readonly (readonly [string | null, string, string | null])[]]>([
  [
    'first-wins@1',
    [
      ['a', 'b', 'a'],
      [null, 'b', null],
    ],
  ],
  [
    'keep-both@1',
    [
      [null, 'a', 'a'],
      ['a', 'b', '{"kept":["a","b"]}'],
      ['a', 'a', 'a'],
      ['{"kept":["a","b"]}', 'c', '{"kept":["a","b","c"]}'],
      ['{"kept":["a","b"]}', 'b', '{"kept":["a","b"]}'],
      // Something else that looks like it is a text like any other.
      ['{"kept":[1]}', 'b', '{"kept":["{\\"kept\\":[1]}","b"]}'],
      ['{"kept":["a"],"more":1}', 'b', '{"kept":["{\\"kept\\":[\\"a\\"],\\"more\\":1}","b"]}'],
    ],
  ],
  [
    'highest@1',
    [
      [null, '3', '3'],
      ['3', '7', '7'],
      ['7', '3', '7'],
      ['7', '7.0', '7'],
      ['seven', '9', 'seven'],
      ['7', '1e400', '7'],
      ['-1', '-2', '-1'],
    ],
  ],
  [
    'lowest@1',
    [
      [null, '3', '3'],
      ['3', '7', '3'],
      ['7', '3', '3'],
      ['7', 'none', '7'],
      ['-1', '-2', '-2'],
    ],
  ],
  [
    'json-merge-patch@1',
    [
      // The examples of RFC 7396, appendix A.
      ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
      ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
      ['{"a":"b"}', '{"a":null}', '{}'],
      ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
      ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
      ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
      ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
      ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
      ['["a","b"]', '["c","d"]', '["c","d"]'],
      ['{"a":"b"}', '["c"]', '["c"]'],
      ['{"a":"foo"}', 'null', 'null'],
      ['{"a":"foo"}', '"bar"', '"bar"'],
      ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
      ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
      ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
      [null, '{"a":1,"b":null}', '{"a":1}'],
      ['{"a":1}', '{"__proto__":{"b":2}}', '{"a":1,"__proto__":{"b":2}}'],
      ['no JSON', '{"a":1}', 'no JSON'],
      ['{"a":1}', '{a:1}', '{"a":1}'],
      ['{"a":1}', `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`, '{"a":1}'],
    ],
  ],
  [
    'add-to-list@1',
    [
      [null, '1', '[1]'],
      ['[1]', '{"a":2}', '[1,{"a":2}]'],
      ['1', '2', '1'],
      ['[1]', 'two', '[1]'],
      ['[]', `${'['.repeat(9_000)}${']'.repeat(9_000)}`, '[]'],
      ['["]"]', '"[[["', '["]","[[["]'],
    ],
  ],
  [
    'first-free-slot@1',
    [
      [null, '{"who":"ana","slots":["mon","tue"]}', '{"mon":"ana"}'],
      ['{"mon":"ana"}', '{"who":"ben","slots":["mon","tue"]}', '{"mon":"ana","tue":"ben"}'],
      ['{"mon":"ana"}', '{"who":"ben","slots":["mon"]}', '{"mon":"ana"}'],
      ['{}', '{"who":null,"slots":["toString"]}', '{"toString":null}'],
      ['{"mon":"ana"}', '{"who":"ben","slots":"tue"}', '{"mon":"ana"}'],
      ['{"mon":"ana"}', '{"slots":["tue"]}', '{"mon":"ana"}'],
      ['{"mon":"ana"}', '{"who":"ben","slots":[1,"tue"]}', '{"mon":"ana","tue":"ben"}'],
      ['[]', '{"who":"ben","slots":["tue"]}', '[]'],
    ],
  ],
])('%s', (procedure, cases) => {
  test.each(cases)('makes of %j and %j: %j', (before, value, after) => {
    expect(run(before, merge(procedure, value))).toBe(after);
    // So it does where the check fails.
    expect(run(before, merge(procedure, value, 'another'))).toBe(after);
  });

  test('leaves what is no text as it is, and makes nothing of what is none', () => {
    const folding = kvMachine.begin(new Uint8Array([0xff]));
    expect(folding.apply(merge(procedure, '1'), 0)).toBe(false);
    const other = kvMachine.begin(bytes('[]'));
    expect(other.apply({ kind: 'merge', procedure, value: new Uint8Array([0xff]), expects: null }, 0)).toBe(false);
  });
});

test('a procedure that makes too long a value of what is there leaves it as it is', () => {
  const long = JSON.stringify(['x'.repeat(2 ** 20 - 5)]);
  expect(run(long, merge('add-to-list@1', '1'))).toBe(long);
});

describe('without the procedure', () => {
  test('nothing can be told until something overwrites it, and nothing is guessed of what comes between', () => {
    const folding = kvMachine.begin(bytes('1'));
    folding.apply(merge('unheard-of@1', '2'), 0);
    expect(folding.lacks).toBe('unheard-of@1');
    folding.apply({ kind: 'increment', by: 1 }, 0);
    folding.apply(merge('highest@1', '9'), 0);
    folding.apply(merge('first-wins@1', '2', '1'), 0);
    expect(folding.lacks).toBe('unheard-of@1');
    folding.apply({ kind: 'put', value: bytes('7') }, 0);
    folding.apply({ kind: 'increment', by: 1 }, 0);
    expect(folding.lacks).toBeNull();
    expect(new TextDecoder().decode(folding.value())).toBe('8');
  });

  test('and with it, from then on, as with any other', () => {
    const procedures = new Procedures();
    const machine = kvMachineWith(procedures);
    const operation = merge('longest@1', 'bb');
    const outcome = () => {
      const folding = machine.begin(bytes('a'));
      folding.apply(operation, 0);
      return folding.lacks ?? new TextDecoder().decode(folding.value());
    };
    expect(outcome()).toBe('longest@1');
    expect(machine.lacks(operation)).toBe('longest@1');
    const longest = ({ value, current }: { value: Uint8Array; current: Uint8Array | undefined }) =>
      value.length > (current?.length ?? 0) ? value : undefined;
    expect(procedures.add('longest@1', longest)).toBe(true);
    expect(outcome()).toBe('bb');
    expect(machine.lacks(operation)).toBeNull();
    expect(procedures.add('longest@1', longest)).toBe(false);
    expect(procedures.add('highest@1', longest)).toBe(false);
  });
});

test('on disk a merge is what it was', () => {
  const { kindOf, bodyOf, decode } = kvOperationCodec;
  fc.assert(
    fc.property(
      fc.constantFrom('keep-both@1', 'a@999999999', `${'z'.repeat(64)}@1`),
      fc.uint8Array(),
      fc.oneof(fc.constantFrom(null, 'absent' as const), fc.uint8Array()),
      (procedure, value, expects) => {
        const operation: KvOperation = { kind: 'merge', procedure, value, expects };
        expect(checkOperation(operation)).toBeNull();
        expect(decode(kindOf(operation), bodyOf(operation))).toEqual(operation);
        expect(kvMachine.sizeOf(operation)).toBeGreaterThanOrEqual(bodyOf(operation).length);
      },
    ),
  );
  const body = bodyOf(merge('keep-both@1', 'v', 'expected'));
  const whole = body.length - 1;
  for (let length = 0; length < whole; length++) {
    expect(() => decode(9, body.subarray(0, length)), `${length} bytes`).toThrow(RangeError);
  }
  for (const wrong of [
    [1, 0x41, 0],
    [12, ...bytes('keep-both@1'), 0],
    [11, ...bytes('keep-both@1'), 3],
    [0, 0],
  ]) {
    expect(() => decode(9, new Uint8Array(wrong))).toThrow(RangeError);
  }
});

test.each([
  'keep-both',
  'keep-both@0',
  'keep-both@01',
  'Keep@1',
  '-a@1',
  'a b@1',
  '@1',
  `${'z'.repeat(65)}@1`,
  'a@1000000000',
  'é@1',
  'a@1\n',
])('no procedure is called %j', (procedure) =>
  expect(checkOperation(merge(procedure, 'v'))).toMatchObject({ code: 'ERR_INVALID_VALUE' }),
);

test('a merge takes no more than a value may, with what it expects', () => {
  const half = 'x'.repeat(2 ** 19);
  expect(checkOperation(merge('a@1', half, half.slice(9)))).toBeNull();
  expect(checkOperation(merge('a@1', half, half))).toMatchObject({ code: 'ERR_INVALID_VALUE' });
});
