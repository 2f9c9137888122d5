import type { FieldShape, Shape } from '../../src/rpc/schema.js';
import { WireType } from '../../src/rpc/thrift.js';
import { bytesOf } from '../rpc/wire.js';
import { answered, type BadInput, badInput, type Expected, refusedWith } from './bad-input.js';
import { HISTORY_EDGES } from './history-edges.js';
import { SPECIAL_NAMES, TARGET_ID, TERMS } from './target.js';
import {
  bool,
  call,
  callWith,
  entry,
  i32,
  i64,
  list,
  METHOD_NAMES,
  type MethodName,
  origin,
  REQUESTS,
  shapeOf,
  stamp,
  struct,
  structWith,
  TERMS_FIELDS,
  text,
  type Value,
  vector,
} from './values.js';

/* Requests whose fields are missing, twice, of another type, or hold what they may not. */

const PROTOCOL = refusedWith('ERR_PROTOCOL');

const WIRE_TYPES: Readonly<Record<Shape['kind'], number>> = {
  bool: WireType.bool,
  i32: WireType.i32,
  i64: WireType.i64,
  enum: WireType.i32,
  string: WireType.string,
  binary: WireType.string,
  list: WireType.list,
  struct: WireType.struct,
  union: WireType.struct,
};

/** What barista.thrift has of each field, broken in turn. */
function brokenFields(method: MethodName): readonly BadInput[] {
  return shapeOf(method).fields.flatMap(({ id, name, required, shape }: FieldShape) => {
    const own = WIRE_TYPES[shape.kind];
    const value = REQUESTS[method][id];
    if (value === undefined) throw new Error(`${method} has no ${name}`);
    const twice = (): Buffer => call(method, structWith(REQUESTS[method], bytesOf.field(own, id, value.bytes)));
    const others = Object.entries(WireType).filter(([, type]) => type !== own);
    return [
      ...(required ? [badInput(method, `no ${name}`, () => callWith(method, { [id]: null }), PROTOCOL)] : []),
      badInput(method, `${name} twice`, twice, PROTOCOL),
      ...others.map(([kind, type]) => {
        const bytes = Buffer.alloc(type === WireType.struct ? 1 : 16);
        return badInput(method, `${name} as ${kind}`, () => callWith(method, { [id]: { type, bytes } }), PROTOCOL);
      }),
    ];
  });
}

/** A place in a request where a value of some kind stands. */
interface Place {
  readonly method: MethodName;
  readonly name: string;
  readonly with: (value: Value) => Buffer;
}

const place = (method: MethodName, name: string, wrap: (value: Value) => Readonly<Record<number, Value>>): Place => ({
  method,
  name,
  with: (value) => callWith(method, wrap(value)),
});

const originOf = (id: Value): Value => struct({ 1: id, 2: i64(1) });
const entryOf = (id: Value): Value => struct({ 1: originOf(id), 2: i64(1) });
const terms = (changes: Readonly<Record<number, Value>>): Value => struct({ ...TERMS_FIELDS, ...changes });

/** Of a watch: an arm of its union. */
const from = (arm: number, value: Value): Value => struct({ [arm]: value });
const cursorOf = (changes: Readonly<Record<number, Value>>): Value => struct({ 1: vector(), 2: vector(), ...changes });

const increment = (by: number): Value => struct({ 3: struct({ 1: i64(by) }) });
const KEYS: readonly Place[] = [
  place('put', 'key', (value) => ({ 3: value })),
  place('remove', 'key', (value) => ({ 3: value })),
  place('batch', 'parts[0].key', (value) => ({ 3: list(WireType.struct, [struct({ 1: value, 2: increment(1) })]) })),
  place('get', 'key', (value) => ({ 1: value })),
  place('pull', 'store.after', (value) => ({ 6: struct({ 1: i64(1), 2: value }) })),
  place('store', 'after', (value) => ({ 1: value })),
  place('exportBatch', 'store.after', (value) => ({ 3: struct({ 1: i64(1), 2: value }) })),
  place('getMany', 'keys[0]', (value) => ({ 1: list(WireType.string, [value]) })),
  place('scan', 'atLeast', (value) => ({ 1: value })),
  place('scan', 'below', (value) => ({ 2: value })),
  place('scan', 'after', (value) => ({ 4: value })),
  place('watch', 'prefix', (value) => ({ 1: value })),
  place('watch', 'cursor.after', (value) => ({ 2: from(3, cursorOf({ 3: i64(1), 4: value })) })),
  place('history', 'key', (value) => ({ 1: value })),
  place('conflicts', 'prefix', (value) => ({ 1: value })),
];

