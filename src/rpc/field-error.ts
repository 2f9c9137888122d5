import { BaristaError, type ErrorCode } from '../base/errors.js';

/**
 * A value that is not what barista.thrift describes. Thrown by codecs, in both directions, and given its path by the
 * structs and lists around it; nothing outside this room sees one.
 */
export class FieldError extends Error {
  override readonly name = 'FieldError';
  readonly code: ErrorCode;
  #path = '';

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  /** Prepends one step of the way from the message to the value: `.key` or `[3]`. */
  within(step: string): this {
    this.#path = step + this.#path;
    return this;
  }

  /** The path from `root` and what is wrong there, under this error's code or another. */
  toBaristaError(root: string, code: ErrorCode = this.code): BaristaError {
    return new BaristaError(code, `${root}${this.#path}: ${this.message}`);
  }
}

export function malformed(message: string): FieldError {
  return new FieldError('ERR_PROTOCOL', message);
}

/** For catch blocks of codecs. */
export function located(thrown: unknown, step: string): unknown {
  return thrown instanceof FieldError ? thrown.within(step) : thrown;
}
