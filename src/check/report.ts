/** Every check, in the order in which a report has them. docs/GUARANTEES.md says what each one holds. */
export const CHECKS = [
  'operations',
  'stamps',
  'order',
  'vectors',
  'prefix',
  'store',
  'oracle',
  'changes',
  'at-most-once',
  'deletes',
  'durability',
  'convergence',
  'read-your-writes',
  'read-your-writes-set',
  'monotonic-reads',
  'monotonic-reads-set',
  'writes-follow-reads',
  'writes-follow-reads-set',
  'monotonic-writes',
  'monotonic-writes-set',
  'causal',
  'atomicity',
] as const;

export type CheckName = (typeof CHECKS)[number];

export interface Violation {
  readonly check: CheckName;
  /** What is wrong, with the events concerned. */
  readonly message: string;
}

export interface CheckSummary {
  readonly check: CheckName;
  /** How many operations, pairs or states it looked at: a check that looked at nothing has shown nothing. */
  readonly looked: number;
  readonly violations: number;
}

export interface CheckReport {
  /** True if nothing is wrong. */
  readonly ok: boolean;
  readonly reads: number;
  readonly writes: number;
  readonly states: number;
  readonly checks: readonly CheckSummary[];
  /** The first of each check, up to `VIOLATIONS_KEPT`. */
  readonly violations: readonly Violation[];
}

/** A broken history breaks the same promise a thousand times; so many of each check are told. */
export const VIOLATIONS_KEPT = 20;

/** What the checks have found so far. */
export class Findings {
  readonly #looked = new Map<CheckName, number>();
  readonly #found = new Map<CheckName, number>();
  readonly #violations: Violation[] = [];

  looked(check: CheckName, count = 1): void {
    this.#looked.set(check, (this.#looked.get(check) ?? 0) + count);
  }

  violated(check: CheckName, message: () => string): void {
    const found = (this.#found.get(check) ?? 0) + 1;
    this.#found.set(check, found);
    if (found <= VIOLATIONS_KEPT) this.#violations.push({ check, message: message() });
  }

  get violations(): readonly Violation[] {
    return this.#violations;
  }

  get summaries(): readonly CheckSummary[] {
    return CHECKS.map((check) => ({
      check,
      looked: this.#looked.get(check) ?? 0,
      violations: this.#found.get(check) ?? 0,
    }));
  }
}