const IDS: readonly Place[] = [
  place('put', 'client', (value) => ({ 1: value })),
  place('put', 'needs[0].origin.id', (value) => ({ 6: vector(entryOf(value)) })),
  place('remove', 'client', (value) => ({ 1: value })),
  place('batch', 'client', (value) => ({ 1: value })),
  place('batch', 'needs[0].origin.id', (value) => ({ 5: vector(entryOf(value)) })),
  place('get', 'needs[0].origin.id', (value) => ({ 2: vector(entryOf(value)) })),
  place('getMany', 'needs[0].origin.id', (value) => ({ 2: vector(entryOf(value)) })),
  place('scan', 'needs[0].origin.id', (value) => ({ 8: vector(entryOf(value)) })),
  place('holds', 'needs[0].origin.id', (value) => ({ 1: vector(entryOf(value)) })),
  place('writeState', 'stamp.origin.id', (value) => ({ 1: struct({ 1: i64(1), 2: originOf(value) }) })),
  place('watch', 'stamp.origin.id', (value) => ({ 2: from(2, struct({ 1: i64(1), 2: originOf(value) })) })),
  place('watch', 'cursor.told[0].origin.id', (value) => ({ 2: from(3, cursorOf({ 1: vector(entryOf(value)) })) })),
  place('watch', 'cursor.target[0].origin.id', (value) => ({ 2: from(3, cursorOf({ 2: vector(entryOf(value)) })) })),
  place('watch', 'needs[0].origin.id', (value) => ({ 3: vector(entryOf(value)) })),
  place('watch', 'name', (value) => ({ 6: value })),
  place('history', 'after.origin.id', (value) => ({ 2: struct({ 1: i64(1), 2: originOf(value) }) })),
  place('history', 'only.origin.id', (value) => ({ 3: struct({ 1: i64(1), 2: originOf(value) }) })),
  place('history', 'needs[0].origin.id', (value) => ({ 5: vector(entryOf(value)) })),
  place('conflicts', 'stamp.origin.id', (value) => ({ 2: from(3, struct({ 1: i64(1), 2: originOf(value) })) })),
  place('conflicts', 'cursor.told[0].origin.id', (value) => ({ 2: from(4, cursorOf({ 1: vector(entryOf(value)) })) })),
  place('conflicts', 'cursor.after.origin.id', (value) => ({
    2: from(4, cursorOf({ 3: struct({ 1: i64(1), 2: originOf(value) }) })),
  })),
  place('conflicts', 'needs[0].origin.id', (value) => ({ 3: vector(entryOf(value)) })),
  place('pull', 'terms.cluster', (value) => ({ 1: terms({ 2: value }) })),
  place('pull', 'sender.id', (value) => ({ 2: originOf(value) })),
  place('pull', 'recipient', (value) => ({ 3: value })),
  place('pull', 'seen[0].origin.id', (value) => ({ 4: vector(entryOf(value)) })),
  place('news', 'terms.cluster', (value) => ({ 1: terms({ 2: value }) })),
  place('news', 'sender.id', (value) => ({ 2: originOf(value) })),
  place('news', 'fresh[0].origin.id', (value) => ({ 4: vector(entryOf(value)) })),
  place('link', 'peer', (value) => ({ 1: value })),
  place('unlink', 'peer', (value) => ({ 1: value })),
  place('stabilize', 'peers[0]', (value) => ({ 1: list(WireType.string, [value]) })),
  place('log', 'after.origin.id', (value) => ({ 1: struct({ 1: i64(1), 2: originOf(value) }) })),
  place('retire', 'id', (value) => ({ 1: value })),
  place('exportBatch', 'since[0].origin.id', (value) => ({ 1: vector(entryOf(value)) })),
  place('beginImport', 'terms.cluster', (value) => ({ 1: terms({ 2: value }) })),
  place('beginImport', 'sender.id', (value) => ({ 2: originOf(value) })),
  place('beginImport', 'seen[0].origin.id', (value) => ({ 4: vector(entryOf(value)) })),
];

