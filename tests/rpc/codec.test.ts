import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FieldError } from '../../src/rpc/field-error.js';
import './equality.js';
import { MESSAGES } from './messages.js';
import { stockDecode, stockEncode } from './stock.js';
import { decode, encode } from './wire.js';

const RUNS = { numRuns: 60 };

describe('every message comes back as it was', () => {
  test.each(MESSAGES)('$name', ({ codec, values }) => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decode(codec, encode(codec, value))).toEqual(value);
      }),
      RUNS,
    );
  });
});

describe('the code that Thrift generates reads every message, and writes the same bytes', () => {
  test.each(MESSAGES)('$name', ({ name, codec, values }) => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(codec, value);
        expect(stockEncode(stockDecode(name, bytes)).equals(bytes)).toBe(true);
      }),
      RUNS,
    );
  });
});

describe('no cut of a message decodes, and each fails as a coded error', () => {
  test.each(MESSAGES)('$name', ({ codec, values }) => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(codec, value);
        const step = Math.max(1, Math.floor(bytes.length / 60));
        for (let length = 0; length < bytes.length; length += step) {
          expect(() => decode(codec, bytes.subarray(0, length))).toThrowError(
            expect.objectContaining({ name: 'FieldError', code: 'ERR_PROTOCOL' }),
          );
        }
      }),
      { numRuns: 10 },
    );
  });
});

describe('arbitrary changes to a message give a value or a coded error, never anything else', () => {
  test.each(MESSAGES)('$name', ({ codec, values }) => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) });
    fc.assert(
      fc.property(values, fc.array(change, { minLength: 1, maxLength: 4 }), (value, changes) => {
        const bytes = encode(codec, value);
        for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
        try {
          decode(codec, bytes);
        } catch (thrown) {
          if (!(thrown instanceof FieldError)) throw thrown;
        }
      }),
      { numRuns: 200 },
    );
  });
});
