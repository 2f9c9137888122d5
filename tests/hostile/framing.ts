import { FRAME_BYTES_MAX } from '../../src/rpc/limits.js';
import { MessageType, WireType } from '../../src/rpc/thrift.js';
import { bytesOf, frame, message } from '../rpc/wire.js';
import { answered, type BadInput, badInput, endedWith, refusedWith, UNANSWERED } from './bad-input.js';
import {
  call,
  callNameOf,
  callWith,
  METHOD_NAMES,
  type MethodName,
  REQUESTS,
  rawCall,
  struct,
  text,
} from './values.js';

/* Frames, headers and messages that cannot be, and those of every method. */

const random = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 167 + 13) & 0xff));
const GET_HEAD = message('KeyValue:get', Buffer.alloc(0));

const FRAMES: readonly (readonly [name: string, bytes: () => Uint8Array, code: string])[] = [
  ['a frame of -1 bytes', () => frame(Buffer.alloc(0), -1), 'ERR_PROTOCOL'],
  ['a frame of -2 bytes with a call in it', () => frame(GET_HEAD, -2), 'ERR_PROTOCOL'],
  ['a frame of -2^31 bytes', () => frame(Buffer.alloc(0), -(2 ** 31)), 'ERR_PROTOCOL'],
  ['a frame of 2^31 - 1 bytes', () => frame(Buffer.alloc(100), 2 ** 31 - 1), 'ERR_FRAME_TOO_LARGE'],
  ['a frame of 1 byte too many', () => frame(Buffer.alloc(0), FRAME_BYTES_MAX + 1), 'ERR_FRAME_TOO_LARGE'],
  ['a frame of 2^30 bytes', () => frame(Buffer.alloc(64), 2 ** 30), 'ERR_FRAME_TOO_LARGE'],
  ['a frame of no bytes', () => frame(Buffer.alloc(0)), 'ERR_PROTOCOL'],
  ['a frame of one byte', () => frame(Buffer.alloc(1)), 'ERR_PROTOCOL'],
  ['a frame of three bytes', () => frame(Buffer.from([0x80, 1, 0])), 'ERR_PROTOCOL'],
  ['a thousand frames of no bytes', () => Buffer.alloc(4_000), 'ERR_PROTOCOL'],
  ['the largest frame, all zeros', () => frame(Buffer.alloc(FRAME_BYTES_MAX)), 'ERR_PROTOCOL'],
  ['the largest frame, all ones', () => frame(Buffer.alloc(FRAME_BYTES_MAX, 0xff)), 'ERR_PROTOCOL'],
  ['a frame of anything', () => frame(random(1_000)), 'ERR_PROTOCOL'],
  ['a frame within a frame', () => frame(frame(message('KeyValue:get', bytesOf.stop))), 'ERR_PROTOCOL'],
  ['a length too short by one', () => frame(GET_HEAD, GET_HEAD.length - 1), 'ERR_PROTOCOL'],
  ['a call without a frame', () => message('KeyValue:get', bytesOf.stop), 'ERR_PROTOCOL'],
  ['HTTP', () => Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), 'ERR_FRAME_TOO_LARGE'],
  ['HTTP/2', () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 'ERR_FRAME_TOO_LARGE'],
  ['SSH', () => Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 'ERR_FRAME_TOO_LARGE'],
  ['Redis', () => Buffer.from('*1\r\n$4\r\nPING\r\n'), 'ERR_FRAME_TOO_LARGE'],
  ['TLS', () => Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), 'ERR_FRAME_TOO_LARGE'],
  ['UTF-16 text', () => Buffer.from('\ufeffhello, world', 'utf16le'), 'ERR_PROTOCOL'],
];

const named = (length: number): Buffer => Buffer.concat([Buffer.from([0x80, 1, 0, 1]), bytesOf.i32(length)]);
const padded = (bytes: Uint8Array): Buffer => frame(Buffer.concat([bytes, Buffer.alloc(30)]));

const HEADERS: readonly (readonly [name: string, bytes: () => Uint8Array])[] = [
  ['a header of text', () => padded(Buffer.from('garbage, garbage, garbage'))],
  ['a header of version 0', () => padded(Buffer.from([0x80, 0, 0, 1]))],
  ['a header of version 2', () => padded(Buffer.from([0x80, 2, 0, 1]))],
  ['a header of version 0x7001', () => padded(Buffer.from([0x70, 1, 0, 1]))],
  ['a header that is not strict', () => frame(Buffer.concat([bytesOf.string('KeyValue:get'), bytesOf.i32(1)]))],
  ['a header of the compact protocol', () => padded(Buffer.from([0x82, 0x21, 1, 3]))],
  ['a name of 2^31 - 1 bytes', () => padded(named(2 ** 31 - 1))],
  ['a name of -1 bytes', () => padded(named(-1))],
  ['a name of -2^31 bytes', () => padded(named(-(2 ** 31)))],
  ['a name beyond the frame', () => padded(named(31))],
  ['a name of 257 bytes', () => frame(message('x'.repeat(257), bytesOf.stop))],
  ['a name of 1 MiB', () => frame(message('x'.repeat(1024 * 1024), bytesOf.stop))],
];

