import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Origin, ReplicaId } from '../src/base/ids.js';
import type { Status } from '../src/bayou/admin-messages.js';
import { VersionVector } from '../src/bayou/version-vector.js';
import { formatForTerminal, formatStatus, formatStatusJson } from '../src/cli/client-format.js';
import type { ClientRequest } from '../src/cli/client-request.js';
import { runProgram } from '../src/cli/program.js';

/* The commands that speak to running replicas, against real ones. */

const CLI = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));
const PATIENCE_MS = 60_000;
const NOBODY = '127.0.0.1:1';
const COMMANDS = [
  'put',
  'get',
  'delete',
  'batch',
  'watch',
  'history',
  'conflicts',
  'restore',
  'status',
  'link',
  'unlink',
  'retire',
  'compact',
  'store',
  'log',
  'export',
  'import',
];

const servers = new Set<ReturnType<typeof spawnServer>>();

// Commands must not find the replicas of whoever runs the tests.
beforeAll(() => {
  delete process.env['BARISTA_AT'];
});

afterEach(async () => {
  for (const server of servers) server.kill('SIGKILL');
  await Promise.all(servers);
  servers.clear();
});

/** With a lifeline, so that it ends with the tests however those end. */
function spawnServer(id: string, options: readonly string[]) {
  const words = ['server', '--id', id, '--incarnation', '1', '--clock', 'logical', '--lifeline', ...options];
  return execa(process.execPath, [CLI, ...words], { reject: false, stdin: 'pipe' });
}

/** Where it listens, and how to hang it. */
async function startServer(id: string, ...options: readonly string[]): Promise<{ at: string; hang(): void }> {
  const server = spawnServer(id, options.length > 0 ? options : ['--anti-entropy', 'off']);
  servers.add(server);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const [line] = (await once(createInterface({ input: server.stdout }), 'line', { signal })) as [string];
  const { host, port } = JSON.parse(line) as { host: string; port: number };
  return { at: `${host}:${port}`, hang: () => void server.kill('SIGSTOP') };
}

interface Surroundings {
  readonly input?: Uint8Array | string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command to its end, which it must reach by itself. */
async function barista(words: readonly string[], { input, env }: Surroundings = {}) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [CLI, ...words], {
    reject: false,
    encoding: 'buffer',
    stripFinalNewline: false,
    timeout: PATIENCE_MS,
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
    env: { ...env },
  });
  return {
    status: exitCode,
    out: Buffer.from(stdout).toString(),
    bytes: stdout,
    error: Buffer.from(stderr).toString(),
  };
}

/** Runs a command, which is "$@" in the shell's own. */
function inShell(script: string, words: readonly string[]) {
  return execa('sh', ['-c', script, 'sh', process.execPath, CLI, ...words], { reject: false, stdin: 'ignore' });
}

const done = (out = '') => ({ status: 0, out, error: '' });

describe('watch', () => {
  /** The lines of a watch as they come; it ends with the test. */
  function watching(words: readonly string[]): AsyncIterator<string> {
    const watch = execa(process.execPath, [CLI, 'watch', ...words], { reject: false, stdin: 'ignore' });
    onTestFinished(async () => {
      watch.kill();
      await watch;
    });
    return createInterface({ input: watch.stdout })[Symbol.asyncIterator]();
  }

  async function lines(from: AsyncIterator<string>, count: number): Promise<string[]> {
    const read: string[] = [];
    while (read.length < count) {
      const { value, done } = await from.next();
      if (done === true) throw new Error(`it ended after ${read.join('|')}`);
      read.push(value);
    }
    return read;
  }

  test('prints what is there, if that is asked for, and what changes, as it comes', async () => {
    const { at } = await startServer('s');
    await barista(['put', 'table-1', 'one', '--at', at]);
    await barista(['put', 'chair-1', 'no', '--at', at]);
    const watch = watching(['table-', '--from', 'start', '--at', NOBODY, '--at', at]);
    expect(await lines(watch, 1)).toEqual(['table-1:one']);
    await barista(['put', 'table-2', 'two\nlines', '--at', at]);
    await barista(['delete', 'table-1', '--at', at]);
    expect(await lines(watch, 2)).toEqual(['table-2:two\\nlines', 'table-1:ERR_KEY']);
  });

  test('with --json says all of it, and from where another goes on', async () => {
    const { at } = await startServer('s');
    await barista(['put', 'k', 'before', '--at', at]);
    const watch = watching(['--json', '--at', at]);
    const [begun] = await lines(watch, 1);
    const { cursor } = JSON.parse(begun ?? '') as { cursor: string };
    await barista(['put', 'k', '-', '--at', at], { input: Uint8Array.of(0xff) });
    await barista(['put', 'l', 'v', '--at', at]);
    const told = (await lines(watch, 2)).map((line) => JSON.parse(line));
    const stamp = { time: 2, id: 's', incarnation: 1 };
    expect(told[0]).toEqual({
      key: 'k',
      value: '0xff',
      ...stamp,
      client: expect.any(String),
      stands: true,
      standing: stamp,
      reordered: false,
      lost: null,
      expires: null,
      cursor: expect.stringMatching(/^[\w-]+$/),
    });
    expect(await lines(watching(['--from', cursor, '--at', at]), 2)).toEqual(['k:0xff', 'l:v']);
    expect(await lines(watching(['--from', told[0].cursor, '--at', at]), 1)).toEqual(['l:v']);
  });

  test('ends with a failure when it cannot begin, and quietly when nobody reads', async () => {
    const { at } = await startServer('s');
    expect(await barista(['watch', '--at', NOBODY, '--timeout', '200ms'])).toMatchObject({
      status: 1,
      error: expect.stringContaining('barista: ERR_CONN: '),
    });
    expect(await barista(['watch', '--from', 'yesterday', '--at', at])).toMatchObject({
      status: 1,
      error: expect.stringContaining('barista: ERR_TOKEN: '),
    });
    await barista(['put', 'k', 'v', '--at', at]);
    let isOver = false;
    const piped = inShell('"$@" | head -n 1', ['watch', '--from', 'start', '--at', at]).finally(() => {
      isOver = true;
    });
    // It notices when it has more to say.
    while (!isOver) await barista(['put', 'k', 'v', '--at', at]);
    expect(await piped).toMatchObject({ stdout: 'k:v', stderr: '' });
  });
});

