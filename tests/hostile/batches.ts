import { hashText } from '../../src/base/hash.js';
import { WireType } from '../../src/rpc/thrift.js';
import { difference, number, string } from '../rpc/packed.js';
import { TARGET } from './target.js';
import { bool, entry, type Fields, i32, i64, list, origin, struct, text, type Value, vector } from './values.js';

/* Batches as peers send them, made by hand. */

export interface PackedWrite {
  readonly origin: string | Uint8Array;
  readonly incarnation?: number | bigint;
  readonly time: number | bigint;
  readonly client?: string | Uint8Array;
  readonly clientTime?: number;
  readonly key: string | Uint8Array;
  /** Null makes the key absent. */
  readonly value?: string | null;
  /** True for a part of a batch. */
  readonly part?: boolean;
}

/** One write as it stands first in a PackedWrites: with its origin, its client and its whole key. */
function firstWrite(write: PackedWrite): Buffer {
  const { client = 'c', clientTime = 1, incarnation = 1, key, value = 'v' } = write;
  const keyBytes = Buffer.from(key);
  const valueBytes = value === null ? number(0) : Buffer.concat([number(value.length + 2), Buffer.from(value)]);
  return Buffer.concat([
    number(write.part === true ? 2 : 0),
    string(write.origin),
    number(incarnation),
    number(0),
    string(client),
    difference(write.time),
    difference(clientTime),
    number(0),
    number(keyBytes.length),
    keyBytes,
    valueBytes,
  ]);
}

/** A write after others of the same origin and client. */
function nextWrite(write: PackedWrite, before: PackedWrite): Buffer {
  const { clientTime = 1, key, value = 'v' } = write;
  const keyBytes = Buffer.from(key);
  const valueBytes = value === null ? number(0) : Buffer.concat([number(value.length + 2), Buffer.from(value)]);
  return Buffer.concat([
    number(write.part === true ? 2 : 0),
    number(0),
    difference(BigInt(write.time) - BigInt(before.time)),
    difference(clientTime - (before.clientTime ?? 1)),
    number(0),
    number(keyBytes.length),
    keyBytes,
    valueBytes,
  ]);
}

/** The writes of one origin and one client, uncompressed. */
export function packed(...writes: readonly PackedWrite[]): Buffer {
  const parts = writes.map((write, i) => {
    const before = writes[i - 1];
    return before === undefined ? firstWrite(write) : nextWrite(write, before);
  });
  return Buffer.concat([number(4), number(writes.length), ...parts]);
}

export const packedWrites = (bytes: Uint8Array, compression = 1): Value =>
  struct({ 1: i32(compression), 2: text(bytes) });

export const NO_WRITES = packedWrites(packed());

export interface StandingFields {
  readonly base?: number;
  readonly floor?: number;
  readonly clock?: number;
  readonly members?: number;
}

export const standing = ({ base = 0, floor = 0, clock = 0, members = 2 }: StandingFields = {}): Value =>
  struct({ 1: i64(base), 2: i64(floor), 3: i64(clock), 4: i32(members) });

/** A batch of `peer` with nothing in it, but for `changes`. */
export function batch(peer: string, changes: Fields = {}): Value {
  const fields: Fields = {
    1: origin(peer),
    2: bool(false),
    3: NO_WRITES,
    4: vector(entry(peer, 0)),
    5: bool(false),
    6: standing(),
    ...changes,
  };
  return struct(fields);
}

export interface PageFields {
  readonly time: number;
  readonly vector: Value;
  readonly after?: string;
  readonly entries: Value;
  readonly upTo?: string;
}

export function page({ time, vector: covered, after, entries, upTo }: PageFields): Value {
  return struct({
    1: i64(time),
    2: covered,
    ...(after === undefined ? {} : { 3: text(after) }),
    4: entries,
    ...(upTo === undefined ? {} : { 5: text(upTo) }),
  });
}

/** What `peer` says of itself to the target, as one of the two members there are. */
export function attested(peer: string, clock: number): Value {
  const view = hashText([`${peer}#1`, TARGET].sort((a, b) => a.length - b.length || (a < b ? -1 : 1)).join(' '));
  const attestation = struct({ 1: origin(peer), 2: i64(clock), 3: i64(clock), 4: i64(view) });
  return struct({ 1: list(WireType.struct, [attestation]), 2: list(WireType.struct, []) });
}

/** A hybrid accept time so many milliseconds from now. */
export function timeIn(ms: number): number {
  return (Date.now() + ms) * 2048;
}
