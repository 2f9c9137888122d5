import { BaristaError } from '../base/errors.js';

/** Runs what reads bytes of the disk: what cannot be read there is damage. */
export function readable<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new BaristaError('ERR_CORRUPT', `${what} cannot be read: ${thrown.message}`, { cause: thrown });
  }
}
