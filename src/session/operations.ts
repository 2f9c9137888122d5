import { BaristaError } from '../base/errors.js';
import { BATCH_PARTS_MAX } from '../base/limits.js';
import type { BatchPart as CorePart } from '../bayou/messages.js';
import { checkOperation, type KvOperation } from '../machine/kv.js';
import { checkParts } from '../machine/kv-batch.js';
import { checkText } from './check-text.js';
import type { BatchPart, Operation } from './session.js';
import { decodeValue, encodeValue, type ValueCodec } from './value-codec.js';

/** A program's operation as the replicas know it; ERR_INVALID_VALUE if what it carries is not one, ERR_OPTION if there is no such. */
export function encodeOperation<V>(codec: ValueCodec<V>, operation: Operation<V>): KvOperation {
  const encoded = encode(codec, operation);
  const wrong = checkOperation(encoded);
  if (wrong !== null) throw wrong;
  return encoded;
}

/** A program's batch likewise; ERR_BATCH if it is none. */
export function encodeParts<V>(codec: ValueCodec<V>, parts: readonly BatchPart<V>[]): readonly CorePart<KvOperation>[] {
  if (!Array.isArray(parts)) throw new BaristaError('ERR_BATCH', 'a batch is not an array of operations');
  // Of more it would be in vain to look at each.
  const encoded = parts.slice(0, BATCH_PARTS_MAX + 1).map((part: BatchPart<V>) => {
    checkText(part?.key);
    return { key: part.key, operation: encodeOperation(codec, part) };
  });
  const wrong = checkParts(encoded);
  if (wrong !== null) throw wrong;
  return encoded;
}

function encode<V>(codec: ValueCodec<V>, operation: Operation<V>): KvOperation {
  switch (operation?.kind) {
    case 'put':
    case 'putIfAbsent':
      return { kind: operation.kind, value: encodeValue(codec, operation.value), ...lasting(operation.ttlMs) };
    case 'delete':
      return { kind: 'delete' };
    case 'increment':
      return { kind: 'increment', by: operation.by };
    case 'append':
      if (codec.concatenates !== true) {
        throw new BaristaError('ERR_INVALID_VALUE', `two values of the codec ${codec.name} together are none: put one`);
      }
      return { kind: 'append', bytes: encodeValue(codec, operation.value) };
    case 'setAdd':
    case 'setRemove':
      if (typeof operation.member !== 'string') {
        throw new BaristaError('ERR_INVALID_VALUE', 'the member of a set is not a string');
      }
      return { kind: operation.kind, member: operation.member };
    case 'merge': {
      const { procedure, expects, expectsAbsent } = operation;
      if (expects !== undefined && expectsAbsent === true) {
        throw new BaristaError('ERR_OPTION', 'a merge expects a value or an absent key, not both');
      }
      const expected = expects === undefined ? null : encodeValue(codec, expects);
      const value = encodeValue(codec, operation.value);
      return {
        kind: 'merge',
        value,
        procedure: String(procedure),
        expects: expectsAbsent === true ? 'absent' : expected,
      };
    }
    default:
      throw new BaristaError('ERR_OPTION', `there is no operation ${JSON.stringify(operation)}`);
  }
}

export function lasting(ttlMs: number | undefined): { readonly ttlMs?: number } {
  return ttlMs === undefined ? {} : { ttlMs };
}

/** The same back; what several writes came to is a put. ERR_INVALID_VALUE if the codec cannot read what it carries. */
export function decodeOperation<V>(codec: ValueCodec<V>, key: string, operation: KvOperation): Operation<V> {
  switch (operation.kind) {
    case 'put':
    case 'putIfAbsent':
      return { ...operation, value: decodeValue(codec, key, operation.value) };
    case 'total': {
      const { value, expires } = operation;
      return { kind: 'put', value: decodeValue(codec, key, value), ...(expires === undefined ? {} : { expires }) };
    }
    case 'merge': {
      const { procedure, expects } = operation;
      const value = decodeValue(codec, key, operation.value);
      if (expects === null) return { kind: 'merge', value, procedure };
      if (expects === 'absent') return { kind: 'merge', value, procedure, expectsAbsent: true };
      return { kind: 'merge', value, procedure, expects: decodeValue(codec, key, expects) };
    }
    case 'append':
      return { kind: 'append', value: decodeValue(codec, key, operation.bytes) };
    case 'delete':
    case 'increment':
    case 'setAdd':
    case 'setRemove':
      return operation;
  }
}
