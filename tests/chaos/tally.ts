import type { ReadEvent, WriteEvent } from '../../src/check/history.js';
import type { Fault } from './schedule.js';

/** What a run comes to, counted. */
export class Tally {
  readonly violations: string[] = [];
  folds = 0;
  rejoins = 0;
  starts = 0;
  cutInFrame = 0;
  /** The most writes that one log held. */
  logMax = 0;
  slowestConvergenceMs = 0;
  phases = 0;
  operations = 0;
  readonly #outcomes = new Map<string, number>();
  readonly #faults = new Map<string, number>();

  ended({ type, outcome, code }: WriteEvent | ReadEvent): void {
    this.operations += 1;
    count(this.#outcomes, [type, outcome, ...(code === undefined ? [] : [code])].join(' '));
  }

  done({ kind }: Fault): void {
    count(this.#faults, kind);
  }

  faults(kind: Fault['kind']): number {
    return this.#faults.get(kind) ?? 0;
  }

  converged(ms: number): void {
    this.phases += 1;
    this.slowestConvergenceMs = Math.max(this.slowestConvergenceMs, ms);
  }

  lines(): readonly string[] {
    return [
      `operations: ${this.operations.toLocaleString('en')}`,
      ...table(this.#outcomes),
      'faults:',
      ...table(this.#faults),
      `  frames cut in the middle: ${this.cutInFrame}`,
      `processes started: ${this.starts}; rejoined under a new incarnation: ${this.rejoins}`,
      `folds: ${this.folds}; most writes in a log: ${this.logMax.toLocaleString('en')}`,
      `converged ${this.phases} times, at the slowest within ${(this.slowestConvergenceMs / 1_000).toFixed(1)} s`,
      `violations: ${this.violations.length}`,
      ...this.violations.slice(0, 20).map((violation) => `  ${violation}`),
    ];
  }
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function table(counts: ReadonlyMap<string, number>): readonly string[] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, n]) => `  ${what}: ${n.toLocaleString('en')}`);
}
