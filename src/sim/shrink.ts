import { hashText } from '../base/hash.js';
import type { Plan } from './plan.js';
import { withoutStrangers } from './plan-names.js';
import { simplifications } from './shrink-simpler.js';

/** A step is large if it leaves out one part in so many, or more; */
const LARGE = 8;
/** it is tried with so many other seeds. */
const RESEEDED = 3;

export interface Shrunk {
  readonly plan: Plan;
  /** How many plans were tried. */
  readonly runs: number;
  /** False if it had to end before nothing more could be left out. */
  readonly finished: boolean;
}

/**
 * A plan as small as can be found that still `fails`, by delta debugging (Zeller and Hildebrandt, TSE 2002): whatever can
 * be left out without mending the failure is left out, large pieces before small ones. `plan` itself must fail. Before
 * each run it asks whether it may go on, after so many.
 */
export function shrink(plan: Plan, fails: (plan: Plan) => boolean, mayGoOn: (runs: number) => boolean): Shrunk {
  const search = new Search(plan, fails, mayGoOn);
  search.cutTail();
  for (let before: Plan | null = null; before !== search.best && !search.isSpent; ) {
    before = search.best;
    search.dropKinds();
    search.thin('clients');
    search.thin('replicas');
    search.thin('actions');
    search.simplify();
  }
  return { plan: search.best, runs: search.runs, finished: !search.isSpent };
}

class Search {
  best: Plan;
  runs = 0;
  readonly #fails: (plan: Plan) => boolean;
  readonly #mayGoOn: (runs: number) => boolean;
  /** Hashes of the plans that were tried: each passed, or is the best so far or larger than it. */
  readonly #tried = new Set<number>();

  constructor(plan: Plan, fails: (plan: Plan) => boolean, mayGoOn: (runs: number) => boolean) {
    this.best = plan;
    this.#fails = fails;
    this.#mayGoOn = mayGoOn;
    this.#tried.add(hashText(JSON.stringify(plan)));
  }

  get isSpent(): boolean {
    return !this.#mayGoOn(this.runs);
  }

  /** Has the plan end as early as it can: what follows a failure is of no use. */
  cutTail(): void {
    let passes = -1;
    while (passes < this.best.actions.length - 1 && !this.isSpent) {
      const kept = passes + Math.ceil((this.best.actions.length - passes) / 2);
      const durationMs = this.best.actions[kept]?.at ?? this.best.durationMs;
      if (!this.#take({ ...this.best, durationMs, actions: this.best.actions.slice(0, kept) })) passes = kept;
    }
  }

  /** Leaves out all actions of one kind at once. */
  dropKinds(): void {
    for (const kind of new Set(this.best.actions.map(({ action }) => action.kind))) {
      this.#take({ ...this.best, actions: this.best.actions.filter(({ action }) => action.kind !== kind) });
    }
  }

  /** Leaves out members of a list, and what names them: all, halves, and so on, at last single ones; the last first. */
  thin(list: 'clients' | 'replicas' | 'actions'): void {
    const before = this.best[list].length;
    for (let size = before; size >= 1 && !this.isSpent; size = Math.floor(size / 2)) {
      for (let end = this.best[list].length; end > 0 && !this.isSpent; ) {
        const members: readonly unknown[] = this.best[list];
        const fewer = { ...this.best, [list]: [...members.slice(0, Math.max(0, end - size)), ...members.slice(end)] };
        if (!this.#take(fewer) && size * LARGE >= before) this.#takeReseeded(fewer);
        end = Math.min(end - size, this.best[list].length);
      }
    }
  }

  /** Says what is left in simpler ways. */
  simplify(): void {
    for (const simplified of simplifications(this.best)) this.#take(simplified(this.best));
  }

  /** Some failures need luck, and whatever is left out changes what is drawn: a large step may be worth another draw. */
  #takeReseeded(candidate: Plan): void {
    for (let more = 1; more <= RESEEDED && !this.#take({ ...candidate, seed: candidate.seed + more }); more++);
  }

  /** Goes on from a candidate if it fails too. */
  #take(candidate: Plan): boolean {
    if (this.isSpent || candidate.replicas.length === 0) return false;
    const plan = withoutStrangers(candidate);
    const hash = hashText(JSON.stringify(plan));
    if (this.#tried.has(hash)) return false;
    this.#tried.add(hash);
    this.runs += 1;
    if (!this.#fails(plan)) return false;
    this.best = plan;
    return true;
  }
}
