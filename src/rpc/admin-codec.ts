import type {
  LinkRequest,
  LinkStatus,
  LogReply,
  LogRequest,
  Progress,
  PullOutcome,
  RetireRequest,
  StabilizeReply,
  StabilizeRequest,
  Status,
  StoreReply,
  StoreRequest,
  UnlinkRequest,
} from '../bayou/admin-messages.js';
import type { Drift } from '../bayou/messages.js';
import { marked, type Write } from '../bayou/write.js';
import type { KvOperation } from '../machine/kv.js';
import { operation } from './operation-codec.js';
import { clusterTerms } from './pull-codec.js';
import {
  clientId,
  elementsMax,
  errorCode,
  host,
  incarnation,
  key,
  message,
  milliseconds,
  port,
  procedureName,
  replicaId,
  time,
  value,
} from './scalars.js';
import { bool, type Codec, list, structOf } from './schema.js';
import { acceptStamp, origin, versionVector } from './stamp-codec.js';

/* The messages of service Admin. */

export const empty: Codec<void> = structOf<void>('Empty').build(() => undefined);

export const linkRequest: Codec<LinkRequest> = structOf<LinkRequest>('LinkRequest')
  .required(1, 'peer', replicaId, (request) => request.peer)
  .required(2, 'host', host, (request) => request.address.host)
  .required(3, 'port', port, (request) => request.address.port)
  .optional(4, 'incarnation', incarnation, (request) => request.incarnation)
  .build((peer, host, port, incarnation) => ({ peer, address: { host, port }, incarnation }));

export const unlinkRequest: Codec<UnlinkRequest> = structOf<UnlinkRequest>('UnlinkRequest')
  .required(1, 'peer', replicaId, (request) => request.peer)
  .build((peer) => ({ peer }));

export const retireRequest: Codec<RetireRequest> = structOf<RetireRequest>('RetireRequest')
  .required(1, 'id', replicaId, (request) => request.id)
  .build((id) => ({ id }));

const drift: Codec<Drift> = structOf<Drift>('Drift')
  .required(1, 'origin', origin, (drift) => drift.origin)
  .required(2, 'aheadMs', time, (drift) => drift.aheadMs)
  .build((origin, aheadMs) => ({ origin, aheadMs }));

const progress: Codec<Progress> = structOf<Progress>('Progress')
  .required(1, 'done', time, (progress) => progress.done)
  .required(2, 'total', time, (progress) => progress.total)
  .required(3, 'perSecond', time, (progress) => Math.round(progress.perSecond))
  .build((done, total, perSecond) => ({ done, total, perSecond }));

const linkStatus: Codec<LinkStatus> = structOf<LinkStatus>('LinkStatus')
  .required(1, 'peer', replicaId, (link) => link.peer)
  .required(2, 'host', host, (link) => link.address.host)
  .required(3, 'port', port, (link) => link.address.port)
  .optional(4, 'lastError', errorCode, (link) => link.lastError)
  .optional(5, 'drift', drift, (link) => link.drift)
  .optional(6, 'progress', progress, (link) => link.progress)
  .build((peer, host, port, lastError, drift, progress) => ({
    peer,
    address: { host, port },
    lastError,
    drift,
    progress,
  }));

export const statusReply: Codec<Status> = structOf<Status>('StatusReply')
  .required(1, 'origin', origin, (status) => status.origin)
  .required(2, 'terms', clusterTerms, (status) => status.terms)
  .required(3, 'seen', versionVector, (status) => status.seen)
  .required(4, 'writes', time, (status) => status.writes)
  .required(5, 'base', time, (status) => status.base)
  .required(6, 'stable', time, (status) => status.stable)
  .required(7, 'waitsFor', list(origin), (status) => status.waitsFor)
  .required(8, 'retired', list(origin), (status) => status.retired)
  .required(9, 'links', list(linkStatus), (status) => status.links)
  .optional(10, 'lacks', list(procedureName), ({ lacks }) => (lacks.length === 0 ? null : lacks))
  .build((origin, terms, seen, writes, base, stable, waitsFor, retired, links, lacks) => ({
    origin,
    terms,
    seen,
    writes,
    base,
    stable,
    waitsFor,
    retired,
    links,
    lacks: lacks ?? [],
  }));

