import { printable } from '../../master/format.js';

/** What a tool ends with that SIGPIPE ended: nobody reads its results. */
export const PIPE_CLOSED_STATUS = 141;

/** What is told of: a BaristaError, or an outcome that no replica takes for an error. */
interface Failure {
  readonly code: string;
  readonly message: string;
  readonly advice: string;
}

/** How every failure is told: where, which, what happened, and on the next line what to do about it. */
export function describeFailure(where: string, { code, message, advice }: Failure): string {
  return `${where}${code}: ${printable(message)}\n  ${advice}\n`;
}