const NAMES: readonly string[] = [
  'KeyValue:frobnicate',
  'Nothing:get',
  'get',
  'KeyValue:get:get',
  'KeyValue::get',
  ':get',
  ':',
  '',
  'KeyValue:',
  'KeyValue:GET',
  'keyvalue:get',
  'KeyValue:get ',
  ' KeyValue:get',
  'KeyValue:get\0',
  'KeyValue.get',
  'KeyValue:gеt',
  'KeyValue:shutdown',
  'Admin:put',
  'Replication:get',
  'KeyValue:pull',
  '__proto__',
  'KeyValue:__proto__',
  'KeyValue:constructor',
  'toString',
  'x'.repeat(256),
];

function ofMethod(method: MethodName): readonly BadInput[] {
  const whole = struct({ 1: struct(REQUESTS[method]) }).bytes;
  const { bytes: request } = struct(REQUESTS[method]);
  const of = (name: string, bytes: () => Uint8Array, expected = refusedWith('ERR_PROTOCOL')): BadInput =>
    badInput(method, name, bytes, expected);
  const field = bytesOf.field(WireType.struct, 1, request);
  return [
    of('a byte after its end', () => rawCall(method, Buffer.concat([whole, bytesOf.stop]))),
    of('itself after its end', () => rawCall(method, Buffer.concat([whole, rawCall(method, whole)]))),
    of('a mebibyte after its end', () => rawCall(method, Buffer.concat([whole, Buffer.alloc(1024 * 1024)]))),
    of('no bytes at all', () => rawCall(method, Buffer.alloc(0))),
    of('no request', () => rawCall(method, bytesOf.stop)),
    of('its request twice', () => rawCall(method, Buffer.concat([field, field, bytesOf.stop]))),
    of('its request as another field', () => rawCall(method, struct({ 2: struct(REQUESTS[method]) }).bytes)),
    of('its request as text', () => call(method, text(request))),
    of('its request as a list', () =>
      call(method, { type: WireType.list, bytes: bytesOf.list(WireType.struct, 1, request) }),
    ),
    of('as a reply', () => rawCall(method, whole, MessageType.reply), endedWith('ERR_PROTOCOL')),
    of('as an exception', () => rawCall(method, whole, MessageType.exception), endedWith('ERR_PROTOCOL')),
    of('as a message of type 0', () => rawCall(method, whole, 0), endedWith('ERR_PROTOCOL')),
    of('as a message of type 255', () => rawCall(method, whole, 255), endedWith('ERR_PROTOCOL')),
    of('as a oneway message', () => rawCall(method, whole, MessageType.oneway), UNANSWERED),
  ];
}

export const FRAMING: readonly BadInput[] = [
  ...FRAMES.map(([name, bytes, code]) => badInput('get', name, bytes, endedWith(code))),
  ...HEADERS.map(([name, bytes]) => badInput('get', name, bytes, endedWith('ERR_PROTOCOL'))),
  ...NAMES.map((name) =>
    badInput(
      'get',
      `a method named ${JSON.stringify(name.slice(0, 40))}`,
      () => frame(message(name, Buffer.from('whatever'))),
      refusedWith('ERR_UNKNOWN_METHOD'),
    ),
  ),
  badInput(
    'get',
    // Each byte becomes three where such text is mended, and then no client of ours would read the answer.
    'a method whose name is long and not UTF-8',
    () => frame(message('x'.repeat(256), bytesOf.stop).fill(0x80, 8, 8 + 256)),
    refusedWith('ERR_UNKNOWN_METHOD'),
  ),
  badInput(
    'get',
    'a method whose name is not UTF-8',
    () => frame(message('KeyValue:get', bytesOf.stop).fill(0xff, 8, 20)),
    refusedWith('ERR_UNKNOWN_METHOD'),
  ),
  ...[0, -1, 2 ** 31 - 1, -(2 ** 31)].map((id) =>
    badInput(
      'get',
      `sequence id ${id}`,
      () => frame(message('KeyValue:get', struct({ 1: struct({ 1: text('k') }) }).bytes, id)),
      answered({ kind: 'absent' }),
    ),
  ),
];

export const EVERY_METHOD: readonly BadInput[] = METHOD_NAMES.flatMap(ofMethod);

/** The valid call that is cut at every byte: it would change nothing. */
export const WHOLE_CALLS: readonly { readonly method: MethodName; readonly frame: Buffer; readonly body: number }[] =
  METHOD_NAMES.map((method) => ({
    method,
    frame: callWith(method, {}),
    // After length, version, the name with its length, and the sequence id.
    body: 4 + 4 + 4 + callNameOf(method).length + 4,
  }));