const HOSTS: readonly Place[] = [place('link', 'host', (value) => ({ 2: value }))];

const NOT_UTF8: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ['overlong in two bytes', [0xc0, 0x80]],
  ['overlong in three bytes', [0xe0, 0x80, 0xaf]],
  ['overlong in four bytes', [0xf0, 0x80, 0x80, 0xaf]],
  ['half of a surrogate pair', [0xed, 0xa0, 0x80]],
  ['a surrogate pair in six bytes', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ['cut after one byte of two', [0x61, 0xc3]],
  ['cut after two bytes of three', [0x61, 0xe2, 0x82]],
  ['cut after three bytes of four', [0x61, 0xf0, 0x9f, 0x98]],
  ['beyond the last character', [0xf4, 0x90, 0x80, 0x80]],
  ['a byte that goes on with nothing', [0x80]],
  ['a byte that cannot be', [0x61, 0xff]],
  ['cut after many', [...Buffer.alloc(200, 'x'), 0xc3]],
];

const CONTROL: readonly (readonly [name: string, text: string])[] = [
  ['with NUL', 'a\0b'],
  ['with a line feed', 'a\nb'],
  ['with DEL', 'a\x7fb'],
  ['with a C1 control', 'a\u0085b'],
];

function wrongText(places: readonly Place[], code: string, bytesMax: number, controls: boolean): readonly BadInput[] {
  const wrong = refusedWith(code);
  return places.flatMap((at) => {
    const of = (name: string, value: () => Value, expected: Expected = wrong): BadInput =>
      badInput(at.method, `${at.name} ${name}`, () => at.with(value()), expected);
    return [
      of('empty', () => text('')),
      of('of a byte too many', () => text('x'.repeat(bytesMax + 1))),
      of('of a mebibyte', () => text('x'.repeat(1024 * 1024))),
      of('of -1 bytes', () => text('', -1), PROTOCOL),
      of('of -2^31 bytes', () => text('', -(2 ** 31)), PROTOCOL),
      of('of 2^31 - 1 bytes', () => text('x', 2 ** 31 - 1), PROTOCOL),
      ...NOT_UTF8.map(([name, bytes]) => of(name, () => text(Buffer.from(bytes)))),
      ...(controls ? CONTROL.map(([name, it]) => of(name, () => text(it))) : []),
    ];
  });
}

