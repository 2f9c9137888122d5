import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockDirectory } from '../../src/storage/node/directory-lock.js';

const MODULE = new URL('../../dist/src/storage/node/directory-lock.js', import.meta.url).href;

let path: string;
const children = new Set<ChildProcess>();
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'barista-lock-'));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  rmSync(path, { recursive: true, force: true });
});

/** Runs a program that has `lockDirectory` and the `path` to lock. */
function run(program: string): ChildProcess {
  const source = `import * as fs from 'node:fs';
    import { lockDirectory } from ${JSON.stringify(MODULE)};
    const path = ${JSON.stringify(path)};
    ${program}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  return child;
}

/** A process that holds the lock until it is ended. */
async function holder(): Promise<ChildProcess> {
  const child = run(`lockDirectory(path); console.log('locked'); process.stdin.resume();`);
  await once(child.stdout as NodeJS.EventEmitter, 'data');
  return child;
}

function lockFiles(): string[] {
  return readdirSync(path).sort();
}

function rewriteLock(change: (lock: Record<string, unknown>) => unknown): void {
  const [name = ''] = lockFiles();
  const lock = JSON.parse(readFileSync(join(path, name), 'utf8')) as Record<string, unknown>;
  writeFileSync(join(path, name), JSON.stringify(change(lock)));
}

const locked = (message: string) => expect.objectContaining({ code: 'ERR_LOCKED', message });

describe('the lock of a directory', () => {
  test('is held by one at a time, and comes back when it is released', () => {
    for (let round = 1; round <= 3; round++) {
      const lock = lockDirectory(path);
      expect(() => lockDirectory(path)).toThrow(locked(`${path} is locked: this process already uses it`));
      expect(lockFiles()).toEqual([`lock.${round}`]);
      lock.release();
    }
    expect(lockFiles()).toEqual(['lock.3']);
  });

  test('names the process that holds it', async () => {
    const child = await holder();
    expect(() => lockDirectory(path)).toThrow(locked(`${path} is locked: process ${child.pid} uses it`));
    child.kill('SIGSTOP');
    expect(() => lockDirectory(path)).toThrow(expect.objectContaining({ code: 'ERR_LOCKED' }));
  });

  test('is free when its process was killed', async () => {
    const child = await holder();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = lockDirectory(path);
    expect(lockFiles()).toEqual(['lock.2']);
    expect(() => lockDirectory(path)).toThrow(expect.objectContaining({ code: 'ERR_LOCKED' }));
    lock.release();
  });

  test('is free when its process ended without a word', async () => {
    await once(run('lockDirectory(path);'), 'exit');
    lockDirectory(path).release();
  });

  test.runIf(process.platform === 'linux')('is free when its pid is that of another process now', async () => {
    const child = await holder();
    rewriteLock((lock) => ({ ...lock, startTime: `${Number(lock['startTime']) - 1}` }));
    lockDirectory(path).release();
    child.kill('SIGKILL');
  });

  test.runIf(process.platform === 'linux')('is free when the machine was started again since', async () => {
    const child = await holder();
    rewriteLock((lock) => ({ ...lock, bootId: '00000000-0000-0000-0000-000000000000' }));
    lockDirectory(path).release();
    child.kill('SIGKILL');
  });

  test.each(['', '{', 'null', '[]', '{"pid":-1}', '{"pid":"x"}', '\0\0\0\0'])('is free when it says %j', (text) => {
    writeFileSync(join(path, 'lock.41'), text);
    lockDirectory(path).release();
    expect(lockFiles()).toEqual(['lock.42']);
  });

  test('clears what starters that are gone left behind', async () => {
    const gone = run('');
    await once(gone, 'exit');
    writeFileSync(join(path, `lock-${gone.pid}-0.new`), '');
    writeFileSync(join(path, 'lock.1'), 'released\n');
    lockDirectory(path).release();
    expect(lockFiles()).toEqual(['lock.2']);
  });

  test('says why a directory cannot be locked', () => {
    expect(() => lockDirectory(join(path, 'absent'))).toThrow(
      expect.objectContaining({
        code: 'ERR_STORAGE',
        message: `cannot lock ${join(path, 'absent')}: it is not there (ENOENT)`,
      }),
    );
  });

  test('is never held by two, however many want it, leave it, and die with it', async () => {
    const program = `
      const dead = JSON.stringify({ pid: 4194304, startTime: '1', bootId: null });
      let won = 0;
      const until = Date.now() + 3000;
      while (Date.now() < until) {
        let lock;
        try {
          lock = lockDirectory(path);
        } catch (error) {
          if (error.code !== 'ERR_LOCKED') throw error;
          continue;
        }
        fs.closeSync(fs.openSync(path + '/held', 'wx'));
        const own = fs.readdirSync(path).filter((name) => /^lock[.][0-9]+$/.test(name));
        fs.unlinkSync(path + '/held');
        won += 1;
        if (won % 2 === 0) {
          lock.release();
        } else {
          // As if this process had been killed.
          const highest = Math.max(...own.map((name) => Number(name.slice(5))));
          fs.writeFileSync(path + '/lock.' + highest, dead);
        }
      }
      console.log(won);`;
    const racers = [1, 2, 3, 4].map(() => run(program));
    const results = await Promise.all(
      racers.map(async (child) => {
        let output = '';
        child.stdout?.on('data', (data: Buffer) => {
          output += data.toString();
        });
        const [code] = (await once(child, 'close')) as [number];
        return { code, won: Number(output) };
      }),
    );
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(results.reduce((sum, { won }) => sum + won, 0)).toBeGreaterThan(20);
    lockDirectory(path).release();
  });
});
