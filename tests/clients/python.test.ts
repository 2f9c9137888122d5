import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa, execaSync } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BaristaError, isErrorCode } from '../../src/base/errors.js';

/* The Python client of clients/python, on stock Apache Thrift, against two real replicas that are not linked yet. */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLIENT = join(ROOT, 'clients/python');
const CLI = join(ROOT, 'dist/src/cli/main.js');
const PATIENCE_MS = 20_000;

/** Debian's python3-thrift is there for Debian's Python, which need not be the first one on the path. */
const PYTHON = ['python3', '/usr/bin/python3'].find((python) => runs(python, ['-c', 'import thrift']));
const MISSING = [
  ...(PYTHON === undefined ? ["Apache Thrift's library for Python (apt-get install python3-thrift)"] : []),
  ...(runs('thrift', ['-version']) ? [] : ["Apache Thrift's compiler (apt-get install thrift-compiler)"]),
];
const MAY_SKIP = process.env['CI'] === undefined;

function runs(program: string, words: readonly string[]): boolean {
  return execaSync(program, [...words], { reject: false, stdio: 'ignore' }).exitCode === 0;
}

test.skipIf(MISSING.length === 0 || MAY_SKIP)('what the Python client needs is installed', () => {
  expect.fail(`cannot test clients/python: missing ${MISSING.join(' and ')}`);
});

describe.skipIf(MISSING.length > 0)('the Python client', () => {
  const servers: ReturnType<typeof spawnServer>[] = [];
  let a = '';
  let b = '';

  beforeAll(async () => {
    await execa('sh', [join(CLIENT, 'generate.sh')]);
    [a, b] = await Promise.all([startServer('a'), startServer('b')]);
  });

  afterAll(async () => {
    for (const server of servers) server.kill('SIGKILL');
    await Promise.all(servers);
  });

  function spawnServer(id: string) {
    const words = ['server', '--id', id, '--incarnation', '1', '--clock', 'logical', '--anti-entropy', 'off'];
    return execa(process.execPath, [CLI, ...words, '--lifeline'], { reject: false, stdin: 'pipe' });
  }

  async function startServer(id: string): Promise<string> {
    const server = spawnServer(id);
    servers.push(server);
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const [line] = (await once(createInterface({ input: server.stdout }), 'line', { signal })) as [string];
    const { host, port } = JSON.parse(line) as { host: string; port: number };
    return `${host}:${port}`;
  }

  async function python(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const surroundings = { PYTHONPATH: CLIENT, PYTHONDONTWRITEBYTECODE: '1', ...env };
    const { all, exitCode } = await execa(PYTHON ?? '', ['-W', 'error', ...words], {
      cwd: CLIENT,
      env: surroundings,
      all: true,
      reject: false,
    });
    expect(exitCode, all).toBe(0);
    return all;
  }

  test('passes its own tests', { timeout: 120_000 }, async () => {
    const told = await python(['-m', 'unittest', 'discover', '-s', 'tests'], { BARISTA_A: a, BARISTA_B: b });
    const [, count] = /^Ran (\d+) tests in .*\n\nOK$/m.exec(told) ?? [];
    expect(Number(count), told).toBeGreaterThanOrEqual(51);
  });

  test('does what its README says', async () => {
    const readme = readFileSync(join(CLIENT, 'README.md'), 'utf8');
    const [, program = '', output = ''] = /```python\n(.*?)```\n\nprints\n\n```text\n(.*?)```/s.exec(readme) ?? [];
    const here = program.replaceAll('127.0.0.1:7070', a).replaceAll('127.0.0.1:7071', b);
    expect(`${await python(['-c', here])}\n`).toBe(output);
  });

  test('gives the advice of docs/ERRORS.md with the codes it gives by itself', async () => {
    const told = await python([
      '-c',
      'import json; from barista_client.errors import ADVICE; print(json.dumps(ADVICE))',
    ]);
    const advice = Object.entries(JSON.parse(told) as Record<string, string>);
    expect(advice.length).toBeGreaterThan(0);
    expect(advice).toEqual(
      advice.map(([code]) => [code, isErrorCode(code) ? new BaristaError(code, '').advice : null]),
    );
  });

  const packs = PYTHON !== undefined && runs(PYTHON, ['-c', 'import setuptools, wheel, pip']);
  test.skipIf(!packs)('can be installed', { timeout: 120_000 }, async () => {
    const target = mkdtempSync(join(tmpdir(), 'barista-python-'));
    try {
      // A copy, as what is installed is built where it lies.
      const source = join(target, 'source');
      cpSync(CLIENT, source, { recursive: true });
      const words = ['--no-deps', '--no-build-isolation', '--no-index', '--quiet', '--target', target];
      await execa(PYTHON ?? '', ['-m', 'pip', 'install', ...words, source]);
      const program = 'import barista_client; print(barista_client.connect("h:1").client and barista_client.__file__)';
      const { stdout } = await execa(PYTHON ?? '', ['-c', program], { cwd: target, env: { PYTHONPATH: target } });
      expect(stdout).toBe(join(target, 'barista_client/__init__.py'));
    } finally {
      rmSync(target, { recursive: true, force: true });
    }
  });
});
