import { crc32 } from 'node:zlib';
import type { FaultName } from '../src/sim/faults.js';
import { generatePlan } from '../src/sim/generate.js';
import { judge } from '../src/sim/verdict.js';
import { runLives } from '../tests/property/durable-life.js';
import { runMembership } from '../tests/property/membership.js';
import { runSchedule } from '../tests/property/schedule.js';
import type { SearchName } from './mutant.js';

/*
 * Runs one search, in a process of its own: node search.js NAME SEEDS_MAX SECONDS_MAX. Says in one line of JSON how far it
 * came, and what it found. The seconds are of processor time, so that it comes as far on a machine that is busy.
 */

export interface Found {
  readonly seeds: number;
  /** Null if nothing is wrong. */
  readonly wrong: string | null;
}

const SEARCHES: Readonly<Record<SearchName, (seed: number) => string | null>> = {
  simulator: simulate,
  schedules: (seed) => runSchedule(seed, 'logical') ?? runSchedule(seed, 'hybrid'),
  membership: (seed) => runMembership(seed, 'logical') ?? runMembership(seed, 'hybrid'),
  batches: (seed) => batches(seed, 'logical') ?? batches(seed, 'hybrid'),
  lives: runLives,
};

function batches(seed: number, clock: 'logical' | 'hybrid'): string | null {
  return runMembership(seed, clock, { batches: true, exchange: seed % 2 === 0 ? 'both' : 'pulls' });
}

/** In turn: what a run draws for itself, and what bugs of one kind are met by. */
const MIXTURES: readonly ('all' | readonly FaultName[])[] = [
  'all',
  ['crash', 'power', 'power-in-call', 'fail-append', 'fail-sync', 'fail-commit', 'connection-break'],
  ['retire', 'join', 'wipe', 'restore', 'clone', 'partition-symmetric', 'crash'],
  ['loss', 'duplication', 'delay', 'partition-bridge', 'half-open', 'mute', 'connection-break', 'power'],
  ['clock-skew', 'clock-back', 'clock-future', 'partition-asymmetric', 'loss', 'power'],
];

/** A short run of a small world: many seeds see more than long runs do. */
function simulate(seed: number): string | null {
  const faults = MIXTURES[(seed - 1) % MIXTURES.length] ?? 'all';
  const plan = generatePlan(seed, { replicas: 3 + (seed % 3), clients: 6, hours: 0.2, faults });
  const [violation] = judge(plan, { checksum: (bytes) => crc32(bytes) }).violations;
  return violation === undefined ? null : `${violation.check}: ${violation.message}`;
}

/** What breaks the search itself, such as an assertion of the core, is wrong too. */
function attempt(search: (seed: number) => string | null, seed: number): string | null {
  try {
    return search(seed);
  } catch (thrown) {
    return String(thrown);
  }
}

function searchFor(name: SearchName, seedsMax: number, secondsMax: number): Found {
  const begun = process.cpuUsage();
  const isOver = (): boolean => {
    const { user, system } = process.cpuUsage(begun);
    return user + system >= secondsMax * 1_000_000;
  };
  for (let seed = 1; ; seed++) {
    const wrong = attempt(SEARCHES[name], seed);
    if (wrong !== null || seed >= seedsMax || isOver()) return { seeds: seed, wrong };
  }
}

const [name, seedsMax, secondsMax] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(searchFor(name as SearchName, Number(seedsMax), Number(secondsMax)))}\n`);
