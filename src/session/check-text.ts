import { checkKey } from '../base/checks.js';
import { BaristaError } from '../base/errors.js';

/** Throws ERR_INVALID_KEY if what a program gives as `what` is no key. */
export function checkText(text: unknown, what = 'the key'): void {
  const wrong =
    typeof text === 'string' ? checkKey(text) : new BaristaError('ERR_INVALID_KEY', `${what} is not a string`);
  if (wrong !== null) throw wrong;
}

/** Likewise for what keys begin with, which may be nothing. */
export function checkPrefix(prefix: unknown): void {
  if (prefix !== '') checkText(prefix, 'the prefix');
}
