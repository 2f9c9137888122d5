import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BARISTA } from './fixture-commands.js';

/* Replicas as processes over directories that were damaged or copied, as an operator meets them. */

const [NODE, ...CLI] = BARISTA;
const PATIENCE_MS = 60_000;

let folder: string;
let servers: ReturnType<typeof spawnServer>[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barista-data-'));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) server.kill('SIGKILL');
  await Promise.all(servers);
  rmSync(folder, { recursive: true, force: true });
});

function spawnServer(id: string, options: readonly string[]) {
  const words = ['server', '--id', id, '--clock', 'logical', '--anti-entropy', '50ms', '--lifeline', ...options];
  return execa(NODE, [...CLI, ...words], { reject: false, stdin: 'pipe' });
}

interface Said {
  readonly event: string;
  readonly host: string;
  readonly port: number;
  readonly code: string;
  readonly message: string;
}

/** A replica over `folder/data`, or in memory; what it said first. */
async function start(id: string, data: string | null, ...options: readonly string[]) {
  const server = spawnServer(id, [...(data === null ? [] : ['--data-dir', join(folder, data)]), ...options]);
  servers.push(server);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const [line] = (await once(createInterface({ input: server.stdout }), 'line', { signal })) as [string];
  const said = JSON.parse(line) as Said;
  const kill = async (): Promise<void> => {
    server.kill('SIGKILL');
    await server;
  };
  return { said, at: `${said.host}:${said.port}`, kill };
}

async function barista(...words: readonly string[]) {
  const { exitCode, stdout, stderr } = await execa(NODE, [...CLI, ...words], {
    reject: false,
    stdin: 'ignore',
    timeout: PATIENCE_MS,
  });
  return { status: exitCode, out: stdout, error: stderr };
}

async function originAt(at: string): Promise<string> {
  return /^replica (.*)$/m.exec((await barista('status', '--at', at)).out)?.[1] ?? '';
}

async function value(key: string, at: string): Promise<string> {
  return (await barista('get', key, '--at', at)).out;
}

async function link(a: { readonly at: string }, b: { readonly at: string }): Promise<void> {
  await barista('link', `a=${a.at}`, '--at', b.at);
  await barista('link', `b=${b.at}`, '--at', a.at);
}

