import { BaristaError, messageOf } from '../base/errors.js';
import { acceptTimeSpan } from '../bayou/clock.js';
import { checkHistory } from '../check/check.js';
import type { Header, HistoryEvent } from '../check/history.js';
import type { CheckReport } from '../check/report.js';
import type { Procedures } from '../machine/procedures.js';
import { mergesOf, TriedProcedures } from './merging.js';
import type { Plan } from './plan.js';
import { type RunResult, runPlan } from './run.js';

/** Something that Barista promises, and that did not hold. */
export interface Violation {
  /** Which check found it; what it says in short, if it showed while the plan ran. */
  readonly check: string;
  /** The first that was found, */
  readonly message: string;
  /** of so many. */
  readonly count: number;
}

export type Counts = Readonly<Record<string, number>>;

/** What is known of a run once it has been checked. Plain data, which can be sent between threads. */
export interface Verdict {
  /** Over all that happened and when: the same plan has the same. */
  readonly hash: string;
  readonly virtualMs: number;
  /** How many rounds of anti-entropy it took until all agreed, once the faults were over; null if they did not. */
  readonly rounds: number | null;
  /** How often operations of clients ended in each way. */
  readonly operations: Counts;
  /** How often each kind of fault took effect. */
  readonly faults: Counts;
  /** How much each check looked at. */
  readonly checked: Counts;
  /** One for each check that found any. */
  readonly violations: readonly Violation[];
}

export interface JudgePorts {
  /** The merge procedures that every replica has; absent: the ready ones. */
  readonly procedures?: Procedures;
  /** Such as CRC-32. */
  readonly checksum: (bytes: Uint8Array) => number;
  readonly onHistory?: (line: Header | HistoryEvent) => void;
  readonly onMinute?: (virtualMs: number) => void;
  /** The plan has run, and is checked from now on. */
  readonly onRan?: () => void;
}

/** Runs a plan to its end, and checks what happened. */
export type Judge = (plan: Plan, ports: JudgePorts) => Verdict;

const CRASHED = { hash: '-', virtualMs: 0, rounds: null, operations: {}, faults: {}, checked: {} };

export const judge: Judge = (plan, { checksum, procedures = new TriedProcedures(), onHistory, onMinute, onRan }) => {
  const header: Header = {
    type: 'history',
    version: 1,
    tieBreak: plan.tieBreak,
    retryWindow: acceptTimeSpan(plan.clock, plan.retryWindowMs),
  };
  const events: HistoryEvent[] = [];
  onHistory?.(header);
  const sink = (event: HistoryEvent): void => {
    events.push(event);
    onHistory?.(event);
  };
  let run: RunResult;
  let report: CheckReport;
  try {
    run = runPlan(plan, { checksum, procedures, sink, ...(onMinute === undefined ? {} : { onMinute }) });
    onRan?.();
    report = checkHistory({ header, events }, mergesOf(procedures));
  } catch (thrown) {
    // A mistake of Barista, of the simulator, of a check or of a merge procedure: either way it is the plan that shows it.
    const isMistake = thrown instanceof Error && !(thrown instanceof BaristaError);
    const message = isMistake ? `${thrown.stack}` : messageOf(thrown);
    return { ...CRASHED, violations: [{ check: slugOf(messageOf(thrown)), message, count: 1 }] };
  }
  return {
    hash: run.hash,
    virtualMs: run.virtualMs,
    rounds: run.rounds,
    operations: { ...run.operations },
    faults: Object.fromEntries(run.faults),
    checked: Object.fromEntries(report.checks.map(({ check, looked }) => [check, looked])),
    violations: violationsIn(run, report),
  };
};

function violationsIn({ failures }: RunResult, { checks, violations }: CheckReport): readonly Violation[] {
  const counts = new Map<string, number>(checks.map(({ check, violations: count }) => [check, count]));
  const firsts = new Map<string, string>();
  for (const message of failures) {
    const check = slugOf(message);
    counts.set(check, (counts.get(check) ?? 0) + 1);
    if (!firsts.has(check)) firsts.set(check, message);
  }
  for (const { check, message } of violations) if (!firsts.has(check)) firsts.set(check, message);
  return Array.from(firsts, ([check, message]) => ({ check, message, count: counts.get(check) ?? 1 }));
}

const SLUG_WORDS_MAX = 6;

/** What a failure is called, so that the same one is known again with other ids and times: its words without numbers. */
function slugOf(message: string): string {
  const words = message.replace(/^at \d+ ms: /, '').match(/[\p{L}\p{N}_]+/gu) ?? [];
  return words
    .filter((word) => !/\d/.test(word))
    .slice(0, SLUG_WORDS_MAX)
    .join('-')
    .toLowerCase();
}
