import { BaristaError, type ErrorCode, isErrorCode } from '../base/errors.js';
import { errorCodeText, exceptionType, message } from './scalars.js';
import { type Codec, structOf } from './schema.js';
import { ExceptionType } from './thrift.js';

/** How a call fails. The advice goes out for clients in other languages; here the catalogue has it. */
export const failure: Codec<BaristaError> = structOf<BaristaError>('Failure')
  .required(1, 'code', errorCodeText, (error) => error.code)
  .required(2, 'message', message, (error) => error.message)
  .required(3, 'advice', message, (error) => error.advice)
  .build((code, message, advice) =>
    isErrorCode(code)
      ? new BaristaError(code, message)
      : new BaristaError('ERR_PROTOCOL', `a failure this version does not know, ${code}: ${message} ${advice}`),
  );

/**
 * Thrift's own exception, for what fails before a method is found. Its message begins with our code, so that our
 * client gives back the error the server met; a stock server sends only the type.
 */
export const applicationException: Codec<BaristaError> = structOf<BaristaError>('TApplicationException')
  .optional(1, 'message', message, (error) => `${error.code}: ${error.message}`)
  .optional(2, 'type', exceptionType, (error) => EXCEPTION_TYPES[error.code] ?? ExceptionType.protocolError)
  .build((text, type) => {
    const [, code = '', rest = ''] = /^(ERR_\w+): (.*)$/su.exec(text ?? '') ?? [];
    if (isErrorCode(code)) return new BaristaError(code, rest);
    return new BaristaError(codeOf(type), text ?? `a Thrift exception of type ${type}`);
  });

const EXCEPTION_TYPES: Partial<Record<ErrorCode, number>> = {
  ERR_UNKNOWN_METHOD: ExceptionType.unknownMethod,
  ERR_INTERNAL: ExceptionType.internalError,
};

function codeOf(type: number | null): ErrorCode {
  if (type === ExceptionType.unknownMethod) return 'ERR_UNKNOWN_METHOD';
  if (type === ExceptionType.internalError) return 'ERR_INTERNAL';
  return 'ERR_PROTOCOL';
}