/** Where times stand, and the least that each may be. */
const TIMES: readonly (Place & { readonly min: 0 | 1 })[] = [
  { ...place('put', 'clientTime', (value) => ({ 2: value })), min: 0 },
  { ...place('put', 'after', (value) => ({ 5: value })), min: 0 },
  { ...place('put', 'needs[0].acceptTime', (value) => ({ 6: vector(struct({ 1: origin('o'), 2: value })) })), min: 0 },
  { ...place('remove', 'clientTime', (value) => ({ 2: value })), min: 0 },
  { ...place('remove', 'after', (value) => ({ 4: value })), min: 0 },
  { ...place('get', 'needs[0].acceptTime', (value) => ({ 2: vector(struct({ 1: origin('o'), 2: value })) })), min: 0 },
  {
    ...place('get', 'needs[0].incarnation', (value) => ({
      2: vector(struct({ 1: struct({ 1: text('o'), 2: value }), 2: i64(1) })),
    })),
    min: 1,
  },
  {
    ...place('holds', 'needs[0].acceptTime', (value) => ({ 1: vector(struct({ 1: origin('o'), 2: value })) })),
    min: 0,
  },
  { ...place('writeState', 'stamp.acceptTime', (value) => ({ 1: struct({ 1: value, 2: origin('o') }) })), min: 0 },
  { ...place('watch', 'stamp.acceptTime', (value) => ({ 2: from(2, struct({ 1: value, 2: origin('o') })) })), min: 0 },
  {
    ...place('watch', 'cursor.told[0].acceptTime', (value) => ({
      2: from(3, cursorOf({ 1: vector(struct({ 1: origin('o'), 2: value })) })),
    })),
    min: 0,
  },
  { ...place('watch', 'cursor.base', (value) => ({ 2: from(3, cursorOf({ 3: value })) })), min: 0 },
  { ...place('history', 'after.acceptTime', (value) => ({ 2: struct({ 1: value, 2: origin('o') }) })), min: 0 },
  { ...place('history', 'only.acceptTime', (value) => ({ 3: struct({ 1: value, 2: origin('o') }) })), min: 0 },
  {
    ...place('conflicts', 'stamp.acceptTime', (value) => ({ 2: from(3, struct({ 1: value, 2: origin('o') })) })),
    min: 0,
  },
  {
    ...place('conflicts', 'cursor.after.acceptTime', (value) => ({
      2: from(4, cursorOf({ 3: struct({ 1: value, 2: origin('o') }) })),
    })),
    min: 0,
  },
  { ...place('pull', 'retryWindowMs', (value) => ({ 1: terms({ 5: value }) })), min: 0 },
  { ...place('pull', 'sender.incarnation', (value) => ({ 2: struct({ 1: text('o'), 2: value }) })), min: 1 },
  { ...place('pull', 'seen[0].acceptTime', (value) => ({ 4: vector(struct({ 1: origin('o'), 2: value })) })), min: 0 },
  { ...place('pull', 'store.time', (value) => ({ 6: struct({ 1: value }) })), min: 0 },
  { ...place('pull', 'clock', (value) => ({ 8: value })), min: 0 },
  { ...place('pull', 'life', (value) => ({ 9: value })), min: 0 },
  { ...place('news', 'sender.incarnation', (value) => ({ 2: struct({ 1: text('o'), 2: value }) })), min: 1 },
  { ...place('news', 'fresh[0].acceptTime', (value) => ({ 4: vector(struct({ 1: origin('o'), 2: value })) })), min: 0 },
  { ...place('link', 'incarnation', (value) => ({ 4: value })), min: 1 },
  { ...place('log', 'after.acceptTime', (value) => ({ 1: struct({ 1: value, 2: origin('o') }) })), min: 0 },
];

const WRONG_TIMES: readonly (readonly [name: string, value: bigint])[] = [
  ['-1', -1n],
  ['2^53', 2n ** 53n],
  ['2^53 + 1', 2n ** 53n + 1n],
  ['2^63 - 1', 2n ** 63n - 1n],
  ['-2^53', -(2n ** 53n)],
  ['-2^63', -(2n ** 63n)],
];

function wrongTimes(): readonly BadInput[] {
  return TIMES.flatMap((at) => {
    const values = at.min === 1 ? [...WRONG_TIMES, ['0', 0n] as const] : WRONG_TIMES;
    return values.map(([name, value]) =>
      badInput(at.method, `${at.name} ${name}`, () => at.with(i64(value)), refusedWith('ERR_INVALID_TIME')),
    );
  });
}

