import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ClientId, compareKeys, incarnationOf, type Origin, replicaIdOf } from '../../src/base/ids.js';
import { stampOrder, type Write } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { BinaryWriter } from '../../src/rpc/binary-writer.js';
import { FRAME_BYTES_MAX } from '../../src/rpc/limits.js';
import { readPackedWrites } from '../../src/rpc/packed-reader.js';
import { packWrites } from '../../src/rpc/packed-writer.js';
import { packedWrites } from '../../src/rpc/packed-writes-codec.js';
import * as arbitrary from './arbitraries.js';
import { difference, number, type PlainWrite, string, unpack } from './packed.js';
import { stock, stockDecode, stockEncode } from './stock.js';
import { decode, encode, verdictOf } from './wire.js';

type KvWrite = Write<KvOperation>;

const pack = (writes: readonly KvWrite[]): Buffer => Buffer.from(packWrites(writes));

function encodeDeflated(writes: readonly KvWrite[]): Buffer {
  const writer = new BinaryWriter(FRAME_BYTES_MAX);
  writer.deflates = true;
  packedWrites.write(writer, writes);
  return Buffer.from(writer.frames());
}

const plain = ({ origin, acceptTime, client, clientTime, key, operation, resubmitted, part }: KvWrite): PlainWrite => ({
  isResubmitted: resubmitted === true,
  isPart: part === true,
  origin: { id: replicaIdOf(origin), incarnation: incarnationOf(origin) },
  acceptTime,
  client,
  clientTime,
  key,
  kind: KINDS.indexOf(`${operation.kind}${expiryOf(operation) === null ? '' : ', lasting'}`) + 1,
  body: Buffer.from(carried(operation)).toString('latin1'),
});

const LASTING = ['put, lasting', 'putIfAbsent, lasting', 'total, lasting'];
const KINDS = [
  'put',
  'delete',
  'increment',
  'append',
  'setAdd',
  'setRemove',
  'putIfAbsent',
  'total',
  'merge',
  ...LASTING,
];

function expiryOf(operation: KvOperation): number | null {
  return 'expires' in operation ? (operation.expires ?? null) : null;
}

function carried(operation: KvOperation): Uint8Array | string {
  if (operation.kind === 'merge') {
    const { procedure, expects, value } = operation;
    const name = [procedure.length, ...Buffer.from(procedure)];
    if (!(expects instanceof Uint8Array)) return new Uint8Array([...name, expects === null ? 0 : 1, ...value]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(expects.length);
    return new Uint8Array([...name, 2, ...length, ...expects, ...value]);
  }
  if ('value' in operation) {
    const times = 'ttlMs' in operation ? [operation.ttlMs ?? 0] : [];
    const expires = expiryOf(operation);
    const head = expires === null ? [] : [...times, expires].map(eightBytes);
    return Buffer.concat([...head, operation.value]);
  }
  if ('member' in operation) return operation.member;
  if ('bytes' in operation) return operation.bytes;
  return 'by' in operation ? `${operation.by}` : '';
}

function eightBytes(time: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(time));
  return bytes;
}

const byStamp = stampOrder('higher');
const ORDERS = [
  { order: 'stamp order', sort: (writes: readonly KvWrite[]) => writes.toSorted(byStamp) },
  { order: 'key order', sort: (writes: readonly KvWrite[]) => writes.toSorted((a, b) => compareKeys(a.key, b.key)) },
  { order: 'any order', sort: (writes: readonly KvWrite[]) => writes },
] as const;

describe.each(ORDERS)('writes in $order', ({ sort }) => {
  const writes = arbitrary.writes(40).map(sort);

  test('come back as they were', () => {
    fc.assert(
      fc.property(writes, (writes) => {
        expect(readPackedWrites(pack(writes))).toEqual(writes);
      }),
    );
  });

  test('come back as they were where they may be deflated', () => {
    fc.assert(
      fc.property(writes, (writes) => {
        expect(decode(packedWrites, encodeDeflated(writes))).toEqual(writes);
      }),
    );
  });

  test('are what the comment in barista.thrift says', () => {
    fc.assert(
      fc.property(writes, (writes) => {
        expect(unpack(pack(writes))).toEqual(writes.map(plain));
      }),
    );
  });
});

