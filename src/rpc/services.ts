import { fail, type Outcome, succeed } from '../base/outcome.js';
import {
  empty,
  linkRequest,
  logReply,
  logRequest,
  retireRequest,
  stabilizeReply,
  stabilizeRequest,
  statusReply,
  storeReply,
  storeRequest,
  unlinkRequest,
} from './admin-codec.js';
import { exportReply, exportRequest, importBatch, importReply, importRequest } from './bundle-codec.js';
import {
  batchRequest,
  deleteRequest,
  getReply,
  getRequest,
  holdsReply,
  holdsRequest,
  putRequest,
  writeReply,
  writeRequest,
  writeStateReply,
  writeStateRequest,
} from './client-codec.js';
import { conflictsReply, conflictsRequest } from './conflict-codec.js';
import { failure } from './failure-codec.js';
import { malformed } from './field-error.js';
import { historyReply, historyRequest } from './history-codec.js';
import { messageHead } from './message-header.js';
import { newsRequest } from './news-codec.js';
import { pullBatch, pullRequest } from './pull-codec.js';
import { getManyReply, getManyRequest, scanReply, scanRequest } from './read-codec.js';
import { type Codec, structOf } from './schema.js';
import { MessageType } from './thrift.js';
import { watchReply, watchRequest } from './watch-codec.js';

/** How the replies of a method stand on the wire. */
export interface ReplyForm<Reply> {
  readonly replyHead: Uint8Array;
  readonly result: Codec<Outcome<Reply>>;
}

/** A method of barista.thrift. */
export interface Method<Request, Reply> extends ReplyForm<Reply> {
  readonly service: string;
  /** As barista.thrift has it. */
  readonly name: string;
  /** Multiplexed: calls name the service and the method, replies only the method. */
  readonly callName: Uint8Array;
  readonly replyName: Uint8Array;
  readonly callHead: Uint8Array;
  readonly arguments: Codec<Request>;
}

export const METHODS = {
  put: method('KeyValue', 'put', putRequest, writeReply),
  remove: method('KeyValue', 'remove', deleteRequest, writeReply),
  write: method('KeyValue', 'write', writeRequest, writeReply),
  batch: method('KeyValue', 'batch', batchRequest, writeReply),
  get: method('KeyValue', 'get', getRequest, getReply),
  getMany: method('KeyValue', 'getMany', getManyRequest, getManyReply),
  scan: method('KeyValue', 'scan', scanRequest, scanReply),
  holds: method('KeyValue', 'holds', holdsRequest, holdsReply),
  writeState: method('KeyValue', 'writeState', writeStateRequest, writeStateReply),
  watch: method('KeyValue', 'watch', watchRequest, watchReply),
  history: method('KeyValue', 'history', historyRequest, historyReply),
  conflicts: method('KeyValue', 'conflicts', conflictsRequest, conflictsReply),
  pull: method('Replication', 'pull', pullRequest, pullBatch),
  news: method('Replication', 'news', newsRequest, empty),
  status: method('Admin', 'status', empty, statusReply),
  link: method('Admin', 'link', linkRequest, empty),
  unlink: method('Admin', 'unlink', unlinkRequest, empty),
  stabilize: method('Admin', 'stabilize', stabilizeRequest, stabilizeReply),
  store: method('Admin', 'store', storeRequest, storeReply),
  log: method('Admin', 'log', logRequest, logReply),
  retire: method('Admin', 'retire', retireRequest, empty),
  exportBatch: method('Admin', 'exportBatch', exportRequest, exportReply),
  beginImport: method('Admin', 'beginImport', importRequest, importReply),
  importBatch: method('Admin', 'importBatch', importBatch, importReply),
  shutdown: method('Admin', 'shutdown', empty, empty),
} as const;

function method<Request, Reply>(
  service: string,
  name: string,
  request: Codec<Request>,
  reply: Codec<Reply>,
): Method<Request, Reply> {
  const callName = Buffer.from(`${service}:${name}`);
  const replyName = Buffer.from(name);
  return {
    service,
    name,
    callName,
    replyName,
    callHead: messageHead(MessageType.call, callName),
    replyHead: messageHead(MessageType.reply, replyName),
    arguments: argumentsOf(name, request),
    result: resultOf(name, reply),
  };
}

/** Thrift's struct around the parameters of a method: ours have one. */
function argumentsOf<Request>(name: string, request: Codec<Request>): Codec<Request> {
  return structOf<Request>(`${name}_args`)
    .required(1, 'request', request, (value) => value)
    .build((value) => value);
}

/** Thrift's struct around what a method returns or throws: one of the two is set. */
function resultOf<Reply>(name: string, reply: Codec<Reply>): Codec<Outcome<Reply>> {
  return structOf<Outcome<Reply>>(`${name}_result`)
    .optional(0, 'success', reply, (outcome) => (outcome.ok ? outcome.value : null))
    .optional(1, 'failure', failure, (outcome) => (outcome.ok ? null : outcome.error))
    .build((value, error) => {
      if (error !== null) return fail(error);
      if (value === null) throw malformed('neither a result nor a failure');
      return succeed(value);
    });
}
