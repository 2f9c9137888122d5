import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ClientId, type Origin, originOf, type ReplicaId } from '../../src/base/ids.js';
import type { ReplicaState } from '../../src/bayou/ports.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { kvOperationCodec } from '../../src/machine/kv.js';
import { ByteReader, ByteWriter } from '../../src/storage/bytes.js';
import { decodeMeta, encodeMeta } from '../../src/storage/checkpoint-meta.js';
import { EntryArena } from '../../src/storage/entry-arena.js';
import { Places } from '../../src/storage/places.js';
import { RecordFormat } from '../../src/storage/record-format.js';

const time = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ unit: 'binary' });
const operation = fc.oneof(
  fc.uint8Array().map((value) => ({ kind: 'put', value }) as const),
  fc.constant({ kind: 'delete' } as const),
);
const origin = fc.constantFrom(...['a', 'b', '', '😀'].map((id, i) => originOf(id as ReplicaId, i)));
const places = new Places(['x#1' as Origin, ...['a', 'b', '', '😀'].map((id, i) => originOf(id as ReplicaId, i))]);
const write = fc.record({
  origin,
  acceptTime: time,
  client: text.map((id) => id as ClientId),
  clientTime: time,
  key: fc.constant('the key'),
  operation,
});
const vector = fc.array(fc.tuple(origin, time)).map((entries) => new VersionVector(entries));
const state: fc.Arbitrary<ReplicaState> = fc.record({
  baseTime: time,
  baseVector: vector,
  replaced: vector,
  retired: fc.array(origin),
  clock: time,
  resume: fc.option(fc.record({ received: vector, target: vector })),
  store: fc.option(fc.record({ time, after: fc.option(text) })),
  rejoinsWith: fc.option(fc.string({ unit: 'binary', minLength: 1 }).map((id) => id as ReplicaId)),
});

describe('what stands on disk', () => {
  test('reads back as it was written', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(time, text, fc.uint8Array())), (items) => {
        const writer = new ByteWriter();
        for (const item of items) {
          if (typeof item === 'number') writer.number(item);
          else if (typeof item === 'string') writer.text(item);
          else writer.bytes(item);
        }
        const reader = new ByteReader(writer.take());
        for (const item of items) {
          if (typeof item === 'number') expect(reader.number()).toBe(item);
          else if (typeof item === 'string') expect(reader.text()).toBe(item);
          else expect(reader.bytes()).toEqual(item);
        }
        expect(reader.remaining).toBe(0);
      }),
    );
  });

  test('stays as it was cut, whatever is written and taken after it', () => {
    const pieces = fc.array(fc.record({ bytes: fc.uint8Array({ maxLength: 200 }), isKept: fc.boolean() }));
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 64 }), (written, bytesMin) => {
        const writer = new ByteWriter(bytesMin);
        const kept: { readonly cut: Uint8Array; readonly bytes: Uint8Array }[] = [];
        for (const { bytes, isKept } of written) {
          writer.bytes(bytes);
          if (isKept) kept.push({ cut: writer.cut(), bytes });
          else expect(new ByteReader(writer.take()).bytes()).toEqual(bytes);
          expect(writer.length).toBe(0);
        }
        for (const { cut, bytes } of kept) expect(new ByteReader(cut).bytes()).toEqual(bytes);
      }),
    );
  });

  test('changes and entries read back as they were written', () => {
    const format = new RecordFormat(kvOperationCodec, places);
    fc.assert(
      fc.property(fc.array(write), fc.option(write), fc.nat(), (history, base, position) => {
        const arena = new EntryArena();
        const entries = [
          format.encodeEntry({ base, history }, arena),
          ...history.map((one) => format.encodeFirst(one, arena)),
        ];
        const read = entries.map((entry) => format.decodeEntry('the key', arena.at(entry)));
        expect(read).toEqual([{ base, history }, ...history.map((one) => ({ base: null, history: [one] }))]);
        for (const [i, one] of history.entries()) {
          const parts = format.changeOfFirst(one.key, arena.at(entries[i + 1] as number));
          expect(
            format.decodeChange(Buffer.concat(parts.map(({ bytes, start, end }) => bytes.subarray(start, end)))),
          ).toEqual({ kind: 'insert', write: one, position: 0 });
          for (const change of [
            { kind: 'insert', write: one, position },
            { kind: 'remove', key: one.key, position },
            { kind: 'settle', key: one.key, present: position % 2 === 0 },
            { kind: 'base', key: one.key, base: one },
            { kind: 'base', key: one.key, base: null },
            { kind: 'seen', origin: one.origin, acceptTime: one.acceptTime },
            { kind: 'origin', origin: one.origin },
            { kind: 'state', state: new Uint8Array([1, 2]) },
          ] as const) {
            expect(format.decodeChange(format.encodeChange(change))).toEqual(change);
          }
        }
      }),
    );
  });

  test('what a replica keeps beside its writes reads back as it was written', () => {
    const format = new RecordFormat(kvOperationCodec, places);
    fc.assert(
      fc.property(state, (kept) => {
        expect(format.decodeState(format.encodeState(kept))).toEqual(kept);
      }),
    );
  });

  test('what a checkpoint says of the whole reads back as it was written', () => {
    const meta = fc.record({
      segment: time,
      from: time,
      parts: fc.array(fc.record({ segment: time, upTo: text })),
      size: time,
      keyCount: time,
      highestTime: time,
      origins: fc.array(origin),
      written: fc.array(fc.nat()),
      seen: fc.array(fc.tuple(fc.nat(), time)),
      state: fc.uint8Array(),
    });
    fc.assert(
      fc.property(meta, (kept) => {
        expect(decodeMeta(encodeMeta(kept))).toEqual(kept);
      }),
    );
    const other = new Uint8Array([1]);
    expect(() => decodeMeta(other)).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT' }));
  });

  test('anything else is a RangeError, never more', () => {
    const format = new RecordFormat(kvOperationCodec, places);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        for (const read of [
          () => format.decodeChange(bytes),
          () => format.decodeEntry('k', { bytes, start: 0, end: bytes.length }),
          () => format.decodeState(bytes),
          () => decodeMeta(new Uint8Array([2, ...bytes])),
        ]) {
          try {
            read();
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(RangeError);
          }
        }
      }),
    );
  });
});
