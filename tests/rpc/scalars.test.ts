import { describe, expect, test } from 'vitest';
import type { ClientId, ReplicaId } from '../../src/base/ids.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { linkRequest } from '../../src/rpc/admin-codec.js';
import { getReply, getRequest, putRequest } from '../../src/rpc/client-codec.js';
import { pullRequest } from '../../src/rpc/pull-codec.js';
import type { Codec } from '../../src/rpc/schema.js';
import { versionVector } from '../../src/rpc/stamp-codec.js';
import { WireType } from '../../src/rpc/thrift.js';
import './equality.js';
import { ORIGIN, TERMS } from './memory-service.js';
import { putRequest as put } from './replica.js';
import { bytesOf, decode, encode, verdictOf } from './wire.js';

const { field, i32, i64, string, list, stop } = bytesOf;

const read = <T>(codec: Codec<T>, ...fields: readonly Uint8Array[]): string =>
  verdictOf(() => decode(codec, Buffer.concat([...fields, stop])));

const client = (id: Uint8Array | string): Buffer => field(WireType.string, 1, string(id));
const clientTime = (time: bigint): Buffer => field(WireType.i64, 2, i64(time));
const key = (text: Uint8Array | string): Buffer => field(WireType.string, 3, string(text));
const value = (bytes: Uint8Array): Buffer => field(WireType.string, 4, string(bytes));
const NO_VALUE = value(new Uint8Array(0));

describe('an id', () => {
  const cases: readonly (readonly [string, Uint8Array | string, string])[] = [
    ['of one byte', 'c', 'ok'],
    ['of 256 bytes', 'é'.repeat(128), 'ok'],
    ['of 257 bytes', 'c'.repeat(257), 'ERR_INVALID_ID at .client'],
    ['that is empty', '', 'ERR_INVALID_ID at .client'],
    ['that is __proto__', '__proto__', 'ok'],
    ['with a line feed', 'a\nb', 'ERR_INVALID_ID at .client'],
    ['with a zero', 'a\0', 'ERR_INVALID_ID at .client'],
    ['with DEL', '\u007f', 'ERR_INVALID_ID at .client'],
    ['with a C1 control character', '\u0085', 'ERR_INVALID_ID at .client'],
    ['with a non-breaking space', '\u00a0', 'ok'],
    ['that is not UTF-8', Buffer.from([0xff, 0xfe]), 'ERR_INVALID_ID at .client'],
    ['that is an encoded surrogate', Buffer.from([0xed, 0xa0, 0x80]), 'ERR_INVALID_ID at .client'],
    ['that is cut within a character', Buffer.from([0x61, 0xe6, 0x97]), 'ERR_INVALID_ID at .client'],
    ['with an overlong character', Buffer.from([0xc0, 0x80]), 'ERR_INVALID_ID at .client'],
  ];
  test.each(cases)('%s', (_, id, expected) => {
    expect(read(putRequest, client(id), clientTime(0n), key('k'), NO_VALUE)).toBe(expected);
  });
});

describe('a key', () => {
  const cases: readonly (readonly [string, Uint8Array | string, string])[] = [
    ['of 4096 bytes', 'k'.repeat(4096), 'ok'],
    ['of 4097 bytes', 'k'.repeat(4097), 'ERR_INVALID_KEY at .key'],
    ['that is empty', '', 'ERR_INVALID_KEY at .key'],
    ['with control characters', '\0\n', 'ok'],
    ['that is __proto__', '__proto__', 'ok'],
    ['that is not UTF-8', Buffer.from([0x80]), 'ERR_INVALID_KEY at .key'],
    ['that is long and not UTF-8', Buffer.alloc(4096, 0x80), 'ERR_INVALID_KEY at .key'],
  ];
  test.each(cases)('%s', (_, text, expected) => {
    expect(read(putRequest, client('c'), clientTime(0n), key(text), NO_VALUE)).toBe(expected);
  });
});

