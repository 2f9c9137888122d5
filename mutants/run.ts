import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '../src/base/random.js';
import { type Budget, runCheck, type Verdict } from './checks.js';
import { endAll } from './child.js';
import { type Check, type Mutant, readMutants, SEARCHES } from './mutant.js';
import { compile, copyTree, plant, pull } from './tree.js';

/*
 * Plants one bug after the other and says which checks see it:
 * npm run mutants [-- NAME...] [--budget short|long] [--minutes N] [--shuffle SEED]
 *
 * --minutes: after so long no other is begun, and how many were left is said. --shuffle: in the order that the seed says.
 */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** So many mutants are tried at a time. */
const LANES = 2;

const BUDGETS: Readonly<Record<string, Budget>> = {
  // Far enough for each bug that is there, and not as far as in `npm test`.
  short: { seedsMax: { simulator: 20, schedules: 2_000, membership: 800, batches: 800, lives: 500 }, secondsMax: 120 },
  long: {
    seedsMax: { simulator: 10_000, schedules: 2_000_000, membership: 50_000, batches: 50_000, lives: 100_000 },
    secondsMax: 600,
  },
};
/** How long the simulator may look with a short budget: each bug is known to be seen by another check, too. */
const GLANCE_SECONDS = 2;

const SIMULATOR: Check = { kind: 'search', name: 'simulator' };

interface Trial {
  readonly mutant: Mutant;
  /** What the checks say, up to the first that sees the bug; with a long budget all of them. */
  readonly verdicts: readonly Verdict[];
  /** Why it could not be planted; null if it could. */
  readonly failure: string | null;
}