describe('packed writes that were harmed', () => {
  test('by a cut at any byte are refused', () => {
    fc.assert(
      fc.property(arbitrary.writes(5), (writes) => {
        const bytes = pack(writes);
        const step = Math.max(1, Math.floor(bytes.length / 500));
        for (let length = 0; length < bytes.length; length += step) {
          expect(verdictOf(() => readPackedWrites(bytes.subarray(0, length)))).toMatch(/^ERR_PROTOCOL at /u);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('by bytes after their end are refused', () => {
    fc.assert(
      fc.property(arbitrary.writes(5), fc.uint8Array({ minLength: 1, maxLength: 9 }), (writes, rest) => {
        const bytes = Buffer.concat([pack(writes), rest]);
        expect(verdictOf(() => readPackedWrites(bytes))).toBe('ERR_PROTOCOL at ');
      }),
    );
  });

  const change = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) });
  const harm = (bytes: Buffer, changes: readonly { at: number; byte: number }[]): Buffer => {
    for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
    return bytes;
  };

  test.each([
    ['packed', (writes: readonly KvWrite[]) => encode(packedWrites, writes)],
    ['deflated', encodeDeflated],
  ])('by any changes are read or refused: %s', (_, encoded) => {
    fc.assert(
      fc.property(arbitrary.writes(30), fc.array(change, { minLength: 1, maxLength: 5 }), (writes, changes) => {
        const bytes = harm(encoded(writes), changes);
        // What is no FieldError is thrown on; so is a value that may not leave again.
        if (verdictOf(() => decode(packedWrites, bytes)) === 'ok') pack(decode(packedWrites, bytes));
      }),
      { numRuns: 500 },
    );
  });

  test('that are noise are read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        verdictOf(() => readPackedWrites(Buffer.concat([number(4), number(3), noise])));
      }),
      { numRuns: 1000 },
    );
  });
});

const ORIGIN = Buffer.concat([number(0), string('r'), number(1)]);
const CLIENT = Buffer.concat([number(0), string('c')]);
const STAMPS = Buffer.concat([ORIGIN, CLIENT, difference(1), difference(1)]);
const KEY = Buffer.concat([number(0), string('k')]);
const DELETE = number(0);
const SECOND = Buffer.concat([number(0), number(0), difference(1), difference(1)]);
const MAX = 2n ** 53n - 1n;

const verdict = (count: number | bigint, ...parts: readonly Uint8Array[]): string =>
  verdictOf(() => readPackedWrites(Buffer.concat([number(4), number(count), ...parts])));

