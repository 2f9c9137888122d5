import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { transformWithEsbuild } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPage } from './guide/page.js';

/* The package as npm packs it, and as somebody installs it into an empty project. */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_MS = 180_000;

async function run(cwd: string, program: string, ...args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, args, { cwd, maxBuffer: 2 ** 24 })).stdout;
  } catch (thrown) {
    const { stdout, stderr } = thrown as { readonly stdout: string; readonly stderr: string };
    throw new Error(`${program} ${args.join(' ')}\n${stdout}\n${stderr}`);
  }
}

let folder: string;
let tarball: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'barista-package-'));
  // What it is made of is built already.
  await run(ROOT, 'npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', folder);
  tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) as string);
}, TIMEOUT_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the package', () => {
  test('is what publint and attw want of one', { timeout: TIMEOUT_MS }, async () => {
    await run(ROOT, process.execPath, 'node_modules/publint/src/cli.js', tarball, '--strict');
    await run(
      ROOT,
      process.execPath,
      'node_modules/@arethetypeswrong/cli/dist/index.js',
      tarball,
      '--profile',
      'esm-only',
    );
  });

  test('gives clients that load neither a database nor a replica', () => {
    const files = importedFrom(join(ROOT, 'dist/src/client/library.js'));
    expect([...files].filter((file) => /lmdb|\/(?:storage|driver|server)\//.test(file))).toEqual([]);
    expect(files.size).toBeGreaterThan(20);
    expect([...files].filter((file) => !file.startsWith(ROOT) && !file.startsWith('node:'))).toEqual([]);
  });

  test('works in an empty project, from JavaScript and from strict TypeScript', { timeout: TIMEOUT_MS }, async () => {
    const project = join(folder, 'project');
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true, "type": "module" }');
    await run(project, 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error', tarball);

    const { program, prints } = readPage('quickstart');
    const { code } = await transformWithEsbuild(program, 'quickstart.ts', { sourcemap: false });
    writeFileSync(join(project, 'quickstart.js'), code);
    expect((await run(project, process.execPath, 'quickstart.js')).trimEnd().split('\n')).toEqual(prints);

    writeFileSync(join(project, 'quickstart.ts'), program);
    writeFileSync(join(project, 'using.ts'), USING);
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
      skipLibCheck: false,
      target: 'es2022',
      module: 'nodenext',
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules/@types')],
    };
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['quickstart.ts', 'using.ts'] }),
    );
    await run(project, process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project);

    const bin = join(project, 'node_modules/.bin/barista');
    expect(await run(project, bin, '--version')).toContain(
      JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version,
    );
  });
});

/** What only the types see, on Node 20. */
const USING = `
import { type AcceptedWrite, binary, openReplica, type Session } from 'barista';
import { connect } from 'barista/client';

async function work(session: Session): Promise<AcceptedWrite | null> {
  const write = await session.put('k', 'v', { timeoutMs: 100, signal: AbortSignal.timeout(100) });
  // @ts-expect-error: values of this session are text
  await session.put('k', 12);
  const read = await session.get('k');
  // @ts-expect-error: the read may have found nothing
  read.value;
  return write.kind === 'accepted' ? write : null;
}
await using replica = await openReplica({ id: 'a' });
await using client = await connect({ endpoints: ['127.0.0.1:7070'] });
for (const sessions of [replica, client]) await work(sessions.session());
const bytes: Session<Uint8Array> = client.session({ codec: binary });
// @ts-expect-error: without a codec values are text
client.session<Uint8Array>();
await bytes.put('k', new Uint8Array(1));
`;

/** A file of the package and all that it imports, and they in turn; what is not of the package by its name. */
function importedFrom(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  const text = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '');
  // Statements as the compiler writes them, and import(): not texts that say "from".
  for (const [, ofStatement, ofCall] of text.matchAll(
    /^(?:import|export) (?:.* from )?['"]([^'"]+)['"];$|\bimport\(['"]([^'"]+)['"]\)/gm,
  )) {
    const target = ofStatement ?? ofCall;
    if (target?.startsWith('.')) importedFrom(resolve(dirname(file), target), found);
    else if (target !== undefined) found.add(target);
  }
  return found;
}
