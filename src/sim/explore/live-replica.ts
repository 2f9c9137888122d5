import { messageOf } from '../../base/errors.js';
import { type Origin, originOf, type ReplicaId } from '../../base/ids.js';
import type { ClusterTerms, PullBatch, PullRequest, ReadRequest, WriteRequest } from '../../bayou/messages.js';
import type { ReplicaStorage } from '../../bayou/ports.js';
import type { Replica, ReplicaConfig } from '../../bayou/replica.js';
import type { VersionVector } from '../../bayou/version-vector.js';
import type { AcceptStamp, Write } from '../../bayou/write.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../../machine/kv.js';
import { MemoryStorage } from '../../storage/memory.js';
import { canonical } from './canonical.js';

/** The steps of a replica that a search takes, and what it looks at. */
export type Steps = Pick<
  Replica<KvOperation, Uint8Array>,
  | 'meet'
  | 'accept'
  | 'read'
  | 'serve'
  | 'nextPull'
  | 'integrate'
  | 'interrupted'
  | 'compact'
  | 'seen'
  | 'log'
  | 'base'
  | 'fingerprint'
>;

/** Makes the replica to search; who tests the search puts a faulty one in its place. */
export type OpenReplica = (config: ReplicaConfig<KvOperation, Uint8Array>) => Steps;

export interface ReplicaSetup {
  readonly open: OpenReplica;
  readonly terms: ClusterTerms;
  readonly ids: readonly ReplicaId[];
  readonly keys: readonly string[];
  readonly batchWrites: number;
  /**
   * False: each request is served as if it came from a newer life of its sender. So what tells copies of a data directory
   * apart (`LifeWatch`) is left out, and with it what a replica keeps for that; in a world without copies nothing else changes.
   */
  readonly lives: boolean;
}

/** One step of one replica. Peers are numbered as in the setup. */
export type Input =
  | { readonly kind: 'ask'; readonly peer: number; readonly report: boolean }
  | { readonly kind: 'serve'; readonly request: PullRequest }
  | {
      readonly kind: 'take';
      readonly peer: number;
      readonly request: PullRequest;
      readonly batch: PullBatch<KvOperation>;
    }
  | { readonly kind: 'interrupted'; readonly peer: number }
  | { readonly kind: 'write'; readonly request: WriteRequest<KvOperation> }
  | { readonly kind: 'read'; readonly request: ReadRequest }
  | { readonly kind: 'compact' }
  /** The process ends, and starts again over what it kept. */
  | { readonly kind: 'restart' };

export type Output =
  | { readonly kind: 'request'; readonly request: PullRequest }
  | { readonly kind: 'batch'; readonly batch: PullBatch<KvOperation> }
  | { readonly kind: 'stamp'; readonly stamp: AcceptStamp }
  | { readonly kind: 'value'; readonly stamp: AcceptStamp | null }
  /** ERR_DEP. */
  | { readonly kind: 'missing' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly message: string }
  /** A failed assertion. */
  | { readonly kind: 'broken'; readonly message: string };

/** What a replica shows. */
export interface Facts {
  readonly origin: Origin;
  readonly seen: VersionVector;
  readonly log: readonly Write<KvOperation>[];
  readonly base: number;
  /** The stamp that each key's value comes from; null if the key is absent. */
  readonly shown: ReadonlyMap<string, AcceptStamp | null>;
}

/** Logical clocks read no wall clock. */
const NOW = 0;
const NOTHING: Output = { kind: 'nothing' };

/** The production replica over the storage in memory: its steps as inputs and outputs. */
export class LiveReplica {
  readonly #setup: ReplicaSetup;
  readonly #origin: Origin;
  readonly #storage: ReplicaStorage<KvOperation> = new MemoryStorage<KvOperation>(kvOperationCodec);
  #life = 0;
  #served = 0;
  #steps: Steps;

