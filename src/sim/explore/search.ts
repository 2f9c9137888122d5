import { type Action, wordOf } from './actions.js';
import { checkAgreement, checkAnswer, checkReplica } from './checks.js';
import { Expansion } from './expansion.js';
import { Healing } from './healing.js';
import { StateSet } from './state-set.js';
import { World, type WorldOptions } from './world.js';

export interface SearchLimits {
  readonly statesMax: number;
  /** How many actions a run may have. */
  readonly depthMax: number;
  /** For the states; what they are made of takes as much again, about. */
  readonly bytesMax: number;
  /** The search ends when so many were found. */
  readonly violationsMax: number;
}

export interface Violation {
  readonly what: string;
  /** The words of the actions that led there. */
  readonly path: readonly string[];
}

export interface SearchResult {
  /** True if there is no state left to look at. */
  readonly complete: boolean;
  readonly states: number;
  /** Steps from one state to another, to one that was known too. */
  readonly transitions: number;
  /** The longest of the shortest ways to each state. */
  readonly depth: number;
  /** States in which nothing was under way and every program was done; each was healed, and its replicas compared. */
  readonly quiescent: number;
  /** Different states of single replicas, and steps in the production core. */
  readonly replicaStates: number;
  readonly replicaSteps: number;
  readonly ledgers: number;
  readonly violations: readonly Violation[];
}

/** Rounds of all pulls after which replicas must agree. */
const HEAL_ROUNDS = 2;

/** How many answers to remember as right, before they are forgotten and looked at anew. */
const CHECKED_MAX = 8_000_000;

/** Goes through all that can happen in a small world, breadth first, so that what it finds is as short as can be. */
export class Search {
  readonly world: World;
  readonly #expansion: Expansion;
  readonly #healing: Healing;
  readonly #limits: SearchLimits;
  readonly #states: StateSet;
  readonly #violations: Violation[] = [];
  /** Replicas, by the rest of the world, that were found right. */
  #checked = new Set<number>();
  #agreed = new Set<string>();
  #done = 0;
  #transitions = 0;
  #depth = 0;
  #quiescent = 0;
  /** The first state of the next depth. */
  #nextDepth = 1;
  #stopped = false;

  constructor(options: WorldOptions, limits: SearchLimits) {
    this.world = new World(options);
    this.#expansion = new Expansion(this.world);
    this.#healing = new Healing(this.world);
    this.#limits = limits;
    this.#states = new StateSet(this.world.width);
    this.#states.add(this.world.start(), 0);
  }

  /** Looks at so many states more. True when the search is over. */
  advance(count: number): boolean {
    const state = new Uint32Array(this.world.width);
    for (let left = count; left > 0; left--) {
      if (this.#stopped || this.#done === this.#states.size) return true;
      if (this.#done === this.#nextDepth) {
        this.#depth += 1;
        this.#nextDepth = this.#states.size;
      }
      if (this.#isBeyondLimits()) {
        this.#stopped = true;
        return true;
      }
      const from = this.#done++;
      this.#states.read(from, state);
      this.#leave(from, state, []);
    }
    return false;
  }

  result(): SearchResult {
    const { replicas, ledgers } = this.world;
    return {
      complete: !this.#stopped && this.#done === this.#states.size,
      states: this.#states.size,
      transitions: this.#transitions,
      depth: this.#depth,
      quiescent: this.#quiescent,
      replicaStates: replicas.size,
      replicaSteps: replicas.steps,
      ledgers: ledgers.size,
      violations: this.#violations,
    };
  }

  /** Every state that was met, each only lent. */
  forEachState(look: (state: Uint32Array) => void): void {
    const row = new Uint32Array(this.world.width);
    for (let state = 0; state < this.#states.size; state++) {
      this.#states.read(state, row);
      look(row);
    }
  }

  #isBeyondLimits(): boolean {
    const { statesMax, depthMax, bytesMax } = this.#limits;
    return this.#states.size >= statesMax || this.#depth >= depthMax || this.#states.bytes > bytesMax;
  }

