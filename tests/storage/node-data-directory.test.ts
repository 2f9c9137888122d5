import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ClientId, Origin } from '../../src/base/ids.js';
import { promised } from '../../src/base/outcome.js';
import { type KvOperation, kvOperationCodec } from '../../src/machine/kv.js';
import { DataDirectory, type Identity } from '../../src/storage/node/data-directory.js';

const IDENTITY: Identity = {
  id: 'a',
  cluster: 'test',
  tieBreak: 'higher',
  clock: 'logical',
  retryWindowMs: 600_000,
};

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barista-directory-'));
  path = join(folder, 'data');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Data = DataDirectory<KvOperation>;

function open(at = path, change: Partial<Identity> = {}, incarnation = 9, takeNew = false): Data {
  return DataDirectory.open(at, { ...IDENTITY, ...change }, incarnation, kvOperationCodec, () => undefined, takeNew);
}

async function close(data: Data): Promise<void> {
  await promised<void>((done) => data.close(done));
}

/** Opens and closes; gives the incarnation. */
async function visit(...args: Parameters<typeof open>): Promise<number> {
  const data = open(...args);
  await close(data);
  return data.incarnation;
}

async function put(data: Data, acceptTime: number): Promise<void> {
  const write = {
    origin: `a#${data.incarnation}` as Origin,
    acceptTime,
    client: 'c' as ClientId,
    clientTime: acceptTime,
    key: `k${acceptTime}`,
    operation: { kind: 'put', value: new Uint8Array(100) } as const,
  };
  data.storage.insert(write, 0);
  await promised<void>((done) => data.storage.flush(done));
}

function refusal(code: string, message: string | RegExp) {
  const expected = typeof message === 'string' ? message : expect.stringMatching(message);
  return expect.objectContaining({ code, message: expected });
}

function editIdentity(change: (stored: Record<string, unknown>) => unknown): void {
  const file = join(path, 'replica.json');
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)));
}

describe('a data directory', () => {
  test('keeps the incarnation it was made under', async () => {
    expect(await visit(path, {}, 7)).toBe(7);
    expect(await visit(path, {}, 9)).toBe(7);
  });

  test.each([
    [{ id: 'b' }, 'ERR_IDENTITY', 'id a, not b'],
    [{ cluster: 'other' }, 'ERR_CLUSTER_MISMATCH', 'cluster test, not other'],
    [{ tieBreak: 'lower' }, 'ERR_TIE_BREAK_MISMATCH', 'tieBreak higher, not lower'],
    [{ clock: 'hybrid' }, 'ERR_CLOCK_MISMATCH', 'clock logical, not hybrid'],
    [{ retryWindowMs: 1 }, 'ERR_RETRY_WINDOW_MISMATCH', 'retryWindowMs 600000, not 1'],
  ] as const)('is refused to a replica with %j', async (change, code, what) => {
    await visit();
    for (const takeNew of [false, true]) {
      expect(() => open(path, change, 9, takeNew)).toThrow(refusal(code, `${path} holds a replica with ${what}`));
    }
  });

  test('is given a new incarnation on demand, higher than any before', async () => {
    await visit(path, {}, 7);
    expect(await visit(path, {}, 100, true)).toBe(100);
    expect(await visit(path, {}, 50, true)).toBe(101);
    expect(await visit()).toBe(101);
  });

  test('takes a new incarnation while it is open', async () => {
    const data = open(path, {}, 7);
    data.renew(12);
    expect([data.incarnation, data.founded]).toEqual([12, 7]);
    expect(() => data.renew(12)).toThrow('12 does not follow 12');
    await close(data);
    const again = open();
    expect([again.incarnation, again.founded]).toEqual([12, 7]);
    await close(again);
  });

  test.each(['', '{', 'null', '{"format":2}', '{"format":2,"id":"a","incarnation":1}'])(
    'is damaged if its identity reads %j',
    async (text) => {
      await visit();
      writeFileSync(join(path, 'replica.json'), text);
      const message = `${join(path, 'replica.json')} is not what was written there`;
      expect(() => open()).toThrow(refusal('ERR_CORRUPT', message));
    },
  );

  test('gives each process a higher number than the one before, also if the clock was set back', async () => {
    const lives: number[] = [];
    for (const now of [1_000, 2_000, 500, 500, 3_000]) {
      const data = open();
      lives.push(data.beginLife(now));
      await close(data);
    }
    expect(lives).toEqual([1_000, 2_000, 2_001, 2_002, 3_000]);
  });

  test('of another version says which', async () => {
    await visit();
    editIdentity((stored) => ({ ...stored, format: 1 }));
    expect(() => open()).toThrow(refusal('ERR_CORRUPT', /replica\.json is of format 1, this version reads 2$/));
  });

  test('names the file and the place of damage in its log', async () => {
    const data = open();
    await put(data, 1);
    await put(data, 2);
    await close(data);
    const file = join(path, 'log', 'log-00000001');
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(60) ^ 1, 60);
    writeFileSync(file, bytes);
    expect(() => open()).toThrow(refusal('ERR_CORRUPT', new RegExp(`^${file}, offset 28: `)));
    // It is let go of, so that it can be repaired.
    expect(() => open()).toThrow(refusal('ERR_CORRUPT', new RegExp(`^${file}, offset 28: `)));
  });

  test('names the table whose file is none of LMDB', async () => {
    await visit();
    writeFileSync(join(path, 'table', 'data.mdb'), Buffer.alloc(16_384, 7));
    expect(() => open()).toThrow(refusal('ERR_CORRUPT', new RegExp(`^${join(path, 'table', 'data.mdb')}, offset 0: `)));
  });
});

