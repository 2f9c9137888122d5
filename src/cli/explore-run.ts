import { printable } from '../../master/format.js';
import { BaristaError } from '../base/errors.js';
import { followPath } from '../sim/explore/path.js';
import { Search, type SearchResult } from '../sim/explore/search.js';
import type { WorldOptions } from '../sim/explore/world.js';
import { formatCount } from './client-format.js';
import type { ExploreRequest } from './explore-command.js';
import { formatDuration } from './sim-format.js';
import { INTERRUPTED_STATUS, onInterrupt, type SimScreen } from './sim-screen.js';

/** States that are looked at before anything else may happen. */
const SLICE = 5_000;

/** Goes through all that can happen in a small world, or shows one run of it. The exit status. */
export async function runExhaustive(request: ExploreRequest, screen: SimScreen): Promise<number> {
  for (const line of describeWorld(request.world)) screen.print(line);
  try {
    if (request.path !== null) return showPath(request.world, request.path, screen);
    return await searchWorld(request, screen);
  } finally {
    await screen.end();
  }
}

async function searchWorld(request: ExploreRequest, screen: SimScreen): Promise<number> {
  let interrupted = false;
  onInterrupt(() => {
    interrupted = true;
  });
  const began = performance.now();
  const search = new Search(request.world, request.limits);
  const isTimeUp = (): boolean => performance.now() - began > request.minutesMax * 60_000;
  while (!interrupted && !isTimeUp() && !search.advance(SLICE)) {
    screen.progress(() => describeSize(search.result()));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const result = search.result();
  for (const line of describeResult(result, performance.now() - began)) screen.print(printable(line));
  if (result.violations.length > 0) return 1;
  return interrupted ? INTERRUPTED_STATUS : 0;
}

function showPath(world: WorldOptions, words: readonly string[], screen: SimScreen): number {
  const { steps, wrong, possible } = followPath(world, words);
  for (const { word, replicas } of steps) {
    screen.print(word);
    for (const replica of replicas) screen.print(`  ${replica}`);
  }
  if (possible !== null) {
    const what = `${words[steps.length]} cannot happen there; what can: ${possible.join(' ')}`;
    throw new BaristaError('ERR_OPTION', what);
  }
  screen.print(wrong === null ? 'violation none' : `violation ${wrong}`);
  return wrong === null ? 0 : 1;
}

function describeWorld({ replicas, programs, faults, faultKinds, batch, pulls, reports }: WorldOptions): string[] {
  const clients = programs.map((lines, i) => `c${i + 1} ${lines.map(({ kind, key }) => `${kind} ${key}`).join(', ')}`);
  return [
    `world ${replicas} replicas; ${clients.join('; ')}`,
    `faults ${faults === 0 ? 'none' : `${faults} of ${faultKinds.join(', ')}`}`,
    `pulls ${pulls} at a time, ${batch} write${batch === 1 ? '' : 's'} a batch, ${reports} reports`,
  ];
}

function describeSize({ states, transitions, depth }: SearchResult): string {
  return `states ${formatCount(states)}, transitions ${formatCount(transitions)}, depth ${depth}`;
}

function describeResult(result: SearchResult, realMs: number): string[] {
  return [
    `${describeSize(result)}, ${result.complete ? 'complete' : 'not complete'}`,
    `replicas ${formatCount(result.replicaStates)} states, ${formatCount(result.replicaSteps)} steps of the core`,
    `histories ${formatCount(result.ledgers)}; healed ${formatCount(result.quiescent)} quiescent states`,
    `time ${formatDuration(realMs)}`,
    ...result.violations.flatMap(({ what, path }) => [`violation ${what}`, `path ${path.join(' ')}`]),
    ...(result.violations.length === 0 ? ['violation none'] : []),
  ];
}