async function main(): Promise<boolean> {
  const { values, positionals } = parseArgs({
    options: {
      budget: { type: 'string', default: 'short' },
      minutes: { type: 'string', default: 'Infinity' },
      shuffle: { type: 'string' },
    },
    allowPositionals: true,
  });
  const budget = BUDGETS[values.budget];
  const endsAt = performance.now() + Number(values.minutes) * 60_000;
  const all = readMutants(join(ROOT, 'mutants'));
  const unknown = positionals.filter((name) => !all.some((mutant) => mutant.name === name));
  if (budget === undefined || Number.isNaN(endsAt) || unknown.length > 0) {
    say('usage: npm run mutants [-- NAME...] [--budget short|long] [--minutes N] [--shuffle SEED]');
    if (unknown.length > 0) say(`there is no ${unknown.join(', ')}`);
    return false;
  }
  const named = positionals.length === 0 ? all : all.filter(({ name }) => positionals.includes(name));
  const mutants = values.shuffle === undefined ? named : shuffled(named, Number(values.shuffle));
  const isLong = values.budget === 'long';
  const folder = mkdtempSync(join(tmpdir(), 'barista-mutants-'));
  process.on('exit', () => {
    endAll();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

  const trees = Array.from({ length: LANES }, (_, lane) => join(folder, `${lane}`));
  for (const tree of trees) {
    copyTree(ROOT, tree);
    const broken = await compile(tree);
    if (broken !== null) throw new Error(broken);
  }
  if (!(await checkSound(mutants, trees, budget))) return false;
  const trials = await inLanes(
    mutants,
    trees,
    (mutant, tree) => tryMutant(mutant, tree, budget, isLong),
    () => performance.now() < endsAt,
  );
  report(trials);
  if (trials.length < mutants.length) say(`${mutants.length - trials.length} were not tried: the time was up`);
  return trials.every(isCaught);
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = seededRandom(seed);
  const drawn = items.map((item) => ({ item, place: random.below(2 ** 31) }));
  return drawn.sort((a, b) => a.place - b.place).map(({ item }) => item);
}

/** Each check must pass without a bug, or it would see one anywhere. */
async function checkSound(mutants: readonly Mutant[], trees: readonly string[], budget: Budget): Promise<boolean> {
  const checks = new Map(mutants.flatMap((mutant) => mutant.checks).map((check) => [check.name, check]));
  checks.set(SIMULATOR.name, SIMULATOR);
  say(`unmutated: ${checks.size} checks`);
  const verdicts = await inLanes([...checks.values()], trees, (check, tree) => runCheck(check, tree, budget));
  const wrong = verdicts.filter(({ caught, seeds, says }) => caught || (seeds === null && !says.endsWith(' passed')));
  for (const { check, says } of wrong) say(`unmutated, ${check.name} says: ${says}`);
  return wrong.length === 0;
}

async function tryMutant(mutant: Mutant, tree: string, budget: Budget, isLong: boolean): Promise<Trial> {
  const unplanted = await plant(mutant, ROOT, tree);
  const failure = unplanted ?? (await compile(tree));
  const verdicts: Verdict[] = [];
  for (const check of failure === null ? checksFor(mutant, isLong) : []) {
    const isGlance = check === SIMULATOR && !isLong;
    const verdict = await runCheck(check, tree, isGlance ? { ...budget, secondsMax: GLANCE_SECONDS } : budget);
    verdicts.push(verdict);
    if (verdict.caught && !isLong) break;
  }
  if (unplanted === null) await pull(mutant, ROOT, tree);
  const trial = { mutant, verdicts, failure };
  say(`${isCaught(trial) ? 'caught' : 'NOT CAUGHT'}  ${mutant.name}: ${failure ?? verdicts.map(lineOf).join('; ')}`);
  return trial;
}

/** The simulator, if the bug is in what it runs, and the checks that the patch names; with a long budget every search. */
function checksFor({ checks, isSimulated }: Mutant, isLong: boolean): readonly Check[] {
  if (!isSimulated) return checks;
  const searches = SEARCHES.filter((name) => isLong && !checks.some((check) => check.name === name));
  const others = searches.map((name): Check => ({ kind: 'search', name }));
  return [SIMULATOR, ...[...checks, ...others].filter(({ name }) => name !== SIMULATOR.name)];
}

function isCaught({ verdicts }: Trial): boolean {
  return verdicts.some(({ caught }) => caught);
}

/** What each check said, as a table for docs/TESTING.md. */
function report(trials: readonly Trial[]): void {
  say('\n| mutant | simulator | other check | time |\n|---|---|---|---|');
  for (const { mutant, verdicts, failure } of trials) {
    const simulator = verdicts.find(({ check }) => check.name === SIMULATOR.name);
    const others = verdicts.filter((verdict) => verdict !== simulator);
    const other = others.find(({ caught }) => caught) ?? others.at(-1);
    const cells = [simulator, other].map((verdict) => (verdict === undefined ? '' : cellOf(verdict)));
    const seconds = verdicts.reduce((sum, verdict) => sum + verdict.seconds, 0);
    say(`| ${mutant.name} | ${failure ?? cells[0]} | ${cells[1]} | ${seconds.toFixed(1)} s |`);
  }
  const caught = trials.filter(isCaught).length;
  const bySimulator = trials.filter(({ verdicts }) => verdicts.some(isSimulatorsCatch)).length;
  const inReach = trials.filter(({ mutant }) => mutant.isSimulated).length;
  say(`\n${caught} of ${trials.length} mutants caught; by the simulator ${bySimulator} of the ${inReach} it runs`);
}

function isSimulatorsCatch({ check, caught }: Verdict): boolean {
  return caught && check.name === SIMULATOR.name;
}

function cellOf({ check, caught, seeds, says }: Verdict): string {
  const name = check.name === SIMULATOR.name ? '' : `${check.name}: `;
  if (seeds === null) return `${name}${says}`;
  return caught ? `${name}seed ${seeds}` : `${name}not in ${seeds} seeds`;
}

function lineOf(verdict: Verdict): string {
  const { check, caught, seeds, says } = verdict;
  const what = caught && seeds !== null ? ` (${says.split('\n')[0]?.slice(0, 160)})` : '';
  return `${check.name === SIMULATOR.name ? 'simulator: ' : ''}${cellOf(verdict)}${what}`;
}

/** Works on one item in each tree at a time, and begins another while `goesOn`. The results are in the order of the items. */
async function inLanes<T, R>(
  items: readonly T[],
  trees: readonly string[],
  work: (item: T, tree: string) => Promise<R>,
  goesOn: () => boolean = () => true,
): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (tree: string): Promise<void> => {
    for (let at = next++; at < items.length && goesOn(); at = next++) results[at] = await work(items[at] as T, tree);
  };
  await Promise.all(trees.map(lane));
  return results;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = (await main()) ? 0 : 1;
