import type { ReplicaId } from '../../base/ids.js';
import { PROTOCOL_VERSION, type PullBatch, type PullRequest } from '../../bayou/messages.js';
import { Replica } from '../../bayou/replica.js';
import type { Guarantee } from '../../bayou/session.js';
import type { KvOperation } from '../../machine/kv.js';
import { canonical } from './canonical.js';
import { ClientStates, type Line } from './client-states.js';
import { Inputs } from './inputs.js';
import { Interner } from './interner.js';
import { Ledgers } from './ledger.js';
import type { OpenReplica } from './live-replica.js';
import { ReplicaStates } from './replica-states.js';

export interface WorldOptions {
  readonly replicas: number;
  /** What each client does, line by line, each at any replica. */
  readonly programs: readonly (readonly Line[])[];
  readonly guarantees: readonly Guarantee[];
  /** What of the guarantees is checked; what the sessions ask for if it is not given. */
  readonly promised?: readonly Guarantee[];
  /** How many cuts, crashes and lost requests of clients there may be in all. */
  readonly faults: number;
  readonly faultKinds: readonly FaultKind[];
  /** Writes in a batch. */
  readonly batch: number;
  /** How many pulls may have a message under way at a time. */
  readonly pulls: number;
  /** How many pulls may ask what the members attest, so that writes are folded. Then there is no retry window. */
  readonly reports: number;
  /** True to let replicas watch the lives of those who ask, as they do; see `ReplicaSetup`. */
  readonly lives: boolean;
  /** False: every order of independent steps is gone through. Much slower, and finds no more. */
  readonly reduce: boolean;
  /** The replica to search; the production one if it is not given. */
  readonly open?: OpenReplica;
}

