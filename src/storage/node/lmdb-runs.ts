import type { Database } from 'lmdb';
import { compareKeys } from '../../base/ids.js';
import { ByteReader, ByteWriter } from '../bytes.js';
import type { RunChange } from '../table.js';

/** A record is divided when it has grown to more than this; but not among the writes of one accept time. */
const RECORD_WRITES_MAX = 64;
/** So many bytes of records are encoded into one buffer. */
const RECORDS_BYTES = 64 * 1024;
/** So many records are looked into before the number of writes in others is taken to be like theirs. */
const COUNTED_RECORDS_MAX = 16;
/** An iterator over the database is used up at once: one left open would keep what was replaced since from being reused. */
const RECORDS_READ = 16;

/** A change may stand for the write that it adds. */
type RunWrite = readonly [acceptTime: number, key: string] | RunChange;

interface RunRecord {
  readonly start: number;
  readonly writes: (readonly [acceptTime: number, key: string])[];
}

/**
 * The runs of origins in LMDB, many writes to a record: place of the origin (4 bytes) and accept time of the first write
 * (8 bytes), both big-endian -> accept times, each as what it is above the one before, and keys. No record is empty, and all
 * writes of one accept time are in one.
 */
export class LmdbRuns {
  readonly #database: Database<Buffer, Buffer>;
  readonly #writer = new ByteWriter(RECORDS_BYTES);
  readonly #reader = new ByteReader();

  constructor(database: Database<Buffer, Buffer>) {
    this.#database = database;
  }

  *run(place: number, after: number, upTo: number): Generator<readonly [number, string], undefined> {
    let records = this.#recordsFrom(place, this.#startOf(place, after) ?? after + 1, upTo, RECORDS_READ);
    while (records.length > 0) {
      for (const { writes } of records) {
        for (const write of writes) {
          if (write[0] > upTo) return undefined;
          if (write[0] > after) yield write;
        }
      }
      if (records.length < RECORDS_READ) return undefined;
      records = this.#recordsFrom(place, (records.at(-1) as RunRecord).start + 1, upTo, RECORDS_READ);
    }
    return undefined;
  }

  /** About how many there are; what it costs does not grow with them. */
  count(place: number, after: number, upTo: number): number {
    const start = this.#startOf(place, after) ?? after + 1;
    const records = this.#recordsFrom(place, start, upTo, COUNTED_RECORDS_MAX);
    let counted = 0;
    for (const { writes } of records) for (const [time] of writes) if (time > after && time <= upTo) counted += 1;
    if (records.length < COUNTED_RECORDS_MAX) return counted;
    return Math.round((counted / records.length) * this.#database.getKeysCount(rangeOf(place, start, upTo)));
  }

  /** Inside a transaction of the database. The changes of one place, ascending. */
  change(place: number, changes: readonly RunChange[]): void {
    for (let from = 0; from < changes.length; ) {
      const first = (changes[from] as RunChange)[0];
      const start = this.#startOf(place, first);
      const old = start === undefined ? undefined : this.#recordsFrom(place, start, start, 1)[0];
      // The record takes what comes before the next record.
      const next = this.#recordsFrom(place, (start ?? first) + 1, Number.POSITIVE_INFINITY, 1)[0];
      let to = from + 1;
      while (to < changes.length && (next === undefined || (changes[to] as RunChange)[0] < next.start)) to += 1;
      const writes = merge(old?.writes ?? [], changes.slice(from, to));
      if (start !== undefined && writes[0]?.[0] !== start) void this.#database.remove(keyOf(place, start));
      for (let at = 0; at < writes.length; ) {
        let end = Math.min(at + RECORD_WRITES_MAX, writes.length);
        while (writes[end]?.[0] === writes[end - 1]?.[0]) end += 1;
        void this.#database.put(keyOf(place, (writes[at] as RunWrite)[0]), this.#encode(writes, at, end));
        at = end;
      }
      from = to;
    }
  }

  /** The start of the last record that begins at or before `time`. */
  #startOf(place: number, time: number): number | undefined {
    const range = { start: keyOf(place, Math.min(time, Number.MAX_SAFE_INTEGER)), end: keyOf(place, 0) };
    for (const key of this.#database.getKeys({ ...range, reverse: true, inclusiveEnd: true, limit: 1 })) {
      return timeOf(key);
    }
    return undefined;
  }

  #recordsFrom(place: number, start: number, upTo: number, limit: number): RunRecord[] {
    const records: RunRecord[] = [];
    for (const { key, value } of this.#database.getRange({ ...rangeOf(place, start, upTo), limit })) {
      records.push({ start: timeOf(key), writes: this.#decode(timeOf(key), value) });
    }
    return records;
  }

  #encode(writes: readonly RunWrite[], from: number, to: number): Buffer {
    let time = (writes[from] as RunWrite)[0];
    for (let at = from; at < to; at++) {
      const [acceptTime, key] = writes[at] as RunWrite;
      this.#writer.number(acceptTime - time);
      this.#writer.text(key);
      time = acceptTime;
    }
    return this.#writer.cut();
  }

  #decode(start: number, bytes: Uint8Array): RunRecord['writes'] {
    const reader = this.#reader;
    reader.open(bytes);
    const writes: RunRecord['writes'] = [];
    let time = start;
    while (reader.remaining > 0) {
      time += reader.number();
      writes.push([time, reader.newText()]);
    }
    return writes;
  }
}

function merge(writes: readonly RunWrite[], changes: readonly RunChange[]): RunWrite[] {
  const merged: RunWrite[] = [];
  let at = 0;
  for (const change of changes) {
    const [time, key, isThere] = change;
    for (; at < writes.length && compare(writes[at] as RunWrite, time, key) < 0; at++)
      merged.push(writes[at] as RunWrite);
    if (at < writes.length && compare(writes[at] as RunWrite, time, key) === 0) at += 1;
    if (isThere) merged.push(change);
  }
  for (; at < writes.length; at++) merged.push(writes[at] as RunWrite);
  return merged;
}

function compare([acceptTime, key]: RunWrite, otherTime: number, otherKey: string): number {
  return acceptTime - otherTime || compareKeys(key, otherKey);
}

function rangeOf(place: number, from: number, upTo: number) {
  const end = keyOf(place, Math.min(upTo, Number.MAX_SAFE_INTEGER));
  return { start: keyOf(place, from), end, inclusiveEnd: true };
}

function keyOf(place: number, acceptTime: number): Buffer {
  const key = Buffer.allocUnsafe(12);
  key.writeUInt32BE(place, 0);
  key.writeUInt32BE(Math.floor(acceptTime / 2 ** 32), 4);
  key.writeUInt32BE(acceptTime % 2 ** 32, 8);
  return key;
}

function timeOf(key: Buffer): number {
  return key.readUInt32BE(4) * 2 ** 32 + key.readUInt32BE(8);
}
