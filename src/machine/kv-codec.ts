import { DEFAULT_LIMITS, TIME_MAX, TTL_MS_MAX } from '../base/limits.js';
import { bytesOf, textOf } from '../base/text.js';
import type { KvOperation } from './kv.js';
import { integerOf } from './kv-folding.js';
import { isProcedureName } from './procedures.js';

/**
 * How each kind stands on disk and in packed writes: never another number for the same kind. One that has a time to live, or comes
 * to what has one, is of a kind of its own.
 */
const KINDS = {
  put: 1,
  delete: 2,
  increment: 3,
  append: 4,
  setAdd: 5,
  setRemove: 6,
  putIfAbsent: 7,
  total: 8,
  merge: 9,
  lastingPut: 10,
  lastingPutIfAbsent: 11,
  lastingTotal: 12,
} as const satisfies Readonly<Record<KvOperation['kind'], number>> & Readonly<Record<string, number>>;

const NOTHING = new Uint8Array();

function kindOf(operation: KvOperation): number {
  switch (operation.kind) {
    case 'put':
      return operation.expires === undefined ? KINDS.put : KINDS.lastingPut;
    case 'putIfAbsent':
      return operation.expires === undefined ? KINDS.putIfAbsent : KINDS.lastingPutIfAbsent;
    case 'total':
      return operation.expires === undefined ? KINDS.total : KINDS.lastingTotal;
    default:
      return KINDS[operation.kind];
  }
}

/** What the operation carries: bytes as they are, a member in UTF-8, a number in decimal digits. */
function bodyOf(operation: KvOperation): Uint8Array {
  switch (operation.kind) {
    case 'delete':
      return NOTHING;
    case 'increment':
      return bytesOf(String(operation.by));
    case 'append':
      return operation.bytes;
    case 'setAdd':
    case 'setRemove':
      return bytesOf(operation.member);
    case 'merge':
      return bodyOfMerge(operation);
    case 'total':
      return operation.expires === undefined ? operation.value : lastingBody([operation.expires], operation.value);
    default: {
      const { ttlMs, expires, value } = operation;
      return expires === undefined ? value : lastingBody([ttlMs ?? 0, expires], value);
    }
  }
}

function decode(kind: number, body: Uint8Array): KvOperation {
  switch (kind) {
    case KINDS.put:
      return { kind: 'put', value: body };
    case KINDS.delete:
      if (body.length > 0) break;
      return { kind: 'delete' };
    case KINDS.increment:
      return { kind: 'increment', by: numberFrom(body) };
    case KINDS.append:
      return { kind: 'append', bytes: body };
    case KINDS.setAdd:
      return { kind: 'setAdd', member: memberFrom(body) };
    case KINDS.setRemove:
      return { kind: 'setRemove', member: memberFrom(body) };
    case KINDS.putIfAbsent:
      return { kind: 'putIfAbsent', value: body };
    case KINDS.total:
      return { kind: 'total', value: body };
    case KINDS.merge:
      return mergeFrom(body);
    case KINDS.lastingPut:
      return { kind: 'put', ...lastingFrom(body) };
    case KINDS.lastingPutIfAbsent:
      return { kind: 'putIfAbsent', ...lastingFrom(body) };
    case KINDS.lastingTotal:
      return { kind: 'total', expires: timeFrom(body, 0), value: valueFrom(body, TIME_BYTES) };
  }
  throw new RangeError(`no operation is of kind ${kind}, with ${body.length} bytes`);
}

/** How long the body of an operation of this kind may be. */
function bodyBytesMax(kind: number): number {
  const { valueBytesMax } = DEFAULT_LIMITS;
  return kind >= KINDS.lastingPut ? valueBytesMax + 2 * TIME_BYTES : valueBytesMax;
}

/** How operations stand on disk. */
export const kvOperationCodec = { kindOf, bodyOf, decode, expiresOf, bodyBytesMax } as const;

function numberFrom(body: Uint8Array): number {
  const number = integerOf(body);
  if (number === null) throw new RangeError('an increment that is no whole number within 2^53 - 1');
  return number;
}

function memberFrom(body: Uint8Array): string {
  const { memberBytesMax } = DEFAULT_LIMITS;
  if (body.length > memberBytesMax) throw new RangeError(`a member of ${body.length} bytes`);
  const member = textOf(body);
  if (member === null) throw new RangeError('a member that is not UTF-8');
  return member;
}

