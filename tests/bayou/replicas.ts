import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import type { ClusterTerms, PullBatch, PullRequest, WriteRequest } from '../../src/bayou/messages.js';
import { Replica } from '../../src/bayou/replica.js';
import type { VersionVector } from '../../src/bayou/version-vector.js';
import { type KvOperation, kvMachine } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';

export type KvReplica = Replica<KvOperation, Uint8Array>;

export const TERMS: ClusterTerms = {
  protocol: 1,
  cluster: 'test',
  tieBreak: 'higher',
  clock: 'logical',
  retryWindowMs: 600_000,
};
export const LIMITS = { writesMax: 100, bytesMax: 1_000_000 };

export function replicaOf(id: string, terms: Partial<ClusterTerms> = {}, maxDriftMs: number | null = null): KvReplica {
  const storage = new MemoryStorage<KvOperation>();
  return new Replica({
    origin: originOf(id as ReplicaId, 1),
    terms: { ...TERMS, ...terms },
    machine: kvMachine,
    storage,
    maxDriftMs,
  });
}

export function put(
  client: string,
  clientTime: number,
  key: string,
  text: string,
  after = 0,
): WriteRequest<KvOperation> {
  const operation: KvOperation = { kind: 'put', value: new TextEncoder().encode(text) };
  return { client: client as ClientId, clientTime, key, operation, after, needs: null };
}

export function remove(client: string, clientTime: number, key: string): WriteRequest<KvOperation> {
  return { client: client as ClientId, clientTime, key, operation: { kind: 'delete' }, after: 0, needs: null };
}

export function get(replica: KvReplica, key: string, needs: VersionVector | null = null): string {
  const reply = replica.read({ key, needs });
  return reply.kind === 'found' ? new TextDecoder().decode(reply.value) : reply.kind;
}

export function serve(replica: KvReplica, request: PullRequest, now = 0): PullBatch<KvOperation> {
  const batch = replica.serve(request, now);
  if ('kind' in batch) throw new Error(batch.message);
  return batch;
}

/** `to` takes over all that `from` has. */
export function pull(to: KvReplica, from: KvReplica, limits = LIMITS): number {
  for (let steps = 1; ; steps++) {
    const request = to.nextPull(from.id, limits);
    const outcome = to.integrate(from.id, request, serve(from, request), 0);
    if (outcome.kind !== 'integrated') throw new Error(outcome.kind);
    if (!outcome.more) return steps;
  }
}

export function log(replica: KvReplica): string[] {
  return [...replica.log(null)].map((write) => `${write.acceptTime}@${write.origin} ${write.key}`);
}
