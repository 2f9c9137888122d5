import { BaristaError } from '../base/errors.js';
import type { KvOperation } from '../machine/kv.js';
import type { Operation } from './session.js';
import { encodeValue, type ValueCodec } from './value-codec.js';

/** A program's operation as the replicas know it; ERR_INVALID_VALUE if its value is not one, ERR_OPTION if there is no such. */
export function encodeOperation<V>(codec: ValueCodec<V>, operation: Operation<V>): KvOperation {
  switch (operation?.kind) {
    case 'put':
      return { kind: 'put', value: encodeValue(codec, operation.value) };
    case 'delete':
      return { kind: 'delete' };
    default:
      throw new BaristaError('ERR_OPTION', `there is no operation ${JSON.stringify(operation)}`);
  }
}