describe('a copy of a data directory', () => {
  const copied = (at: string) =>
    refusal('ERR_COPIED', new RegExp(`^${at} is a copy of the data directory of replica a#7`));

  beforeEach(async () => {
    const data = open(path, {}, 7);
    await put(data, 1);
    await close(data);
  });

  const copy = join('..', 'copy');
  const shell = (command: string): void => void execFileSync('sh', ['-ec', command], { cwd: path });

  test.each([
    ['cp -r', () => shell(`cp -r . ${copy}`)],
    ['cp -a', () => shell(`cp -a . ${copy}`)],
    ['tar', () => shell(`mkdir ${copy} && tar cf - . | tar xf - -C ${copy}`)],
    ['Node', () => cpSync(path, join(path, copy), { recursive: true, preserveTimestamps: true })],
  ])('by %s is refused, and opens under a new incarnation with its data', async (_tool, make) => {
    make();
    const at = join(folder, 'copy');
    expect(() => open(at)).toThrow(copied(at));
    expect(() => open(at, { id: 'b' })).toThrow(copied(at));
    expect(() => open(at, { cluster: 'other' }, 9, true)).toThrow(refusal('ERR_CLUSTER_MISMATCH', /other/));
    const data = open(at, {}, 20, true);
    expect(data.incarnation).toBe(20);
    expect(data.storage.size).toBe(1);
    await close(data);
    // From now on it is no copy any more, and the original is what it was.
    expect(await visit(at)).toBe(20);
    expect(await visit()).toBe(7);
  });

  test('may become the directory of another replica', async () => {
    shell(`cp -r . ${copy}`);
    const at = join(folder, 'copy');
    expect(await visit(at, { id: 'b' }, 20, true)).toBe(20);
    expect(await visit(at, { id: 'b' })).toBe(20);
    expect(() => open(at)).toThrow(refusal('ERR_IDENTITY', /holds a replica with id b, not a$/));
  });

  test('that was made while the original was in use is not locked by it', async () => {
    const data = open();
    shell(`cp -r . ${copy}`);
    const at = join(folder, 'copy');
    expect(() => open(at)).toThrow(copied(at));
    expect(() => open()).toThrow(refusal('ERR_LOCKED', /this process already uses it$/));
    await close(data);
  });

  test('in the place of the original is one, too', () => {
    shell('tar cf ../backup.tar .');
    rmSync(path, { recursive: true });
    mkdirSync(path);
    shell('tar xf ../backup.tar');
    expect(() => open()).toThrow(copied(path));
  });

  test('that was restored over the original is one, too', async () => {
    shell('tar cf ../backup.tar .');
    const data = open();
    await put(data, 2);
    await close(data);
    shell('tar xf ../backup.tar');
    expect(() => open()).toThrow(copied(path));
    const renewed = open(path, {}, 20, true);
    expect([renewed.incarnation, renewed.storage.size]).toEqual([20, 1]);
    await close(renewed);
  });

  test('without the mark is one, too', () => {
    rmSync(join(path, 'mark'));
    expect(() => open()).toThrow(copied(path));
  });

  test('is not what was renamed, or opened many times', async () => {
    for (let round = 0; round < 3; round++) expect(await visit()).toBe(7);
    const moved = join(folder, 'elsewhere', 'data');
    mkdirSync(join(folder, 'elsewhere'));
    renameSync(path, moved);
    expect(await visit(moved)).toBe(7);
    appendFileSync(join(moved, 'mark'), 'more');
    expect(await visit(moved)).toBe(7);
  });

  test('is known by its inode alone where the time of birth is not told', async () => {
    editIdentity((stored) => ({ ...stored, mark: { ...(stored['mark'] as object), bornNs: '0' } }));
    expect(await visit()).toBe(7);
    shell(`cp -a . ${copy}`);
    expect(() => open(join(folder, 'copy'))).toThrow(copied(join(folder, 'copy')));
  });

  test('is known by the time of birth if it got the inode of the original', () => {
    editIdentity((stored) => ({ ...stored, mark: { ...(stored['mark'] as object), bornNs: '1' } }));
    expect(() => open()).toThrow(copied(path));
  });

  test('that is refused is left as it is', () => {
    shell(`cp -a . ${copy}`);
    const at = join(folder, 'copy');
    const before = readFileSync(join(at, 'replica.json'), 'utf8');
    expect(() => open(at)).toThrow();
    expect(readFileSync(join(at, 'replica.json'), 'utf8')).toBe(before);
    expect(readdirSync(join(at, 'log'))).toEqual(['log-00000001']);
  });
});
