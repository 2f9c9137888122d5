import { DEFAULT_SETTINGS } from '../../src/driver/settings.js';
import { WireType } from '../../src/rpc/thrift.js';
import { bytesOf } from '../rpc/wire.js';
import { answered, type BadInput, badInput, refusedWith } from './bad-input.js';
import {
  call,
  callWith,
  entry,
  list,
  type MethodName,
  struct,
  structWith,
  text,
  type Value,
  vector,
} from './values.js';

/* Lists that are not as long as they say, and very long ones; what nests deep; fields that nobody knows. */

const PROTOCOL = refusedWith('ERR_PROTOCOL');
const MILLIONS = 15_000_000;
/** As many entries as a frame holds. */
const ENTRIES = 340_000;

interface VectorPlace {
  readonly method: MethodName;
  readonly name: string;
  readonly with: (vector: Value) => Buffer;
}

const vectorPlace = (
  method: MethodName,
  name: string,
  wrap: (value: Value) => Readonly<Record<number, Value>>,
): VectorPlace => ({
  method,
  name,
  with: (value) => callWith(method, wrap(value)),
});

const VECTORS: readonly VectorPlace[] = [
  vectorPlace('put', 'needs', (value) => ({ 6: value })),
  vectorPlace('remove', 'needs', (value) => ({ 5: value })),
  vectorPlace('get', 'needs', (value) => ({ 2: value })),
  vectorPlace('pull', 'seen', (value) => ({ 4: value })),
  vectorPlace('pull', 'resume.received', (value) => ({ 5: struct({ 1: value, 2: vector() }) })),
  vectorPlace('pull', 'resume.target', (value) => ({ 5: struct({ 1: vector(), 2: value }) })),
  vectorPlace('news', 'fresh', (value) => ({ 4: value })),
];

/** `size` entries of different origins, made without one object for each. */
export function manyEntries(size: number): Value {
  const one = entry('origin 0000000', 1).bytes;
  const bytes = Buffer.alloc(size * one.length);
  const digits = Buffer.from(one).indexOf('0000000');
  for (let i = 0; i < size; i++) {
    bytes.set(one, i * one.length);
    bytes.write(String(i).padStart(7, '0'), i * one.length + digits, 'latin1');
  }
  return { type: WireType.list, bytes: bytesOf.list(WireType.struct, size, bytes) };
}

function vectors({ method, name, with: withVector }: VectorPlace): readonly BadInput[] {
  const of = (what: string, value: () => Value, expected = PROTOCOL): BadInput =>
    badInput(method, `${name} ${what}`, () => withVector(value()), expected);
  const one = entry('o', 1);
  return [
    ...[5, 65_536, 65_537, 1_000_000, 2 ** 31 - 1, -1, -(2 ** 31)].map((size) =>
      of(`of ${size} entries that are not there`, () => list(WireType.struct, [], size)),
    ),
    of('of one entry fewer than there are', () => list(WireType.struct, [one, one], 1)),
    of('of texts', () => list(WireType.string, [text('o')])),
    of('of numbers', () => list(WireType.i64, [{ type: WireType.i64, bytes: bytesOf.i64(1n) }])),
    of('as a set', () => ({ ...list(WireType.struct, [one]), type: WireType.set })),
    of('as a map', () => ({ type: WireType.map, bytes: Buffer.concat([Buffer.from([12, 10]), bytesOf.i32(0)]) })),
    of('of empty entries', () => list(WireType.struct, [struct({})])),
    of('with an origin twice', () => vector(entry('o', 1), entry('p', 1), entry('o', 2))),
    of('of a million entries that are said and some that are sent', () => list(WireType.struct, [one, one], 1_000_000)),
    of(`of ${ENTRIES} entries, which fill a frame`, () => manyEntries(ENTRIES)),
    of(`of ${MILLIONS} empty entries`, () => ({
      type: WireType.list,
      bytes: bytesOf.list(WireType.struct, MILLIONS, Buffer.alloc(MILLIONS)),
    })),
  ];
}

/** A get with a field more, that nobody knows. */
const getWith = (type: number, bytes: Uint8Array, id = 50): Buffer =>
  call('get', structWith({ 1: text('k') }, bytesOf.field(type, id, bytes)));
const absent = answered({ kind: 'absent' });

const nested = (opening: readonly number[], depth: number): Buffer =>
  Buffer.alloc(opening.length * depth, Buffer.from(opening));
/** What goes on inside each kind of value, so that one stands in the other. */
const OPENINGS: readonly (readonly [name: string, type: number, opening: readonly number[]])[] = [
  ['structs', WireType.struct, [WireType.struct, 0, 9]],
  ['lists', WireType.list, [WireType.list, 0, 0, 0, 1]],
  ['sets', WireType.set, [WireType.set, 0, 0, 0, 1]],
  ['maps', WireType.map, [WireType.map, WireType.map, 0, 0, 0, 1]],
];

const sized = (type: number, size: number, bytes = 16): Buffer => bytesOf.list(type, size, Buffer.alloc(bytes));
const map = (keys: number, values: number, size: number, bytes = 0): Buffer =>
  Buffer.concat([Buffer.from([keys, values]), bytesOf.i32(size), Buffer.alloc(bytes)]);