describe('a value', () => {
  test.each([
    ['of no bytes', 0, 'ok'],
    ['of 1 MiB', 1024 * 1024, 'ok'],
    ['of 1 MiB and a byte', 1024 * 1024 + 1, 'ERR_INVALID_VALUE at .value'],
  ])('%s', (_, length, expected) => {
    expect(read(putRequest, client('c'), clientTime(0n), key('k'), value(new Uint8Array(length)))).toBe(expected);
  });

  test('is a copy, so that it does not keep its frame', () => {
    const bytes = encode(getReply, {
      kind: 'found',
      value: new Uint8Array(100),
      stamp: { origin: ORIGIN, acceptTime: 1 },
    });
    const reply = decode(getReply, bytes);
    expect(reply.kind === 'found' && reply.value.buffer.byteLength).toBe(100);
  });
});

describe('a time', () => {
  const max = 2n ** 53n - 1n;
  test.each([
    [0n, 'ok'],
    [max, 'ok'],
    [max + 1n, 'ERR_INVALID_TIME at .clientTime'],
    [max + 2n, 'ERR_INVALID_TIME at .clientTime'],
    [2n ** 63n - 1n, 'ERR_INVALID_TIME at .clientTime'],
    [-1n, 'ERR_INVALID_TIME at .clientTime'],
    [-max, 'ERR_INVALID_TIME at .clientTime'],
    [-(2n ** 63n), 'ERR_INVALID_TIME at .clientTime'],
  ])('%d', (time, expected) => {
    expect(read(putRequest, client('c'), clientTime(time), key('k'), NO_VALUE)).toBe(expected);
  });

  test('an incarnation is from 1', () => {
    const origin = Buffer.concat([field(WireType.string, 1, string('r')), field(WireType.i64, 2, i64(0n)), stop]);
    const entry = Buffer.concat([field(WireType.struct, 1, origin), field(WireType.i64, 2, i64(1n)), stop]);
    const needs = field(WireType.list, 2, list(WireType.struct, 1, entry));
    expect(read(getRequest, field(WireType.string, 1, string('k')), needs)).toBe(
      'ERR_INVALID_TIME at .needs[0].origin.incarnation',
    );
  });
});

describe('a struct', () => {
  const whole = [client('c'), clientTime(1n), key('k'), NO_VALUE] as const;

  test('may have its fields in any order', () => {
    const request = decode(putRequest, Buffer.concat([...whole.toReversed(), stop]));
    expect(request).toEqual({ ...put('k', ''), client: 'c' });
  });

  test.each([
    ['client', [clientTime(1n), key('k'), NO_VALUE]],
    ['clientTime', [client('c'), key('k'), NO_VALUE]],
    ['value', [client('c'), clientTime(1n), key('k')]],
  ])('without its required field %s is refused', (name, fields) => {
    expect(read(putRequest, ...fields)).toBe(`ERR_PROTOCOL at .${name}`);
  });

  test('with a field of the wrong type is refused', () => {
    expect(read(putRequest, field(WireType.i64, 1, i64(1n)))).toBe('ERR_PROTOCOL at .client');
    expect(read(putRequest, ...whole, field(WireType.list, 6, list(WireType.string, 1, string('x'))))).toBe(
      'ERR_PROTOCOL at .needs',
    );
  });

  test('with a field twice is refused', () => {
    expect(read(putRequest, ...whole, key('k'))).toBe('ERR_PROTOCOL at .key');
  });

  const unknown: readonly (readonly [string, Uint8Array])[] = [
    ['bool', field(WireType.bool, 99, Buffer.from([1]))],
    ['byte', field(WireType.byte, 99, Buffer.from([1]))],
    ['double', field(WireType.double, 99, i64(1n))],
    ['i16', field(WireType.i16, 99, Buffer.from([1, 2]))],
    ['i32', field(WireType.i32, 99, i32(1))],
    ['i64', field(WireType.i64, -5, i64(1n))],
    ['string', field(WireType.string, 0, string('whatever'))],
    [
      'struct',
      field(WireType.struct, 99, Buffer.concat([client('x'), field(WireType.bool, 7, Buffer.from([0])), stop])),
    ],
    ['map', field(WireType.map, 99, Buffer.concat([Buffer.from([8, 11]), i32(1), i32(5), string('v')]))],
    ['empty map', field(WireType.map, 99, Buffer.concat([Buffer.from([0, 0]), i32(0)]))],
    ['set', field(WireType.set, 32_767, list(WireType.i16, 2, Buffer.alloc(4)))],
    ['list', field(WireType.list, 99, list(WireType.list, 1, list(WireType.bool, 3, Buffer.alloc(3))))],
    ['empty list', field(WireType.list, 99, list(0, 0, Buffer.alloc(0)))],
    ['uuid', field(WireType.uuid, 99, Buffer.alloc(16))],
  ];
  test.each(unknown)('may hold an unknown field of type %s', (_, bytes) => {
    for (let at = 0; at <= whole.length; at++) {
      expect(read(putRequest, ...whole.slice(0, at), bytes, ...whole.slice(at))).toBe('ok');
    }
  });
});

