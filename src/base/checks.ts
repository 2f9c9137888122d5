import { BaristaError } from './errors.js';
import { DEFAULT_LIMITS, utf8Length } from './limits.js';

/*
 * What ids, keys and values may be. Each answers with the error to give, or null. The same checks stand where a program
 * hands something in and where bytes come off the wire.
 */

export function checkId(id: string): BaristaError | null {
  const wrong =
    wrongText(id, DEFAULT_LIMITS.idBytesMax) ?? (hasControlCharacter(id) ? 'holds a control character' : null);
  return wrong === null ? null : new BaristaError('ERR_INVALID_ID', `the id ${wrong}`);
}

export function checkKey(key: string): BaristaError | null {
  const wrong = wrongText(key, DEFAULT_LIMITS.keyBytesMax);
  return wrong === null ? null : new BaristaError('ERR_INVALID_KEY', `the key ${wrong}`);
}

export function checkValue(value: Uint8Array): BaristaError | null {
  const { valueBytesMax } = DEFAULT_LIMITS;
  if (value.length <= valueBytesMax) return null;
  return new BaristaError('ERR_INVALID_VALUE', `the value takes ${value.length} bytes, the limit is ${valueBytesMax}`);
}

function wrongText(text: string, bytesMax: number): string | null {
  if (text.length === 0) return 'is empty';
  const bytes = utf8Length(text);
  if (bytes < 0) return 'holds half of a surrogate pair, which has no UTF-8 form';
  return bytes > bytesMax ? `takes ${bytes} bytes, the limit is ${bytesMax}` : null;
}

/** C0, DEL and C1. */
export function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0)) return true;
  }
  return false;
}