const I32_MIN = -(2 ** 31);
const I32_MAX = 2 ** 31 - 1;
/** What whole numbers of 32 bits may not be, by where they stand. */
const NUMBERS: readonly (readonly [Place, readonly number[]])[] = [
  [place('pull', 'terms.tieBreak', (value) => ({ 1: terms({ 3: value }) })), [0, 3, -1, I32_MIN, I32_MAX]],
  [place('pull', 'terms.clock', (value) => ({ 1: terms({ 4: value }) })), [0, 3, -1, I32_MIN, I32_MAX]],
  [place('pull', 'writesMax', (value) => ({ 10: value })), [0, -1, I32_MIN]],
  [place('pull', 'bytesMax', (value) => ({ 11: value })), [0, -1, I32_MIN]],
  [place('link', 'port', (value) => ({ 3: value })), [0, -1, 65_536, I32_MIN, I32_MAX]],
  [place('scan', 'entriesMax', (value) => ({ 5: value })), [0, -1, I32_MIN]],
  [place('holds', 'budgetMs', (value) => ({ 2: value })), [-1, I32_MIN]],
  [place('writeState', 'holders', (value) => ({ 2: value })), [-1, I32_MIN]],
  [place('writeState', 'budgetMs', (value) => ({ 4: value })), [-1, I32_MIN]],
  [place('watch', 'changesMax', (value) => ({ 4: value })), [0, -1, I32_MIN]],
  [place('watch', 'budgetMs', (value) => ({ 5: value })), [-1, I32_MIN]],
  [place('history', 'writesMax', (value) => ({ 4: value })), [0, -1, I32_MIN]],
  [place('conflicts', 'conflictsMax', (value) => ({ 4: value })), [0, -1, I32_MIN]],
  [place('stabilize', 'budgetMs', (value) => ({ 2: value })), [-1, I32_MIN]],
  [place('store', 'entriesMax', (value) => ({ 2: value })), [0, -1, I32_MIN]],
  [place('log', 'writesMax', (value) => ({ 2: value })), [0, -1, I32_MIN]],
];

const BOOLS: readonly Place[] = [
  place('pull', 'report', (value) => ({ 7: value })),
  place('pull', 'outside', (value) => ({ 12: value })),
  place('pull', 'inflates', (value) => ({ 13: value })),
  place('scan', 'reverse', (value) => ({ 3: value })),
  place('scan', 'hold', (value) => ({ 6: value })),
  place('writeState', 'stable', (value) => ({ 3: value })),
  place('stabilize', 'compact', (value) => ({ 3: value })),
];

/** Names that mean something to the language, where they can be said without changing anything. */
function specialNames(name: string): readonly BadInput[] {
  const absent = [text(`${name} `)] as const;
  return [
    badInput('get', `key "${name} "`, () => callWith('get', { 1: absent[0], 2: null }), answered({ kind: 'absent' })),
    badInput(
      'get',
      `needs of ${name}`,
      () => callWith('get', { 2: vector(entry(name, 1)) }),
      answered({ kind: 'missing' }),
    ),
    badInput(
      'put',
      `needs of ${name}`,
      () => callWith('put', { 6: vector(entry(name, 1)) }),
      answered({ kind: 'missing' }),
    ),
    badInput('pull', `as ${name}`, () => callWith('pull', { 2: origin(name), 5: null }), refusedWith('ERR_NOT_LINKED')),
    badInput('pull', `of ${name}`, () => callWith('pull', { 3: text(name) }), refusedWith('ERR_IDENTITY')),
    badInput(
      'pull',
      `in cluster ${name}`,
      () => callWith('pull', { 1: terms({ 2: text(name) }) }),
      refusedWith('ERR_CLUSTER_MISMATCH'),
    ),
    badInput('news', `as ${name}`, () => callWith('news', { 2: origin(name) }), refusedWith('ERR_NOT_LINKED')),
    badInput('unlink', name, () => callWith('unlink', { 1: text(name) }), answered()),
    badInput('retire', name, () => callWith('retire', { 1: text(name) }), refusedWith('ERR_UNKNOWN_ID')),
    badInput(
      'stabilize',
      `with ${name}`,
      () => callWith('stabilize', { 1: list(WireType.string, [text(name)]) }),
      answered({ outcomes: [{ peer: name, done: false, error: { code: 'ERR_NOT_LINKED' } }] }),
    ),
    badInput('store', `after ${name}`, () => callWith('store', { 1: text(name) }), answered()),
    badInput('log', `after a write of ${name}`, () => callWith('log', { 1: stamp(name, 1) }), answered()),
  ];
}

