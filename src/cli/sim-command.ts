import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import { BaristaError } from '../base/errors.js';
import { FAULT_NAMES, FAULTS, type FaultName } from '../sim/faults.js';
import { addExploreOptions, type ExploreOptions, exploreRequestOf } from './explore-command.js';
import { count, listOf, proceduresOption, seed, span } from './option-values.js';
import type { SimRequest } from './sim-request.js';

interface Options extends ExploreOptions {
  readonly seed: number;
  readonly replicas: number;
  readonly clients: number;
  readonly hours: number;
  readonly faults: readonly FaultName[];
  readonly history?: string;
  readonly procedures: readonly string[];
  readonly seeds?: number;
  readonly minutes?: number;
  readonly firstSeed?: number;
  readonly jobs?: number;
  readonly out: string;
  readonly shrinkRuns: number;
  readonly shrinkMinutes: number;
  readonly report?: string;
  readonly largest: number;
}

const SEARCHES = ['seeds', 'minutes'];

export function addSimCommand(program: Command, run: (request: SimRequest) => Promise<void>): Command {
  const command = program
    .command('sim')
    .summary('run replicas and clients on virtual time, with faults, and check what they did')
    .description(
      'Runs replicas and clients in one process, on virtual time, while a seed decides which faults come and when; then\n' +
        'checks that they kept what Barista promises. --seeds or --minutes search for a seed that fails.',
    )
    .addOption(new Option('--seed <n>', 'the run with this seed').argParser(seed).default(1).conflicts(SEARCHES))
    .addOption(new Option('--replicas <n>', 'how many replicas').argParser(count(100)).default(5))
    .addOption(new Option('--clients <n>', 'how many clients').argParser(count(10_000)).default(20))
    .addOption(new Option('--hours <h>', 'virtual time, like 1 or 0.25').argParser(span).default(1))
    .addOption(
      new Option('--faults <list>', 'the faults that may come, with commas between; none; all')
        .argParser(listOf(FAULT_NAMES))
        .default(FAULT_NAMES, 'all'),
    )
    .addOption(
      new Option('--history <file>', 'where what clients and replicas did is written, as JSON lines').conflicts(
        SEARCHES,
      ),
    )
    .addOption(proceduresOption().conflicts('exhaustive'))
    .addOption(new Option('--seeds <n>', 'searches so many seeds').argParser(count(1_000_000_000)))
    .addOption(new Option('--minutes <n>', 'searches for so long, like 60 or 0.5').argParser(span))
    .addOption(new Option('--first-seed <n>', 'where the search begins (default: 1)').argParser(seed))
    .addOption(
      new Option('--jobs <n>', 'how many seeds the search runs at once (default: as many as cores)').argParser(
        count(256),
      ),
    )
    .option('--out <dir>', 'where the scripts of failing seeds go', 'tests/sim/seeds')
    .addOption(
      new Option('--shrink-runs <n>', 'how many smaller plans are tried to shrink a failing one')
        .argParser(count(1_000_000))
        .default(1000),
    )
    .addOption(new Option('--shrink-minutes <n>', 'and for how long at most').argParser(span).default(10))
    .addOption(
      new Option(
        '--report <file>',
        'writes what users see when links are down, bad or many, for several topologies, as a page of HTML',
      ).conflicts([...SEARCHES, 'exhaustive', 'history']),
    )
    .addOption(
      new Option('--largest <n>', 'how many replicas the largest fleet of the report has')
        .argParser(count(1_000))
        .default(100),
    )
    .addHelpText('after', HELP);
  return addExploreOptions(command).action(async (options: Options) => {
    const replicas = command.getOptionValueSource('replicas') === 'cli' ? options.replicas : null;
    const { report, seed, largest } = options;
    if (report !== undefined) await run({ kind: 'report', file: report, seed, largest });
    else await run(options.exhaustive === true ? exploreRequestOf(options, replicas) : requestOf(options));
  });
}

function requestOf(options: Options): SimRequest {
  const { replicas, clients, hours, out, procedures: procedureFiles, shrinkRuns, shrinkMinutes } = options;
  const faults = options.faults.length === FAULT_NAMES.length ? 'all' : options.faults;
  const common = {
    world: { replicas, clients, hours, faults, procedureFiles },
    keeping: { out, shrinking: { runsMax: shrinkRuns, minutesMax: shrinkMinutes } },
  } as const;
  const { seed, history, seeds, minutes, firstSeed, jobs } = options;
  if (seeds !== undefined || minutes !== undefined) {
    const limits = { seedsMax: seeds ?? null, minutesMax: minutes ?? null };
    return { kind: 'search', ...common, firstSeed: firstSeed ?? 1, ...limits, jobs: jobs ?? availableParallelism() };
  }
  if (firstSeed === undefined && jobs === undefined) {
    return { kind: 'run', ...common, seed, historyFile: history ?? null };
  }
  throw new BaristaError('ERR_OPTION', '--first-seed and --jobs are of a search: say --seeds or --minutes too');
}

const HELP = `
Prints a fact a line:
  seed SEED ok                      or "failed"; of a search: "seeds COUNT from FIRST to LAST" and "failed SEED, ..."
  hash HASH                         over all that happened and when: runs of the same are the same
  time VIRTUAL in REAL, ...         how much virtual time passed, and how much faster than real time
  operations COUNT, ...             of clients, by how they ended; of a search also how many a minute of processor time,
                                    with all that its threads did: drawing, running, checking, compiling, shrinking
  faults COUNT: ...                 that took effect, by kind
  checked ...                       how much each check looked at
  agreement after COUNT rounds      of anti-entropy, once the faults were over
  violation CHECK: WHAT             a line for each thing that was wrong
  script FILE: COUNT actions        for each seed that failed: what it was shrunk to
A script is replayed by: barista master --world simulated FILE

--procedures has all clients write with the merge procedures of a module, on values that each of them gives as its "samples": a list.
A procedure that is not the same function everywhere fails a check, and so does one that makes of the same conflict once this and once
that. Its scripts are replayed with --procedures, too.

Faults: a run has each with some chance, and then so often an hour; those that are named it has for sure.
${FAULT_NAMES.map((name) => `  ${name.padEnd(24)}${Math.round(FAULTS[name].inRun * 100)} % of runs, ${FAULTS[name].perHour} an hour`).join('\n')}

Exit status:
  0    nothing was wrong
  1    a seed failed
  2    an option is wrong
  130  Ctrl-C ended it; what ran is summed up

Examples:
  barista sim --seed 7 --replicas 5 --clients 20 --hours 1 --faults all
  barista sim --seeds 1000 --jobs 2
  barista sim --minutes 60 --first-seed 100000 --faults crash,power,partition-bridge
  barista sim --seeds 100 --procedures ./procedures.js
  barista sim --report report.html --largest 1000
  barista sim --exhaustive --program "put k, put k" --program "put k" --fault-count 1
  barista sim --exhaustive --fault-count 0 --path "do:c1:r1 ask:r2:r1 answer:r2:r1 take:r2:r1"`;
