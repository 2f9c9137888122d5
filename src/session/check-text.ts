import { checkKey } from '../base/checks.js';
import { BaristaError } from '../base/errors.js';

/** Throws ERR_INVALID_KEY if a program's key is none. */
export function checkText(key: unknown): void {
  const wrong =
    typeof key === 'string' ? checkKey(key) : new BaristaError('ERR_INVALID_KEY', 'the key is not a string');
  if (wrong !== null) throw wrong;
}
