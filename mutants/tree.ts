import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.js';
import type { Mutant } from './mutant.js';

/** What the checks need of the repository. */
const NEEDED = [
  ...['src', 'master', 'mutants', 'tests', 'examples', 'dist/src', 'dist/master', 'dist/mutants', 'dist/tests'],
  ...['package.json', 'tsconfig.base.json', 'vitest.config.ts', 'barista.thrift'],
];
const PROJECTS = ['src/cli', 'mutants'];
const COMPILE_SECONDS_MAX = 300;
const APPLY_SECONDS_MAX = 60;

/** Copies the source tree, with what was compiled of it, so that only what changes is compiled again. */
export function copyTree(from: string, to: string): void {
  for (const name of NEEDED) cpSync(join(from, name), join(to, name), { recursive: true, preserveTimestamps: true });
  symlinkSync(join(from, 'node_modules'), join(to, 'node_modules'));
}

/** Why it does not compile; null if it does. A mutant must: what the compiler sees needs no other check. */
export async function compile(tree: string): Promise<string | null> {
  const { status, output } = await run('node_modules/.bin/tsc', ['-b', ...PROJECTS], tree, COMPILE_SECONDS_MAX);
  return status === 0 ? null : `it does not compile: ${output.trim()}`;
}

/** Plants the bug. Why that fails; null if it does not. */
export async function plant(mutant: Mutant, root: string, tree: string): Promise<string | null> {
  const { status, output } = await run('git', ['apply', join(root, mutant.file)], tree, APPLY_SECONDS_MAX);
  return status === 0 ? null : `the patch does not apply: ${output.trim()}`;
}

/** Takes the bug out again. What was compiled of it stays until the tree is compiled next. */
export async function pull(mutant: Mutant, root: string, tree: string): Promise<void> {
  const { status, output } = await run('git', ['apply', '-R', join(root, mutant.file)], tree, APPLY_SECONDS_MAX);
  if (status !== 0) throw new Error(`${mutant.name} cannot be taken out: ${output.trim()}`);
}
