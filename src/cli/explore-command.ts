import { type Command, InvalidArgumentError, Option } from 'commander';
import { BaristaError } from '../base/errors.js';
import type { Line } from '../sim/explore/client-states.js';
import type { SearchLimits } from '../sim/explore/search.js';
import { FAULT_KINDS, type FaultKind, REPLICAS_MAX, type WorldOptions } from '../sim/explore/world.js';
import { count, listOf, span } from './option-values.js';

/** What `barista sim --exhaustive` was asked to do. */
export interface ExploreRequest {
  readonly kind: 'exhaustive';
  readonly world: WorldOptions;
  readonly limits: SearchLimits;
  readonly minutesMax: number;
  /** The words of a path to show step by step, instead of a search; null if there is none. */
  readonly path: readonly string[] | null;
}

export interface ExploreOptions {
  readonly exhaustive?: true;
  readonly program: readonly (readonly Line[])[];
  readonly faultCount: number;
  readonly faultKinds: readonly FaultKind[];
  readonly batch: number;
  readonly pulls: number;
  readonly reports: number;
  readonly lives?: true;
  readonly statesMax: number;
  readonly stepsMax: number;
  readonly memory: number;
  readonly minutesMax: number;
  readonly path?: string;
}

const REPLICAS = 3;
const DEFAULT_PROGRAMS = program('delete k, get k', program('put k, get k, put k', []));
const MEBIBYTE = 1024 * 1024;

/** The options of `barista sim` for going through all that can happen in a small world. */
export function addExploreOptions(command: Command): Command {
  return command
    .addOption(new Option('--exhaustive', 'goes through every run of a small world instead, with the options below'))
    .addOption(
      new Option('--program <lines>', 'what a client does, like "put k, get k, delete k"; once for each client')
        .argParser(program)
        .default([], '"put k, get k, put k" and "delete k, get k"'),
    )
    .addOption(new Option('--fault-count <n>', 'how many faults a run may have').argParser(upTo(100)).default(2))
    .addOption(
      new Option(
        '--fault-kinds <list>',
        'which: of a pull that is cut, a crash, a request of a client that is lost or late',
      )
        .argParser(listOf(FAULT_KINDS))
        .default(['cut', 'crash'], 'cut,crash'),
    )
    .addOption(new Option('--batch <n>', 'writes in a batch').argParser(count(100)).default(1))
    .addOption(
      new Option('--pulls <n>', 'how many pulls may have a message under way at a time')
        .argParser(count(100))
        .default(1),
    )
    .addOption(
      new Option('--reports <n>', 'how many pulls may ask what the members attest, so that writes are folded')
        .argParser(upTo(100))
        .default(0),
    )
    .addOption(new Option('--lives', 'replicas also watch for copies of each other'))
    .addOption(
      new Option('--states-max <n>', 'ends at so many states').argParser(count(2 ** 32 - 2)).default(100_000_000),
    )
    .addOption(
      new Option('--steps-max <n>', 'looks at runs of so many steps').argParser(count(1_000_000)).default(10_000),
    )
    .addOption(
      new Option('--memory <mebibytes>', 'ends when states take so much').argParser(count(1_000_000)).default(4_096),
    )
    .addOption(new Option('--minutes-max <n>', 'ends after so long').argParser(span).default(60))
    .addOption(new Option('--path <actions>', 'shows what happens in one run, as a violation names it'));
}

/** `replicas`: null if it was not said. */
export function exploreRequestOf(options: ExploreOptions, replicas: number | null): ExploreRequest {
  const { batch, pulls, reports, faultKinds, faultCount, statesMax, stepsMax, memory, minutesMax, path } = options;
  if (reports > 0 && faultKinds.includes('lose')) {
    throw new BaristaError('ERR_OPTION', 'with --reports there is no retry window, so no request may be lost');
  }
  if (replicas !== null && replicas > REPLICAS_MAX) {
    throw new BaristaError('ERR_OPTION', `an exhaustive search takes ${REPLICAS_MAX} replicas at most`);
  }
  return {
    kind: 'exhaustive',
    world: {
      replicas: replicas ?? REPLICAS,
      programs: options.program.length === 0 ? DEFAULT_PROGRAMS : options.program,
      guarantees: ['read-your-writes', 'monotonic-reads'],
      faults: faultCount,
      faultKinds,
      batch,
      pulls,
      reports,
      lives: options.lives === true,
      reduce: true,
    },
    limits: { statesMax, depthMax: stepsMax, bytesMax: memory * MEBIBYTE, violationsMax: 1 },
    minutesMax,
    path: path === undefined ? null : path.trim().split(/\s+/),
  };
}

function upTo(max: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) <= max) return Number(text);
    throw new InvalidArgumentError(`It takes a whole number up to ${max}.`);
  };
}

/** Adds one client's program to those before. */
function program(text: string, before: readonly (readonly Line[])[]): readonly (readonly Line[])[] {
  const lines = text.split(',').map((line): Line => {
    const [, kind, key] = /^\s*(put|delete|get)\s+(\S+)\s*$/.exec(line) ?? [];
    if (key === undefined) throw new InvalidArgumentError('A line is "put KEY", "delete KEY" or "get KEY".');
    return { kind: kind as Line['kind'], key };
  });
  return [...before, lines];
}
