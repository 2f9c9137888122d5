import { assert } from '../base/assert.js';
import type { HoldsReply, HoldsRequest, WriteState, WriteStateRequest } from '../bayou/hold-messages.js';
import type { BatchPart, BatchRequest, ReadReply, ReadRequest, WriteReply, WriteRequest } from '../bayou/messages.js';
import type { VersionVector } from '../bayou/version-vector.js';
import type { KvOperation } from '../machine/kv.js';
import { checkParts } from '../machine/kv-batch.js';
import { FieldError } from './field-error.js';
import { sentOperation } from './operation-codec.js';
import { clientId, count, key, milliseconds, time, value } from './scalars.js';
import { bool, type Codec, list, structOf, unionOf } from './schema.js';
import { acceptStamp, origin, versionVector } from './stamp-codec.js';

/* The messages of service KeyValue. A put and a delete are one request to us, and two methods on the wire. */

type KvWrite = WriteRequest<KvOperation>;

export const putRequest: Codec<KvWrite> = structOf<KvWrite>('PutRequest')
  .required(1, 'client', clientId, (request) => request.client)
  .required(2, 'clientTime', time, (request) => request.clientTime)
  .required(3, 'key', key, (request) => request.key)
  .required(4, 'value', value, ({ operation }) => {
    assert(operation.kind === 'put' && operation.ttlMs === undefined, 'only a put that stays is sent as one');
    return operation.value;
  })
  .optional(5, 'after', time, afterOf)
  .optional(6, 'needs', versionVector, (request) => request.needs)
  .build((client, clientTime, key, value, after, needs) => ({
    client,
    clientTime,
    key,
    operation: { kind: 'put', value },
    after: after ?? 0,
    needs,
  }));

export const deleteRequest: Codec<KvWrite> = structOf<KvWrite>('DeleteRequest')
  .required(1, 'client', clientId, (request) => request.client)
  .required(2, 'clientTime', time, (request) => request.clientTime)
  .required(3, 'key', key, (request) => request.key)
  .optional(4, 'after', time, afterOf)
  .optional(5, 'needs', versionVector, (request) => request.needs)
  .build((client, clientTime, key, after, needs) => ({
    client,
    clientTime,
    key,
    operation: { kind: 'delete' },
    after: after ?? 0,
    needs,
  }));

export const writeRequest: Codec<KvWrite> = structOf<KvWrite>('WriteRequest')
  .required(1, 'client', clientId, (request) => request.client)
  .required(2, 'clientTime', time, (request) => request.clientTime)
  .required(3, 'key', key, (request) => request.key)
  .required(4, 'operation', sentOperation, (request) => request.operation)
  .optional(5, 'after', time, afterOf)
  .optional(6, 'needs', versionVector, (request) => request.needs)
  .build((client, clientTime, key, operation, after, needs) => ({
    client,
    clientTime,
    key,
    operation,
    after: after ?? 0,
    needs,
  }));

type KvBatch = BatchRequest<KvOperation>;
type KvPart = BatchPart<KvOperation>;

const batchPart: Codec<KvPart> = structOf<KvPart>('BatchPart')
  .required(1, 'key', key, (part) => part.key)
  .required(2, 'operation', sentOperation, (part) => part.operation)
  .build((key, operation) => ({ key, operation }));

const batchMessage: Codec<KvBatch> = structOf<KvBatch>('BatchRequest')
  .required(1, 'client', clientId, (request) => request.client)
  .required(2, 'clientTime', time, (request) => request.clientTime)
  .required(3, 'parts', list(batchPart), (request) => request.parts)
  .optional(4, 'after', time, afterOf)
  .optional(5, 'needs', versionVector, (request) => request.needs)
  .build((client, clientTime, parts, after, needs) => ({ client, clientTime, parts, after: after ?? 0, needs }));

/** As a client may send it. */
export const batchRequest: Codec<KvBatch> = {
  ...batchMessage,
  read: (reader) => {
    const request = batchMessage.read(reader);
    const wrong = checkParts(request.parts);
    if (wrong !== null) throw new FieldError(wrong.code, wrong.message);
    return request;
  },
};

