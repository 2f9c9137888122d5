import { type Ended, run } from './child.js';
import type { Check, SearchName } from './mutant.js';
import type { Found } from './search.js';

export interface Verdict {
  readonly check: Check;
  readonly caught: boolean;
  /** How many seeds were played; null if the check has none. */
  readonly seeds: number | null;
  readonly seconds: number;
  /** What it found, or why it found nothing. */
  readonly says: string;
}

export interface Budget {
  readonly seedsMax: Readonly<Record<SearchName, number>>;
  /** Of processor time, for a search; a test that takes so long by the clock hangs. */
  readonly secondsMax: number;
}

/** What a check may take by the clock, on a machine that is busy and to end its last seed, before it is ended. */
const CLOCK_RATIO_MAX = 5;
const GRACE_SECONDS = 30;

export function runCheck(check: Check, tree: string, budget: Budget): Promise<Verdict> {
  return check.kind === 'search' ? runSearch(check.name, tree, budget) : runTests(check, tree, budget);
}

async function runSearch(name: SearchName, tree: string, { seedsMax, secondsMax }: Budget): Promise<Verdict> {
  const args = ['dist/mutants/search.js', name, `${seedsMax[name]}`, `${secondsMax}`];
  const ended = await run(process.execPath, args, tree, CLOCK_RATIO_MAX * secondsMax + GRACE_SECONDS);
  const verdict = { check: { kind: 'search', name }, seconds: ended.seconds } as const;
  if (ended.status !== 0) return { ...verdict, caught: false, seeds: null, says: failure(ended) };
  const { seeds, wrong } = JSON.parse(ended.output.trim().split('\n').at(-1) ?? '') as Found;
  return { ...verdict, caught: wrong !== null, seeds, says: wrong ?? 'nothing' };
}

async function runTests(check: Check & { kind: 'tests' }, tree: string, budget: Budget): Promise<Verdict> {
  const only = check.only === '' ? [] : ['-t', check.only];
  // What hangs is to be said by the test, before it is ended here.
  const limits = ['--testTimeout', '--hookTimeout'].map((limit) => `${limit}=${budget.secondsMax * 1_000}`);
  const args = ['run', check.file, '--bail=1', '--reporter=json', '--silent', ...limits, ...only];
  const ended = await run('node_modules/.bin/vitest', args, tree, CLOCK_RATIO_MAX * budget.secondsMax + GRACE_SECONDS);
  const verdict = { check, seeds: null, seconds: ended.seconds } as const;
  const results = resultsIn(ended.output);
  if (ended.timedOut || results === null) return { ...verdict, caught: false, says: failure(ended) };
  const tests = results.testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = tests.find(({ status }) => status === 'failed');
  if (failed !== undefined) return { ...verdict, caught: true, says: failed.fullName };
  const passed = tests.filter(({ status }) => status === 'passed').length;
  if (passed === 0) return { ...verdict, caught: false, says: `no test of ${check.name} ran` };
  return { ...verdict, caught: false, says: `${passed} tests passed` };
}

interface Results {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** What vitest reports, in one line of JSON among what else is said. */
function resultsIn(output: string): Results | null {
  const line = output.split('\n').find((it) => it.startsWith('{"numTotalTestSuites"'));
  return line === undefined ? null : (JSON.parse(line) as Results);
}

function failure({ timedOut, seconds, output }: Ended): string {
  if (timedOut) return `ended at its time limit, after ${Math.round(seconds)} s`;
  return `did not run: ${output.trim().split('\n').slice(-3).join(' ')}`;
}
