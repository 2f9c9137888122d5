import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';

/* The field notebook of examples/, run as its users run it: each command a process, over the package as it is built. */

const PROGRAM = fileURLToPath(new URL('../../examples/notebook/notebook.js', import.meta.url));

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barista-notebook-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function notebook(observer: string, ...words: readonly string[]): Promise<string[]> {
  const { stdout } = await execa(process.execPath, [PROGRAM, join(folder, observer), ...words]);
  return stdout.split('\n').map((line) => line.replace(/^\S+Z /, ''));
}

test('observers who meet have what each of them wrote', { timeout: 120_000 }, async () => {
  await notebook('ada', 'write', 'ridge', 'two ibex');
  await notebook('bo', 'write', 'lake', 'a heron');
  const [first, second] = [join(folder, 'first'), join(folder, 'second')];
  expect(await notebook('ada', 'give', first)).toEqual(['1 entries']);
  expect(await notebook('bo', 'take', first)).toEqual(['1 entries from ada']);
  await notebook('bo', 'write', 'lake', 'the heron again');
  expect(await notebook('bo', 'give', second, first)).toEqual(['2 entries']);
  await notebook('ada', 'take', second);
  const all = ['lake: a heron (bo)', 'lake: the heron again (bo)', 'ridge: two ibex (ada)'];
  expect(await notebook('ada', 'list')).toEqual(all);
  expect(await notebook('bo', 'list')).toEqual(all);
  expect(await notebook('ada', 'list', 'ridge')).toEqual(['ridge: two ibex (ada)']);
});

test('a file that was damaged on its way is refused whole', { timeout: 120_000 }, async () => {
  await notebook('ada', 'write', 'ridge', 'two ibex');
  const file = join(folder, 'file');
  await notebook('ada', 'give', file);
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.subarray(0, bytes.length - 3));
  await expect(notebook('bo', 'take', file)).rejects.toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/^ERR_BUNDLE: .* Nothing was taken from it\.$/),
  });
  expect(await notebook('bo', 'list')).toEqual(['']);
});

test('who does not know how to use it is told', async () => {
  await expect(notebook('ada', 'burn')).rejects.toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('usage'),
  });
});
