import { deflateRawSync } from 'node:zlib';
import { FRAME_BYTES_MAX } from '../../src/rpc/limits.js';
import { MessageType, WireType } from '../../src/rpc/thrift.js';
import { difference, number, string } from '../rpc/packed.js';
import { bytesOf, frame, message } from '../rpc/wire.js';
import { batch, NO_WRITES, type PackedWrite, packed, packedWrites, page, standing, timeIn } from './batches.js';
import { manyEntries } from './collections.js';
import { type AskedPull, replyFrame } from './fake-peer.js';
import { LARGE_KEY, SPECIAL_NAMES, TARGET_ID } from './target.js';
import { bool, entry, type Fields, i32, i64, list, origin, struct, text, vector } from './values.js';

/** What a peer should not answer to a pull, and the code that the pull ends with. */
export interface BadBatch {
  readonly name: string;
  readonly answer: (peer: string, asked: AskedPull) => void;
  readonly code: string;
}

const sending = (name: string, code: string, bytes: (peer: string, sequenceId: number) => Uint8Array): BadBatch => ({
  name,
  code,
  answer: (peer, { socket, sequenceId }) => void socket.write(bytes(peer, sequenceId)),
});

const batchWith = (name: string, code: string, changes: (peer: string) => Fields): BadBatch =>
  sending(name, code, (peer, id) => replyFrame(batch(peer, changes(peer)), id));

const withWrites = (name: string, bytes: (peer: string) => Uint8Array, compression = 1): BadBatch =>
  batchWith(name, 'ERR_PROTOCOL', (peer) => ({ 3: packedWrites(bytes(peer), compression), 4: vector(entry(peer, 9)) }));

const reply = (body: Uint8Array, id: number, type: number = MessageType.reply, name = 'pull'): Buffer =>
  frame(message(name, body, id, type));

const failure = (code: string, text1 = 'no', advice = 'none'): Uint8Array =>
  struct({ 1: struct({ 1: text(code), 2: text(text1), 3: text(advice) }) }).bytes;

const exception = (said: string, type: number): Uint8Array => struct({ 1: text(said), 2: i32(type) }).bytes;

