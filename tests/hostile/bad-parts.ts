import { WireType } from '../../src/rpc/thrift.js';
import { type BadInput, badInput, refusedWith } from './bad-input.js';
import { callWith, i64, list, struct, text, type Value } from './values.js';

/* Batches of clients that are none. */

const PUT = (value: string | Uint8Array = 'v'): Value => struct({ 1: struct({ 1: text(value) }) });
const part = (key: string | Uint8Array, operation = PUT()): Value => struct({ 1: text(key), 2: operation });
const parts = (count: number, of = (_: number): Value => PUT()): Value[] =>
  Array.from({ length: count }, (_, i) => part(`part ${i}`, of(i)));

const of = (name: string, made: () => readonly Value[], code: string, size?: number): BadInput =>
  badInput(
    'batch',
    name,
    () => callWith('batch', { 3: list(WireType.struct, made(), size), 4: null, 5: null }),
    refusedWith(code),
  );

export const BAD_PARTS: readonly BadInput[] = [
  of('of no writes', () => [], 'ERR_BATCH'),
  of('of 129 writes', () => parts(129), 'ERR_BATCH'),
  of('of 65,536 writes', () => parts(65_536), 'ERR_BATCH'),
  of('of 65,537 writes', () => parts(65_537), 'ERR_PROTOCOL'),
  of('of 2^31 - 1 writes that are not there', () => [], 'ERR_PROTOCOL', 2 ** 31 - 1),
  of('of one write fewer than it says', () => parts(2), 'ERR_PROTOCOL', 3),
  of('that writes a key twice', () => [part('k'), part('l'), part('k')], 'ERR_BATCH'),
  of('of a mebibyte and a byte', () => [part('k', PUT(Buffer.alloc(1024 * 1024)))], 'ERR_BATCH'),
  of('of 128 writes of 8 KiB', () => parts(128, () => PUT(Buffer.alloc(8_192))), 'ERR_BATCH'),
  of('with a key of 4,097 bytes', () => [part('k'), part('l'.repeat(4_097))], 'ERR_INVALID_KEY'),
  of('with an empty key', () => [part('k'), part('')], 'ERR_INVALID_KEY'),
  of(
    'with a value of a mebibyte and a byte',
    () => [part('k', PUT(Buffer.alloc(1024 * 1024 + 1)))],
    'ERR_INVALID_VALUE',
  ),
  of(
    'with an increment beyond 2^53 - 1',
    () => [part('k', struct({ 3: struct({ 1: i64(2n ** 53n) }) }))],
    'ERR_INVALID_VALUE',
  ),
  of('with a total', () => [part('k', struct({ 8: struct({ 1: text('1') }) }))], 'ERR_INVALID_VALUE'),
  of('with an operation of no kind', () => [part('k', struct({}))], 'ERR_PROTOCOL'),
  of(
    'with an operation of two kinds',
    () => [part('k', struct({ 1: struct({ 1: text('v') }), 2: struct({}) }))],
    'ERR_PROTOCOL',
  ),
  of('with a write without a key', () => [struct({ 2: PUT() })], 'ERR_PROTOCOL'),
  of('with a write without an operation', () => [struct({ 1: text('k') })], 'ERR_PROTOCOL'),
  badInput(
    'batch',
    'under the client time of a write',
    () =>
      callWith('batch', { 1: text('filler'), 2: i64(1), 3: list(WireType.struct, [part('key 0')]), 4: null, 5: null }),
    refusedWith('ERR_CLIENT_TIME'),
  ),
];