describe('a union', () => {
  const absent = field(WireType.struct, 2, stop);

  test.each([
    ['with no field', [], 'ERR_PROTOCOL at '],
    ['with one', [absent], 'ok'],
    ['with two', [absent, absent], 'ERR_PROTOCOL at '],
    ['with an unknown one', [field(WireType.struct, 9, stop)], 'ERR_PROTOCOL at '],
    ['with a known and an unknown one', [absent, field(WireType.bool, 9, Buffer.from([1]))], 'ERR_PROTOCOL at '],
    ['with one of the wrong type', [field(WireType.i32, 2, i32(0))], 'ERR_PROTOCOL at .absent'],
  ])('%s', (_, fields, expected) => {
    expect(read(getReply, ...fields)).toBe(expected);
  });
});

describe('a number with a meaning', () => {
  test.each([0, 65_536, -1])('a port is not %d', (port) => {
    const fields = [field(WireType.string, 1, string('p')), field(WireType.string, 2, string('h'))];
    expect(read(linkRequest, ...fields, field(WireType.i32, 3, i32(port)))).toBe('ERR_PROTOCOL at .port');
  });

  test('an enum has no other values', () => {
    const bytes = encode(pullRequest, {
      terms: TERMS,
      from: ORIGIN,
      to: 'r' as ReplicaId,
      seen: new VersionVector(),
      resume: null,
      store: null,
      report: false,
      clock: 1,
      life: 0,
      outside: false,
      writesMax: 1,
      bytesMax: 1,
    });
    const at = bytes.indexOf(field(WireType.i32, 3, i32(1)));
    bytes[at + 6] = 3;
    expect(verdictOf(() => decode(pullRequest, bytes))).toBe('ERR_PROTOCOL at .terms.tieBreak');
  });

  test('a count beyond what a list can hold means as many as it can', () => {
    const request = { terms: TERMS, from: ORIGIN, to: 'r' as ReplicaId, seen: new VersionVector(), resume: null };
    const rest = { store: null, report: false, clock: 0, life: 0, outside: false, bytesMax: 1 };
    const bytes = encode(pullRequest, { ...request, ...rest, writesMax: 2 ** 31 - 1 });
    expect(decode(pullRequest, bytes).writesMax).toBe(65_536);
  });
});

test('a vector names no origin twice', () => {
  const entry = encode(versionVector, new VersionVector([[ORIGIN, 1]])).subarray(5);
  const twice = list(WireType.struct, 2, Buffer.concat([entry, entry]));
  expect(verdictOf(() => decode(versionVector, twice))).toBe('ERR_PROTOCOL at ');
});

describe('what may not come in may not go out', () => {
  test.each([
    ['an empty key', put('', 'v'), 'ERR_INVALID_KEY at .key'],
    ['a lone surrogate', put('\ud800', 'v'), 'ERR_INVALID_KEY at .key'],
    ['a long key of long characters', put('日'.repeat(1366), 'v'), 'ERR_INVALID_KEY at .key'],
    ['a large value', put('k', new Uint8Array(1024 * 1024 + 1)), 'ERR_INVALID_VALUE at .value'],
    ['half a time', put('k', 'v', 0.5), 'ERR_INVALID_TIME at .clientTime'],
    ['no time', put('k', 'v', Number.NaN), 'ERR_INVALID_TIME at .clientTime'],
    ['an empty client id', { ...put('k', 'v'), client: '' as ClientId }, 'ERR_INVALID_ID at .client'],
  ])('%s', (_, request, expected) => {
    expect(verdictOf(() => encode(putRequest, request))).toBe(expected);
  });
});