export const FAULT_KINDS = ['cut', 'crash', 'lose'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** A message of a pull: a request on its way, or the batch that answers it. */
interface Pull {
  readonly request: PullRequest;
  readonly batch: PullBatch<KvOperation> | null;
  /** What the peer does with the request, or the asker with the batch. */
  readonly input: number;
}

/** A replica with its pulls. */
export interface Node {
  readonly replica: number;
  /** By peer: one more than the number of the message under way; 0 if there is none. */
  readonly pulls: readonly number[];
  /** One more than the pull whose message the replica sent last, if it took no step since and nobody has it yet; else 0. */
  readonly fresh: number;
}

/** All but the replicas. */
export interface Rest {
  readonly clients: readonly number[];
  readonly ledger: number;
  readonly faults: number;
  readonly reports: number;
}

/** More than any count of accept times in a small world. */
const LONG_WINDOW = 1_000_000;

/** Pulls are bits of a word. */
export const REPLICAS_MAX = 5;

/** Bounds, so that numbers can be put together in one of 53 bits. */
const NUMBERS_MAX = 2 ** 24;
const FRESH_MAX = 2 ** 5;
const PULLS_MAX = 2 ** 17;

/**
 * A small world: replicas that pull from each other, messages that are under way, clients that roam. A state of it is a row of
 * numbers: one for each replica with its pulls, and one for the clients, the ledger and the faults that are left. Each part is
 * interned by all that it holds, so equal rows are equal worlds.
 */
export class World {
  readonly options: WorldOptions;
  readonly ids: readonly ReplicaId[];
  readonly keys: readonly string[];
  readonly replicas: ReplicaStates;
  readonly inputs: Inputs;
  readonly clients: ClientStates;
  readonly ledgers = new Ledgers();
  readonly #pulls = new Interner<Pull>();
  readonly #nodes: Node[] = [];
  readonly #nodeNumbers = new Map<number, number>();
  readonly #pullsNumbers = new Map<number | string, number>();
  readonly #rests = new Interner<Rest>();

  constructor(options: WorldOptions) {
    this.options = options;
    if (options.replicas > REPLICAS_MAX) throw tooLarge();
    this.ids = Array.from({ length: options.replicas }, (_, i) => `r${i + 1}` as ReplicaId);
    this.keys = [...new Set(options.programs.flat().map(({ key }) => key))].sort();
    const { guarantees, promised = guarantees, programs } = options;
    const retryWindowMs = this.yields ? LONG_WINDOW : 0;
    this.replicas = new ReplicaStates({
      open: options.open ?? ((config) => new Replica(config)),
      terms: { protocol: PROTOCOL_VERSION, cluster: 'explore', tieBreak: 'higher', clock: 'logical', retryWindowMs },
      ids: this.ids,
      keys: this.keys,
      batchWrites: options.batch,
      lives: options.lives,
    });
    this.inputs = new Inputs(this.replicas);
    this.clients = new ClientStates({ programs, keys: this.keys, guarantees, promised });
  }

  /** How many numbers a state is. */
  get width(): number {
    return this.ids.length + 1;
  }

  /** True if a client's write takes no effect behind its own same or later one. */
  get yields(): boolean {
    return this.options.reports === 0;
  }

  start(): Uint32Array {
    const { options, ids } = this;
    const pulls = ids.map(() => 0);
    const mortal = this.crashesAhead(options.faults);
    const nodes = ids.map((_, index) =>
      this.nodeNumber({ replica: this.replicas.start(index, mortal), pulls, fresh: 0 }),
    );
    const clients = options.programs.map((_, index) => this.clients.start(index));
    const { faults, reports } = options;
    return Uint32Array.of(...nodes, this.restNumber({ clients, ledger: this.ledgers.empty, faults, reports }));
  }

  /** True if a replica may still crash when so many faults are left. */
  crashesAhead(faults: number): boolean {
    return faults > 0 && this.options.faultKinds.includes('crash');
  }

  node(number: number): Node {
    return this.#nodes[number] as Node;
  }

  nodeNumber(node: Node): number {
    const { replica, pulls, fresh } = node;
    const key = (this.#pullsNumber(pulls) * NUMBERS_MAX + replica) * FRESH_MAX + fresh;
    if (replica >= NUMBERS_MAX || key > Number.MAX_SAFE_INTEGER) throw tooLarge();
    let number = this.#nodeNumbers.get(key);
    if (number === undefined) {
      number = this.#nodes.push(node) - 1;
      this.#nodeNumbers.set(key, number);
    }
    return number;
  }

  /** The number of what is under way to one replica. */
  #pullsNumber(pulls: readonly number[]): number {
    let key: number | string = 0;
    if (pulls.length > 3 || this.#pulls.size >= PULLS_MAX) key = pulls.join();
    else for (const pull of pulls) key = key * PULLS_MAX + pull;
    let number = this.#pullsNumbers.get(key);
    if (number === undefined) {
      number = this.#pullsNumbers.size;
      this.#pullsNumbers.set(key, number);
    }
    return number;
  }

  /** True if somebody sent a message in the last steps that nobody has used yet; see `Expansion`. */
  isFresh(state: Uint32Array): boolean {
    for (let i = 0; i < this.ids.length; i++) if (this.node(state[i] as number).fresh > 0) return true;
    return false;
  }

  rest(number: number): Rest {
    return this.#rests.at(number);
  }

  restNumber(rest: Rest): number {
    const { clients, ledger, faults, reports } = rest;
    return this.#rests.numberOf(`${clients.join('.')} ${ledger} ${faults} ${reports}`, () => rest);
  }

  pull(number: number): Pull {
    return this.#pulls.at(number);
  }

  /** A message that a replica sent: `asker` is who takes the batch. */
  pullNumber(request: PullRequest, batch: PullBatch<KvOperation> | null, peer: number): number {
    return this.#pulls.numberOf(`${canonical(request)} ${canonical(batch)}`, () => ({
      request,
      batch,
      input: batch === null ? this.inputs.serve(request) : this.inputs.take(peer, request, batch),
    }));
  }
}

export function tooLarge(): RangeError {
  return new RangeError('the world is too large to be searched');
}
