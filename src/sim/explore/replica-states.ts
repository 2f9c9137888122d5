import { canonical } from './canonical.js';
import { Interner } from './interner.js';
import { type Facts, type Input, LiveReplica, type Output, type ReplicaSetup } from './live-replica.js';

/** A state of one replica, and the shortest way to it that was found. */
interface ReplicaState {
  readonly index: number;
  /** True if it may still be restarted: without that, states are one that only a restart would tell apart. */
  readonly mortal: boolean;
  readonly fingerprint: string;
  readonly facts: Facts;
  /** Null: as it starts. */
  readonly from: { readonly state: number; readonly input: Input } | null;
  /** By the number of the input. */
  readonly moves: Map<number, Move>;
}

export interface Move {
  readonly next: number;
  readonly output: Output;
  /** What the step did that no step may; null if nothing. */
  readonly wrong: string | null;
}

/**
 * The states that the replicas can be in, each numbered, and their steps. A step runs in the production core once for each
 * state and input: the core is made anew and led to the state by the inputs that led there. What a replica does depends on
 * its own state and the input alone, so a world of replicas is a few numbers, and moves by looking up.
 */
export class ReplicaStates {
  readonly #setup: ReplicaSetup;
  readonly #states = new Interner<ReplicaState>();
  readonly #inputs = new Interner<Input>();
  readonly #immortal = new Map<number, number>();
  #steps = 0;

  constructor(setup: ReplicaSetup) {
    this.#setup = setup;
  }

  /** How many different states were met. */
  get size(): number {
    return this.#states.size;
  }

  /** How many steps ran in the core, without those that led to where they were taken. */
  get steps(): number {
    return this.#steps;
  }

  start(index: number, mortal: boolean): number {
    return this.#numberOf(index, mortal, new LiveReplica(this.#setup, index), null);
  }

  /** The same state for who will not be restarted any more. */
  immortal(state: number): number {
    const { index, mortal, from } = this.#states.at(state);
    if (!mortal) return state;
    let known = this.#immortal.get(state);
    if (known === undefined) {
      known = this.#numberOf(index, false, this.live(state), from);
      this.#immortal.set(state, known);
    }
    return known;
  }

  facts(state: number): Facts {
    return this.#states.at(state).facts;
  }

  fingerprint(state: number): string {
    return this.#states.at(state).fingerprint;
  }

  input(input: Input): number {
    return this.#inputs.numberOf(canonical(input), () => input);
  }

  move(state: number, inputNumber: number): Move {
    const { index, mortal, moves } = this.#states.at(state);
    const known = moves.get(inputNumber);
    if (known !== undefined) return known;
    this.#steps += 1;
    const input = this.#inputs.at(inputNumber);
    const replica = this.live(state);
    const output = replica.step(input);
    const next = this.#numberOf(index, mortal, replica, { state, input });
    const move = { next, output, wrong: this.#wrong(state, next, output) };
    moves.set(inputNumber, move);
    return move;
  }

  /** The steps that led from a state to one that had been reached on another way before. */
  mergesOf(state: number): { readonly input: Input; readonly next: number }[] {
    return [...this.#states.at(state).moves]
      .map(([number, { next }]) => ({ input: this.#inputs.at(number), next }))
      .filter(({ input, next }) => {
        const { from } = this.#states.at(next);
        return from === null || from.state !== state || from.input !== input;
      });
  }

  #wrong(state: number, next: number, output: Output): string | null {
    if (output.kind === 'broken') return output.message;
    const before = this.facts(state);
    const { origin, seen } = this.facts(next);
    return seen.dominates(before.seen) ? null : `${origin} claims ${seen}, and claimed ${before.seen}`;
  }

  /** A replica in this state. */
  live(state: number): LiveReplica {
    const inputs: Input[] = [];
    let at = this.#states.at(state);
    for (; at.from !== null; at = this.#states.at(at.from.state)) inputs.push(at.from.input);
    const replica = new LiveReplica(this.#setup, at.index);
    for (const input of inputs.reverse()) replica.step(input);
    return replica;
  }

  #numberOf(index: number, mortal: boolean, replica: LiveReplica, from: ReplicaState['from']): number {
    const fingerprint = replica.fingerprint(mortal);
    return this.#states.numberOf(`${index} ${mortal} ${fingerprint}`, () => ({
      index,
      mortal,
      fingerprint,
      facts: replica.facts(),
      from,
      moves: new Map(),
    }));
  }
}
