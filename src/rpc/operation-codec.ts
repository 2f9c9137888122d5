import type { KvOperation } from '../machine/kv.js';
import { value } from './scalars.js';
import { type Codec, structOf, unionOf } from './schema.js';

type Put = Extract<KvOperation, { kind: 'put' }>;
type Delete = Extract<KvOperation, { kind: 'delete' }>;

const putOperation: Codec<Put> = structOf<Put>('PutOperation')
  .required(1, 'value', value, (operation) => operation.value)
  .build((value) => ({ kind: 'put', value }));

const deleteOperation: Codec<Delete> = structOf<Delete>('DeleteOperation').build(() => ({ kind: 'delete' }));

export const operation: Codec<KvOperation> = unionOf<KvOperation>('Operation')
  .arm(1, 'put', putOperation, (operation) => operation.kind === 'put')
  .arm(2, 'remove', deleteOperation, (operation) => operation.kind === 'delete')
  .build();