const FAR: readonly (readonly [string, () => number])[] = [
  ['two minutes ahead', () => (Date.now() + 120_000) * 2048],
  ['a year ahead', () => (Date.now() + 366 * 24 * 3_600_000) * 2048],
  ['2^53 - 1', () => Number.MAX_SAFE_INTEGER],
];

/** Numbers that may be, but mean what cannot be; and those that may be. */
const EDGES: readonly BadInput[] = [
  ...FAR.map(([name, time]) =>
    badInput(
      'put',
      `after ${name}`,
      () => callWith('put', { 5: i64(time()), 6: null }),
      refusedWith('ERR_CLOCK_DRIFT'),
    ),
  ),
  ...FAR.map(([name, time]) =>
    badInput(
      'remove',
      `after ${name}`,
      () => callWith('remove', { 4: i64(time()), 5: null }),
      refusedWith('ERR_CLOCK_DRIFT'),
    ),
  ),
  ...FAR.map(([name, time]) =>
    badInput(
      'get',
      `needs of the replica ${name}`,
      () => callWith('get', { 2: vector(entry(TARGET_ID, time())) }),
      answered({ kind: 'missing' }),
    ),
  ),
  ...FAR.map(([name, time]) =>
    badInput('log', `after ${name}`, () => callWith('log', { 1: stamp(TARGET_ID, time()) }), answered({ entries: [] })),
  ),
  badInput('log', 'after 0', () => callWith('log', { 1: stamp(TARGET_ID, 0) }), answered({ more: true })),
  badInput('store', 'entriesMax 2^31 - 1', () => callWith('store', { 2: i32(I32_MAX) }), answered()),
  badInput('log', 'writesMax 2^31 - 1', () => callWith('log', { 1: null, 2: i32(I32_MAX) }), answered()),
  badInput('stabilize', 'budgetMs 2^31 - 1', () => callWith('stabilize', { 2: i32(I32_MAX) }), answered()),
  badInput('stabilize', 'budgetMs 0', () => callWith('stabilize', { 2: i32(0) }), answered()),
  badInput(
    'put',
    'value of a byte too many',
    () => callWith('put', { 4: text(Buffer.alloc(1024 * 1024 + 1)) }),
    refusedWith('ERR_INVALID_VALUE'),
  ),
  badInput(
    'put',
    'value of 15 MiB',
    () => callWith('put', { 4: text(Buffer.alloc(15 * 1024 * 1024)) }),
    refusedWith('ERR_INVALID_VALUE'),
  ),
  badInput(
    'write',
    'an increment beyond 2^53 - 1',
    () => callWith('write', { 4: struct({ 3: struct({ 1: i64(2n ** 53n) }) }) }),
    refusedWith('ERR_INVALID_VALUE'),
  ),
  badInput(
    'write',
    'a member of 4,097 bytes',
    () => callWith('write', { 4: struct({ 5: struct({ 1: text('m'.repeat(4097)) }) }) }),
    refusedWith('ERR_INVALID_VALUE'),
  ),
  ...['keep-both', 'Keep-Both@1', 'keep-both@0', '__proto__', 'a\u0000@1', `${'z'.repeat(65)}@1`].map((procedure) =>
    badInput(
      'write',
      `a merge by ${JSON.stringify(procedure)}`,
      () => callWith('write', { 4: struct({ 9: struct({ 1: text(procedure), 2: text('v') }) }) }),
      refusedWith('ERR_INVALID_VALUE'),
    ),
  ),
  badInput(
    'write',
    'a merge procedure that no replica has',
    () => callWith('write', { 4: struct({ 9: struct({ 1: text('guess@7'), 2: text('v') }) }), 6: vector() }),
    refusedWith('ERR_PROCEDURE'),
  ),
  badInput(
    'write',
    'a merge that expects a value, and none',
    () =>
      callWith('write', {
        4: struct({ 9: struct({ 1: text('keep-both@1'), 2: text('v'), 3: text('w'), 4: bool(true) }) }),
      }),
    refusedWith('ERR_INVALID_VALUE'),
  ),
  badInput(
    'write',
    'a merge that is longer with what it expects than a value may be',
    () => {
      const half = text(Buffer.alloc(512 * 1024));
      return callWith('write', { 4: struct({ 9: struct({ 1: text('keep-both@1'), 2: half, 3: half }) }) });
    },
    refusedWith('ERR_INVALID_VALUE'),
  ),
  badInput(
    'write',
    'a total, which no client sends',
    () => callWith('write', { 4: struct({ 8: struct({ 1: text('1') }) }) }),
    refusedWith('ERR_INVALID_VALUE'),
  ),
  badInput('write', 'an operation of no kind', () => callWith('write', { 4: struct({}) }), PROTOCOL),
  badInput('put', 'value of -1 bytes', () => callWith('put', { 4: text('', -1) }), PROTOCOL),
  badInput('put', 'value of 2^31 - 1 bytes', () => callWith('put', { 4: text('v', I32_MAX) }), PROTOCOL),
  badInput(
    'put',
    'a client time that names another operation',
    () => callWith('put', { 1: text('filler'), 2: i64(1), 3: text('key 0'), 4: text('other'), 5: null, 6: null }),
    refusedWith('ERR_CLIENT_TIME'),
  ),
  badInput(
    'remove',
    'a client time that names another operation',
    () => callWith('remove', { 1: text('filler'), 2: i64(2), 3: text('key 1'), 4: null, 5: null }),
    refusedWith('ERR_CLIENT_TIME'),
  ),
  badInput(
    'put',
    'a client time before one that was used',
    () => callWith('put', { 1: text('filler'), 2: i64(0), 3: text('key 1'), 5: null, 6: null }),
    refusedWith('ERR_CLIENT_TIME'),
  ),
  badInput(
    'watch',
    'from a key of a base store, without the base store',
    () => callWith('watch', { 2: from(3, cursorOf({ 4: text('k') })), 3: null }),
    PROTOCOL,
  ),
  badInput(
    'watch',
    'from a base store there never was',
    () => callWith('watch', { 2: from(3, cursorOf({ 3: i64(7) })), 3: null }),
    refusedWith('ERR_FOLDED'),
  ),
  badInput(
    'watch',
    'told more than there is',
    () =>
      callWith('watch', { 2: from(3, cursorOf({ 1: vector(entry(TARGET_ID, Number.MAX_SAFE_INTEGER)) })), 3: null }),
    answered({ kind: 'changes', changes: [] }),
  ),
  badInput(
    'watch',
    'towards what there is not',
    () => callWith('watch', { 2: from(3, cursorOf({ 2: vector(entry('nobody', 1)) })), 3: null }),
    answered({ kind: 'missing' }),
  ),
  badInput('watch', 'from nowhere', () => callWith('watch', { 2: struct({}), 3: null }), PROTOCOL),
  badInput(
    'watch',
    'from two places',
    () => callWith('watch', { 2: struct({ 1: struct({}), 2: stamp('o', 1) }), 3: null }),
    PROTOCOL,
  ),
  badInput('link', 'itself', () => callWith('link', { 1: text(TARGET_ID) }), refusedWith('ERR_IDENTITY')),
  badInput('retire', 'itself', () => callWith('retire', { 1: text(TARGET_ID) }), refusedWith('ERR_IDENTITY')),
];