export const REPLIES: readonly BadBatch[] = [
  sending('a frame of -1 bytes', 'ERR_PROTOCOL', () => frame(Buffer.alloc(0), -1)),
  sending('a frame of 2^31 - 1 bytes', 'ERR_FRAME_TOO_LARGE', () => frame(Buffer.alloc(0), 2 ** 31 - 1)),
  sending('a frame of a byte too many', 'ERR_FRAME_TOO_LARGE', () => frame(Buffer.alloc(0), FRAME_BYTES_MAX + 1)),
  sending('a frame of no bytes', 'ERR_PROTOCOL', () => frame(Buffer.alloc(0))),
  sending('the largest frame, all zeros', 'ERR_PROTOCOL', () => frame(Buffer.alloc(FRAME_BYTES_MAX))),
  sending('HTTP', 'ERR_FRAME_TOO_LARGE', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')),
  sending('a reply to another method', 'ERR_PROTOCOL', (peer, id) =>
    reply(struct({ 0: batch(peer) }).bytes, id, MessageType.reply, 'news'),
  ),
  sending('a reply to a call that was not made', 'ERR_PROTOCOL', (peer, id) => replyFrame(batch(peer), id + 1000)),
  sending('a reply to call 0', 'ERR_PROTOCOL', (peer) => replyFrame(batch(peer), 0)),
  sending('a reply to call -1', 'ERR_PROTOCOL', (peer) => replyFrame(batch(peer), -1)),
  sending('a call where a reply is due', 'ERR_PROTOCOL', (peer, id) =>
    reply(struct({ 0: batch(peer) }).bytes, id, MessageType.call),
  ),
  sending('a oneway message where a reply is due', 'ERR_PROTOCOL', (peer, id) =>
    reply(struct({ 0: batch(peer) }).bytes, id, MessageType.oneway),
  ),
  sending('a message of type 0', 'ERR_PROTOCOL', (peer, id) => reply(struct({ 0: batch(peer) }).bytes, id, 0)),
  sending('neither a batch nor a failure', 'ERR_PROTOCOL', (_peer, id) => reply(bytesOf.stop, id)),
  sending('a byte after the batch', 'ERR_PROTOCOL', (peer, id) =>
    reply(Buffer.concat([struct({ 0: batch(peer) }).bytes, bytesOf.stop]), id),
  ),
  sending('a failure without a code', 'ERR_PROTOCOL', (_peer, id) =>
    reply(struct({ 1: struct({ 2: text('no'), 3: text('') }) }).bytes, id),
  ),
  sending('a failure of no code', 'ERR_PROTOCOL', (_peer, id) => reply(failure(''), id)),
  sending('a failure of a code that is not known', 'ERR_PROTOCOL', (_peer, id) => reply(failure('ERR_NONSENSE'), id)),
  ...SPECIAL_NAMES.map((name) =>
    sending(`the failure ${name}`, 'ERR_PROTOCOL', (_peer, id) => reply(failure(name), id)),
  ),
  sending('a failure with a message of a mebibyte', 'ERR_PROTOCOL', (_peer, id) =>
    reply(failure('ERR_BEHIND', 'x'.repeat(1024 * 1024)), id),
  ),
  sending('a failure that is not UTF-8', 'ERR_PROTOCOL', (_peer, id) =>
    reply(struct({ 1: struct({ 1: text(Buffer.from([0xff])), 2: text(''), 3: text('') }) }).bytes, id),
  ),
  sending('ERR_STORAGE', 'ERR_STORAGE', (_peer, id) => reply(failure('ERR_STORAGE'), id)),
  sending('ERR_NOT_LINKED', 'ERR_NOT_LINKED', (_peer, id) => reply(failure('ERR_NOT_LINKED'), id)),
  sending('an exception of type 6', 'ERR_INTERNAL', (_peer, id) =>
    reply(exception('no', 6), id, MessageType.exception),
  ),
  sending('an exception of type 2^31 - 1', 'ERR_PROTOCOL', (_peer, id) =>
    reply(exception('no', 2 ** 31 - 1), id, MessageType.exception),
  ),
  sending('an exception to no call', 'ERR_OVERLOADED', () =>
    reply(exception('ERR_OVERLOADED: no', 7), 0, MessageType.exception, ''),
  ),
  { name: 'nothing', code: 'ERR_TIMEOUT', answer: () => undefined },
  { name: 'nothing, and it hangs up', code: 'ERR_CONN', answer: (_peer, { socket }) => void socket.end() },
  { name: 'nothing, and it resets', code: 'ERR_CONN', answer: (_peer, { socket }) => void socket.resetAndDestroy() },
  {
    name: 'half of a batch, and it hangs up',
    code: 'ERR_CONN',
    answer: (peer, { socket, sequenceId }) => void socket.end(replyFrame(batch(peer), sequenceId).subarray(0, 60)),
  },
  {
    name: 'half of a batch, and no more',
    code: 'ERR_TIMEOUT',
    answer: (peer, { socket, sequenceId }) => void socket.write(replyFrame(batch(peer), sequenceId).subarray(0, 60)),
  },
  {
    name: 'a batch, one byte a second',
    code: 'ERR_TIMEOUT',
    answer: (peer, { socket, sequenceId }) => {
      const bytes = replyFrame(batch(peer), sequenceId);
      let at = 0;
      const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 1_000);
      socket.on('close', () => clearInterval(timer));
    },
  },
  {
    name: 'the same failure a hundred times',
    code: 'ERR_STORAGE',
    answer: (_peer, { socket, sequenceId }) => {
      for (let i = 0; i < 100; i++) socket.write(reply(failure('ERR_STORAGE'), sequenceId));
    },
  },
];

