import type { Shape } from '../../src/rpc/schema.js';
import { METHODS } from '../../src/rpc/services.js';
import { WireType } from '../../src/rpc/thrift.js';
import { bytesOf, frame, message } from '../rpc/wire.js';
import { TARGET_ID, TERMS } from './target.js';

/* Values as they stand on the wire, made by hand: these may be what no codec of ours would write. */

export interface Value {
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** By field id, in the order in which they are written. */
export type Fields = Readonly<Record<number, Value>>;

const single = (byte: number): Buffer => Buffer.from([byte]);

export const bool = (byte: number | boolean): Value => ({ type: WireType.bool, bytes: single(Number(byte)) });
export const i32 = (value: number): Value => ({ type: WireType.i32, bytes: bytesOf.i32(value) });
export const i64 = (value: number | bigint): Value => ({ type: WireType.i64, bytes: bytesOf.i64(BigInt(value)) });
export const text = (value: Uint8Array | string, length = Buffer.from(value).length): Value => ({
  type: WireType.string,
  bytes: bytesOf.string(value, length),
});

export function list(type: number, elements: readonly Value[], size = elements.length): Value {
  const bytes = bytesOf.list(type, size, Buffer.concat(elements.map((element) => element.bytes)));
  return { type: WireType.list, bytes };
}

export function struct(fields: Fields): Value {
  const parts = Object.entries(fields).map(([id, { type, bytes }]) => bytesOf.field(type, Number(id), bytes));
  return { type: WireType.struct, bytes: Buffer.concat([...parts, bytesOf.stop]) };
}

/** The struct with other bytes before its end. */
export function structWith(fields: Fields, ...extra: readonly Uint8Array[]): Value {
  const { type, bytes } = struct(fields);
  return { type, bytes: Buffer.concat([bytes.subarray(0, -1), ...extra, bytesOf.stop]) };
}

export const origin = (id: string | Uint8Array, incarnation: number | bigint = 1): Value =>
  struct({ 1: text(id), 2: i64(incarnation) });
export const entry = (id: string | Uint8Array, time: number | bigint, incarnation: number | bigint = 1): Value =>
  struct({ 1: origin(id, incarnation), 2: i64(time) });
export const vector = (...entries: readonly Value[]): Value => list(WireType.struct, entries);
export const stamp = (id: string | Uint8Array, time: number | bigint): Value => struct({ 1: i64(time), 2: origin(id) });

/** The terms of the target, as fields. */
export const TERMS_FIELDS: Fields = {
  1: i32(TERMS.protocol),
  2: text(TERMS.cluster),
  3: i32(1),
  4: i32(2),
  5: i64(TERMS.retryWindowMs),
};

export type MethodName = keyof typeof METHODS;
export const METHOD_NAMES = Object.keys(METHODS) as readonly MethodName[];

/** A request of each method with every field set. None of them is sent as it is. */
export const REQUESTS: Readonly<Record<MethodName, Fields>> = {
  put: { 1: text('c'), 2: i64(1), 3: text('k'), 4: text('v'), 5: i64(1), 6: vector(entry('nobody', 1)) },
  remove: { 1: text('c'), 2: i64(1), 3: text('k'), 4: i64(1), 5: vector(entry('nobody', 1)) },
  write: {
    1: text('c'),
    2: i64(1),
    3: text('k'),
    4: struct({ 3: struct({ 1: i64(1) }) }),
    5: i64(1),
    6: vector(entry('nobody', 1)),
  },
  batch: {
    1: text('c'),
    2: i64(1),
    3: list(WireType.struct, [struct({ 1: text('k'), 2: struct({ 3: struct({ 1: i64(1) }) }) })]),
    4: i64(1),
    5: vector(entry('nobody', 1)),
  },
  get: { 1: text('k'), 2: vector(entry('nobody', 1)) },
  getMany: { 1: list(WireType.string, [text('k')]), 2: vector(entry('nobody', 1)) },
  scan: {
    1: text('a'),
    2: text('z'),
    3: bool(true),
    4: text('k'),
    5: i32(1),
    6: bool(false),
    7: i64(1),
    8: vector(entry('nobody', 1)),
  },
  holds: { 1: vector(entry('nobody', 1)), 2: i32(1) },
  writeState: { 1: stamp('nobody', 1), 2: i32(1), 3: bool(true), 4: i32(1) },
  watch: {
    1: text('k'),
    2: struct({ 2: stamp('nobody', 1) }),
    3: vector(entry('nobody', 1)),
    4: i32(1),
    5: i32(1),
    6: text('w'),
  },
  conflicts: { 1: text('k'), 2: struct({ 3: stamp('nobody', 1) }), 3: vector(entry('nobody', 1)), 4: i32(1) },
  history: { 1: text('k'), 2: stamp('nobody', 1), 3: stamp('nobody', 1), 4: i32(1), 5: vector(entry('nobody', 1)) },
  pull: {
    1: struct(TERMS_FIELDS),
    2: origin('stranger'),
    3: text(TARGET_ID),
    4: vector(entry('stranger', 0)),
    5: struct({ 1: vector(entry('stranger', 0)), 2: vector(entry('stranger', 0)) }),
    6: struct({ 1: i64(1), 2: text('k') }),
    7: bool(true),
    8: i64(1),
    9: i64(1),
    10: i32(10),
    11: i32(10_000),
    12: bool(false),
    13: bool(true),
  },
  news: { 1: struct(TERMS_FIELDS), 2: origin('stranger'), 3: text(TARGET_ID), 4: vector(entry('stranger', 1)) },
  status: {},
  link: { 1: text('stranger'), 2: text('127.0.0.1'), 3: i32(1), 4: i64(1) },
  unlink: { 1: text('stranger') },
  retire: { 1: text('stranger') },
  stabilize: { 1: list(WireType.string, [text('stranger')]), 2: i32(1), 3: bool(false) },
  store: { 1: text('key 1'), 2: i32(1) },
  log: { 1: stamp('stranger', 1), 2: i32(1) },
  exportBatch: {
    1: vector(entry('stranger', 0)),
    2: struct({ 1: vector(entry('stranger', 0)), 2: vector(entry('stranger', 0)) }),
    3: struct({ 1: i64(1), 2: text('k') }),
    4: i32(10),
    5: i32(10_000),
    6: bool(true),
  },
  beginImport: {
    1: struct(TERMS_FIELDS),
    2: origin('stranger'),
    3: vector(entry('nobody', 1)),
    4: vector(entry('nobody', 1)),
  },
  importBatch: {
    1: i64(2 ** 40),
    2: struct({
      1: origin('stranger'),
      2: bool(false),
      3: struct({ 1: i32(1), 2: text(Uint8Array.of(1, 0)) }),
      4: vector(entry('stranger', 0)),
      5: bool(false),
      6: struct({ 1: i64(0), 2: i64(0), 3: i64(0), 4: i32(1) }),
    }),
    3: struct({ 1: text('ERR_BUNDLE'), 2: text('what'), 3: text('why') }),
  },
  shutdown: {},
};

/** What barista.thrift says of the method's request. */
export function shapeOf(method: MethodName): Shape & { readonly kind: 'struct' | 'union' } {
  const { shape } = METHODS[method].arguments;
  const request = 'fields' in shape ? shape.fields[0]?.shape : undefined;
  if (request === undefined || !('fields' in request)) throw new Error(`${method} takes no struct`);
  return request;
}

/** What the method is called on the wire. */
export function callNameOf(method: MethodName): string {
  const { service, name } = METHODS[method];
  return `${service}:${name}`;
}

/** A call whose arguments are these bytes. */
export function rawCall(method: MethodName, body: Uint8Array, type?: number): Buffer {
  return frame(message(callNameOf(method), body, 1, type));
}

/** A call with this request. */
export function call(method: MethodName, request: Value): Buffer {
  return rawCall(method, struct({ 1: request }).bytes);
}

/** A call with the method's request, but for these fields; null takes one away. */
export function callWith(method: MethodName, changes: Readonly<Record<number, Value | null>>): Buffer {
  const fields = Object.entries({ ...REQUESTS[method], ...changes }).filter(([, value]) => value !== null);
  return call(method, struct(Object.fromEntries(fields) as Fields));
}