/** Of another cluster, version or identity, or with claims of what was never given. */
function strangers(
  method: 'pull' | 'news',
  claim: (entry: Value) => Readonly<Record<number, Value>>,
): readonly BadInput[] {
  const of = (name: string, changes: Readonly<Record<number, Value | null>>, code: string): BadInput =>
    badInput(method, name, () => callWith(method, changes), refusedWith(code));
  const withTerms = (changes: Readonly<Record<number, Value>>): Readonly<Record<number, Value>> => ({
    1: terms(changes),
  });
  return [
    ...[0, 1, TERMS.protocol + 1, -1, I32_MIN, I32_MAX].map((version) =>
      of(`protocol ${version}`, withTerms({ 1: i32(version) }), 'ERR_VERSION_MISMATCH'),
    ),
    of('another cluster', withTerms({ 2: text('another') }), 'ERR_CLUSTER_MISMATCH'),
    of('the cluster in capitals', withTerms({ 2: text(TERMS.cluster.toUpperCase()) }), 'ERR_CLUSTER_MISMATCH'),
    of('another tie-break', withTerms({ 3: i32(2) }), 'ERR_TIE_BREAK_MISMATCH'),
    of('another clock', withTerms({ 4: i32(1) }), 'ERR_CLOCK_MISMATCH'),
    of('another retry window', withTerms({ 5: i64(TERMS.retryWindowMs + 1) }), 'ERR_RETRY_WINDOW_MISMATCH'),
    of('a retry window of 2^53 - 1', withTerms({ 5: i64(Number.MAX_SAFE_INTEGER) }), 'ERR_RETRY_WINDOW_MISMATCH'),
    of('for another replica', { 3: text('another') }, 'ERR_IDENTITY'),
    of('from the replica itself', { 2: origin(TARGET_ID), ...claim(entry('x', 0)) }, 'ERR_IDENTITY'),
    of('from a replica that is not linked', {}, 'ERR_NOT_LINKED'),
    of('from another incarnation of the replica', { 2: origin(TARGET_ID, 2) }, 'ERR_NOT_LINKED'),
    of('claims of stamps never given', claim(entry(TARGET_ID, Number.MAX_SAFE_INTEGER)), 'ERR_FORGED_STAMPS'),
    of('an origin twice', { 4: vector(entry('twice', 1), entry('other', 1), entry('twice', 2)) }, 'ERR_PROTOCOL'),
  ];
}

