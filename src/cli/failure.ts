import { printable } from '../../master/format.js';
import type { BaristaError } from '../base/errors.js';

/** How every failure is told: where, which, what happened, and on the next line what to do about it. */
export function describeFailure(where: string, error: BaristaError): string {
  return `${where}${error.code}: ${printable(error.message)}\n  ${error.advice}\n`;
}
