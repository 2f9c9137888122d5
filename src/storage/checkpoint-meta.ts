import { BaristaError } from '../base/errors.js';
import type { Origin } from '../base/ids.js';
import { ByteReader, ByteWriter } from './bytes.js';
import { FIRST_SEGMENT } from './write-ahead-log.js';

/** Goes up with every change to what stands on disk. */
const FORMAT = 2;

/** A part of a checkpoint: what segments below `segment` say of the keys up to `upTo`, by UTF-16, is in the table. */
export interface StoredPart {
  readonly segment: number;
  readonly upTo: string;
}

/** What a checkpoint says of the whole. */
export interface CheckpointMeta {
  /** The first segment of the log that what follows does not count in. */
  readonly segment: number;
  /** The first segment that is still needed: less than `segment` while the checkpoint is only partly there. */
  readonly from: number;
  /** What of the segments below `segment` is there. */
  readonly parts: readonly StoredPart[];
  readonly size: number;
  readonly keyCount: number;
  readonly highestTime: number;
  /** By place. */
  readonly origins: readonly Origin[];
  /** The places of those that have, or had, writes. */
  readonly written: readonly number[];
  readonly seen: readonly (readonly [place: number, acceptTime: number])[];
  /** Encoded; empty if none was saved. */
  readonly state: Uint8Array;
}

/** Of a replica's state, if none was saved. */
export const NO_STATE = new Uint8Array();

/** What there is before the first checkpoint. */
export const NO_CHECKPOINT: CheckpointMeta = {
  segment: FIRST_SEGMENT,
  from: FIRST_SEGMENT,
  parts: [],
  size: 0,
  keyCount: 0,
  highestTime: 0,
  origins: [],
  written: [],
  seen: [],
  state: NO_STATE,
};

export function encodeMeta(meta: CheckpointMeta): Uint8Array {
  const writer = new ByteWriter();
  for (const number of [FORMAT, meta.segment, meta.from, meta.size, meta.keyCount, meta.highestTime])
    writer.number(number);
  writer.number(meta.parts.length);
  for (const { segment, upTo } of meta.parts) {
    writer.number(segment);
    writer.text(upTo);
  }
  writer.number(meta.origins.length);
  for (const origin of meta.origins) writer.text(origin);
  writer.number(meta.written.length);
  for (const place of meta.written) writer.number(place);
  writer.number(meta.seen.length);
  for (const [place, acceptTime] of meta.seen) {
    writer.number(place);
    writer.number(acceptTime);
  }
  writer.bytes(meta.state);
  return writer.take();
}

/** Throws ERR_CORRUPT if it is of another format, a RangeError if it is nothing that was encoded. */
export function decodeMeta(bytes: Uint8Array): CheckpointMeta {
  const reader = new ByteReader(bytes);
  const format = reader.number();
  if (format !== FORMAT) {
    const message = `the data directory is of format ${format}, this version reads ${FORMAT}`;
    throw new BaristaError('ERR_CORRUPT', message);
  }
  const [segment, from, size] = [reader.number(), reader.number(), reader.number()];
  const [keyCount, highestTime] = [reader.number(), reader.number()];
  const list = <T>(one: () => T): T[] => {
    const items: T[] = [];
    for (let left = reader.number(); left > 0; left--) items.push(one());
    return items;
  };
  const parts = list(() => ({ segment: reader.number(), upTo: reader.text() }));
  const origins = list(() => reader.text() as Origin);
  const written = list(() => reader.number());
  const seen = list(() => [reader.number(), reader.number()] as const);
  const state = reader.bytes();
  return { segment, from, parts, size, keyCount, highestTime, origins, written, seen, state };
}
