import type fc from 'fast-check';
import * as admin from '../../src/rpc/admin-codec.js';
import * as bundle from '../../src/rpc/bundle-codec.js';
import * as client from '../../src/rpc/client-codec.js';
import { conflictsReply, conflictsRequest } from '../../src/rpc/conflict-codec.js';
import { failure } from '../../src/rpc/failure-codec.js';
import { historyReply, historyRequest } from '../../src/rpc/history-codec.js';
import { newsRequest } from '../../src/rpc/news-codec.js';
import * as pull from '../../src/rpc/pull-codec.js';
import * as read from '../../src/rpc/read-codec.js';
import type { Codec } from '../../src/rpc/schema.js';
import { watchReply, watchRequest } from '../../src/rpc/watch-codec.js';
import * as arbitrary from './arbitraries.js';

/** A message of barista.thrift: its codec, and arbitrary values of it. */
export interface MessageCase {
  readonly name: string;
  readonly codec: Codec<unknown>;
  readonly values: fc.Arbitrary<unknown>;
}

function messageCase<T>(codec: Codec<T>, values: fc.Arbitrary<T>): MessageCase {
  const { shape } = codec;
  return { name: 'name' in shape ? shape.name : shape.kind, codec, values };
}

/** What methods take and return, and blocks of bundles; every other struct of barista.thrift is a part of one of these. */
export const MESSAGES: readonly MessageCase[] = [
  messageCase(client.putRequest, arbitrary.putRequest),
  messageCase(client.deleteRequest, arbitrary.deleteRequest),
  messageCase(client.writeRequest, arbitrary.writeRequest),
  messageCase(client.writeReply, arbitrary.writeReply),
  messageCase(client.batchRequest, arbitrary.batchRequest),
  messageCase(client.getRequest, arbitrary.getRequest),
  messageCase(client.getReply, arbitrary.getReply),
  messageCase(read.getManyRequest, arbitrary.getManyRequest),
  messageCase(read.getManyReply, arbitrary.getManyReply),
  messageCase(read.scanRequest, arbitrary.scanRequest),
  messageCase(read.scanReply, arbitrary.scanReply),
  messageCase(client.holdsRequest, arbitrary.holdsRequest),
  messageCase(client.holdsReply, arbitrary.holdsReply),
  messageCase(client.writeStateRequest, arbitrary.writeStateRequest),
  messageCase(client.writeStateReply, arbitrary.writeStateReply),
  messageCase(watchRequest, arbitrary.watchRequest),
  messageCase(watchReply, arbitrary.watchReply),
  messageCase(historyRequest, arbitrary.historyRequest),
  messageCase(historyReply, arbitrary.historyReply),
  messageCase(conflictsRequest, arbitrary.conflictsRequest),
  messageCase(conflictsReply, arbitrary.conflictsReply),
  messageCase(pull.pullRequest, arbitrary.pullRequest),
  messageCase(pull.pullBatch, arbitrary.pullBatch),
  messageCase(newsRequest, arbitrary.newsRequest),
  messageCase(admin.empty, arbitrary.nothing),
  messageCase(admin.statusReply, arbitrary.status),
  messageCase(admin.linkRequest, arbitrary.linkRequest),
  messageCase(admin.unlinkRequest, arbitrary.unlinkRequest),
  messageCase(admin.retireRequest, arbitrary.retireRequest),
  messageCase(admin.stabilizeRequest, arbitrary.stabilizeRequest),
  messageCase(admin.stabilizeReply, arbitrary.stabilizeReply),
  messageCase(admin.storeRequest, arbitrary.storeRequest),
  messageCase(admin.storeReply, arbitrary.storeReply),
  messageCase(admin.logRequest, arbitrary.logRequest),
  messageCase(admin.logReply, arbitrary.logReply),
  messageCase(bundle.exportRequest, arbitrary.exportRequest),
  messageCase(bundle.exportReply, arbitrary.exportReply),
  messageCase(bundle.importRequest, arbitrary.importRequest),
  messageCase(bundle.importBatch, arbitrary.importBatch),
  messageCase(bundle.importReply, arbitrary.importReply),
  messageCase(bundle.bundleHead, arbitrary.bundleHead),
  messageCase(bundle.bundlePart, arbitrary.bundlePart),
  messageCase(bundle.bundleEnd, arbitrary.bundleEnd),
  messageCase(failure, arbitrary.failure),
];
