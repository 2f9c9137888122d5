import { closeSync, openSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { ErrorCode } from '../base/errors.js';
import type { Header, HistoryEvent } from '../check/history.js';
import { formatLine } from '../check/json-lines.js';
import type { GenerateOptions } from '../sim/generate.js';
import type { MergeSamples } from '../sim/merging.js';
import type { Plan } from '../sim/plan.js';
import { shrink } from '../sim/shrink.js';
import type { Judge, Verdict, Violation } from '../sim/verdict.js';
import type { Merging } from './sim-merging.js';
import type { ShrinkLimits, SimWorld } from './sim-request.js';
import { outputError } from './sim-scripts.js';

/** One seed to run. Plain data, as are the notes and the result: a worker thread does it. */
export interface SimTask {
  readonly seed: number;
  readonly world: SimWorld;
  /** Where its history is written; null: nowhere. */
  readonly historyFile: string | null;
  readonly shrinking: ShrinkLimits;
}

/** How far it is. */
export type SimNote =
  | { readonly kind: 'running'; readonly virtualMs: number }
  | { readonly kind: 'shrinking'; readonly runs: number; readonly actions: number };

export interface SimResult {
  readonly seed: number;
  readonly verdict: Verdict;
  readonly realMs: number;
  /** How much of it the checks took. */
  readonly checkMs: number;
  readonly failure: SimFailure | null;
}

/** What a seed that failed was shrunk to. */
export interface SimFailure {
  /** What is wrong with the plan that is left. */
  readonly violation: Violation;
  readonly plan: Plan;
  readonly actionsBefore: number;
  readonly runs: number;
}

/** What the thread that runs a task says. */
export type SimMessage =
  | { readonly kind: 'note'; readonly note: SimNote }
  | { readonly kind: 'result'; readonly result: SimResult }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

export interface SimTools {
  readonly merging: Merging;
  readonly makePlan: (seed: number, world: GenerateOptions, samples: readonly MergeSamples[]) => Plan;
  readonly judge: Judge;
  readonly now: () => number;
  readonly tell: (note: SimNote) => void;
}

const checksum = (bytes: Uint8Array): number => crc32(bytes);

/** Runs a seed, checks it, and shrinks it if it failed. */
export function runTask(task: SimTask, tools: SimTools): SimResult {
  const { seed, world, historyFile, shrinking } = task;
  const began = tools.now();
  const { procedures, samples } = tools.merging;
  const plan = tools.makePlan(seed, world, samples);
  const history = historyFile === null ? null : new HistoryFile(historyFile);
  let ran = began;
  const verdict = tools.judge(plan, {
    checksum,
    procedures,
    onRan: () => {
      ran = tools.now();
    },
    onMinute: (virtualMs) => tools.tell({ kind: 'running', virtualMs }),
    ...(history === null ? {} : { onHistory: (line) => history.add(line) }),
  });
  history?.close();
  const ended = tools.now();
  const [violation] = verdict.violations;
  const failure = violation === undefined ? null : shrinkFailure(plan, violation, shrinking, tools);
  return { seed, verdict, realMs: ended - began, checkMs: ended - ran, failure };
}

/** Shrinks to a plan that the same check finds wrong. */
function shrinkFailure(
  plan: Plan,
  first: Violation,
  limits: ShrinkLimits,
  { judge, now, tell, merging }: SimTools,
): SimFailure {
  let violation = first;
  let runs = 0;
  let actions = plan.actions.length;
  const fails = (smaller: Plan): boolean => {
    runs += 1;
    tell({ kind: 'shrinking', runs, actions });
    const same = judge(smaller, { checksum, procedures: merging.procedures }).violations.find(
      ({ check }) => check === first.check,
    );
    if (same === undefined) return false;
    violation = same;
    actions = smaller.actions.length;
    return true;
  };
  const end = now() + limits.minutesMax * 60_000;
  const shrunk = shrink(plan, fails, (count) => count < limits.runsMax && now() < end);
  return { violation, plan: shrunk.plan, actionsBefore: plan.actions.length, runs: shrunk.runs };
}

const WRITTEN_CHARS_MIN = 1024 * 1024;

/** A history on its way to a file: JSON lines, gathered, since every write is a system call. */
class HistoryFile {
  readonly #file: number;
  #gathered = '';

  constructor(path: string) {
    this.#file = written(() => openSync(path, 'w'));
  }

  add(line: Header | HistoryEvent): void {
    this.#gathered += `${formatLine(line)}\n`;
    if (this.#gathered.length >= WRITTEN_CHARS_MIN) this.#write();
  }

  close(): void {
    this.#write();
    closeSync(this.#file);
  }

  #write(): void {
    written(() => writeFileSync(this.#file, this.#gathered));
    this.#gathered = '';
  }
}

function written<T>(write: () => T): T {
  try {
    return write();
  } catch (thrown) {
    throw outputError('the history cannot be written', thrown);
  }
}