function afterOf(request: Pick<KvWrite, 'after'>): number | null {
  return request.after === 0 ? null : request.after;
}

export type Missing = { readonly kind: 'missing'; readonly missing: VersionVector };

export const missingReply: Codec<Missing> = structOf<Missing>('MissingReply')
  .required(1, 'missing', versionVector, (reply) => reply.missing)
  .build((missing) => ({ kind: 'missing', missing }));

type Accepted = Extract<WriteReply, { kind: 'accepted' }>;

/** An AcceptStamp on the wire. */
const acceptedReply: Codec<Accepted> = {
  shape: acceptStamp.shape,
  wireType: acceptStamp.wireType,
  read: (reader) => ({ kind: 'accepted', stamp: acceptStamp.read(reader) }),
  write: (writer, reply) => acceptStamp.write(writer, reply.stamp),
};

export const writeReply: Codec<WriteReply> = unionOf<WriteReply>('WriteReply')
  .arm(1, 'accepted', acceptedReply, (reply) => reply.kind === 'accepted')
  .arm(2, 'missing', missingReply, (reply) => reply.kind === 'missing')
  .build();

export const getRequest: Codec<ReadRequest> = structOf<ReadRequest>('GetRequest')
  .required(1, 'key', key, (request) => request.key)
  .optional(2, 'needs', versionVector, (request) => request.needs)
  .build((key, needs) => ({ key, needs }));

export type GetReply = ReadReply<Uint8Array>;
type Found = Extract<GetReply, { kind: 'found' }>;
type Absent = Extract<GetReply, { kind: 'absent' }>;

export const foundReply: Codec<Found> = structOf<Found>('FoundReply')
  .required(1, 'value', value, (reply) => reply.value)
  .required(2, 'stamp', acceptStamp, (reply) => reply.stamp)
  .optional(3, 'basis', versionVector, (reply) => reply.basis ?? null)
  .optional(4, 'expires', time, (reply) => reply.expires ?? null)
  .build((value, stamp, basis, expires) => ({ kind: 'found', value, stamp, ...present({ basis, expires }) }));

/** Those that are not null. */
export function present({ basis, expires }: { readonly basis: VersionVector | null; readonly expires: number | null }) {
  return { ...(basis === null ? {} : { basis }), ...(expires === null ? {} : { expires }) };
}

export const absentReply: Codec<Absent> = structOf<Absent>('AbsentReply').build(() => ({ kind: 'absent' }));

export const getReply: Codec<GetReply> = unionOf<GetReply>('GetReply')
  .arm(1, 'found', foundReply, (reply) => reply.kind === 'found')
  .arm(2, 'absent', absentReply, (reply) => reply.kind === 'absent')
  .arm(3, 'missing', missingReply, (reply) => reply.kind === 'missing')
  .build();

export const holdsRequest: Codec<HoldsRequest> = structOf<HoldsRequest>('HoldsRequest')
  .required(1, 'needs', versionVector, (request) => request.needs)
  .required(2, 'budgetMs', milliseconds, (request) => request.budgetMs)
  .build((needs, budgetMs) => ({ needs, budgetMs }));

export const holdsReply: Codec<HoldsReply> = structOf<HoldsReply>('HoldsReply')
  .optional(1, 'missing', versionVector, (reply) => reply.missing)
  .build((missing) => ({ missing }));

export const writeStateRequest: Codec<WriteStateRequest> = structOf<WriteStateRequest>('WriteStateRequest')
  .required(1, 'stamp', acceptStamp, (request) => request.stamp)
  .required(2, 'holders', count, (request) => request.holders)
  .required(3, 'stable', bool, (request) => request.stable)
  .required(4, 'budgetMs', milliseconds, (request) => request.budgetMs)
  .build((stamp, holders, stable, budgetMs) => ({ stamp, holders, stable, budgetMs }));

export const writeStateReply: Codec<WriteState> = structOf<WriteState>('WriteStateReply')
  .required(1, 'holders', list(origin), (state) => state.holders)
  .required(2, 'waitsFor', list(origin), (state) => state.waitsFor)
  .required(3, 'stable', bool, (state) => state.stable)
  .build((holders, waitsFor, stable) => ({ holders, waitsFor, stable }));