describe('a damaged data directory', () => {
  test('is refused with the place, is repaired, and gets the rest from a peer', async () => {
    const [a, b] = await Promise.all([start('a', 'data'), start('b', null)]);
    await link(a, b);
    for (const key of ['j', 'k', 'l']) await barista('put', key, `value of ${key}`, '--at', a.at);
    for (const key of ['j', 'k', 'l']) {
      await expect.poll(() => value(key, b.at), { timeout: PATIENCE_MS }).toBe(`value of ${key}`);
    }
    const before = await originAt(a.at);
    const data = join(folder, 'data');
    const inUse = await barista('repair', data);
    expect(inUse).toMatchObject({ status: 2, out: '', error: expect.stringMatching(/^barista: ERR_LOCKED: /) });
    await a.kill();
    expect(await barista('repair', data)).toMatchObject({ status: 0, error: '' });

    const log = join(data, 'log', 'log-00000001');
    const bytes = readFileSync(log);
    const at = bytes.indexOf('value of k');
    bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
    writeFileSync(log, bytes);
    const refused = await start('a', 'data');
    expect(refused.said).toMatchObject({ event: 'failed', code: 'ERR_CORRUPT' });
    expect(refused.said.message).toMatch(new RegExp(`^${log}, offset \\d+: `));

    const found = await barista('repair', data);
    expect(found).toMatchObject({ status: 1, error: expect.stringMatching(/^barista: damaged: with --apply /) });
    expect(found.out).toContain(`\ndamage ${refused.said.message}`);
    expect(found.out).toContain(`replica ${before}\n`);
    expect(readFileSync(log).equals(bytes)).toBe(true);
    const repaired = await barista('repair', data, '--apply');
    expect(repaired).toMatchObject({ status: 1, error: expect.stringMatching(/^barista: repaired: /) });
    expect(repaired.out).toMatch(new RegExp(`\naside ${join(data, 'set-aside.1')}/log-00000001\nrenewed a#\\d+$`));
    expect(readFileSync(join(data, 'set-aside.1', 'log-00000001')).equals(bytes)).toBe(true);

    const again = await start('a', 'data');
    expect(again.said.event).toBe('listening');
    expect(await originAt(again.at)).toBe(/^renewed (.*)$/m.exec(repaired.out)?.[1]);
    expect(await originAt(again.at)).not.toBe(before);
    expect(await value('j', again.at)).toBe('value of j');
    expect((await barista('get', 'k', '--at', again.at)).error).toContain('ERR_KEY');
    await link(again, b);
    for (const key of ['k', 'l']) {
      await expect.poll(() => value(key, again.at), { timeout: PATIENCE_MS }).toBe(`value of ${key}`);
    }
    await barista('put', 'm', 'written since', '--at', again.at);
    await expect.poll(() => value('m', b.at), { timeout: PATIENCE_MS }).toBe('written since');
  });

  test('whose table is none is refused by name, and starts empty once it is repaired', async () => {
    const a = await start('a', 'data');
    await barista('put', 'k', 'v', '--at', a.at);
    await a.kill();
    const data = join(folder, 'data');
    const table = join(data, 'table', 'data.mdb');
    writeFileSync(table, 'no table');
    for (const name of readdirSync(join(data, 'log'))) rmSync(join(data, 'log', name));
    writeFileSync(join(data, 'log', 'log-00000002'), '');
    const { said } = await start('a', 'data');
    expect(said.message).toBe(`${table}, offset 0: the file ends here`);
    expect((await barista('repair', data)).error).toMatch(/^barista: damaged: nothing of it can be used/);
    expect((await barista('repair', data, '--apply')).error).toMatch(/^barista: repaired: the replica starts empty/);
    const again = await start('a', 'data');
    expect((await barista('get', 'k', '--at', again.at)).error).toContain('ERR_KEY');
  });

  test('is told from what is none', async () => {
    expect(await barista('repair', folder)).toMatchObject({ status: 2, error: expect.stringContaining('ERR_STORAGE') });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a copied data directory', () => {
  test('is refused with both ways out, and goes on under a new incarnation', async () => {
    const a = await start('a', 'data');
    await barista('put', 'k', 'v', '--at', a.at);
    const before = await originAt(a.at);
    // While it is in use, as a backup is often made.
    cpSync(join(folder, 'data'), join(folder, 'copy'), { recursive: true });
    await a.kill();
    const refused = await start('a', 'copy');
    expect(refused.said).toMatchObject({ event: 'failed', code: 'ERR_COPIED' });
    expect(refused.said.message).toContain(
      `${join(folder, 'copy')} is a copy of the data directory of replica ${before}`,
    );
    expect((await servers.at(-1))?.stderr).toMatch(/--new-incarnation.*--id/);

    const renewed = await start('a', 'copy', '--new-incarnation');
    expect(await value('k', renewed.at)).toBe('v');
    const origin = await originAt(renewed.at);
    expect(Number(origin.split('#')[1])).toBeGreaterThan(Number(before.split('#')[1]));
    await renewed.kill();
    const again = await start('a', 'copy');
    expect(await originAt(again.at)).toBe(origin);

    // Beside the original, as another replica.
    const original = await start('a', 'data');
    expect(await originAt(original.at)).toBe(before);
    cpSync(join(folder, 'data'), join(folder, 'other'), { recursive: true });
    expect((await start('b', 'other')).said).toMatchObject({ code: 'ERR_COPIED' });
    const other = await start('b', 'other', '--new-incarnation');
    expect(await originAt(other.at)).toMatch(/^b#/);
    expect(await value('k', other.at)).toBe('v');
  });

  test('is given back only to the cluster with its retry window', async () => {
    const a = await start('a', 'data', '--retry-window', '1m');
    await a.kill();
    const { said } = await start('a', 'data');
    expect(said).toMatchObject({ code: 'ERR_RETRY_WINDOW_MISMATCH' });
    expect(said.message).toContain('retryWindowMs 60000, not 600000');
  });
});
