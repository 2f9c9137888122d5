import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { indexOf, readMutants } from '../mutants/mutant.js';

/* That the checks see each of the bugs is `npm run mutants`; here only that they can still be planted. */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const mutants = readMutants(`${ROOT}mutants`);

describe('the planted bugs', () => {
  test('are forty at least', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(40);
  });

  test.each(mutants)('$name applies to the source as it is', ({ file }) => {
    execFileSync('git', ['apply', '--check', file], { cwd: ROOT, stdio: 'pipe' });
  });

  test('are each to be seen by a check that exists', () => {
    const files = mutants.flatMap(({ checks }) =>
      checks.flatMap((check) => (check.kind === 'tests' ? check.file : [])),
    );
    expect(files.filter((file) => !existsSync(`${ROOT}${file}`))).toEqual([]);
  });

  test('are all in the index', () => {
    expect(readFileSync(`${ROOT}mutants/README.md`, 'utf8')).toContain(indexOf(mutants));
  });
});