test('help ends quietly when nobody reads the rest of it', async () => {
  const { stdout, stderr } = await inShell('"$@" | true', ['sim', '--help']);
  expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '' });
});

describe('history', () => {
  const fate = (by: string) => new RegExp(by);

  test('prints the writes on a key, and what became of each', async () => {
    const { at } = await startServer('s');
    await barista(['put', 'k', 'one\nline', '--at', at]);
    await barista(['put', 'k', 'text', '--at', at]);
    await barista(['increment', 'k', '2', '--at', at]);
    await barista(['set-add', 's', 'm', '--at', at]);
    const { status, out, error } = await barista(['history', 'k', '--at', NOBODY, '--at', at]);
    expect({ status, error }).toEqual({ status: 0, error: '' });
    expect(out.trimEnd().split('\n')).toEqual([
      expect.stringMatching(fate('^1@s#1 \\S+ put k:one\\\\nline; stable; overwritten by 2@s#1 \\S+$')),
      expect.stringMatching(fate('^2@s#1 \\S+ put k:text; stable; stands$')),
      expect.stringMatching(fate('^3@s#1 \\S+ increment k:2; stable; no effect: inapplicable 2@s#1 \\S+$')),
    ]);
    expect((await barista(['history', 's', '--at', at])).out).toMatch(/ setAdd s:m; stable; stands\n$/);
    expect(await barista(['history', 'nothing', '--at', at])).toMatchObject(done());
  });

  test('with --json says all of it', async () => {
    const { at } = await startServer('s');
    await barista(['put', 'k', '-', '--at', at], { input: Uint8Array.of(0xff) });
    await barista(['delete', 'k', '--at', at]);
    const { out } = await barista(['history', 'k', '--json', '--at', at]);
    const [first, second] = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const common = {
      key: 'k',
      id: 's',
      incarnation: 1,
      client: expect.any(String),
      stage: 'stable',
      resubmitted: false,
    };
    const to = { time: 2, id: 's', incarnation: 1, client: second.client };
    expect(first).toEqual({ ...common, time: 1, operation: 'put', value: '0xff', fate: 'overwritten', to });
    expect(second).toEqual({ ...common, time: 2, operation: 'delete', fate: 'stands', to: null });
  });
});