  /**
   * Goes on from a state that was met. States in which a message was sent just now are gone through at once and not kept: each
   * belongs to the one step that made its sends necessary.
   */
  #leave(from: number, state: Uint32Array, sends: readonly Action[]): void {
    const sent: { readonly state: Uint32Array; readonly action: Action }[] = [];
    this.#expansion.expand(state, (next, action, wrong) => {
      if (this.#stopped) return;
      this.#transitions += 1;
      if (wrong !== null) return this.#violated(from, [...sends, action], wrong);
      if (this.world.isFresh(next)) sent.push({ state: Uint32Array.from(next), action });
      else if (this.#states.add(next, from)) {
        const found = this.check(next);
        if (found !== null) this.#violated(from, [...sends, action], found);
      }
    });
    for (const { state: next, action } of sent) this.#leave(from, next, [...sends, action]);
  }

  /** What is wrong with a state; null if nothing is. */
  check(state: Uint32Array): string | null {
    const { world } = this;
    const count = world.ids.length;
    const rest = state[count] as number;
    for (let i = 0; i < count; i++) {
      const { replica } = world.node(state[i] as number);
      const key = rest * 2 ** 27 + replica;
      if (this.#checked.has(key)) continue;
      const wrong = this.#checkReplica(replica, rest);
      if (wrong !== null) return wrong;
      if (this.#checked.size >= CHECKED_MAX) this.#checked = new Set();
      this.#checked.add(key);
    }
    return this.#isQuiet(state) ? this.#heal(state) : null;
  }

  #checkReplica(replica: number, restNumber: number): string | null {
    const { replicas, inputs, ledgers, clients, keys, yields } = this.world;
    const rest = this.world.rest(restNumber);
    const ledger = ledgers.at(rest.ledger);
    const facts = replicas.facts(replica);
    const wrong = checkReplica(facts, ledger, keys, yields);
    if (wrong !== null) return wrong;
    for (const client of rest.clients) {
      const { last, reads } = clients.at(client);
      for (const [key, stamp] of last) {
        const request = reads.get(key);
        if (request === undefined) continue;
        const { output } = replicas.move(replica, inputs.read(request));
        if (output.kind !== 'value') continue;
        const answered = checkAnswer(facts, ledger, key, stamp, output.stamp, yields);
        if (answered !== null) return answered;
      }
    }
    return null;
  }

  #isQuiet(state: Uint32Array): boolean {
    const { world } = this;
    const count = world.ids.length;
    for (let i = 0; i < count; i++) if (world.node(state[i] as number).pulls.some((pull) => pull > 0)) return false;
    return world.rest(state[count] as number).clients.every((client) => world.clients.line(client) === null);
  }

  /** All pull from all, one after the other, as often as must be enough. */
  #heal(state: Uint32Array): string | null {
    this.#quiescent += 1;
    const { world } = this;
    const count = world.ids.length;
    const { ledger } = world.rest(state[count] as number);
    const replicas = Array.from({ length: count }, (_, i) => world.node(state[i] as number).replica);
    const name = `${replicas} ${ledger}`;
    if (this.#agreed.has(name)) return null;
    const healed = this.#healing.heal(replicas, HEAL_ROUNDS);
    if (typeof healed === 'string') return healed;
    const facts = healed.map((replica) => world.replicas.facts(replica));
    const wrong = checkAgreement(facts, world.ledgers.at(ledger), world.yields);
    if (wrong === null) this.#agreed.add(name);
    return wrong;
  }

  #violated(from: number, actions: readonly Action[], what: string): void {
    const path = [...this.#pathTo(from), ...actions].map((action) => wordOf(action, this.world.ids));
    this.#violations.push({ what, path });
    if (this.#violations.length >= this.#limits.violationsMax) this.#stopped = true;
  }

  #pathTo(state: number): Action[] {
    const blocks: Action[][] = [];
    const row = new Uint32Array(this.world.width);
    const target = new Uint32Array(this.world.width);
    for (let at = state; at > 0; at = this.#states.parent(at)) {
      this.#states.read(at, target);
      this.#states.read(this.#states.parent(at), row);
      blocks.push(this.#blockTo(row, target) ?? []);
    }
    return blocks.reverse().flat();
  }

  /** The sends, and the step, that lead from one state to the next; null if none do. */
  #blockTo(from: Uint32Array, target: Uint32Array): Action[] | null {
    let found: Action[] | null = null;
    const sent: { readonly state: Uint32Array; readonly action: Action }[] = [];
    new Expansion(this.world).expand(from, (next, action, wrong) => {
      // The search did not go on from there.
      if (wrong !== null) return;
      if (next.every((number, i) => number === target[i])) found ??= [action];
      else if (this.world.isFresh(next)) sent.push({ state: Uint32Array.from(next), action });
    });
    for (const { state, action } of sent) {
      if (found !== null) return found;
      const rest = this.#blockTo(state, target);
      if (rest !== null) found = [action, ...rest];
    }
    return found;
  }
}
