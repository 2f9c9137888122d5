import type { PullBatch, PullRequest, WriteRequest } from '../../src/bayou/messages.js';
import type { ReplicaStorage } from '../../src/bayou/ports.js';
import { Replica, type ReplicaConfig } from '../../src/bayou/replica.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { Write } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';
import type { OpenReplica } from '../../src/sim/explore/live-replica.js';

type Config = ReplicaConfig<KvOperation, Uint8Array>;
type Batch = PullBatch<KvOperation>;

const UNLIMITED = { writesMax: 1_000, bytesMax: 1_000_000 };

/** The target of a transfer is fixed when it begins: later batches go under the vector of the first. */
class FixedTarget extends Replica<KvOperation, Uint8Array> {
  override serve(request: PullRequest, now: number): ReturnType<Replica<KvOperation, Uint8Array>['serve']> {
    const target = request.resume?.target;
    const batch = super.serve(target === undefined ? request : { ...request, ...UNLIMITED }, now);
    if ('kind' in batch || !batch.resumed || target === undefined) return batch;
    const covered = batch.writes.filter(({ origin, acceptTime }) => target.covers(origin, acceptTime));
    const writes = covered.slice(0, request.writesMax);
    return { ...batch, writes, seen: target.clone(), more: writes.length < covered.length };
  }
}

/** An interrupted transfer goes on with any peer, whatever that one claims. */
class ResumesWithAny extends Replica<KvOperation, Uint8Array> {
  override serve(request: PullRequest, now: number): ReturnType<Replica<KvOperation, Uint8Array>['serve']> {
    return super.serve(withoutTarget(request), now);
  }

  override integrate(
    peer: Parameters<Replica<KvOperation, Uint8Array>['integrate']>[0],
    request: PullRequest,
    batch: Batch,
    now: number,
  ): ReturnType<Replica<KvOperation, Uint8Array>['integrate']> {
    return super.integrate(peer, withoutTarget(request), batch, now);
  }
}

function withoutTarget(request: PullRequest): PullRequest {
  const { resume } = request;
  return resume === null ? request : { ...request, resume: { ...resume, target: new VersionVector() } };
}

/** What a batch brought is claimed at once, origin by origin. */
class ClaimsByOrigin extends Replica<KvOperation, Uint8Array> {
  override integrate(
    peer: Parameters<Replica<KvOperation, Uint8Array>['integrate']>[0],
    request: PullRequest,
    batch: Batch,
    now: number,
  ): ReturnType<Replica<KvOperation, Uint8Array>['integrate']> {
    if (!batch.more) return super.integrate(peer, request, batch, now);
    const seen = (batch.resumed && request.resume !== null ? request.resume.received : request.seen).clone();
    for (const { origin, acceptTime } of batch.writes) seen.raise(origin, acceptTime);
    const plain = { ...batch, seen, resumed: false, more: false };
    const outcome = super.integrate(peer, { ...request, seen: seenOf(request, batch), resume: null }, plain, now);
    return outcome.kind === 'integrated' ? { ...outcome, more: true } : outcome;
  }
}

function seenOf(request: PullRequest, batch: Batch): VersionVector {
  return batch.resumed && request.resume !== null ? request.resume.received : request.seen;
}

/** A write is not stamped above what its client's session has seen. */
class IgnoresSession extends Replica<KvOperation, Uint8Array> {
  override accept(
    request: WriteRequest<KvOperation>,
    now: number,
  ): ReturnType<Replica<KvOperation, Uint8Array>['accept']> {
    return super.accept({ ...request, after: 0 }, now);
  }
}

/** Needs of sessions are not looked at. */
class IgnoresNeeds extends Replica<KvOperation, Uint8Array> {
  override read(
    request: Parameters<Replica<KvOperation, Uint8Array>['read']>[0],
  ): ReturnType<Replica<KvOperation, Uint8Array>['read']> {
    return super.read({ ...request, needs: null }, 0);
  }
}

/** A batch goes under a vector that is read later: it covers what the client gets next, which was not sent. */
class ClaimsUnsent extends Replica<KvOperation, Uint8Array> {
  override serve(request: PullRequest, now: number): ReturnType<Replica<KvOperation, Uint8Array>['serve']> {
    const batch = super.serve(request, now);
    return 'kind' in batch ? batch : { ...batch, more: false };
  }
}

/** Calls the storage, but for what `changes` has instead. */
function changed(
  storage: ReplicaStorage<KvOperation>,
  changes: Partial<ReplicaStorage<KvOperation>>,
): ReplicaStorage<KvOperation> {
  return new Proxy(storage, {
    get(target, name) {
      const value: unknown = Reflect.get(name in changes ? changes : target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A write is dropped behind a later one as soon as that is here, whether or not it may be claimed. */
function prunesEarly(config: Config): Replica<KvOperation, Uint8Array> {
  const { storage } = config;
  const insert = (write: Write<KvOperation>, position: number): void => {
    storage.insert(write, position);
    for (let at = position - 1; at >= 0; at--) {
      const other = storage.history(write.key)[at];
      if (other?.client === write.client && other.clientTime < write.clientTime) storage.remove(write.key, at);
    }
  };
  return new Replica({ ...config, storage: changed(storage, { insert }) });
}

/** What it stamped is not kept: after a restart the same stamps are given again. */
function forgetsItsStamps(config: Config): Replica<KvOperation, Uint8Array> {
  const { storage, origin } = config;
  for (const write of [...ownWrites(config)]) {
    storage.remove(write.key, storage.history(write.key).indexOf(write));
  }
  const loadSeen = (): VersionVector => {
    const seen = storage.loadSeen();
    seen.forget(origin);
    return seen;
  };
  return new Replica({ ...config, storage: changed(storage, { loadSeen, highestTime: 0 }) });
}

function* ownWrites({ storage, origin }: Config): Generator<Write<KvOperation>> {
  const run = storage.run(origin, 0, Number.POSITIVE_INFINITY);
  for (let next = run.next(); next.done !== true; next = run.next()) yield next.value;
}

/** Mistakes that are easily made, each in an otherwise sound replica. */
export const MISTAKES = {
  'target fixed at the start': (config) => new FixedTarget(config),
  'resumes with any peer': (config) => new ResumesWithAny(config),
  'claims origin by origin': (config) => new ClaimsByOrigin(config),
  'prunes before it may claim': prunesEarly,
  'stamps below the session': (config) => new IgnoresSession(config),
  'ignores what a session needs': (config) => new IgnoresNeeds(config),
  'claims what was not sent': (config) => new ClaimsUnsent(config),
  'forgets its stamps': forgetsItsStamps,
} as const satisfies Record<string, OpenReplica>;
