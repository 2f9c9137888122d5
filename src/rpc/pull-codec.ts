import type {
  Attestation,
  ClockKind,
  ClusterTerms,
  PullBatch,
  PullRequest,
  Report,
  Resume,
  Standing,
  StoreCursor,
  StorePage,
} from '../bayou/messages.js';
import type { TieBreak } from '../bayou/write.js';
import type { KvOperation } from '../machine/kv.js';
import { packedWrites } from './packed-writes-codec.js';
import { bytesMax, clusterName, count, elementsMax, key, protocolVersion, replicaId, time } from './scalars.js';
import { bool, type Codec, enumeration, list, structOf } from './schema.js';
import { origin, versionVector } from './stamp-codec.js';

/* The messages of service Replication. */

const tieBreak: Codec<TieBreak> = enumeration<TieBreak>('TieBreak', { higher: ['HIGHER', 1], lower: ['LOWER', 2] });

const clockKind: Codec<ClockKind> = enumeration<ClockKind>('ClockKind', {
  logical: ['LOGICAL', 1],
  hybrid: ['HYBRID', 2],
});

export const clusterTerms: Codec<ClusterTerms> = structOf<ClusterTerms>('ClusterTerms')
  .required(1, 'protocol', protocolVersion, (terms) => terms.protocol)
  .required(2, 'cluster', clusterName, (terms) => terms.cluster)
  .required(3, 'tieBreak', tieBreak, (terms) => terms.tieBreak)
  .required(4, 'clock', clockKind, (terms) => terms.clock)
  .required(5, 'retryWindowMs', time, (terms) => terms.retryWindowMs)
  .build((protocol, cluster, tieBreak, clock, retryWindowMs) => ({
    protocol,
    cluster,
    tieBreak,
    clock,
    retryWindowMs,
  }));

export const resume: Codec<Resume> = structOf<Resume>('Resume')
  .required(1, 'received', versionVector, (resume) => resume.received)
  .required(2, 'target', versionVector, (resume) => resume.target)
  .build((received, target) => ({ received, target }));

export const storeCursor: Codec<StoreCursor> = structOf<StoreCursor>('StoreCursor')
  .required(1, 'time', time, (cursor) => cursor.time)
  .optional(2, 'after', key, (cursor) => cursor.after)
  .build((time, after) => ({ time, after }));

/** Not of the core: what every requester of ours can read, and the reader remembers of the one at the other end. */
export const inflates: Codec<boolean> = {
  ...bool,
  read: (reader) => {
    reader.senderInflates = reader.bool();
    return reader.senderInflates;
  },
};

export const pullRequest: Codec<PullRequest> = structOf<PullRequest>('PullRequest')
  .required(1, 'terms', clusterTerms, (request) => request.terms)
  .required(2, 'sender', origin, (request) => request.from)
  .required(3, 'recipient', replicaId, (request) => request.to)
  .required(4, 'seen', versionVector, (request) => request.seen)
  .optional(5, 'resume', resume, (request) => request.resume)
  .optional(6, 'store', storeCursor, (request) => request.store)
  .required(7, 'report', bool, (request) => request.report)
  .required(8, 'clock', time, (request) => request.clock)
  .required(9, 'life', time, (request) => request.life)
  .required(10, 'writesMax', elementsMax, (request) => request.writesMax)
  .required(11, 'bytesMax', bytesMax, (request) => request.bytesMax)
  .required(12, 'outside', bool, (request) => request.outside)
  .optional(13, 'inflates', inflates, () => true)
  .build((terms, from, to, seen, resume, store, report, clock, life, writesMax, bytesMax, outside) => ({
    terms,
    from,
    to,
    seen,
    resume,
    store,
    report,
    clock,
    life,
    writesMax,
    bytesMax,
    outside,
  }));

export const standing: Codec<Standing> = structOf<Standing>('Standing')
  .required(1, 'base', time, (standing) => standing.base)
  .required(2, 'floor', time, (standing) => standing.floor)
  .required(3, 'clock', time, (standing) => standing.clock)
  .required(4, 'members', count, (standing) => standing.members)
  .build((base, floor, clock, members) => ({ base, floor, clock, members }));

export const storePage: Codec<StorePage<KvOperation>> = structOf<StorePage<KvOperation>>('StorePage')
  .required(1, 'time', time, (page) => page.time)
  .required(2, 'vector', versionVector, (page) => page.vector)
  .optional(3, 'after', key, (page) => page.after)
  .required(4, 'entries', packedWrites, (page) => page.entries)
  .optional(5, 'upTo', key, (page) => page.upTo)
  .build((time, vector, after, entries, upTo) => ({ time, vector, after, entries, upTo }));

const attestation: Codec<Attestation> = structOf<Attestation>('Attestation')
  .required(1, 'origin', origin, (attestation) => attestation.origin)
  .required(2, 'clock', time, (attestation) => attestation.clock)
  .required(3, 'held', time, (attestation) => attestation.held)
  .required(4, 'view', time, (attestation) => attestation.view)
  .build((origin, clock, held, view) => ({ origin, clock, held, view }));

export const report: Codec<Report> = structOf<Report>('Report')
  .required(1, 'attestations', list(attestation), (report) => report.attestations)
  .required(2, 'retired', list(origin), (report) => report.retired)
  .build((attestations, retired) => ({ attestations, retired }));

export const pullBatch: Codec<PullBatch<KvOperation>> = structOf<PullBatch<KvOperation>>('PullBatch')
  .required(1, 'sender', origin, (batch) => batch.from)
  .required(2, 'resumed', bool, (batch) => batch.resumed)
  .required(3, 'writes', packedWrites, (batch) => batch.writes)
  .required(4, 'seen', versionVector, (batch) => batch.seen)
  .required(5, 'more', bool, (batch) => batch.more)
  .required(6, 'standing', standing, (batch) => batch.standing)
  .optional(7, 'store', storePage, (batch) => batch.store)
  .optional(8, 'left', time, (batch) => batch.left)
  .optional(9, 'report', report, (batch) => batch.report)
  .optional(10, 'replaced', versionVector, (batch) => batch.replaced ?? null)
  .build((from, resumed, writes, seen, more, standing, store, left, report, replaced) => ({
    from,
    resumed,
    writes,
    seen,
    more,
    standing,
    store,
    left,
    report,
    ...(replaced === null ? {} : { replaced }),
  }));