const plain = (peer: string, time = 1, key = 'k'): { origin: string; time: number; key: string } => ({
  origin: peer,
  time,
  key,
});
/** One write of which some part was put in the place of what it should be. */
const write = (
  parts: Partial<Record<'origin' | 'client' | 'time' | 'clientTime' | 'key' | 'operation', Uint8Array>>,
): Buffer =>
  Buffer.concat([
    number(4),
    number(1),
    parts.origin ?? Buffer.concat([number(0), string('o'), number(1)]),
    parts.client ?? Buffer.concat([number(0), string('c')]),
    parts.time ?? difference(1),
    parts.clientTime ?? difference(1),
    parts.key ?? Buffer.concat([number(0), string('k')]),
    parts.operation ?? Buffer.concat([number(3), Buffer.from('v')]),
  ]);
/** What they are made of, which nothing is wrong with. */
export const GOOD_WRITE = write({});
const operation = (kind: number, body: string | Uint8Array): Buffer =>
  write({ operation: Buffer.concat([number(1), number(kind), string(body)]) });
const longNumber = (bytes: number): Buffer => Buffer.concat([Buffer.alloc(bytes - 1, 0x80), Buffer.from([1])]);
const zeros = (bytes: number): Buffer => deflateRawSync(Buffer.alloc(bytes));
/** 65,536 writes, each of whose keys takes over 4,095 bytes of the one before. */
function keyBomb(): Buffer {
  const first = packed({ origin: 'o', time: 1, key: 'k'.repeat(4_096) });
  const again = Buffer.concat([
    number(0),
    number(0),
    difference(1),
    difference(1),
    number(4_095),
    string('k'),
    number(0),
  ]);
  const rest = Array.from({ length: 65_535 }, () => again);
  return Buffer.concat([number(4), number(65_536), first.subarray(2), ...rest]);
}

