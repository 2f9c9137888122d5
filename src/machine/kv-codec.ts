import { DEFAULT_LIMITS } from '../base/limits.js';
import { bytesOf, textOf } from '../base/text.js';
import type { KvOperation } from './kv.js';
import { integerOf } from './kv-folding.js';

/** How each kind stands on disk and in packed writes: never another number for the same kind. */
const KINDS: Readonly<Record<KvOperation['kind'], number>> = {
  put: 1,
  delete: 2,
  increment: 3,
  append: 4,
  setAdd: 5,
  setRemove: 6,
  putIfAbsent: 7,
  total: 8,
};

const NOTHING = new Uint8Array();

function kindOf({ kind }: KvOperation): number {
  return KINDS[kind];
}

/** What the operation carries: bytes as they are, a member in UTF-8, a number in decimal digits. */
function bodyOf(operation: KvOperation): Uint8Array {
  switch (operation.kind) {
    case 'delete':
      return NOTHING;
    case 'increment':
      return bytesOf(String(operation.by));
    case 'append':
      return operation.bytes;
    case 'setAdd':
    case 'setRemove':
      return bytesOf(operation.member);
    default:
      return operation.value;
  }
}

function decode(kind: number, body: Uint8Array): KvOperation {
  switch (kind) {
    case KINDS.put:
      return { kind: 'put', value: body };
    case KINDS.delete:
      if (body.length > 0) break;
      return { kind: 'delete' };
    case KINDS.increment:
      return { kind: 'increment', by: numberFrom(body) };
    case KINDS.append:
      return { kind: 'append', bytes: body };
    case KINDS.setAdd:
      return { kind: 'setAdd', member: memberFrom(body) };
    case KINDS.setRemove:
      return { kind: 'setRemove', member: memberFrom(body) };
    case KINDS.putIfAbsent:
      return { kind: 'putIfAbsent', value: body };
    case KINDS.total:
      return { kind: 'total', value: body };
  }
  throw new RangeError(`no operation is of kind ${kind}, with ${body.length} bytes`);
}

/** How operations stand on disk. */
export const kvOperationCodec = { kindOf, bodyOf, decode } as const;

function numberFrom(body: Uint8Array): number {
  const number = integerOf(body);
  if (number === null) throw new RangeError('an increment that is no whole number within 2^53 - 1');
  return number;
}

function memberFrom(body: Uint8Array): string {
  const { memberBytesMax } = DEFAULT_LIMITS;
  if (body.length > memberBytesMax) throw new RangeError(`a member of ${body.length} bytes`);
  const member = textOf(body);
  if (member === null) throw new RangeError('a member that is not UTF-8');
  return member;
}