  /** The members know each other from the start, as linked replicas do. */
  constructor(setup: ReplicaSetup, index: number) {
    this.#setup = setup;
    this.#origin = originOf(this.#id(index), 1);
    this.#steps = this.#open();
    for (const id of setup.ids) this.#steps.meet(originOf(id, 1));
  }

  step(input: Input): Output {
    try {
      return this.#step(input);
    } catch (thrown) {
      return { kind: 'broken', message: messageOf(thrown) };
    }
  }

  /** Equal texts: whatever is done with the replicas from now on, they answer alike; but for restarts, if without `restarts`. */
  fingerprint(restarts: boolean): string {
    const storage = this.#storage;
    const kept = [...keysOf(storage)].map((key) => [key, storage.base(key), storage.history(key)]);
    // This is read when a replica is opened, and at no other time.
    const beside = restarts ? [storage.highestTime, storage.loadSeen(), storage.loadState()] : null;
    const own = this.#steps.fingerprint({ restarts, lives: this.#setup.lives });
    return `${own} | ${canonical(kept)} ${canonical(beside)}`;
  }

  facts(): Facts {
    const shown = this.#setup.keys.map((key) => {
      const reply = this.#steps.read({ key, needs: null }, NOW);
      return [key, reply.kind === 'found' ? reply.stamp : null] as const;
    });
    return {
      origin: this.#origin,
      seen: this.#steps.seen(),
      log: [...this.#steps.log(null)],
      base: this.#steps.base,
      shown: new Map(shown),
    };
  }

  #step(input: Input): Output {
    const steps = this.#steps;
    switch (input.kind) {
      case 'ask': {
        const limits = { writesMax: this.#setup.batchWrites, bytesMax: 1_000_000, report: input.report };
        return { kind: 'request', request: steps.nextPull(this.#id(input.peer), limits) };
      }
      case 'serve': {
        const { request } = input;
        this.#served += 1;
        const batch = steps.serve(this.#setup.lives ? request : { ...request, life: this.#served }, NOW);
        if ('kind' in batch) return { kind: 'refused', message: `a pull was refused: ${batch.message}` };
        // How much is left is told for the operator's eyes only.
        return { kind: 'batch', batch: { ...batch, left: null } };
      }
      case 'take': {
        const outcome = steps.integrate(this.#id(input.peer), input.request, input.batch, NOW);
        if (outcome.kind === 'integrated') return NOTHING;
        return { kind: 'refused', message: `a batch was not taken: ${canonical(outcome)}` };
      }
      case 'interrupted':
        steps.interrupted(this.#id(input.peer));
        return NOTHING;
      case 'write': {
        const reply = steps.accept(input.request, NOW);
        if (reply.kind === 'accepted') return { kind: 'stamp', stamp: reply.stamp };
        if (reply.kind === 'missing') return { kind: 'missing' };
        return { kind: 'refused', message: `a write was refused: ${reply.message}` };
      }
      case 'read': {
        const reply = steps.read(input.request, NOW);
        if (reply.kind === 'missing') return { kind: 'missing' };
        return { kind: 'value', stamp: reply.kind === 'found' ? reply.stamp : null };
      }
      case 'compact':
        steps.compact(NOW);
        return NOTHING;
      case 'restart':
        if (this.#setup.lives) this.#life += 1;
        this.#steps = this.#open();
        return NOTHING;
    }
  }

  #open(): Steps {
    const { open, terms } = this.#setup;
    return open({ origin: this.#origin, terms, machine: kvMachine, storage: this.#storage, life: this.#life });
  }

  #id(index: number): ReplicaId {
    const id = this.#setup.ids[index];
    if (id === undefined) throw new RangeError(`there is no replica ${index}`);
    return id;
  }
}

function* keysOf(storage: ReplicaStorage<KvOperation>): Generator<string> {
  const keys = storage.keys();
  for (let next = keys.next(); next.done !== true; next = keys.next()) yield next.value;
}