export const PACKED: readonly BadBatch[] = [
  withWrites('no bytes', () => Buffer.alloc(0)),
  ...[0, 1, 2, 3, 5, 127].map((format) => withWrites(`format ${format}`, () => Buffer.from([format, 0]))),
  withWrites('one write that is not there', () => Buffer.concat([number(4), number(1)])),
  withWrites('65,537 writes', () => Buffer.concat([number(4), number(65_537), Buffer.alloc(600_000)])),
  withWrites('2^53 - 1 writes', () => Buffer.concat([number(4), number(Number.MAX_SAFE_INTEGER)])),
  withWrites('2^60 writes', () => Buffer.concat([number(4), number(2n ** 60n)])),
  withWrites('a write fewer than there are', (peer) => {
    const bytes = packed(plain(peer, 1), plain(peer, 2));
    bytes[1] = 1;
    return bytes;
  }),
  withWrites('a byte after the last write', (peer) => Buffer.concat([packed(plain(peer)), Buffer.alloc(1)])),
  withWrites('an origin that has no place', () => write({ origin: number(4) })),
  withWrites('a client that has no place', () => write({ client: number(7) })),
  withWrites('an origin without a name', () => write({ origin: Buffer.concat([number(0), string(''), number(1)]) })),
  withWrites('an origin of a long name', () =>
    write({ origin: Buffer.concat([number(0), string('x'.repeat(257)), number(1)]) }),
  ),
  withWrites('an origin whose name is not UTF-8', () =>
    write({ origin: Buffer.concat([number(0), string(Buffer.from([0xc0, 0x80])), number(1)]) }),
  ),
  withWrites('an origin with a line feed', () =>
    write({ origin: Buffer.concat([number(0), string('a\n'), number(1)]) }),
  ),
  withWrites('incarnation 0', () => write({ origin: Buffer.concat([number(0), string('o'), number(0)]) })),
  withWrites('incarnation 2^53', () => write({ origin: Buffer.concat([number(0), string('o'), number(2n ** 53n)]) })),
  withWrites('a client whose name is half of a surrogate pair', () =>
    write({ client: Buffer.concat([number(0), string(Buffer.from([0xed, 0xa0, 0x80]))]) }),
  ),
  withWrites('a client of 2^31 bytes', () => write({ client: Buffer.concat([number(0), number(2 ** 31)]) })),
  withWrites('accept time 0', () => write({ time: difference(0) })),
  withWrites('accept time -1', () => write({ time: difference(-1) })),
  withWrites('accept time 2^53', () => write({ time: difference(2n ** 53n) })),
  withWrites('client time -1', () => write({ clientTime: difference(-1) })),
  withWrites('client time 2^53', () => write({ clientTime: difference(2n ** 53n) })),
  withWrites('a number of nine bytes', () => write({ clientTime: longNumber(9) })),
  withWrites('a number without end', () => write({ clientTime: Buffer.alloc(1_000_000, 0xff) })),
  withWrites('an empty key', () => write({ key: Buffer.concat([number(0), number(0)]) })),
  withWrites('a key of 4,097 bytes', () => write({ key: Buffer.concat([number(0), string('k'.repeat(4_097))]) })),
  withWrites('a key that shares what is not there', () => write({ key: Buffer.concat([number(1), string('k')]) })),
  withWrites('a key that shares 2^53 - 1 bytes', () =>
    write({ key: Buffer.concat([number(Number.MAX_SAFE_INTEGER), string('k')]) }),
  ),
  withWrites('a key that is not UTF-8', () =>
    write({ key: Buffer.concat([number(0), string(Buffer.from([0xc3, 0x28]))]) }),
  ),
  withWrites('a key that is cut in a character', () =>
    write({ key: Buffer.concat([number(0), string(Buffer.from([0x61, 0xe2, 0x82]))]) }),
  ),
  withWrites('a value beyond the bytes', () => write({ operation: number(100) })),
  withWrites('a value of 1 MiB and a byte', () =>
    write({ operation: Buffer.concat([number(1024 * 1024 + 3), Buffer.alloc(1024 * 1024 + 1)]) }),
  ),
  withWrites('a value of 2^53 - 2 bytes', () => write({ operation: number(Number.MAX_SAFE_INTEGER) })),
  withWrites('an operation of no kind', () => operation(99, '')),
  withWrites('a put as an operation of another kind', () => operation(1, 'v')),
  withWrites('an increment by no number', () => operation(3, 'ten')),
  withWrites('an increment by 2^53', () => operation(3, '9007199254740992')),
  withWrites('a member that is not UTF-8', () => operation(5, Uint8Array.of(0xff))),
  withWrites('a member of 4,097 bytes', () => operation(5, 'm'.repeat(4_097))),
  withWrites('an append beyond the bytes', () =>
    write({ operation: Buffer.concat([number(1), number(4), number(100)]) }),
  ),
  withWrites('keys that come to 256 MiB', keyBomb),
  withWrites('keys that come to 256 MiB, deflated', () => deflateRawSync(keyBomb()), 2),
  ...[0, 3, -1, 2 ** 31 - 1].map((kind) => withWrites(`compression ${kind}`, (peer) => packed(plain(peer)), kind)),
  withWrites('what is not deflated', () => Buffer.alloc(100, 0xff), 2),
  withWrites('no bytes, deflated', () => Buffer.alloc(0), 2),
  withWrites('what is deflated as gzip', () => Buffer.from('1f8b08000000000000034b04000000ffff', 'hex'), 2),
  withWrites('a deflated bomb of a byte too many', () => zeros(FRAME_BYTES_MAX + 1), 2),
  withWrites(
    'a deflated bomb of a gigabyte',
    () => {
      // Blocks that end on a byte can stand one after the other.
      const part = deflateRawSync(Buffer.alloc(16 * 1024 * 1024), { finishFlush: 3 });
      return Buffer.concat([...Array.from({ length: 64 }, () => part), zeros(1)]);
    },
    2,
  ),
  withWrites('what is deflated and cut', (peer) => deflateRawSync(packed(plain(peer))).subarray(0, -2), 2),
  withWrites(
    'bytes after what is deflated',
    (peer) => Buffer.concat([deflateRawSync(packed(plain(peer))), Buffer.alloc(1)]),
    2,
  ),
  withWrites('deflated twice', (peer) => deflateRawSync(deflateRawSync(packed(plain(peer)))), 2),
  withWrites('what is deflated and does not end', (peer) => deflateRawSync(packed(plain(peer)), { finishFlush: 2 }), 2),
];

