import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { transformWithEsbuild } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PAGES } from './page.js';

/* The code of the guide is run, as it stands there, against the package as it is built; and it is what strict types allow. */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Within the package, so that it is imported under its own name. */
const PROGRAMS = join(ROOT, 'dist', 'guide');
const run = promisify(execFile);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'barista-guide-'));
  mkdirSync(PROGRAMS, { recursive: true });
  for (const { name, program } of PAGES) writeFileSync(join(PROGRAMS, `${name}.ts`), program);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(PROGRAMS, { recursive: true, force: true });
});

test('there are pages', () => {
  expect(PAGES.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'quickstart',
      'sessions',
      'reading',
      'operations',
      'merging',
      'watching',
      'conflicts',
      'offline',
      'bundles',
      'errors',
    ]),
  );
  for (const { name, prints } of PAGES) expect(prints.length, name).toBeGreaterThan(0);
});

test.each(PAGES)('$name prints what it says', async ({ name, program, prints }) => {
  const { code } = await transformWithEsbuild(program, `${name}.ts`, { sourcemap: false });
  const file = join(PROGRAMS, `${name}.js`);
  writeFileSync(file, code);
  const { stdout, stderr } = await run(process.execPath, [file], { cwd: folder, timeout: 50_000 });
  expect(stderr).toBe('');
  expect(stdout.trimEnd().split('\n')).toEqual(prints);
});

test('all of it is what strict types allow', async () => {
  const options = [
    '--ignoreConfig',
    '--strict',
    '--noEmit',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--types',
    'node',
  ];
  const files = PAGES.map(({ name }) => join(PROGRAMS, `${name}.ts`));
  const compiled = run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...options, ...files], {
    cwd: ROOT,
  });
  await expect(
    compiled.catch((error: { stdout: string }) => Promise.reject(new Error(error.stdout))),
  ).resolves.toBeDefined();
});
