import { type Random, seededRandom } from '../base/random.js';
import { GUARANTEES, type Guarantee } from '../bayou/session.js';
import { drawFaults } from './draw-faults.js';
import { FAULT_NAMES, FAULTS, type FaultName } from './faults.js';
import type { MergeSamples } from './merging.js';
import type { Plan, PlannedAction, PlannedClient } from './plan.js';
import { drawWorkload } from './workload.js';

export interface GenerateOptions {
  readonly replicas: number;
  readonly clients: number;
  /** How long clients act and faults come, in virtual hours. */
  readonly hours: number;
  /** Which kinds there may be; each run has some of them. */
  readonly faults: 'all' | 'none' | readonly FaultName[];
}

const HOUR_MS = 3_600_000;
/** They make other seeds of a seed. */
const CHANGING = 0x5eed;
const MERGING = 0x3e26e;
const BATCHING = 0x0ba7c4e5;

/** Sessions ask for all guarantees, the two of reading, one, or none. */
const GUARANTEE_SETS: readonly (readonly Guarantee[])[] = [
  GUARANTEES,
  GUARANTEES,
  ['read-your-writes', 'monotonic-reads'],
  ['read-your-writes', 'monotonic-reads'],
  ...GUARANTEES.map((one) => [one]),
  [],
];

/**
 * A run drawn from a seed: what the world is like, what clients do, and what goes wrong. `samples`: the merge procedures that all
 * clients write with; without any they write none.
 */
export function generatePlan(seed: number, options: GenerateOptions, samples: readonly MergeSamples[] = []): Plan {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)] as T;
  const ids = Array.from({ length: options.replicas }, (_, i) => `r${i + 1}`);
  const durationMs = Math.max(1_000, Math.round(options.hours * HOUR_MS));
  const clock = random.below(10) < 7 ? 'hybrid' : 'logical';
  const windows = clock === 'hybrid' ? [20_000, 60_000, 120_000, 600_000] : [200, 1_000, 10_000];
  const antiEntropyMs = pick([2_000, 5_000, 10_000, 30_000]);
  const world = {
    tieBreak: pick(['higher', 'lower'] as const),
    clock,
    retryWindowMs: pick(windows),
    antiEntropyMs,
    compactMs: pick([2_000, 10_000]),
    maxDriftMs: clock === 'hybrid' ? pick([5_000, 60_000, 60_000, null]) : null,
    durationMs,
  } as const;
  const clients: PlannedClient[] = Array.from({ length: options.clients }, (_, i) => {
    const tries = 1 + random.below(options.replicas);
    return { id: `c${i + 1}`, guarantees: pick(GUARANTEE_SETS), ...(random.below(2) === 0 ? { tries } : {}) };
  });
  const names = clients.map(({ id }) => id);
  const kinds = chosen(options.faults, random);
  const faults = drawFaults({ random, ids, clients: names, kinds, ...world });
  const changing = seededRandom(seed ^ CHANGING);
  const merging = seededRandom(seed ^ MERGING);
  const batching = seededRandom(seed ^ BATCHING);
  const drawing = { random, changing, merging, batching, samples };
  const workload = drawWorkload({ ...drawing, ids, clients: names, durationMs });
  const links = drawLinks(ids, random);
  const late = new Set(faults.flatMap(({ action }) => (action.kind === 'join' ? [action.replica] : [])));
  return {
    seed,
    replicas: ids.filter((id) => !late.has(id)),
    clients,
    ...(links === null ? {} : { links }),
    ...world,
    actions: inOrder([...workload, ...faults], durationMs),
  };
}

/** Each with each (null), a ring, a star, a chain, or some tree. */
function drawLinks(ids: readonly string[], random: Random): [string, string][] | null {
  const [first = '', ...others] = ids;
  const last = ids.at(-1) ?? first;
  const towards = (placeOf: (i: number) => number): [string, string][] =>
    others.map((id, i) => [id, ids[placeOf(i)] ?? first]);
  switch (random.below(8)) {
    case 0:
      return towards(() => 0);
    case 1:
      return towards((i) => i);
    case 2:
      return [...towards((i) => i), [first, last]];
    case 3:
      return towards((i) => random.below(i + 1));
    default:
      return null;
  }
}

/** The kinds that a run has, and the vigour of each. */
function chosen(faults: GenerateOptions['faults'], random: Random): ReadonlyMap<FaultName, number> {
  const allowed = faults === 'all' ? FAULT_NAMES : faults === 'none' ? [] : faults;
  const kinds = new Map<FaultName, number>();
  for (const name of FAULT_NAMES) {
    // Drawn for all, so that a run with some of the kinds is like one with all.
    const isIn = random.below(1_000) < FAULTS[name].inRun * 1_000 || (faults !== 'all' && faults !== 'none');
    const vigour = [0.3, 1, 3][random.below(3)] as number;
    if (isIn && allowed.includes(name)) kinds.set(name, vigour);
  }
  return kinds;
}

function inOrder(actions: readonly PlannedAction[], durationMs: number): PlannedAction[] {
  return actions.filter(({ at }) => at <= durationMs).sort((a, b) => a.at - b.at);
}