const writesOf = (...writes: readonly PackedWrite[]): Fields => ({ 3: packedWrites(packed(...writes)) });
/** A batch of writes under one stamp. */
const partsOf = (name: string, keys: readonly string[], value = 'v'): readonly BadBatch[] => [
  batchWith(`with parts ${name}`, 'ERR_PROTOCOL', (peer) => ({
    ...writesOf(...keys.map((key) => ({ ...plain(peer, 2, key), part: true, value }))),
    4: vector(entry(peer, 2)),
  })),
];
const keysOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${String(i).padStart(3, '0')}`);
const T = (): number => timeIn(-60_000);
const pageOf = (peer: string, fields: Partial<Parameters<typeof page>[0]>): Fields => ({
  4: vector(entry(peer, timeIn(0))),
  5: bool(true),
  7: page({ time: T(), vector: vector(entry(peer, T())), entries: NO_WRITES, ...fields }),
});

/** Batches that can be read, and say what cannot be. Nothing of them is kept. */
export const LIES: readonly BadBatch[] = [
  batchWith('from another', 'ERR_IDENTITY', () => ({ 1: origin('another') })),
  batchWith('from who asks', 'ERR_IDENTITY', () => ({ 1: origin(TARGET_ID) })),
  ...SPECIAL_NAMES.map((name) => batchWith(`from ${name}`, 'ERR_IDENTITY', () => ({ 1: origin(name) }))),
  batchWith('resumed, where nothing was begun', 'ERR_PROTOCOL', () => ({ 2: bool(true) })),
  batchWith('that is empty and says that more is left', 'ERR_PROTOCOL', () => ({ 5: bool(true) })),
  batchWith('out of order', 'ERR_PROTOCOL', (peer) => ({
    ...writesOf(plain(peer, 2), plain(peer, 1)),
    4: vector(entry(peer, 2)),
  })),
  batchWith('with a stamp twice', 'ERR_PROTOCOL', (peer) => ({
    ...writesOf(plain(peer, 2, 'a'), plain(peer, 2, 'b')),
    4: vector(entry(peer, 2)),
  })),
  ...partsOf('that are not in order', ['b', 'a']),
  ...partsOf('on one key twice', ['a', 'a']),
  ...partsOf('on 129 keys', keysOf(129)),
  ...partsOf('of more than a mebibyte', keysOf(20), 'v'.repeat(60_000)),
  batchWith('with a part and a write that is none under one stamp', 'ERR_PROTOCOL', (peer) => ({
    ...writesOf({ ...plain(peer, 2, 'a'), part: true }, plain(peer, 2, 'b')),
    4: vector(entry(peer, 2)),
  })),
  batchWith('with parts of two operations under one stamp', 'ERR_PROTOCOL', (peer) => ({
    ...writesOf({ ...plain(peer, 2, 'a'), part: true }, { ...plain(peer, 2, 'b'), part: true, clientTime: 2 }),
    4: vector(entry(peer, 2)),
  })),
  batchWith('with a write beyond its vector', 'ERR_PROTOCOL', (peer) => ({
    ...writesOf(plain(peer, 2)),
    4: vector(entry(peer, 1)),
  })),
  batchWith('with a write of an origin its vector lacks', 'ERR_PROTOCOL', (peer) => ({
    ...writesOf(plain('other', 2)),
    4: vector(entry(peer, 2)),
  })),
  batchWith('with a write of the replica that it holds', 'ERR_PROTOCOL', () => ({
    ...writesOf(plain(TARGET_ID, 1)),
    4: vector(entry(TARGET_ID, 1)),
  })),
  batchWith('with a vector that has an origin twice', 'ERR_PROTOCOL', (peer) => ({
    4: vector(entry(peer, 1), entry(peer, 2)),
  })),
  batchWith('with a vector of 340,000 entries', 'ERR_PROTOCOL', () => ({ 4: manyEntries(340_000) })),
  batchWith('with a vector of a million entries that are not there', 'ERR_PROTOCOL', () => ({
    4: list(WireType.struct, [], 1_000_000),
  })),
  batchWith('with a vector of 65,536 origins', 'ERR_OVERLOADED', () => ({ 4: manyEntries(65_536) })),
  batchWith('with writes and a vector of 65,536 origins', 'ERR_OVERLOADED', () => ({
    ...writesOf(plain('origin 0000001', 1)),
    4: manyEntries(65_536),
    5: bool(true),
  })),
  batchWith('with -1 members', 'ERR_PROTOCOL', () => ({ 6: standing({ members: -1 }) })),
  batchWith('with writes beside a base store', 'ERR_PROTOCOL', (peer) => ({
    ...pageOf(peer, {}),
    ...writesOf(plain(peer)),
    4: vector(entry(peer, 1)),
  })),
  batchWith('with a base store and nothing after it', 'ERR_PROTOCOL', (peer) => ({
    ...pageOf(peer, {}),
    5: bool(false),
  })),
  batchWith('with a base store out of order', 'ERR_PROTOCOL', (peer) =>
    pageOf(peer, { entries: packedWrites(packed(plain(peer, 1, 'b'), plain(peer, 2, 'a'))) }),
  ),
  batchWith('with a base store that has a key twice', 'ERR_PROTOCOL', (peer) =>
    pageOf(peer, { entries: packedWrites(packed(plain(peer, 1, 'a'), plain(peer, 2, 'a'))) }),
  ),
  batchWith('with a base store whose keys are before it', 'ERR_PROTOCOL', (peer) =>
    pageOf(peer, { after: 'b', entries: packedWrites(packed(plain(peer, 1, 'a'))) }),
  ),
  batchWith('with a base store whose keys are behind it', 'ERR_PROTOCOL', (peer) =>
    pageOf(peer, { upTo: 'a', entries: packedWrites(packed(plain(peer, 1, 'b'))) }),
  ),
  batchWith('with a base store that goes back', 'ERR_PROTOCOL', (peer) => pageOf(peer, { after: 'b', upTo: 'a' })),
  batchWith('with a base store that stands still', 'ERR_PROTOCOL', (peer) => pageOf(peer, { after: 'b', upTo: 'b' })),
  batchWith('with a base store whose vector lacks a write', 'ERR_PROTOCOL', (peer) =>
    pageOf(peer, { vector: vector(), entries: packedWrites(packed(plain(peer, 1, 'b'))) }),
  ),
  batchWith('with a base store whose time is before its writes', 'ERR_PROTOCOL', (peer) =>
    pageOf(peer, { time: 1, entries: packedWrites(packed(plain(peer, 2, 'b'))) }),
  ),
  batchWith('with a base store beyond its vector', 'ERR_PROTOCOL', (peer) => ({
    ...pageOf(peer, { vector: vector(entry(peer, 2)) }),
    4: vector(entry(peer, 1)),
  })),
  batchWith('with a base store far ahead', 'ERR_CLOCK_DRIFT', (peer) => pageOf(peer, { time: timeIn(3_600_000) })),
  batchWith('with a base store at 2^53 - 1', 'ERR_CLOCK_DRIFT', (peer) =>
    pageOf(peer, { time: Number.MAX_SAFE_INTEGER }),
  ),
  batchWith('with a write two minutes ahead', 'ERR_CLOCK_DRIFT', (peer) => {
    const time = timeIn(120_000);
    return { ...writesOf(plain(peer, time, LARGE_KEY)), 4: vector(entry(peer, time)) };
  }),
  batchWith('with a write at 2^53 - 1', 'ERR_CLOCK_DRIFT', (peer) => ({
    ...writesOf(plain(peer, Number.MAX_SAFE_INTEGER, LARGE_KEY)),
    4: vector(entry(peer, Number.MAX_SAFE_INTEGER)),
  })),
  batchWith('with a vector at 2^53 - 1', 'ERR_CLOCK_DRIFT', (peer) => ({
    4: vector(entry(peer, Number.MAX_SAFE_INTEGER)),
  })),
  batchWith('of another time, left', 'ERR_PROTOCOL', () => ({ 8: i64(-1) })),
  batchWith('with a report of 65,537', 'ERR_PROTOCOL', () => ({
    9: struct({ 1: list(WireType.struct, [], 65_537), 2: list(WireType.struct, []) }),
  })),
];
