import type { ClientId, Origin } from '../base/ids.js';
import type { ClockKind, ClusterTerms, PullBatch, PullRequest, Resume } from '../bayou/messages.js';
import type { VersionVector } from '../bayou/version-vector.js';
import type { TieBreak, Write } from '../bayou/write.js';
import type { KvOperation } from '../machine/kv.js';
import { malformed } from './field-error.js';
import { operation } from './operation-codec.js';
import {
  bytesMax,
  clientId,
  clusterName,
  elementsMax,
  key,
  protocolVersion,
  replicaId,
  tableIndex,
  time,
  writeTime,
} from './scalars.js';
import { bool, type Codec, enumeration, list, mapped, structOf } from './schema.js';
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
  .build((protocol, cluster, tieBreak, clock) => ({ protocol, cluster, tieBreak, clock }));

const resume: Codec<Resume> = structOf<Resume>('Resume')
  .required(1, 'received', versionVector, (resume) => resume.received)
  .required(2, 'target', versionVector, (resume) => resume.target)
  .build((received, target) => ({ received, target }));

export const pullRequest: Codec<PullRequest> = structOf<PullRequest>('PullRequest')
  .required(1, 'terms', clusterTerms, (request) => request.terms)
  .required(2, 'sender', origin, (request) => request.from)
  .required(3, 'recipient', replicaId, (request) => request.to)
  .required(4, 'seen', versionVector, (request) => request.seen)
  .optional(5, 'resume', resume, (request) => request.resume)
  .required(6, 'writesMax', elementsMax, (request) => request.writesMax)
  .required(7, 'bytesMax', bytesMax, (request) => request.bytesMax)
  .build((terms, from, to, seen, resume, writesMax, bytesMax) => ({
    terms,
    from,
    to,
    seen,
    resume,
    writesMax,
    bytesMax,
  }));

/** A write whose origin and client are places in the tables of its batch. */
interface BatchWrite extends Omit<Write<KvOperation>, 'origin' | 'client'> {
  readonly origin: number;
  readonly client: number;
}

const batchWrite: Codec<BatchWrite> = structOf<BatchWrite>('BatchWrite')
  .required(1, 'origin', tableIndex, (write) => write.origin)
  .required(2, 'acceptTime', writeTime, (write) => write.acceptTime)
  .required(3, 'client', tableIndex, (write) => write.client)
  .required(4, 'clientTime', time, (write) => write.clientTime)
  .required(5, 'key', key, (write) => write.key)
  .required(6, 'operation', operation, (write) => write.operation)
  .build((origin, acceptTime, client, clientTime, key, operation) => ({
    origin,
    acceptTime,
    client,
    clientTime,
    key,
    operation,
  }));

interface TabledBatch {
  readonly from: Origin;
  readonly resumed: boolean;
  readonly origins: readonly Origin[];
  readonly clients: readonly ClientId[];
  readonly writes: readonly BatchWrite[];
  readonly seen: VersionVector;
  readonly more: boolean;
}

const tabledBatch: Codec<TabledBatch> = structOf<TabledBatch>('PullBatch')
  .required(1, 'sender', origin, (batch) => batch.from)
  .required(2, 'resumed', bool, (batch) => batch.resumed)
  .required(3, 'origins', list(origin), (batch) => batch.origins)
  .required(4, 'clients', list(clientId), (batch) => batch.clients)
  .required(5, 'writes', list(batchWrite), (batch) => batch.writes)
  .required(6, 'seen', versionVector, (batch) => batch.seen)
  .required(7, 'more', bool, (batch) => batch.more)
  .build((from, resumed, origins, clients, writes, seen, more) => ({
    from,
    resumed,
    origins,
    clients,
    writes,
    seen,
    more,
  }));

export const pullBatch: Codec<PullBatch<KvOperation>> = mapped(
  tabledBatch,
  ({ from, resumed, origins, clients, writes, seen, more }) => ({
    from,
    resumed,
    writes: writes.map(
      (write, index): Write<KvOperation> => ({
        origin: entryOf(origins, write.origin, index, 'origin'),
        acceptTime: write.acceptTime,
        client: entryOf(clients, write.client, index, 'client'),
        clientTime: write.clientTime,
        key: write.key,
        operation: write.operation,
      }),
    ),
    seen,
    more,
  }),
  ({ from, resumed, writes, seen, more }) => {
    const origins = new Table<Origin>();
    const clients = new Table<ClientId>();
    const rows = writes.map(
      (write): BatchWrite => ({
        origin: origins.indexOf(write.origin),
        acceptTime: write.acceptTime,
        client: clients.indexOf(write.client),
        clientTime: write.clientTime,
        key: write.key,
        operation: write.operation,
      }),
    );
    return { from, resumed, origins: origins.entries(), clients: clients.entries(), writes: rows, seen, more };
  },
);

function entryOf<T>(table: readonly T[], place: number, write: number, field: 'origin' | 'client'): T {
  const entry = table[place];
  if (entry !== undefined) return entry;
  throw malformed(`${place} is not a place in a table of ${table.length}`).within(`.writes[${write}].${field}`);
}

/** Gives each entry a place, in the order they first come. */
class Table<T> {
  readonly #places = new Map<T, number>();

  indexOf(entry: T): number {
    const place = this.#places.get(entry) ?? this.#places.size;
    if (place === this.#places.size) this.#places.set(entry, place);
    return place;
  }

  entries(): readonly T[] {
    return [...this.#places.keys()];
  }
}