describe('packed writes that cannot be', () => {
  test('a write by hand is as it should be', () => {
    expect(verdict(1, STAMPS, KEY, DELETE)).toBe('ok');
    expect(verdict(2, STAMPS, KEY, DELETE, SECOND, number(1), number(0), DELETE)).toBe('ok');
    expect(verdict(0)).toBe('ok');
  });

  test.each([0, 1, 2, 3, 5, 2 ** 40])('of format %d', (format) => {
    const bytes = Buffer.concat([number(format), number(0)]);
    expect(verdictOf(() => readPackedWrites(bytes))).toBe('ERR_PROTOCOL at ');
  });

  test.each([2, 65_536, 65_537, 2 ** 31, 2 ** 32, MAX])('of %d writes where there is one', (count) => {
    expect(verdict(count, STAMPS, KEY, DELETE)).toMatch(/^ERR_PROTOCOL at /u);
  });

  const long = Buffer.alloc(257, 0x61);
  test.each([
    ['an origin beyond the next place', 'ERR_PROTOCOL at [0].origin', [number(4), string('r'), number(1)]],
    ['no incarnation', 'ERR_INVALID_TIME at [0].origin', [number(0), string('r'), number(0)]],
    ['an incarnation of 2^53', 'ERR_PROTOCOL at [0].origin', [number(0), string('r'), number(MAX + 1n)]],
    ['an empty id', 'ERR_INVALID_ID at [0].origin', [number(0), string(''), number(1)]],
    ['a long id', 'ERR_INVALID_ID at [0].origin', [number(0), string(long), number(1)]],
    ['an id with a line feed', 'ERR_INVALID_ID at [0].origin', [number(0), string('\n'), number(1)]],
    ['an id that is not UTF-8', 'ERR_INVALID_ID at [0].origin', [number(0), string(Buffer.from([0xff])), number(1)]],
    ['a client beyond the next place', 'ERR_PROTOCOL at [0].client', [ORIGIN, number(1), string('c')]],
    ['an empty client id', 'ERR_INVALID_ID at [0].client', [ORIGIN, number(0), string('')]],
    ['an accept time of 0', 'ERR_INVALID_TIME at [0].acceptTime', [ORIGIN, CLIENT, difference(0)]],
    ['an accept time below 0', 'ERR_INVALID_TIME at [0].acceptTime', [ORIGIN, CLIENT, difference(-1)]],
    ['an accept time of 2^53', 'ERR_INVALID_TIME at [0].acceptTime', [ORIGIN, CLIENT, difference(MAX + 1n)]],
    ['a difference of 55 bits', 'ERR_INVALID_TIME at [0].acceptTime', [ORIGIN, CLIENT, number(2n ** 56n - 2n)]],
    ['a difference of 9 bytes', 'ERR_PROTOCOL at [0].acceptTime', [ORIGIN, CLIENT, number(2n ** 56n)]],
    ['a number of 9 bytes', 'ERR_PROTOCOL at [0].origin', [number(2n ** 56n)]],
    ['a client time below 0', 'ERR_INVALID_TIME at [0].clientTime', [ORIGIN, CLIENT, difference(1), difference(-1)]],
    ['no key', 'ERR_INVALID_KEY at [0].key', [STAMPS, number(0), string('')]],
    ['a long key', 'ERR_INVALID_KEY at [0].key', [STAMPS, number(0), string('k'.repeat(4097))]],
    ['a key that is not UTF-8', 'ERR_INVALID_KEY at [0].key', [STAMPS, number(0), string(Buffer.from([0xc3, 0x28]))]],
    ['a first key that shares', 'ERR_PROTOCOL at [0].key', [STAMPS, number(1), string('k')]],
    ['a large value', 'ERR_INVALID_VALUE at [0].operation', [STAMPS, KEY, number(1024 * 1024 + 3)]],
    ['a value beyond the end', 'ERR_PROTOCOL at [0].operation', [STAMPS, KEY, number(1024 * 1024 + 2)]],
    ['a merge of nothing', 'ERR_INVALID_VALUE at [0].operation', [STAMPS, KEY, number(1), number(9), string('')]],
    [
      'a kind that there is not',
      'ERR_INVALID_VALUE at [0].operation',
      [STAMPS, KEY, number(1), number(13), string('')],
    ],
    ...[10, 11, 12].flatMap((kind): [string, string, Buffer[]][] => {
      const times = (...all: number[]): Buffer => Buffer.concat(all.map(eightBytes));
      const of = (what: string, body: Buffer): [string, string, Buffer[]] => [
        `of kind ${kind}, ${what}`,
        'ERR_INVALID_VALUE at [0].operation',
        [STAMPS, KEY, number(1), number(kind), string(body)],
      ];
      const late = kind === 12 ? [] : [5];
      return [
        of('nothing', Buffer.alloc(0)),
        of('a time that is cut off', times(...late, 7).subarray(1)),
        of('an end at 0', times(...late, 0)),
        of('an end at 2^53', times(...late, 2 ** 53)),
        of('a large value', Buffer.concat([times(...late, 7), Buffer.alloc(1024 * 1024 + 1)])),
        ...(kind === 12 ? [] : [of('no time to live', times(0, 7)), of('eleven years', times(346_896_000_000, 7))]),
      ];
    }),
    ['a put of another form', 'ERR_PROTOCOL at [0].operation', [STAMPS, KEY, number(1), number(1), string('')]],
    ['an increment by a word', 'ERR_INVALID_VALUE at [0].operation', [STAMPS, KEY, number(1), number(3), string('x')]],
    [
      'an increment by 2^53',
      'ERR_INVALID_VALUE at [0].operation',
      [STAMPS, KEY, number(1), number(3), string(`${MAX + 1n}`)],
    ],
    ['an increment by 01', 'ERR_INVALID_VALUE at [0].operation', [STAMPS, KEY, number(1), number(3), string('01')]],
    [
      'a long member',
      'ERR_INVALID_VALUE at [0].operation',
      [STAMPS, KEY, number(1), number(5), string('m'.repeat(4097))],
    ],
    [
      'a member that is not UTF-8',
      'ERR_INVALID_VALUE at [0].operation',
      [STAMPS, KEY, number(1), number(6), string(Buffer.from([0xff]))],
    ],
  ])('%s', (_, expected, parts) => {
    expect(verdict(1, ...parts, Buffer.alloc(20))).toBe(expected);
  });

  const first = [STAMPS, KEY, DELETE];
  const FIRST_AT_MAX = [ORIGIN, CLIENT, difference(MAX), difference(MAX), KEY, DELETE];
  test.each([
    ['an origin beyond the next place', 'ERR_PROTOCOL at [1].origin', [...first, number(8)]],
    ['a client beyond the next place', 'ERR_PROTOCOL at [1].client', [...first, number(0), number(2)]],
    ['an accept time of 0', 'ERR_INVALID_TIME at [1].acceptTime', [...first, number(0), number(0), difference(-1)]],
    ['times beyond 2^53 - 1', 'ERR_INVALID_TIME at [1].acceptTime', [...FIRST_AT_MAX, SECOND]],
    ['a key that shares more than there is', 'ERR_PROTOCOL at [1].key', [...first, SECOND, number(2), number(1)]],
    [
      'a key that breaks off in the middle of a character',
      'ERR_INVALID_KEY at [1].key',
      [STAMPS, number(0), string('é'), DELETE, SECOND, number(1), number(0), DELETE],
    ],
  ])('a second write with %s', (_, expected, parts) => {
    expect(verdict(2, ...parts, Buffer.alloc(20))).toBe(expected);
  });

  test('keys that share a long beginning do not come to more than a frame', () => {
    const key = Buffer.concat([number(0), string('k'.repeat(4096)), DELETE]);
    const again = Buffer.concat([SECOND, number(4096), number(0), DELETE]);
    const rest = (count: number): Buffer[] => Array.from({ length: count - 1 }, () => again);
    expect(verdict(4096, STAMPS, key, ...rest(4096))).toBe('ok');
    expect(verdict(4097, STAMPS, key, ...rest(4097))).toBe('ERR_PROTOCOL at [4096].key');
  });
});

