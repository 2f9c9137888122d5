import { type ClientId, incarnationOf, originOf, type ReplicaId } from '../../src/base/ids.js';
import type { ClusterTerms, PullBatch, PullRequest, Refused, WriteRequest } from '../../src/bayou/messages.js';
import { type Held, type Integrated, type Rejoin, Replica } from '../../src/bayou/replica.js';
import type { VersionVector } from '../../src/bayou/version-vector.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../../src/machine/kv.js';
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
  const storage = new MemoryStorage<KvOperation>(kvOperationCodec);
  return new Replica({
    origin: originOf(id as ReplicaId, 1),
    terms: { ...TERMS, ...terms },
    machine: kvMachine,
    storage,
    maxDriftMs,
  });
}

/** A replica over storage that outlives it. */
export interface Home {
  readonly storage: MemoryStorage<KvOperation>;
  replica: KvReplica;
}

export function homeOf(id: string, terms: Partial<ClusterTerms> = {}): Home {
  const storage = new MemoryStorage<KvOperation>(kvOperationCodec);
  return { storage, replica: openOver(storage, id, terms) };
}

/** A backup of the storage. */
export function copyOf(storage: MemoryStorage<KvOperation>): MemoryStorage<KvOperation> {
  const copy = new MemoryStorage<KvOperation>(kvOperationCodec);
  for (const key of storage.keys()) {
    storage.history(key).forEach((write, position) => void copy.insert(write, position));
    const base = storage.base(key);
    if (base !== null) copy.setBase(key, base);
  }
  for (const [origin, time] of storage.loadSeen().entries()) copy.saveSeen(origin, time);
  const state = storage.loadState();
  if (state !== null) copy.saveState(state);
  return copy;
}

/** What a driver does when a replica must take a new incarnation, as `peer` has it. */
export function rejoin(home: Home, peer: KvReplica): void {
  const { replica, storage } = home;
  replica.leave(peer.id);
  const incarnation = incarnationOf(replica.origin) + 1;
  home.replica = openOver(storage, replica.id, replica.terms, { incarnation });
}

/**
 * From `now` on each hears from each, as drivers would have it, and folds all it can: often for some seconds, and then for
 * so long that no base store is kept for who takes it.
 */
export function meetUp(homes: readonly Home[], now: number): void {
  for (let round = 0; round < 40; round++, now += round < 30 ? 100 : 10_000) {
    for (const to of homes) {
      for (const from of homes) {
        if (to === from) continue;
        const outcome = tryPull(to.replica, from.replica, now);
        const isRetired = outcome.kind === 'refused' && outcome.code === 'ERR_RETIRED';
        if (outcome.kind === 'rejoin' || isRetired) rejoin(to, from.replica);
      }
    }
    for (const { replica } of homes) fold(replica, now);
  }
}

/** Opens the storage anew, as after a restart. */
export function openOver(
  storage: MemoryStorage<KvOperation>,
  id: string,
  terms: Partial<ClusterTerms> = {},
  { incarnation = 1, life = 0, machine = kvMachine } = {},
): KvReplica {
  const origin = originOf(id as ReplicaId, incarnation);
  return new Replica({ origin, terms: { ...TERMS, ...terms }, machine, storage, life });
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
  const reply = replica.read({ key, needs }, 0);
  return reply.kind === 'found' ? new TextDecoder().decode(reply.value) : reply.kind;
}

export function serve(replica: KvReplica, request: PullRequest, now = 0): PullBatch<KvOperation> {
  const batch = replica.serve(request, now);
  if ('kind' in batch) throw new Error(batch.message);
  return batch;
}

/** `to` takes over all that `from` has. */
export function pull(to: KvReplica, from: KvReplica, limits = LIMITS, now = 0): number {
  for (let steps = 1; ; steps++) {
    const request = to.nextPull(from.id, limits);
    const outcome = to.integrate(from.id, request, serve(from, request, now), now);
    if (outcome.kind !== 'integrated') throw new Error('message' in outcome ? outcome.message : outcome.kind);
    if (!outcome.more) return steps;
  }
}

/** How a pull ended that asks what the members attest: well, or how it failed. */
export function tryPull(to: KvReplica, from: KvReplica, now = 0): Integrated | Held | Refused | Rejoin {
  for (let steps = 0; ; steps++) {
    if (steps > 1_000) throw new Error(`the pull of ${to.id} from ${from.id} does not end`);
    const request = to.nextPull(from.id, { ...LIMITS, report: true });
    const batch = from.serve(request, now);
    const outcome = 'kind' in batch ? batch : to.integrate(from.id, request, batch, now);
    if (outcome.kind !== 'integrated') to.interrupted(from.id);
    if (outcome.kind !== 'integrated' || !outcome.more) return outcome;
  }
}

/** Each hears from each what the members attest. */
export function exchange(replicas: readonly KvReplica[], now = 0, rounds = 4): void {
  for (let round = 0; round < rounds; round++) {
    for (const to of replicas) for (const from of replicas) if (to !== from) tryPull(to, from, now);
  }
}

/** Folds all that can be. */
export function fold(replica: KvReplica, now = 0): void {
  while (replica.compact(now));
}

/** Each hears from each, and folds all it can. */
export function settle(replicas: readonly KvReplica[], now = 0): void {
  exchange(replicas, now);
  for (const replica of replicas) fold(replica, now);
}

/** They count each other as members from the start. */
export function introduce(replicas: readonly KvReplica[]): void {
  for (const a of replicas) for (const b of replicas) a.meet(b.origin);
}

/** What clients can read, as `key=value`. */
export function store(replica: KvReplica): string[] {
  return [...replica.entries(null, 0)].map(({ key, value }) => `${key}=${new TextDecoder().decode(value)}`);
}

export function log(replica: KvReplica): string[] {
  return [...replica.log(null)].map((write) => `${write.acceptTime}@${write.origin} ${write.key}`);
}

export const NO_WINDOW = { retryWindowMs: 0 };

/** `ids` with `terms`, which know each other. */
export function clusterOf(ids: readonly string[], terms: Partial<ClusterTerms> = NO_WINDOW): KvReplica[] {
  const replicas = ids.map((id) => replicaOf(id, terms));
  introduce(replicas);
  return replicas;
}

/** How many writes each has in its log. */
export function sizes(replicas: readonly KvReplica[]): number[] {
  return replicas.map(({ logSize }) => logSize);
}