const forged = (): Value => vector(entry(TARGET_ID, Number.MAX_SAFE_INTEGER));
const none = (): Value => vector();

export const BROKEN_FIELDS: readonly BadInput[] = METHOD_NAMES.flatMap(brokenFields);

export const TEXTS: readonly BadInput[] = [
  ...wrongText(KEYS, 'ERR_INVALID_KEY', 4_096, false),
  ...wrongText(IDS, 'ERR_INVALID_ID', 256, true),
  ...wrongText(HOSTS, 'ERR_PROTOCOL', 255, true),
];

export const SPECIAL: readonly BadInput[] = SPECIAL_NAMES.flatMap(specialNames);

export const NUMBER_EDGES: readonly BadInput[] = [
  ...wrongTimes(),
  ...NUMBERS.flatMap(([at, values]) =>
    values.map((value) => badInput(at.method, `${at.name} ${value}`, () => at.with(i32(value)), PROTOCOL)),
  ),
  ...BOOLS.flatMap((at) =>
    [2, 127, 255].map((value) => badInput(at.method, `${at.name} ${value}`, () => at.with(bool(value)), PROTOCOL)),
  ),
  ...EDGES,
  ...HISTORY_EDGES,
];

export const STRANGERS: readonly BadInput[] = [
  ...strangers('pull', (it) => ({ 4: vector(it) })),
  ...strangers('news', (it) => ({ 4: vector(it) })),
  badInput(
    'pull',
    'a transfer that received stamps never given',
    () => callWith('pull', { 5: struct({ 1: forged(), 2: none() }) }),
    refusedWith('ERR_FORGED_STAMPS'),
  ),
  badInput(
    'pull',
    'a transfer towards stamps never given',
    () => callWith('pull', { 5: struct({ 1: none(), 2: forged() }) }),
    refusedWith('ERR_FORGED_STAMPS'),
  ),
];