describe('what is deflated', () => {
  const structOf = (bytes: Uint8Array): Buffer =>
    stockEncode(stock('PackedWrites', { compression: 2, bytes: Buffer.from(bytes) }));
  const verdictOnDeflated = (bytes: Uint8Array): string => verdictOf(() => decode(packedWrites, structOf(bytes)));
  const whole = deflateRawSync(Buffer.concat([number(4), number(1), STAMPS, KEY, DELETE]));

  test('is read', () => expect(verdictOnDeflated(whole)).toBe('ok'));

  test('and cut at any byte is refused', () => {
    for (let length = 0; length < whole.length; length++) {
      expect(verdictOnDeflated(whole.subarray(0, length))).toBe('ERR_PROTOCOL at ');
    }
  });

  test('and followed by more is refused', () => {
    expect(verdictOnDeflated(Buffer.concat([whole, Buffer.alloc(1)]))).toBe('ERR_PROTOCOL at ');
  });

  test.each([
    ['a bomb', deflateRawSync(Buffer.alloc(FRAME_BYTES_MAX + 1))],
    ['noise', Buffer.from('noise, noise, noise')],
    ['nothing', Buffer.alloc(0)],
  ])('but is %s is refused', (_, bytes) => {
    expect(verdictOnDeflated(bytes)).toBe('ERR_PROTOCOL at ');
  });

  test('with a compression that is not known is refused', () => {
    const bytes = stockEncode(stock('PackedWrites', { compression: 3, bytes: whole }));
    expect(verdictOf(() => decode(packedWrites, bytes))).toBe('ERR_PROTOCOL at .compression');
  });
});

/** `count` puts of 16-byte keys, or of `keyBytes`. */
function puts(count: number, valueAt: (index: number) => Uint8Array, keyBytes = 16): readonly KvWrite[] {
  const random = fc.sample(fc.nat(), { numRuns: count, seed: 1 });
  return random.map((noise, index) => ({
    origin: `r${index % 3}#1` as Origin,
    acceptTime: 3_500_000_000_000_000 + index * 2048,
    client: `client-${index % 8}` as ClientId,
    clientTime: index,
    key: `${noise}`.repeat(4).slice(0, keyBytes).padEnd(keyBytes, '0'),
    operation: { kind: 'put', value: valueAt(index) },
  }));
}
const noise = (length: number): Uint8Array =>
  Uint8Array.from(fc.sample(fc.nat({ max: 255 }), { numRuns: length, seed: length }));

describe('it is deflated only where that pays', () => {
  const compression = (writes: readonly KvWrite[]): unknown =>
    stockDecode('PackedWrites', encodeDeflated(writes)) as unknown;
  const NONE = expect.objectContaining({ compression: 1 });
  const DEFLATE = expect.objectContaining({ compression: 2 });
  const text = new TextEncoder().encode('{"name":"somebody","mail":"somebody@example.org","active":true}');

  test('text of some KiB', () => expect(compression(puts(50, () => text))).toEqual(DEFLATE));
  test('less than a KiB', () => expect(compression(puts(5, () => text))).toEqual(NONE));
  test('noise', () => expect(compression(puts(50, (i) => noise(100 + i)))).toEqual(NONE));

  test('noise at the beginning is taken for the whole', () => {
    const writes = puts(500, (i) => (i < 200 ? noise(100 + i) : text));
    expect(compression(writes)).toEqual(NONE);
    expect(compression(writes.toReversed())).toEqual(DEFLATE);
  });
});

