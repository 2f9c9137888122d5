import type { PullBatch, PullRequest, ReadRequest } from '../../bayou/messages.js';
import type { KvOperation } from '../../machine/kv.js';
import type { OwnRequest } from './client-states.js';
import type { Input } from './live-replica.js';
import type { ReplicaStates } from './replica-states.js';

/** The numbers of inputs. Messages are the same objects wherever they are met again, so each is written out once. */
export class Inputs {
  readonly #replicas: ReplicaStates;
  readonly #known = new WeakMap<object, number>();
  readonly #asks = new Map<number, number>();
  readonly #interruptions = new Map<number, number>();
  readonly restart: number;
  readonly compact: number;

  constructor(replicas: ReplicaStates) {
    this.#replicas = replicas;
    this.restart = replicas.input({ kind: 'restart' });
    this.compact = replicas.input({ kind: 'compact' });
  }

  ask(peer: number, report: boolean): number {
    return this.#of(this.#asks, report ? -1 - peer : peer, () => ({ kind: 'ask', peer, report }));
  }

  interrupted(peer: number): number {
    return this.#of(this.#interruptions, peer, () => ({ kind: 'interrupted', peer }));
  }

  serve(request: PullRequest): number {
    return this.#of(this.#known, request, () => ({ kind: 'serve', request }));
  }

  /** A batch answers one request. */
  take(peer: number, request: PullRequest, batch: PullBatch<KvOperation>): number {
    return this.#of(this.#known, batch, () => ({ kind: 'take', peer, request, batch }));
  }

  read(request: ReadRequest): number {
    return this.#of(this.#known, request, () => ({ kind: 'read', request }));
  }

  write(request: OwnRequest): number {
    return this.#of(this.#known, request, () => ({ kind: 'write', request }));
  }

  #of<Key>(
    known: { get(key: Key): number | undefined; set(key: Key, number: number): unknown },
    key: Key,
    make: () => Input,
  ): number {
    let number = known.get(key);
    if (number === undefined) {
      number = this.#replicas.input(make());
      known.set(key, number);
    }
    return number;
  }
}