const UNKNOWN: readonly BadInput[] = [
  ...OPENINGS.flatMap(([name, type, opening]) =>
    [33, 1_000, 100_000, 1_000_000].map((depth) =>
      badInput('get', `${depth} nested ${name}`, () => getWith(type, nested(opening, depth)), PROTOCOL),
    ),
  ),
  ...[0, 1, 5, 7, 9, 17, 18, 127, 128, 255].map((type) =>
    // A field of type 0 is the end of the request, and what follows is not.
    badInput('get', `a field of type ${type}`, () => getWith(type, Buffer.alloc(40)), PROTOCOL),
  ),
  ...[-1, -32_768, 32_767, 0].map((id) =>
    badInput('get', `an unknown field ${id}`, () => getWith(WireType.i64, Buffer.alloc(8), id), absent),
  ),
  ...[WireType.list, WireType.set].flatMap((type) => [
    ...[2 ** 31 - 1, 2 ** 30, -1, -(2 ** 31), 17].map((size) =>
      badInput(
        'get',
        `an unknown collection (${type}) of ${size}`,
        () => getWith(type, sized(WireType.bool, size)),
        PROTOCOL,
      ),
    ),
    badInput('get', `an unknown collection (${type}) of what is no type`, () => getWith(type, sized(9, 1)), PROTOCOL),
    badInput(
      'get',
      `an unknown collection (${type}) of millions`,
      () => getWith(type, sized(WireType.bool, MILLIONS, MILLIONS)),
      absent,
    ),
    badInput(
      'get',
      `an unknown collection (${type}) of millions of structs`,
      () => getWith(type, sized(WireType.struct, MILLIONS, MILLIONS)),
      absent,
    ),
  ]),
  ...[2 ** 31 - 1, -1, 9].map((size) =>
    badInput(
      'get',
      `an unknown map of ${size}`,
      () => getWith(WireType.map, map(WireType.bool, WireType.bool, size)),
      PROTOCOL,
    ),
  ),
  badInput(
    'get',
    'an unknown map of millions',
    () => getWith(WireType.map, map(WireType.bool, WireType.bool, MILLIONS / 2, MILLIONS)),
    absent,
  ),
  badInput('get', 'an unknown map of no types', () => getWith(WireType.map, map(9, 9, 1, 20)), PROTOCOL),
  badInput(
    'get',
    'an unknown text of 15 MB',
    () => getWith(WireType.string, bytesOf.string(Buffer.alloc(MILLIONS))),
    absent,
  ),
  badInput('get', 'an unknown text of -1 bytes', () => getWith(WireType.string, bytesOf.i32(-1)), PROTOCOL),
  badInput(
    'get',
    'a hundred thousand unknown fields',
    () => call('get', structWith({ 1: text('k') }, nested([2, 0, 60, 1], 100_000))),
    absent,
  ),
];

const PEERS = 60_000;
const LINKS_MAX = DEFAULT_SETTINGS.linksMax;

const ADMIN: readonly BadInput[] = [
  badInput(
    'stabilize',
    `with ${PEERS} peers that are not linked`,
    () => {
      const ids = Array.from({ length: PEERS }, (_, i) => text(`${i}`));
      return callWith('stabilize', { 1: list(WireType.string, ids) });
    },
    refusedWith('ERR_OVERLOADED'),
  ),
  badInput(
    'stabilize',
    'with 65,537 peers',
    () => {
      const ids = Array.from({ length: 65_537 }, (_, i) => text(`${i}`));
      return callWith('stabilize', { 1: list(WireType.string, ids) });
    },
    PROTOCOL,
  ),
  badInput(
    'stabilize',
    'with the same peer again and again',
    () => {
      const ids = Array.from({ length: LINKS_MAX }, () => text('same'));
      return callWith('stabilize', { 1: list(WireType.string, ids) });
    },
    answered({ outcomes: [{ peer: 'same' }] }),
  ),
  badInput(
    'stabilize',
    'with as many peers as may be, of the longest names',
    () => {
      const ids = Array.from({ length: LINKS_MAX }, (_, i) => text(`${i} ${'x'.repeat(240)}`));
      return callWith('stabilize', { 1: list(WireType.string, ids) });
    },
    answered(),
  ),
  badInput(
    'get',
    'needs of 65,536 origins',
    () => callWith('get', { 2: manyEntries(65_536) }),
    answered({ kind: 'missing' }),
  ),
  badInput(
    'put',
    'needs of 65,536 origins',
    () => callWith('put', { 6: manyEntries(65_536) }),
    answered({ kind: 'missing' }),
  ),
  badInput(
    'news',
    'of 65,536 origins, from who is not linked',
    () => callWith('news', { 4: manyEntries(65_536) }),
    refusedWith('ERR_OVERLOADED'),
  ),
];

export const COLLECTIONS: readonly BadInput[] = [...VECTORS.flatMap(vectors), ...ADMIN];
export const UNKNOWN_FIELDS: readonly BadInput[] = UNKNOWN;
