import { checkOperation, type KvOperation } from '../machine/kv.js';
import { FieldError } from './field-error.js';
import { integer, member, procedureName, time, value } from './scalars.js';
import { bool, type Codec, structOf, unionOf } from './schema.js';

type Of<Kind extends KvOperation['kind']> = Extract<KvOperation, { kind: Kind }>;
type TotalUntil = Of<'total'> & { readonly expires: number };
type Lasting<Kind extends 'put' | 'putIfAbsent'> = Of<Kind> & { readonly ttlMs: number };

const putOperation = structOf<Of<'put'>>('PutOperation')
  .required(1, 'value', value, (operation) => operation.value)
  .build((value) => ({ kind: 'put', value }));

const deleteOperation = structOf<Of<'delete'>>('DeleteOperation').build(() => ({ kind: 'delete' }));

const incrementOperation = structOf<Of<'increment'>>('IncrementOperation')
  .required(1, 'by', integer, (operation) => operation.by)
  .build((by) => ({ kind: 'increment', by }));

const appendOperation = structOf<Of<'append'>>('AppendOperation')
  .required(1, 'bytes', value, (operation) => operation.bytes)
  .build((bytes) => ({ kind: 'append', bytes }));

const setAddOperation = structOf<Of<'setAdd'>>('SetAddOperation')
  .required(1, 'member', member, (operation) => operation.member)
  .build((member) => ({ kind: 'setAdd', member }));

const setRemoveOperation = structOf<Of<'setRemove'>>('SetRemoveOperation')
  .required(1, 'member', member, (operation) => operation.member)
  .build((member) => ({ kind: 'setRemove', member }));

const putIfAbsentOperation = structOf<Of<'putIfAbsent'>>('PutIfAbsentOperation')
  .required(1, 'value', value, (operation) => operation.value)
  .build((value) => ({ kind: 'putIfAbsent', value }));

const mergeOperation = structOf<Of<'merge'>>('MergeOperation')
  .required(1, 'procedure', procedureName, (operation) => operation.procedure)
  .required(2, 'value', value, (operation) => operation.value)
  .optional(3, 'expected', value, ({ expects }) => (expects instanceof Uint8Array ? expects : null))
  .optional(4, 'expectsAbsent', bool, ({ expects }) => (expects === 'absent' ? true : null))
  .build((procedure, value, expected, expectsAbsent) => {
    if (expectsAbsent === true && expected !== null) {
      throw new FieldError('ERR_INVALID_VALUE', 'a merge that expects a value, and that there is none');
    }
    return { kind: 'merge', procedure, value, expects: expectsAbsent === true ? 'absent' : expected };
  });

const totalOperation = structOf<Of<'total'>>('TotalOperation')
  .required(1, 'value', value, (operation) => operation.value)
  .build((value) => ({ kind: 'total', value }));

const putForOperation = structOf<Lasting<'put'>>('PutForOperation')
  .required(1, 'value', value, (operation) => operation.value)
  .required(2, 'ttlMs', integer, (operation) => operation.ttlMs)
  .optional(3, 'expires', time, (operation) => operation.expires ?? null)
  .build((value, ttlMs, expires) => ({ kind: 'put', value, ttlMs, ...until(expires) }));

const putIfAbsentForOperation = structOf<Lasting<'putIfAbsent'>>('PutIfAbsentForOperation')
  .required(1, 'value', value, (operation) => operation.value)
  .required(2, 'ttlMs', integer, (operation) => operation.ttlMs)
  .optional(3, 'expires', time, (operation) => operation.expires ?? null)
  .build((value, ttlMs, expires) => ({ kind: 'putIfAbsent', value, ttlMs, ...until(expires) }));

const totalUntilOperation = structOf<TotalUntil>('TotalUntilOperation')
  .required(1, 'value', value, (operation) => operation.value)
  .required(2, 'expires', time, (operation) => operation.expires)
  .build((value, expires) => ({ kind: 'total', value, expires }));

function until(expires: number | null): { readonly expires?: number } {
  return expires === null ? {} : { expires };
}

export const operation: Codec<KvOperation> = unionOf<KvOperation>('Operation')
  .arm(1, 'put', putOperation, (it): it is Of<'put'> => it.kind === 'put' && it.ttlMs === undefined)
  .arm(2, 'remove', deleteOperation, (operation) => operation.kind === 'delete')
  .arm(3, 'increment', incrementOperation, (operation) => operation.kind === 'increment')
  .arm(4, 'append', appendOperation, (operation) => operation.kind === 'append')
  .arm(5, 'setAdd', setAddOperation, (operation) => operation.kind === 'setAdd')
  .arm(6, 'setRemove', setRemoveOperation, (operation) => operation.kind === 'setRemove')
  .arm(
    7,
    'putIfAbsent',
    putIfAbsentOperation,
    (it): it is Of<'putIfAbsent'> => it.kind === 'putIfAbsent' && it.ttlMs === undefined,
  )
  .arm(8, 'total', totalOperation, (it): it is Of<'total'> => it.kind === 'total' && it.expires === undefined)
  .arm(9, 'merge', mergeOperation, (operation) => operation.kind === 'merge')
  .arm(10, 'putFor', putForOperation, (it): it is Lasting<'put'> => it.kind === 'put' && it.ttlMs !== undefined)
  .arm(
    11,
    'putIfAbsentFor',
    putIfAbsentForOperation,
    (it): it is Lasting<'putIfAbsent'> => it.kind === 'putIfAbsent' && it.ttlMs !== undefined,
  )
  .arm(12, 'totalUntil', totalUntilOperation, (it): it is TotalUntil => it.kind === 'total' && it.expires !== undefined)
  .build();

/** As a client may send it. */
export const sentOperation: Codec<KvOperation> = {
  ...operation,
  read: (reader) => {
    const sent = operation.read(reader);
    const wrong = checkOperation(sent);
    if (wrong !== null) throw new FieldError(wrong.code, wrong.message);
    return sent;
  },
};
