import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkId, checkKey, checkValue } from '../../src/base/checks.js';
import { BaristaError, ERROR_CODES, toBaristaError } from '../../src/base/errors.js';
import { utf8Length } from '../../src/base/limits.js';

describe('limits', () => {
  test('ids are 1 to 256 bytes without control characters', () => {
    expect(checkId('till 7')).toBeNull();
    expect(checkId('x'.repeat(256))).toBeNull();
    for (const id of ['', 'x'.repeat(257), 'é'.repeat(129), 'a\nb', '\u007f', '\ud800']) {
      expect(checkId(id)?.code).toBe('ERR_INVALID_ID');
    }
  });

  test('keys are 1 byte to 4 KiB', () => {
    expect(checkKey('__proto__')).toBeNull();
    expect(checkKey('é'.repeat(2048))).toBeNull();
    for (const key of ['', 'x'.repeat(4097), 'é'.repeat(2049), 'a\udc00'])
      expect(checkKey(key)?.code).toBe('ERR_INVALID_KEY');
  });

  test('values are up to 1 MiB and may be empty', () => {
    expect(checkValue(new Uint8Array(0))).toBeNull();
    expect(checkValue(new Uint8Array(1024 * 1024))).toBeNull();
    expect(checkValue(new Uint8Array(1024 * 1024 + 1))?.message).toMatch('1048577 bytes');
  });

  test('lengths are those of the UTF-8 form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(utf8Length(text)).toBe(Buffer.byteLength(text));
      }),
    );
  });
});

describe('errors', () => {
  test('every code has advice that ends like a sentence', () => {
    for (const code of ERROR_CODES) expect(new BaristaError(code, '').advice).toMatch(/^[A-Z].*\.$/);
  });

  test('what was thrown stays as the cause', () => {
    const thrown = new TypeError('oops');
    expect(toBaristaError(thrown)).toMatchObject({ code: 'ERR_INTERNAL', message: 'oops', cause: thrown });
    expect(toBaristaError('text').message).toBe('text');
  });
});
