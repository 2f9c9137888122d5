import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The random searches, by what they play. Each goes from seed to seed, and is run by `search.ts`. */
export const SEARCHES = ['simulator', 'schedules', 'membership', 'batches', 'lives'] as const;

export type SearchName = (typeof SEARCHES)[number];

export type Check =
  | { readonly kind: 'search'; readonly name: SearchName }
  /** A file of tests; only those whose name has `only` in it, unless that is empty. */
  | { readonly kind: 'tests'; readonly name: string; readonly file: string; readonly only: string };

/** A bug that is planted to see whether the checks find it. */
export interface Mutant {
  readonly name: string;
  /** The patch, from the root of the repository. */
  readonly file: string;
  /** What is wrong, in a sentence or two. */
  readonly what: string;
  /** The checks that see it, the cheapest first. */
  readonly checks: readonly Check[];
  /** True if the simulator runs the code that it is in. */
  readonly isSimulated: boolean;
}

const SEEN_BY = 'Seen by: ';
/** What the simulator has in common with a server. */
const SIMULATED = /^\+\+\+ b\/src\/(base|bayou|machine|driver|client|storage)\/[a-z-]+\.ts$/m;

/** Reads the patches of `folder`, by name. Throws if one does not say what it is. */
export function readMutants(folder: string): readonly Mutant[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.patch'))
    .sort()
    .map((file) => parseMutant(file, readFileSync(join(folder, file), 'utf8')));
}

/** A patch begins with what is wrong, then has a line `Seen by:` with searches and files of tests, then the diff. */
function parseMutant(file: string, text: string): Mutant {
  const [head = ''] = text.split(/^--- /m, 1);
  const lines = head.trim().split('\n');
  const seenBy = lines.pop() ?? '';
  const what = lines.join(' ').trim();
  if (what === '' || !seenBy.startsWith(SEEN_BY))
    throw new Error(`${file} does not say what is wrong, and who sees it`);
  const checks = seenBy.slice(SEEN_BY.length).split(', ').map(checkNamed);
  const name = file.slice(0, -'.patch'.length);
  return { name, file: join('mutants', file), what, checks, isSimulated: SIMULATED.test(text) };
}

/** `schedules`, `tests/bayou/session.test.ts`, or `tests/golden.test.ts > chain-of-six`. */
function checkNamed(name: string): Check {
  const search = SEARCHES.find((known) => known === name);
  if (search !== undefined) return { kind: 'search', name: search };
  const [file = '', only = ''] = name.split(' > ');
  if (!/^tests\/.*\.test\.ts$/.test(file)) throw new Error(`there is no check ${name}`);
  return { kind: 'tests', name, file, only };
}

/** The table of README.md. */
export function indexOf(mutants: readonly Mutant[]): string {
  const rows = mutants.map(({ name, what, checks }) => {
    return `| [${name}](${name}.patch) | ${what} | ${checks.map((check) => check.name).join(', ')} |`;
  });
  return ['| mutant | what is wrong | seen by |', '|---|---|---|', ...rows].join('\n');
}
