import { BaristaError } from '../base/errors.js';
import { fail, type Outcome, succeed } from '../base/outcome.js';
import { isRefused, type Refused } from '../bayou/messages.js';

/** The core's answer as an outcome: what it refused is the error of the same code. */
export function outcomeOf<T extends object>(reply: T | Refused): Outcome<T> {
  return isRefused(reply) ? fail(new BaristaError(reply.code, reply.message)) : succeed(reply);
}
