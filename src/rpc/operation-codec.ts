import { checkOperation, type KvOperation } from '../machine/kv.js';
import { FieldError } from './field-error.js';
import { integer, member, procedureName, value } from './scalars.js';
import { bool, type Codec, structOf, unionOf } from './schema.js';

type Of<Kind extends KvOperation['kind']> = Extract<KvOperation, { kind: Kind }>;

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

export const operation: Codec<KvOperation> = unionOf<KvOperation>('Operation')
  .arm(1, 'put', putOperation, (operation) => operation.kind === 'put')
  .arm(2, 'remove', deleteOperation, (operation) => operation.kind === 'delete')
  .arm(3, 'increment', incrementOperation, (operation) => operation.kind === 'increment')
  .arm(4, 'append', appendOperation, (operation) => operation.kind === 'append')
  .arm(5, 'setAdd', setAddOperation, (operation) => operation.kind === 'setAdd')
  .arm(6, 'setRemove', setRemoveOperation, (operation) => operation.kind === 'setRemove')
  .arm(7, 'putIfAbsent', putIfAbsentOperation, (operation) => operation.kind === 'putIfAbsent')
  .arm(8, 'total', totalOperation, (operation) => operation.kind === 'total')
  .arm(9, 'merge', mergeOperation, (operation) => operation.kind === 'merge')
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
