import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { kvOperationCodec } from '../../src/machine/kv.js';
import { ByteReader, ByteWriter } from '../../src/storage/bytes.js';
import { RecordFormat } from '../../src/storage/record-format.js';

const time = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ unit: 'binary' });
const operation = fc.oneof(
  fc.uint8Array().map((value) => ({ kind: 'put', value }) as const),
  fc.constant({ kind: 'delete' } as const),
);
const write = fc.record({
  origin: fc.tuple(text, fc.nat()).map(([id, incarnation]) => originOf(id as ReplicaId, incarnation)),
  acceptTime: time,
  client: text.map((id) => id as ClientId),
  clientTime: time,
  key: fc.constant('the key'),
  operation,
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

  test('changes and histories read back as they were written', () => {
    const format = new RecordFormat(kvOperationCodec);
    fc.assert(
      fc.property(fc.array(write), fc.nat(), (history, position) => {
        expect(format.decodeHistory('the key', format.encodeHistory(history))).toEqual(history);
        for (const one of history) {
          for (const change of [
            { kind: 'insert', write: one, position },
            { kind: 'remove', key: one.key, position },
            { kind: 'seen', origin: one.origin, acceptTime: one.acceptTime },
          ] as const) {
            expect(format.decodeChange(format.encodeChange(change))).toEqual(change);
          }
        }
      }),
    );
  });

  test('anything else is a RangeError, never more', () => {
    const format = new RecordFormat(kvOperationCodec);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        for (const read of [() => format.decodeChange(bytes), () => format.decodeHistory('k', bytes)]) {
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