describe('the bytes of a write beyond its key, its value and 4 for its stamp', () => {
  test.each([
    [16, 100, 1.1],
    [8, 4, 1.3],
    [1, 0, 2],
  ])('key of %d bytes, value of %d: at most %d times those', (keyBytes, valueBytes, times) => {
    const writes = puts(1000, () => noise(valueBytes), keyBytes);
    expect(pack(writes).length).toBeLessThan(1000 * times * (keyBytes + valueBytes + 4));
  });
});

describe('a value that was read', () => {
  const valuesOf = (bytes: Buffer): readonly Uint8Array[] =>
    readPackedWrites(bytes).flatMap(({ operation }) => (operation.kind === 'put' ? [operation.value] : []));

  test('is a copy', () => {
    const bytes = pack(puts(100, (i) => noise(i)));
    const values = valuesOf(bytes);
    bytes.fill(0);
    expect(values).toEqual(Array.from({ length: 100 }, (_, i) => noise(i)));
  });

  test.each([
    ['little', 100, 8192],
    ['large', 5000, 5000],
  ])('keeps no more memory than its near neighbours: %s', (_, length, bytesMax) => {
    for (const value of valuesOf(pack(puts(200, () => noise(length))))) {
      expect(value.buffer.byteLength).toBeLessThanOrEqual(bytesMax);
    }
  });
});

test('keys and ids may be what objects inherit', () => {
  const names = ['__proto__', 'constructor', 'toString'];
  const writes = names.map((name, i) => ({
    ...(puts(1, () => noise(1))[0] as KvWrite),
    origin: `${name}#1` as Origin,
    client: name as ClientId,
    clientTime: i,
    key: name,
  }));
  expect(readPackedWrites(pack([...writes, ...writes]))).toEqual([...writes, ...writes]);
});

describe('what may not come in may not go out', () => {
  const write = puts(1, () => noise(3))[0] as KvWrite;
  const large = { ...write, operation: { kind: 'put' as const, value: new Uint8Array(1024 * 1024) } };

  test.each([
    ['an empty key', { key: '' }, 'ERR_INVALID_KEY at [1].key'],
    ['a lone surrogate', { key: '\ud800' }, 'ERR_INVALID_KEY at [1].key'],
    ['a long key', { key: 'k'.repeat(4097) }, 'ERR_INVALID_KEY at [1].key'],
    ['a long key of long characters', { key: '日'.repeat(1366) }, 'ERR_INVALID_KEY at [1].key'],
    ['an accept time of 0', { acceptTime: 0 }, 'ERR_INVALID_TIME at [1].acceptTime'],
    ['half a time', { clientTime: 0.5 }, 'ERR_INVALID_TIME at [1].clientTime'],
    ['a time of 2^53', { clientTime: 2 ** 53 }, 'ERR_INVALID_TIME at [1].clientTime'],
    ['an empty client id', { client: '' as ClientId }, 'ERR_INVALID_ID at [1].client'],
    ['no origin', { origin: 'r' as Origin }, 'ERR_INVALID_TIME at [1].origin'],
    [
      'a large value',
      { operation: { kind: 'put' as const, value: new Uint8Array(1024 * 1024 + 1) } },
      'ERR_INVALID_VALUE at [1].operation',
    ],
  ])('%s', (_, wrong, expected) => {
    expect(verdictOf(() => packWrites([write, { ...write, ...wrong }]))).toBe(expected);
    // And the next writes are not harmed.
    expect(readPackedWrites(pack([write]))).toEqual([write]);
  });

  test('more writes than a list may have', () => {
    expect(verdictOf(() => packWrites(Array.from({ length: 65_537 }, () => write)))).toBe('ERR_PROTOCOL at ');
    expect(readPackedWrites(pack(Array.from({ length: 65_536 }, () => write)))).toHaveLength(65_536);
  });

  test('more than a frame may hold', () => {
    expect(() => packWrites(Array.from({ length: 17 }, () => large))).toThrowError(
      expect.objectContaining({ code: 'ERR_FRAME_TOO_LARGE' }),
    );
  });
});