export const stabilizeRequest: Codec<StabilizeRequest> = structOf<StabilizeRequest>('StabilizeRequest')
  .optional(1, 'peers', list(replicaId), (request) => request.peers)
  .required(2, 'budgetMs', milliseconds, (request) => request.budgetMs)
  .required(3, 'compact', bool, (request) => request.compact)
  .build((peers, budgetMs, compact) => ({ peers, budgetMs, compact }));

const pullOutcome: Codec<PullOutcome> = structOf<PullOutcome>('PullOutcome')
  .required(1, 'peer', replicaId, (outcome) => outcome.peer)
  .required(2, 'done', bool, (outcome) => outcome.done)
  .optional(3, 'errorCode', errorCode, ({ error }) => error?.code ?? null)
  .optional(4, 'errorMessage', message, ({ error }) => error?.message ?? null)
  .build((peer, done, code, message) => ({
    peer,
    done,
    error: code === null ? null : { code, message: message ?? '' },
  }));

export const stabilizeReply: Codec<StabilizeReply> = structOf<StabilizeReply>('StabilizeReply')
  .required(1, 'outcomes', list(pullOutcome), (reply) => reply.outcomes)
  .required(2, 'seen', versionVector, (reply) => reply.seen)
  .build((outcomes, seen) => ({ outcomes, seen }));

export const storeRequest: Codec<StoreRequest> = structOf<StoreRequest>('StoreRequest')
  .optional(1, 'after', key, (request) => request.after)
  .required(2, 'entriesMax', elementsMax, (request) => request.entriesMax)
  .build((after, entriesMax) => ({ after, entriesMax }));

type StoreEntry = StoreReply<Uint8Array>['entries'][number];

const storeEntry: Codec<StoreEntry> = structOf<StoreEntry>('StoreEntry')
  .required(1, 'key', key, (entry) => entry.key)
  .required(2, 'value', value, (entry) => entry.value)
  .build((key, value) => ({ key, value }));

export const storeReply: Codec<StoreReply<Uint8Array>> = structOf<StoreReply<Uint8Array>>('StoreReply')
  .required(1, 'entries', list(storeEntry), (reply) => reply.entries)
  .required(2, 'more', bool, (reply) => reply.more)
  .build((entries, more) => ({ entries, more }));

export const logRequest: Codec<LogRequest> = structOf<LogRequest>('LogRequest')
  .optional(1, 'after', acceptStamp, (request) => request.after)
  .required(2, 'writesMax', elementsMax, (request) => request.writesMax)
  .build((after, writesMax) => ({ after, writesMax }));

const logEntry: Codec<Write<KvOperation>> = structOf<Write<KvOperation>>('LogEntry')
  .required(1, 'stamp', acceptStamp, (write) => write)
  .required(2, 'client', clientId, (write) => write.client)
  .required(3, 'clientTime', time, (write) => write.clientTime)
  .required(4, 'key', key, (write) => write.key)
  .required(5, 'operation', operation, (write) => write.operation)
  .optional(6, 'resubmitted', bool, (write) => write.resubmitted ?? null)
  .optional(7, 'part', bool, (write) => write.part ?? null)
  .build(({ origin, acceptTime }, client, clientTime, key, operation, resubmitted, part) => {
    const write = { origin, acceptTime, client, clientTime, key, operation };
    return marked(write, resubmitted === true, part === true);
  });

export const logReply: Codec<LogReply<KvOperation>> = structOf<LogReply<KvOperation>>('LogReply')
  .required(1, 'entries', list(logEntry), (reply) => reply.entries)
  .required(2, 'more', bool, (reply) => reply.more)
  .build((entries, more) => ({ entries, more }));
