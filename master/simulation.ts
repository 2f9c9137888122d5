import type { Plan } from '../src/sim/plan.js';
import { PlanScript } from '../src/sim/script.js';
import type { Counts, Verdict, Violation } from '../src/sim/verdict.js';

/** Runs a plan to its end, and checks what happened. */
export type RunAndCheck = (plan: Plan) => Verdict;

/** The simulation that a script writes down with `simulate` and `at`, and runs with `check`. */
export class Simulation {
  readonly #judge: RunAndCheck;
  #script = new PlanScript();

  constructor(judge: RunAndCheck) {
    this.#judge = judge;
  }

  set(settings: readonly string[]): void {
    this.#script.set(settings);
  }

  add(at: string, action: readonly string[]): void {
    this.#script.add(at, action);
  }

  /** Runs it to its end; whatever comes of it, the next line begins another. */
  check(): Verdict {
    const script = this.#script;
    this.#script = new PlanScript();
    return this.#judge(script.plan());
  }
}

/** What `check` prints of it: a fact a line. */
export function describeVerdict({ hash, operations, faults, checked, rounds, violations }: Verdict): readonly string[] {
  const sum = (counts: Counts): number => Object.values(counts).reduce((total, count) => total + count, 0);
  const counts = `${sum(operations)} operations, ${sum(faults)} faults, ${sum(checked)} checks, agreement after ${rounds} rounds`;
  if (violations.length === 0) return [`ok ${hash} ${counts}`];
  return [`failed ${hash}`, ...violations.map(describeViolation)];
}

export function describeViolation({ check, message, count }: Violation): string {
  return `violation ${check}${count > 1 ? `, the first of ${count}` : ''}: ${message}`;
}