describe('conflicts', () => {
  test('prints which writes lost, and to which, all or since a place', async () => {
    const { at } = await startServer('s');
    for (const value of ['one\nline', 'text']) await barista(['put', 'k', value, '--at', at]);
    await barista(['increment', 'k', '--at', at]);
    await barista(['put', 'other', 'v', '--at', at]);
    const { status, out, error } = await barista(['conflicts', 'k', '--at', NOBODY, '--at', at]);
    expect({ status, error }).toEqual({ status: 0, error: '' });
    expect(out.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^1@s#1 \S+ put k:one\\nline; overwritten by 2@s#1 \S+; concurrent: no$/),
      expect.stringMatching(/^3@s#1 \S+ increment k:1; inapplicable to what 2@s#1 \S+ left; concurrent: no$/),
    ]);
    expect((await barista(['conflicts', '--since', '2@s#1', '--at', at])).out).toMatch(/^3@s#1 [^\n]*\n$/);
    expect(await barista(['conflicts', '--since', 'now', '--at', at])).toMatchObject(done());
    expect(await barista(['conflicts', '--since', 'yesterday', '--at', at])).toMatchObject({
      status: 1,
      error: expect.stringContaining('barista: ERR_TOKEN: '),
    });
  });

  test('with --json says all of it, and from where another goes on', async () => {
    const { at } = await startServer('s');
    await barista(['put', 'k', '-', '--at', at], { input: Uint8Array.of(0xff) });
    await barista(['delete', 'k', '--at', at]);
    const told = (await barista(['conflicts', '--json', '--at', at])).out.trimEnd().split('\n');
    const [conflict, end] = told.map((line) => JSON.parse(line));
    const stamp = { id: 's', incarnation: 1, client: expect.any(String) };
    expect(conflict).toEqual({
      key: 'k',
      ...stamp,
      time: 1,
      operation: 'put',
      value: '0xff',
      rule: 'overwritten',
      winner: { ...stamp, time: 2 },
      concurrent: 'no',
      cursor: expect.stringMatching(/^[\w-]+$/),
    });
    await barista(['put', 'k', 'v', '--at', at]);
    for (const { cursor } of [conflict, end]) {
      const { out } = await barista(['conflicts', '--since', cursor, '--at', at]);
      expect(out).toMatch(/^2@s#1 \S+ delete k; overwritten by 3@s#1 \S+; concurrent: no\n$/);
    }
  });
});

describe('restore', () => {
  test('puts back what was lost', async () => {
    const { at } = await startServer('s');
    await barista(['put', 'k', 'one', '--at', at]);
    await barista(['put', 'k', 'two', '--at', at]);
    expect(await barista(['restore', 'k', '1@s#1', '--at', at, '--replicated', '1'])).toMatchObject(done());
    expect(await barista(['get', 'k', '--at', at])).toMatchObject(done('one\n'));
    expect(await barista(['restore', 'l', '1@s#1', '--at', at])).toMatchObject({
      status: 1,
      error: expect.stringContaining('barista: ERR_GONE: the log has no write 1@s#1 on "l"'),
    });
    expect(await barista(['restore', 'k', '9@s#1', '--at', at])).toMatchObject({
      status: 1,
      error: expect.stringContaining('barista: ERR_DEP: no replica that answered holds what the session needs: 9@s#1'),
    });
    for (const wrong of ['1', '1@s', '1@s#0', 'x@s#1', '99999999999999999@s#1']) {
      expect(await barista(['restore', 'k', wrong, '--at', at])).toMatchObject({ status: 2, out: '' });
    }
  });
});

describe('put, get and delete', () => {
  test('write, read and delete a key of a running replica', async () => {
    const { at } = await startServer('s');
    expect(await barista(['put', 'table-4', 'two espressos', '--at', at])).toMatchObject(done());
    expect(await barista(['get', 'table-4', '--at', at])).toMatchObject(done('two espressos\n'));
    expect(await barista(['delete', 'table-4', '--at', at])).toMatchObject(done());
    expect(await barista(['get', 'table-4', '--at', at])).toMatchObject({
      status: 1,
      out: '',
      error: 'barista: ERR_KEY: the replica has no "table-4"\n  Put it first, or ask a replica that has it already.\n',
    });
  });

  test('carry any bytes, and no more than a value may have', async () => {
    const { at } = await startServer('s');
    const input = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(await barista(['put', 'k', '-', '--at', at], { input })).toMatchObject(done());
    expect((await barista(['get', 'k', '--raw', '--at', at])).bytes).toEqual(input);
    expect((await barista(['get', 'k', '--at', at])).bytes).toEqual(Uint8Array.of(...input, 0x0a));

    const refused = await barista(['put', 'k', '-', '--at', at], { input: new Uint8Array(1024 * 1024 + 1) });
    expect(refused).toMatchObject({ status: 1, error: expect.stringContaining('barista: ERR_INVALID_VALUE: ') });
    expect((await barista(['get', 'k', '--raw', '--at', at])).bytes).toEqual(input);
  });

  test('write several keys at once, from words or from lines', async () => {
    const { at } = await startServer('s');
    const words = ['put order two espressos', "put 'a key' ' '", 'increment sold -2', 'append line "one\\n"'];
    expect(await barista(['batch', ...words, '--at', at])).toMatchObject(done());
    const lines =
      '# an order\n\nput order none\nsetAdd open table 4\nputIfAbsent first yes\nsetRemove gone x\ndelete sold';
    expect(await barista(['batch', '--at', at, '--replicated', '1'], { input: Buffer.from(lines) })).toMatchObject(
      done(),
    );
    const { out } = await barista(['store', '--at', at]);
    expect(out).toBe('a key: \nfirst:yes\nline:one\\n\nopen:["table 4"]\norder:none\n');
    const log = await barista(['log', '--at', at]);
    expect(log.out.split('\n').map((line) => line.split(' ')[0])).toEqual([
      ...Array.from({ length: 4 }, () => '1@s#1'),
      ...Array.from({ length: 5 }, () => '2@s#1'),
      '',
    ]);
  });

  test.each([
    [['put k'], 'ERR_SYNTAX: operation 1: "put k" is no operation of a batch, as in: put KEY VALUE'],
    [['delete k l'], 'ERR_SYNTAX: operation 1: "delete k l" is no operation of a batch, as in: delete KEY'],
    [['put k v', 'get k'], 'ERR_SYNTAX: operation 2: "get" is no operation of a batch: put, delete, increment, '],
    [['increment k one'], 'ERR_SYNTAX: operation 1: increment takes a whole number within 2^53 - 1, not "one"'],
    [['put "k v'], 'ERR_SYNTAX: operation 1: column 5: the quote " is never closed'],
    [['put k v', 'delete k'], 'ERR_BATCH: a batch writes "k" twice'],
    [['# nothing'], 'ERR_BATCH: a batch of 0 writes, where 1 to 128 are allowed'],
    [[`put ${'k'.repeat(4097)} v`], 'ERR_INVALID_KEY: '],
  ])('say what is no batch: %j', async (operations, message) => {
    const { status, error } = await barista(['batch', ...operations, '--at', NOBODY]);
    expect([status, error]).toEqual([1, expect.stringContaining(`barista: ${message}`)]);
  });

  test('take no lines that are not text, and no more than a batch can have', async () => {
    const lines = (input: Uint8Array) => barista(['batch', '--at', NOBODY], { input });
    expect((await lines(Uint8Array.of(0xff))).error).toContain('ERR_SYNTAX: standard input is not UTF-8');
    expect((await lines(new Uint8Array(8 * 1024 * 1024 + 1).fill(0x20))).error).toContain('ERR_INVALID_VALUE: ');
  });

  test('take an empty value, and words that look like options after --', async () => {
    const { at } = await startServer('s');
    expect(await barista(['put', 'empty', '', '--at', at])).toMatchObject(done());
    expect(await barista(['put', '--at', at, '--', '-k', '--at'])).toMatchObject(done());
    expect(await barista(['get', 'empty', '--raw', '--at', at])).toMatchObject(done());
    expect(await barista(['get', '--at', at, '--', '-k'])).toMatchObject(done('--at\n'));
  });

  test('do not take a directory for a value', async () => {
    const { exitCode, stderr } = await inShell('"$@" < .', ['put', 'k', '-', '--at', NOBODY]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^barista: ERR_OPTION: the value cannot be read from standard input: it is a directory$/m);
  });

  test('try replicas in the order they are named', async () => {
    const [a, b] = await Promise.all([startServer('a'), startServer('b')]);
    expect(await barista(['put', 'k', 'v', '--at', NOBODY, '--at', b.at, '--at', a.at])).toMatchObject(done());
    expect(await barista(['get', 'k', '--at', b.at])).toMatchObject(done('v\n'));
    expect(await barista(['get', 'k', '--at', a.at])).toMatchObject({ status: 1 });
  });

  test('find replicas in the environment, unless the command line names one', async () => {
    const { at } = await startServer('s');
    const env = { BARISTA_AT: `${NOBODY},${at}` };
    expect(await barista(['put', 'k', 'v'], { env })).toMatchObject(done());
    expect(await barista(['get', 'k'], { env })).toMatchObject(done('v\n'));
    expect(await barista(['get', 'k', '--at', NOBODY], { env })).toMatchObject({ status: 1 });
    expect(await barista(['get', 'k'], { env: { BARISTA_AT: '' } })).toMatchObject({ status: 2 });
  });

  test('are each a session of their own', async () => {
    const { at } = await startServer('s');
    await barista(['put', 'a', 'x', '--at', at]);
    await barista(['delete', 'b', '--at', at]);
    const { out } = await barista(['log', '--at', at]);
    const [, first, second] = /^1@s#1 ([0-9a-f-]{36}):1 put a:x\n2@s#1 ([0-9a-f-]{36}):1 delete b\n$/.exec(out) ?? [];
    expect(first).toBeDefined();
    expect(second).not.toBe(first);
  });

  test('put for a time', async () => {
    const { at } = await startServer('s');
    const run = (...words: readonly string[]) => barista([...words, '--at', at]);
    expect(await run('put', 'k', 'v', '--ttl', '24h')).toMatchObject(done());
    expect(await run('put', 'k', 'w', '--ttl', '1.5h', '--if-absent')).toMatchObject(done());
    expect(await run('put', 'gone', 'v', '--ttl', '1ms')).toMatchObject(done());
    expect(await run('batch', 'putFor part 1 here', 'put other 1', 'putIfAbsentFor claim 86400000 me')).toMatchObject(
      done(),
    );
    expect((await run('log')).out).toMatch(/ put k:v for 86400000ms\n.* putIfAbsent k:w for 5400000ms\n/);
    // The server counts accept times.
    expect((await run('store')).out).toBe('claim:me\nk:v\nother:1\npart:here\n');
    expect(await run('put', 'other', '2')).toMatchObject(done());
    expect((await run('store')).out).toBe('claim:me\nk:v\nother:2\n');
    expect(await run('get', 'gone')).toMatchObject({ status: 1 });
    expect((await run('history', 'gone')).out).toMatch(/ put gone:v for 1ms; stable; expired\n$/);
    const [line = ''] = (await run('history', 'k', '--json')).out.split('\n');
    const { time, ttlMs, expires, fate } = JSON.parse(line);
    expect({ ttlMs, expires, fate }).toEqual({ ttlMs: 86_400_000, expires: time + 86_400_000, fate: 'stands' });
    for (const ttl of ['0ms', '5', '87601h', '-1s', 'long']) {
      expect(await run('put', 'no', 'v', '--ttl', ttl)).toMatchObject({
        status: 2,
        error: expect.stringContaining('--ttl'),
      });
    }
    expect(await run('batch', 'putFor no soon v')).toMatchObject({ status: 1 });
    expect(await run('get', 'no')).toMatchObject({ status: 1 });
  });

  test('merge where they do not find what they expect', async () => {
    const procedures = fileURLToPath(new URL('./library/fixtures/procedures.mjs', import.meta.url));
    const { at } = await startServer('s', '--procedures', procedures);
    const merge = (...words: readonly string[]) => barista(['merge', ...words, '--at', at]);
    expect(await merge('seats', '12', '--with', 'first-wins@1', '--expects-absent')).toMatchObject(done());
    expect(await merge('seats', '11', '--with', 'keep-both@1', '--expects', '12')).toMatchObject(done());
    expect(await merge('seats', '-', '--with', 'keep-both@1', '--expects', '12')).toMatchObject(done());
    expect(await barista(['get', 'seats', '--at', at])).toMatchObject(done('{"kept":["11",""]}\n'));
    expect(await merge('word', 'long', '--with', 'longest@1')).toMatchObject(done());
    expect(await merge('word', 'no', '--with', 'longest@1')).toMatchObject(done());
    expect(await barista(['get', 'word', '--at', at])).toMatchObject(done('long\n'));
    const merged = ' merge seats:11 with keep-both@1 expecting 12';
    expect((await barista(['log', '--at', at])).out).toContain(`${merged}\n`);
    expect((await barista(['history', 'seats', '--at', at])).out).toContain(`${merged}; stable; `);
    expect(await merge('word', 'v', '--with', 'guess@1')).toMatchObject({
      status: 1,
      error: expect.stringContaining('barista: ERR_PROCEDURE: replica s has no merge procedure guess@1'),
    });
    expect(await merge('word', 'v')).toMatchObject({ status: 2 });
    expect(await merge('word', 'v', '--with', 'a@1', '--expects', 'x', '--expects-absent')).toMatchObject({
      status: 2,
    });
  });

  test('say when no replica can be reached, or none answers in time', async () => {
    expect(await barista(['get', 'k', '--at', NOBODY])).toMatchObject({
      status: 1,
      error: expect.stringMatching(/^barista: ERR_CONN: .*127\.0\.0\.1:1.*\n {2}Check that a replica is running/),
    });
    const { at, hang } = await startServer('s');
    hang();
    expect(await barista(['put', 'k', 'v', '--timeout', '200ms', '--at', at])).toMatchObject({
      status: 1,
      error: expect.stringContaining(`${at} did not answer put within 200 ms`),
    });
  });

  test('say what a key may be', async () => {
    expect(await barista(['get', '', '--at', NOBODY])).toMatchObject({
      status: 1,
      error: 'barista: ERR_INVALID_KEY: the key is empty\n  Keys are 1 to 4,096 bytes of UTF-8.\n',
    });
  });
});

describe('status', () => {
  test('says a fact a line, or all of them in JSON', async () => {
    const { at } = await startServer('till 7', '--anti-entropy', 'off', '--peer', 'hub=[::1]:7071', '--cluster', 'bar');
    await barista(['put', 'k', 'v', '--at', at]);
    const facts = [
      'replica till 7#1',
      'cluster bar',
      'protocol 5',
      'tie-break higher',
      'clock logical',
      'retry-window 600000ms',
      'writes 1',
      'base 0',
      'stable 1',
      'seen till 7#1:1',
      'link hub=[::1]:7071 -',
    ];
    expect(await barista(['status', '--at', at])).toMatchObject(done(`${facts.join('\n')}\n`));

    const { out } = await barista(['status', '--json', '--at', at]);
    expect(JSON.parse(out)).toEqual({
      id: 'till 7',
      incarnation: 1,
      cluster: 'bar',
      protocol: 5,
      tieBreak: 'higher',
      clock: 'logical',
      retryWindowMs: 600_000,
      writes: 1,
      base: 0,
      stable: 1,
      waitsFor: [],
      retired: [],
      lacks: [],
      seen: [{ id: 'till 7', incarnation: 1, time: 1 }],
      links: [{ id: 'hub', host: '::1', port: 7071, lastError: null, drift: null, progress: null }],
    });
  });

  test('shows several replicas, and tells of one that cannot be reached', async () => {
    const [a, b] = await Promise.all([startServer('a'), startServer('b')]);
    const env = { BARISTA_AT: `${a.at},${NOBODY},${b.at}` };
    const text = await barista(['status'], { env });
    expect(text.status).toBe(1);
    expect(text.error).toMatch(/^barista: ERR_CONN: /);
    expect(text.out.match(/^(replica .*|)$/gm)).toEqual(['replica a#1', '', 'replica b#1', '']);
    const json = await barista(['status', '--json'], { env });
    const lines = json.out.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(['a', 'b']);
  });
});

describe('link and unlink', () => {
  test('have two replicas exchange writes, and no longer', async () => {
    const often = ['--anti-entropy', '50ms'];
    const [a, b] = await Promise.all([startServer('a', ...often), startServer('b', ...often)]);
    await barista(['put', 'k', 'v', '--at', a.at]);
    const linksOfB = async () => (await barista(['status', '--at', b.at])).out.match(/^link .*$/gm) ?? [];

    expect(await barista(['link', `a=${a.at}`, '--at', b.at])).toMatchObject(done());
    await expect.poll(linksOfB, { timeout: PATIENCE_MS }).toEqual([`link a=${a.at} ERR_NOT_LINKED`]);
    expect(await barista(['link', `b=${b.at}`, '--at', a.at])).toMatchObject(done());
    await expect.poll(() => barista(['get', 'k', '--at', b.at]), { timeout: PATIENCE_MS }).toMatchObject(done('v\n'));
    await expect.poll(linksOfB, { timeout: PATIENCE_MS }).toEqual([`link a=${a.at} -`]);

    expect(await barista(['unlink', 'a', '--at', b.at])).toMatchObject(done());
    expect(await barista(['unlink', 'a', '--at', b.at])).toMatchObject(done());
    expect(await linksOfB()).toEqual([]);
  });

  test('let a write be waited for until others have it', async () => {
    const often = ['--anti-entropy', '50ms'];
    const [a, b] = await Promise.all([startServer('a', ...often), startServer('b', ...often)]);
    const wait = ['--at', a.at, '--replicated', '2'];
    const alone = await barista(['put', 'k', 'v', ...wait, '--patience', '300ms']);
    expect(alone).toMatchObject({ status: 1, out: '' });
    expect(alone.error).toMatch(/ERR_TIMEOUT: .* is not known to be on 2 replicas: it is on a#1, and /);
    expect(await barista(['get', 'k', '--at', a.at])).toMatchObject(done('v\n'));
    await barista(['link', `a=${a.at}`, '--at', b.at]);
    await barista(['link', `b=${b.at}`, '--at', a.at]);
    expect(await barista(['increment', 'n', '2', ...wait])).toMatchObject(done());
    expect(await barista(['get', 'n', '--at', b.at])).toMatchObject(done('2\n'));
    expect(await barista(['delete', 'k', ...wait, '--stable'])).toMatchObject(done());
    expect(await barista(['get', 'k', '--at', b.at])).toMatchObject({ status: 1 });
  });

  test('pass on what the replica refuses', async () => {
    const { at } = await startServer('s');
    expect(await barista(['link', `s=${NOBODY}`, '--at', at])).toMatchObject({
      status: 1,
      error: expect.stringMatching(/^barista: ERR_IDENTITY: /),
    });
  });
});

describe('a status', () => {
  const status: Status = {
    origin: 'a#2' as Origin,
    terms: { protocol: 3, cluster: 'bar', tieBreak: 'lower', clock: 'hybrid', retryWindowMs: 1500 },
    seen: new VersionVector([['a#2' as Origin, 70]]),
    writes: 12,
    base: 40,
    stable: 55,
    waitsFor: ['b#1' as Origin, 'c d#3' as Origin],
    retired: ['e#1' as Origin],
    lacks: ['slots@1'],
    links: [
      {
        peer: 'b' as ReplicaId,
        address: { host: '::1', port: 7071 },
        lastError: null,
        drift: null,
        progress: { done: 12_000, total: 1_000_000, perSecond: 349_999.7 },
      },
    ],
  };

  test('says what is folded, whom it waits for, who was retired and how far a pull is', () => {
    expect(formatStatus(status)).toEqual([
      'replica a#2',
      'cluster bar',
      'protocol 3',
      'tie-break lower',
      'clock hybrid',
      'retry-window 1500ms',
      'writes 12',
      'base 40',
      'stable 55',
      'waits-for b#1',
      'waits-for c d#3',
      'retired e#1',
      'lacks slots@1',
      'seen a#2:70',
      'link b=[::1]:7071 -',
      'progress b 12,000 of 1,000,000 writes, 350,000/s',
    ]);
  });

  test('says the same in JSON', () => {
    expect(JSON.parse(formatStatusJson(status))).toMatchObject({
      retryWindowMs: 1500,
      base: 40,
      stable: 55,
      waitsFor: [
        { id: 'b', incarnation: 1 },
        { id: 'c d', incarnation: 3 },
      ],
      retired: [{ id: 'e', incarnation: 1 }],
      lacks: ['slots@1'],
      links: [{ id: 'b', progress: { done: 12_000, total: 1_000_000, perSecond: 349_999.7 } }],
    });
  });
});

describe('compact and retire', () => {
  async function linkedPair() {
    const often = ['--anti-entropy', 'off', '--retry-window', '0ms'];
    const [a, b] = await Promise.all([startServer('a', ...often), startServer('b', ...often)]);
    await barista(['link', `b=${b.at}`, '--at', a.at]);
    await barista(['link', `a=${a.at}`, '--at', b.at]);
    return { a, b };
  }

  test('fold what every member holds, and wait for none that is retired', async () => {
    const { a, b } = await linkedPair();
    for (const key of ['j', 'k', 'l']) await barista(['put', key, 'v', '--at', a.at]);
    for (const at of [b.at, a.at, b.at, a.at]) {
      expect(await barista(['compact', '--at', at])).toMatchObject({ status: 0, error: '' });
    }
    const folded = JSON.parse((await barista(['status', '--json', '--at', a.at])).out) as { base: number };
    expect(folded).toMatchObject({ writes: 0, waitsFor: [{ id: 'b', incarnation: 1 }], retired: [] });
    expect(folded.base).toBeGreaterThanOrEqual(3);
    expect(await barista(['get', 'k', '--at', a.at])).toMatchObject(done('v\n'));

    // Without the other nothing is folded, and its failure is told of.
    b.hang();
    await barista(['put', 'k', 'w', '--at', a.at]);
    const waiting = await barista(['compact', '--timeout', '2s', '--at', a.at]);
    expect(waiting).toMatchObject({ status: 1, out: expect.stringMatching(/^base (\d+) \1\nwrites 1 1\n$/) });
    expect(waiting.error).toMatch(/^barista: ERR_\w+: the pull from replica b: /);

    expect(await barista(['retire', 'b', '--at', a.at])).toMatchObject(done());
    await barista(['unlink', 'b', '--at', a.at]);
    const { out } = await barista(['compact', '--at', a.at]);
    expect(out).toMatch(/^base \d+ \d+\nwrites \d 0\n$/);
    const { out: text } = await barista(['status', '--at', a.at]);
    expect(text).toMatch(/^retired b#1$/m);
    expect(text).not.toMatch(/^waits-for /m);
  });

  test('refuse what makes no sense', async () => {
    const { at } = await startServer('s');
    for (const id of ['s', 'absent']) {
      expect(await barista(['retire', id, '--at', at])).toMatchObject({
        status: 1,
        error: expect.stringMatching(/^barista: ERR_(IDENTITY|UNKNOWN_ID): /),
      });
    }
  });
});

describe('store and log', () => {
  test('print as a script does', async () => {
    const { at } = await startServer('s');
    await barista(['put', 'a key', 'two\nlines', '--at', at]);
    await barista(['put', 'bytes', '-', '--at', at], { input: Uint8Array.of(0xff, 0) });
    expect(await barista(['store', '--at', at])).toMatchObject(done('a key:two\\nlines\nbytes:0xff00\n'));
    const { out } = await barista(['log', '--at', at]);
    expect(out).toMatch(/^1@s#1 \S+:1 put a key:two\\nlines\n2@s#1 \S+:1 put bytes:0xff00\n$/);
  });

  test('print nothing of a replica that has nothing', async () => {
    const { at } = await startServer('s');
    expect(await barista(['store', '--at', at])).toMatchObject(done());
    expect(await barista(['log', '--at', at])).toMatchObject(done());
  });

  test('print more than a page', async () => {
    const { at } = await startServer('s');
    const value = 'x'.repeat(600_000);
    const keys = ['a', 'b', 'c', 'd', 'e'];
    for (const key of keys) await barista(['put', key, '-', '--at', at], { input: value });
    const lines = (await barista(['store', '--at', at])).out.split('\n');
    expect(lines.map((line) => [line.slice(0, 2), line.length])).toEqual([
      ...keys.map((key) => [`${key}:`, value.length + 2]),
      ['', 0],
    ]);
    expect((await barista(['log', '--at', at])).out.split('\n')).toHaveLength(keys.length + 1);
  });

  test('end quietly when nobody reads them', async () => {
    const { at } = await startServer('s');
    await barista(['put', 'k', 'v', '--at', at]);
    for (const words of [['store'], ['log'], ['status'], ['get', 'k']]) {
      const reading = execa(process.execPath, [CLI, ...words, '--at', at], { reject: false, stdin: 'ignore' });
      reading.stdout.destroy();
      const { exitCode, stderr } = await reading;
      expect([words[0], exitCode, stderr]).toEqual([words[0], 141, '']);
    }
  });

  test.runIf(process.platform === 'linux')('say when their results have no room', async () => {
    const { at } = await startServer('s');
    await barista(['put', 'k', 'v', '--at', at]);
    const { exitCode, stderr } = await inShell('"$@" > /dev/full', ['store', '--at', at]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^barista: ERR_OUTPUT: standard output: ENOSPC/);
  });
});

describe('export and import', () => {
  const folder = mkdtempSync(join(tmpdir(), 'barista-bundles-'));
  const [all, back] = [join(folder, 'all'), join(folder, 'back')];

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('carry writes between replicas that never meet, both ways', { timeout: 120_000 }, async () => {
    const [a, b] = await Promise.all([startServer('a'), startServer('b')]);
    await barista(['put', 'k', 'v', '--at', a.at]);
    const made = await barista(['export', all, '--at', a.at]);
    expect(made.out).toBe(`from a#1\nentries 1\nbytes ${readFileSync(all).length}\n`);
    for (let again = 0; again < 2; again++) {
      expect(await barista(['import', all, '--at', b.at])).toMatchObject(done('from a#1\nentries 1\n'));
    }
    await barista(['put', 'l', 'w', '--at', b.at]);
    expect((await barista(['export', back, '--since', all, '--at', b.at])).out).toMatch(/^from b#1\nentries 1\n/);
    expect(await barista(['import', back, '--at', a.at])).toMatchObject(done('from b#1\nentries 1\n'));
    for (const at of [a.at, b.at]) expect((await barista(['store', '--at', at])).out).toBe('k:v\nl:w\n');
    const vector = await barista(['export', back, '--since', 'a#1:1 b#1:0', '--at', b.at]);
    expect(vector.out).toMatch(/^from b#1\nentries 1\n/);
  });

  test('say what is wrong, and then take nothing', { timeout: 120_000 }, async () => {
    const [a, b, other] = await Promise.all([
      startServer('a'),
      startServer('b'),
      startServer('o', '--anti-entropy', 'off', '--cluster', 'other'),
    ]);
    await barista(['put', 'k', 'v', '--at', a.at]);
    await barista(['export', all, '--at', a.at]);
    await barista(['put', 'l', 'w', '--at', a.at]);
    await barista(['export', back, '--since', all, '--at', a.at]);
    const cut = join(folder, 'cut');
    writeFileSync(cut, readFileSync(all).subarray(0, -1));
    for (const [path, at, error] of [
      [cut, b.at, 'ERR_BUNDLE: the bundle cannot be used, from byte '],
      [join(folder, 'absent'), b.at, 'ERR_BUNDLE: '],
      [back, b.at, 'ERR_BUNDLE_GAP: the bundle of a#1 goes on from what this replica lacks: a#1:'],
      [all, other.at, 'ERR_CLUSTER_MISMATCH: the bundle of a#1 is refused: '],
      [all, NOBODY, 'ERR_CONN: '],
    ] as const) {
      const outcome = await barista(['import', path, '--at', at]);
      expect(outcome).toMatchObject({ status: 1, out: '' });
      expect(outcome.error).toContain(`barista: ${error}`);
    }
    for (const at of [b.at, other.at]) expect(await barista(['store', '--at', at])).toMatchObject(done());
    const nowhere = await barista(['export', join(folder, 'absent', 'all'), '--at', a.at]);
    expect(nowhere).toMatchObject({ status: 1, error: expect.stringContaining('barista: ERR_OUTPUT: ') });
    const vague = await barista(['export', all, '--since', 'a#0:1', '--at', a.at]);
    expect(vague).toMatchObject({ status: 2, error: expect.stringContaining('"a#0:1" is no ID#INCARNATION:TIME') });
  });
});

describe('a value on a terminal', () => {
  test('keeps its lines and tabs, and steers nothing', () => {
    const text = (value: string) => formatForTerminal(new TextEncoder().encode(value));
    expect(text('two\n\tespressos\n')).toBe('two\n\tespressos\n');
    expect(text('\u001b[2Jgone\r')).toBe('\\u001b[2Jgone\\r');
    expect(text('')).toBe('');
    expect(formatForTerminal(Uint8Array.of(0xff, 0x0a))).toBe('0xff0a');
  });
});

describe('the words', () => {
  async function ask(...words: readonly string[]) {
    const asked: unknown[] = [];
    const told = { out: '', error: '' };
    const never = () => Promise.reject(new Error('not asked for'));
    const status = await runProgram(
      words,
      {
        master: never,
        server: never,
        repair: never,
        sim: never,
        check: never,
        client: async (request) => asked.push(request) - 1,
      },
      {
        out: (text) => {
          told.out += text;
        },
        error: (text) => {
          told.error += text;
        },
      },
    );
    return { status, asked, ...told };
  }

  test('are read into a request', async () => {
    const { asked } = await ask(...'put k v --at h:1 --at [::1]:2,i:3 --timeout 1.5s'.split(' '));
    expect(asked).toEqual([
      {
        at: [
          { host: 'h', port: 1 },
          { host: '::1', port: 2 },
          { host: 'i', port: 3 },
        ],
        timeoutMs: 1500,
        goal: null,
        task: { kind: 'put', key: 'k', value: { kind: 'word', text: 'v' }, ifAbsent: false, ttlMs: null },
      },
    ]);
    const waiting = await ask(...'delete k --replicated 2 --stable --patience 5s --at h:1'.split(' '));
    expect(waiting.asked).toMatchObject([{ goal: { replicas: 2, stable: true, patienceMs: 5_000 } }]);
    expect((await ask(...'append k v --stable --at h:1'.split(' '))).asked).toMatchObject([
      { goal: { replicas: 0, stable: true, patienceMs: 60_000 } },
    ]);
    const change = async (line: string): Promise<unknown> =>
      (await ask(...`${line} --at h:1`.split(' '))).asked.map((request) => (request as ClientRequest).task)[0];
    expect(await change('increment k -5')).toEqual({ kind: 'increment', key: 'k', by: -5 });
    expect(await change('increment k')).toEqual({ kind: 'increment', key: 'k', by: 1 });
    expect(await change('append k -')).toEqual({ kind: 'append', key: 'k', value: { kind: 'standard-input' } });
    expect(await change('set-add k m')).toEqual({ kind: 'set-add', key: 'k', member: 'm' });
    expect(await change('set-remove k m')).toEqual({ kind: 'set-remove', key: 'k', member: 'm' });
    expect(await change('put k v --if-absent --ttl 2m')).toMatchObject({ kind: 'put', ifAbsent: true, ttlMs: 120_000 });
    expect(await change('batch')).toEqual({ kind: 'batch', operations: [] });
    expect((await ask('batch', 'put k v w', 'delete l', '--at', 'h:1', '--stable')).asked).toMatchObject([
      { goal: { stable: true }, task: { kind: 'batch', operations: ['put k v w', 'delete l'] } },
    ]);
    expect((await ask('link', 'a=b=[::1]:4', '--at', 'h:1')).asked).toEqual([
      {
        at: [{ host: 'h', port: 1 }],
        timeoutMs: 2000,
        goal: null,
        task: { kind: 'link', peer: { id: 'a=b', host: '::1', port: 4 } },
      },
    ]);
  });

  test.each([
    ['get k', 'which replica? Say --at HOST:PORT, or set BARISTA_AT'],
    ['get k --at h', 'An address is written HOST:PORT'],
    ['get k --at h:65536', 'Ports go from 1 to 65535'],
    ['get k --at ::1:7070', 'An address is written HOST:PORT'],
    ['get --at h:1', "missing required argument 'KEY'"],
    ['get k l --at h:1', "too many arguments for 'get'"],
    ['put k --at h:1', "missing required argument 'VALUE'"],
    ['put k v --replicated 0 --at h:1', 'It takes a whole number from 1'],
    ['get k --stable --at h:1', "unknown option '--stable'"],
    ['increment k 1.5 --at h:1', 'It takes a whole number within 2^53 - 1'],
    ['get k --at h:1 --timeout 2', 'A duration needs a unit'],
    ['get k --at h:1 --rw', 'did you mean --raw?'],
    ['store --at h:1 --at h:2', 'store speaks to one replica, and was given 2'],
    ['link s2 --at h:1', 'A peer is written ID=HOST:PORT'],
    ['retire --at h:1', "missing required argument 'ID'"],
    ['compact b --at h:1', "too many arguments for 'compact'"],
    ['link =h:2 --at h:1', 'A peer is written ID=HOST:PORT'],
    ['statsu', 'did you mean status?'],
  ])('that are wrong end with status 2 and what would be right: %s', async (words, message) => {
    const { status, error, asked } = await ask(...words.split(' '));
    expect(error).toContain('barista: ERR_OPTION: ');
    expect(error).toContain(message);
    expect({ status, asked }).toEqual({ status: 2, asked: [] });
  });

  test('have help, with an example of each command', async () => {
    const { out } = await ask('--help');
    for (const command of COMMANDS) {
      expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
      const help = await ask(command, '--help');
      expect(help).toMatchObject({ status: 0, error: '' });
      expect(help.out).toMatch(new RegExp(`^Examples?:\n  barista ${command} `, 'm'));
      for (const word of ['Exit status:', 'BARISTA_AT', '--timeout']) expect(help.out).toContain(word);
    }
  });
});