/*
 * What has a time to live: that in milliseconds, which a total has not, and the accept time at which it expires, 8 bytes each, big-endian; and
 * the value.
 */
const TIME_BYTES = 8;

function lastingBody(times: readonly number[], value: Uint8Array): Uint8Array {
  const body = new Uint8Array(times.length * TIME_BYTES + value.length);
  const view = new DataView(body.buffer);
  for (const [i, time] of times.entries()) view.setBigUint64(i * TIME_BYTES, BigInt(time));
  body.set(value, times.length * TIME_BYTES);
  return body;
}

function lastingFrom(body: Uint8Array): {
  readonly ttlMs: number;
  readonly expires: number;
  readonly value: Uint8Array;
} {
  const ttlMs = timeFrom(body, 0);
  if (ttlMs > TTL_MS_MAX) throw new RangeError(`a time to live of ${ttlMs} ms`);
  return { ttlMs, expires: timeFrom(body, TIME_BYTES), value: valueFrom(body, 2 * TIME_BYTES) };
}

/** Copied: the body is no value, and must not be kept for one. */
function valueFrom(body: Uint8Array, at: number): Uint8Array {
  const value = body.slice(at);
  const { valueBytesMax } = DEFAULT_LIMITS;
  if (value.length > valueBytesMax) throw new RangeError(`a value of ${value.length} bytes`);
  return value;
}

/** From 1. */
function timeFrom(body: Uint8Array, at: number): number {
  if (body.length < at + TIME_BYTES) throw new RangeError('a time to live that is cut off');
  const time = Number(new DataView(body.buffer, body.byteOffset).getBigUint64(at));
  if (time < 1 || time > TIME_MAX) throw new RangeError(`a time to live, or its end, of ${time}`);
  return time;
}

/** The accept time from which on what the operation leaves is gone; null if it stays. */
function expiresOf(operation: KvOperation): number | null {
  return 'expires' in operation ? (operation.expires ?? null) : null;
}

/*
 * A merge: how long the name of the procedure is (1 byte), the name in ASCII, what is expected (1 byte: 0 nothing in particular,
 * 1 that the key is absent, 2 a value, before which stands its length in 4 bytes, big-endian), and the value.
 */
const EXPECTS_ANYTHING = 0;
const EXPECTS_ABSENT = 1;
const EXPECTS_VALUE = 2;

function bodyOfMerge({ procedure, expects, value }: Extract<KvOperation, { kind: 'merge' }>): Uint8Array {
  const name = bytesOf(procedure);
  const expected = expects instanceof Uint8Array ? expects : null;
  const valueAt = 2 + name.length + (expected === null ? 0 : 4 + expected.length);
  const body = new Uint8Array(valueAt + value.length);
  body[0] = name.length;
  body.set(name, 1);
  let at = 1 + name.length;
  body[at++] = expects === null ? EXPECTS_ANYTHING : expected === null ? EXPECTS_ABSENT : EXPECTS_VALUE;
  if (expected !== null) {
    new DataView(body.buffer).setUint32(at, expected.length);
    body.set(expected, at + 4);
  }
  body.set(value, valueAt);
  return body;
}

function mergeFrom(body: Uint8Array): KvOperation {
  let at = 1 + (body[0] ?? 0);
  const procedure = textOf(body.subarray(1, at)) ?? '';
  const expectation = body[at++];
  let expects: Uint8Array | 'absent' | null = expectation === EXPECTS_ABSENT ? 'absent' : null;
  if (expectation === EXPECTS_VALUE && at + 4 <= body.length) {
    const length = new DataView(body.buffer, body.byteOffset).getUint32(at);
    at += 4;
    expects = body.slice(at, at + length);
    at += length;
  }
  const isWhole = expectation !== undefined && expectation <= EXPECTS_VALUE && at <= body.length;
  const isKnown = expectation !== EXPECTS_VALUE || expects !== null;
  if (!isWhole || !isKnown || !isProcedureName(procedure)) throw new RangeError('a merge that is cut off or misnamed');
  // Copied: it is kept beside a body of its own, and must not keep a frame.
  return { kind: 'merge', procedure, expects, value: body.slice(at) };
}
