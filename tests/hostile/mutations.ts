import type { Random } from '../../src/base/random.js';

/* What goes wrong with bytes on their way, or is done to them: one or a few changes to a frame that was valid. */

/** Bytes that stand for much: types, lengths, signs, the ends of numbers of 7 bits a byte. */
const TELLING = [0, 1, 2, 8, 10, 11, 12, 13, 14, 15, 0x7f, 0x80, 0xc0, 0xed, 0xfe, 0xff] as const;
const LENGTHS = [0, 1, -1, 5, 255, 256, 65_535, 65_536, 65_537, 2 ** 24, 2 ** 31 - 1, -(2 ** 31)] as const;
const LONG = [0n, 1n, -1n, 2n ** 31n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)] as const;

const LENGTH_BYTES = 4;

type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

const pick = <T>(random: Random, values: readonly T[]): T => values[random.below(values.length)] as T;
const placeIn = (bytes: Buffer, random: Random, width = 1): number =>
  random.below(Math.max(1, bytes.length - width + 1));

const flipBit: Mutation = (bytes, random) => {
  if (bytes.length === 0) return bytes;
  const at = placeIn(bytes, random);
  bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  return bytes;
};

const setByte: Mutation = (bytes, random) => {
  if (bytes.length > 0)
    bytes[placeIn(bytes, random)] = random.below(2) === 0 ? random.below(256) : pick(random, TELLING);
  return bytes;
};

const insert: Mutation = (bytes, random) => {
  const at = random.below(bytes.length + 1);
  const extra = Buffer.alloc(1 + random.below(random.below(8) === 0 ? 300 : 4), pick(random, TELLING));
  return Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
};

const remove: Mutation = (bytes, random) => {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(8))]);
};

const repeat: Mutation = (bytes, random) => {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(40));
  return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
};

const cut: Mutation = (bytes, random) => Buffer.from(bytes.subarray(0, random.below(bytes.length + 1)));

const splice: Mutation = (bytes, random, other) => {
  const from = random.below(other.length + 1);
  return Buffer.concat([bytes.subarray(0, random.below(bytes.length + 1)), other.subarray(from)]);
};

const setLength: Mutation = (bytes, random) => {
  if (bytes.length >= 4) bytes.writeInt32BE(pick(random, LENGTHS), placeIn(bytes, random, 4));
  return bytes;
};

const setLong: Mutation = (bytes, random) => {
  if (bytes.length >= 8) bytes.writeBigInt64BE(pick(random, LONG), placeIn(bytes, random, 8));
  return bytes;
};

const setNumber: Mutation = (bytes, random) => {
  const at = placeIn(bytes, random);
  const length = Math.min(1 + random.below(10), bytes.length - at);
  for (let i = 0; i < length; i++) bytes[at + i] = i === length - 1 ? random.below(128) : 128 + random.below(128);
  return bytes;
};

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  flipBit,
  setByte,
  setByte,
  insert,
  remove,
  repeat,
  cut,
  splice,
  setLength,
  setLong,
  setNumber,
];

/**
 * A frame with one to four changes behind its length, which says the truth about what is left but once in sixteen times.
 * `other` is what parts are taken of.
 */
export function mutated(frame: Buffer, other: Buffer, random: Random): Buffer {
  let payload: Buffer = Buffer.from(frame.subarray(LENGTH_BYTES));
  for (let left = 1 + random.below(4); left > 0; left--) {
    payload = pick(random, MUTATIONS)(payload, random, other.subarray(LENGTH_BYTES));
  }
  const length = random.below(16) === 0 ? pick(random, LENGTHS) : payload.length;
  const prefix = Buffer.alloc(LENGTH_BYTES);
  prefix.writeInt32BE(length);
  return Buffer.concat([prefix, payload]);
}
