import { seededRandom } from '../base/random.js';
import type { HistoryEvent } from '../check/history.js';
import type { Procedures } from '../machine/procedures.js';
import { bringTogether } from './liveness.js';
import { TriedProcedures } from './merging.js';
import type { Plan } from './plan.js';
import type { OperationCounts } from './recorder.js';
import { World } from './world.js';

/** How many events may happen between two things of the plan: more, and the replicas are busy with themselves. */
const EVENTS_MAX = 3_000_000;
/** What replicas show is written down at so many moments, */
const OBSERVED_TIMES = 4;
/** if their logs are not longer than this. */
const OBSERVED_WRITES_MAX = 1_000;

const MINUTE_MS = 60_000;

export interface RunPorts {
  /** Such as CRC-32. */
  readonly checksum: (bytes: Uint8Array) => number;
  /** The merge procedures that every replica has; absent: the ready ones. */
  readonly procedures?: Procedures;
  /** Given what happens, as it happens; absent: nobody wants it. */
  readonly sink?: (event: HistoryEvent) => void;
  /** Told every virtual minute how far the run is. */
  readonly onMinute?: (virtualMs: number) => void;
}

export interface RunResult {
  /** Over all that happened and when: two runs that did the same have the same. */
  readonly hash: string;
  /** Operations of clients, by how they ended. */
  readonly operations: Readonly<OperationCounts>;
  /** How often each kind of fault took effect. */
  readonly faults: ReadonlyMap<string, number>;
  /** How often replicas and clients met each error code. */
  readonly codes: ReadonlyMap<string, number>;
  readonly messages: number;
  readonly virtualMs: number;
  /** Rounds of anti-entropy until all agreed, once the faults were over; null if they did not in time. */
  readonly rounds: number | null;
  /** What went wrong inside; none if all is well. */
  readonly failures: readonly string[];
}

/** Runs a plan to its end: the same plan, always the same. */
export function runPlan(plan: Plan, ports: RunPorts): RunResult {
  const { checksum, procedures = new TriedProcedures(), sink = () => undefined } = ports;
  const world = new World(plan, { checksum, procedures, sink });
  const { scheduler, recorder } = world;
  const moments = momentsOf(plan);
  let nextMinute = MINUTE_MS;
  const advance = (to: number): void => {
    while (moments[0] !== undefined && moments[0] <= to) {
      scheduler.runUntil(moments.shift() ?? to, EVENTS_MAX);
      world.observe(OBSERVED_WRITES_MAX);
    }
    if (!scheduler.runUntil(to, EVENTS_MAX)) recorder.failed(`more than ${EVENTS_MAX} events, and no end`);
    for (; nextMinute <= to; nextMinute += MINUTE_MS) ports.onMinute?.(nextMinute);
  };
  for (const { at, action } of plan.actions) {
    if (at > scheduler.now) advance(at);
    world.do(action);
  }
  advance(plan.durationMs);
  const rounds = bringTogether(world, plan);
  world.observeEnd();
  return {
    hash: recorder.hash.digest,
    operations: recorder.operations,
    faults: recorder.faults,
    codes: recorder.codes,
    messages: recorder.messages,
    virtualMs: scheduler.now,
    rounds,
    failures: recorder.failures,
  };
}

/** When to write down what replicas show: ascending. */
function momentsOf({ seed, durationMs }: Plan): number[] {
  const random = seededRandom(seed + 2);
  return Array.from({ length: OBSERVED_TIMES }, () => random.below(durationMs + 1)).sort((a, b) => a - b);
}
