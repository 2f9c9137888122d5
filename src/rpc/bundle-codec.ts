import { fail, succeed } from '../base/outcome.js';
import type {
  BundleEnd,
  BundleHead,
  BundleOffer,
  BundlePart,
  ExportReply,
  ExportRequest,
  ImportBatch,
  ImportReply,
} from '../bayou/bundle-messages.js';
import type { KvOperation } from '../machine/kv.js';
import { BinaryReader } from './binary-reader.js';
import { BinaryWriter } from './binary-writer.js';
import { failure } from './failure-codec.js';
import { FieldError, malformed } from './field-error.js';
import { FRAME_BYTES_MAX } from './limits.js';
import { packedWrites } from './packed-writes-codec.js';
import {
  clusterTerms,
  inflates,
  pullBatch,
  pullRequest,
  report,
  resume,
  standing,
  storeCursor,
  storePage,
} from './pull-codec.js';
import { bytesMax, elementsMax, time } from './scalars.js';
import { type Codec, structOf } from './schema.js';
import { origin, versionVector } from './stamp-codec.js';

/* The messages about bundles, and the blocks that bundles are made of. */

export const exportRequest: Codec<ExportRequest> = structOf<ExportRequest>('ExportRequest')
  .required(1, 'since', versionVector, (request) => request.since)
  .optional(2, 'resume', resume, (request) => request.resume)
  .optional(3, 'store', storeCursor, (request) => request.store)
  .required(4, 'writesMax', elementsMax, (request) => request.writesMax)
  .required(5, 'bytesMax', bytesMax, (request) => request.bytesMax)
  .optional(6, 'inflates', inflates, () => true)
  .build((since, resume, store, writesMax, bytesMax) => ({ since, resume, store, writesMax, bytesMax }));

export const exportReply: Codec<ExportReply<KvOperation>> = structOf<ExportReply<KvOperation>>('ExportReply')
  .required(1, 'terms', clusterTerms, (reply) => reply.terms)
  .required(2, 'batch', pullBatch, (reply) => reply.batch)
  .build((terms, batch) => ({ terms, batch }));

export const importRequest: Codec<BundleOffer> = structOf<BundleOffer>('ImportRequest')
  .required(1, 'terms', clusterTerms, (offer) => offer.terms)
  .required(2, 'sender', origin, (offer) => offer.from)
  .required(3, 'since', versionVector, (offer) => offer.since)
  .required(4, 'seen', versionVector, (offer) => offer.seen)
  .build((terms, from, since, seen) => ({ terms, from, since, seen }));

export const importBatch: Codec<ImportBatch<KvOperation>> = structOf<ImportBatch<KvOperation>>('ImportBatch')
  .required(1, 'number', time, (batch) => batch.number)
  .optional(2, 'batch', pullBatch, ({ batch }) => (batch.ok ? batch.value : null))
  .optional(3, 'failure', failure, ({ batch }) => (batch.ok ? null : batch.error))
  .build((number, batch, error) => {
    if (error !== null) return { number, batch: fail(error) };
    if (batch === null) throw malformed('neither a batch nor a failure');
    return { number, batch: succeed(batch) };
  });

export const importReply: Codec<ImportReply> = structOf<ImportReply>('ImportReply')
  .required(1, 'number', time, (reply) => reply.number)
  .optional(2, 'request', pullRequest, (reply) => reply.request)
  .build((number, request) => ({ number, request }));

export const bundleHead: Codec<BundleHead> = structOf<BundleHead>('BundleHead')
  .required(1, 'terms', clusterTerms, (head) => head.terms)
  .required(2, 'sender', origin, (head) => head.from)
  .required(3, 'since', versionVector, (head) => head.since)
  .build((terms, from, since) => ({ terms, from, since }));

export const bundlePart: Codec<BundlePart<KvOperation>> = structOf<BundlePart<KvOperation>>('BundlePart')
  .required(1, 'writes', packedWrites, (part) => part.writes)
  .optional(2, 'store', storePage, (part) => part.store)
  .build((writes, store) => ({ writes, store }));

export const bundleEnd: Codec<BundleEnd> = structOf<BundleEnd>('BundleEnd')
  .required(1, 'seen', versionVector, (end) => end.seen)
  .required(2, 'standing', standing, (end) => end.standing)
  .required(3, 'report', report, (end) => end.report)
  .required(4, 'entries', time, (end) => end.entries)
  .optional(5, 'replaced', versionVector, (end) => end.replaced ?? null)
  .build((seen, standing, report, entries, replaced) => {
    return { seen, standing, report, entries, ...(replaced === null ? {} : { replaced }) };
  });

const NO_HEAD = new Uint8Array(0);
/** The length and the sequence id of a message without a head. */
const MESSAGE_BYTES = 8;

/** A struct by itself, in Thrift's binary protocol. */
export function encoded<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new BinaryWriter(FRAME_BYTES_MAX);
  writer.begin(NO_HEAD, 0);
  codec.write(writer, value);
  writer.end();
  return writer.frames().subarray(MESSAGE_BYTES);
}

/** The value that `encoded` made `bytes` of; or what is wrong with them. */
export function decoded<T>(codec: Codec<T>, bytes: Buffer): T | string {
  const reader = new BinaryReader();
  reader.reset(bytes, 0, bytes.length);
  try {
    const value = codec.read(reader);
    if (reader.remaining > 0) throw malformed(`${reader.remaining} bytes after its end`);
    return value;
  } catch (thrown) {
    if (thrown instanceof FieldError) return thrown.toBaristaError('block').message;
    throw thrown;
  }
}
