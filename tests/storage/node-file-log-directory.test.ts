import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Done, promised } from '../../src/base/outcome.js';
import type { LogFile } from '../../src/storage/log-directory.js';
import { fileFailure } from '../../src/storage/node/file-failure.js';
import { FileLogDirectory } from '../../src/storage/node/file-log-directory.js';
import { FIRST_SEGMENT, WriteAheadLog } from '../../src/storage/write-ahead-log.js';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'barista-log-'));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

describe('a directory of files', () => {
  test('is made with all that leads to it', () => {
    const deep = join(path, 'a', 'b');
    expect(new FileLogDirectory(deep).list()).toEqual([]);
    expect(new FileLogDirectory(deep).list()).toEqual([]);
    expect(statSync(deep).isDirectory()).toBe(true);
  });

  test('keeps what is appended, counts it, and lists files only', async () => {
    const directory = new FileLogDirectory(path);
    mkdirSync(join(path, 'folder'));
    const file = directory.open('x');
    const large = new Uint8Array(5_000_000).fill(7);
    for (const bytes of [bytesOf('one'), large, bytesOf('two')]) {
      await promised<void>((done) => file.append(bytes, done));
      await promised<void>((done) => file.sync(done, true));
    }
    expect(file.length).toBe(large.length + 6);
    file.close();
    expect(directory.list()).toEqual(['x']);
    expect(directory.read('x').length).toBe(file.length);
    const again = directory.open('x');
    expect(again.length).toBe(file.length);
    await promised<void>((done) => again.append(bytesOf('!'), done));
    again.close();
    expect(Buffer.from(directory.read('x').subarray(-4)).toString()).toBe('two!');
  });

  test('does not keep the caller waiting for a sync that nobody waits for', async () => {
    const file = new FileLogDirectory(path).open('x');
    await promised<void>((done) => file.append(bytesOf('one'), done));
    let isSynced = false;
    const synced = promised<void>((done) => {
      file.sync((outcome) => {
        isSynced = true;
        done(outcome);
      }, false);
    });
    expect(isSynced).toBe(false);
    await synced;
    file.close();
  });

  test('has room behind what is appended, shows none of it, and gives it back', async () => {
    const directory = new FileLogDirectory(path);
    const sizes: number[] = [];
    const write = async (file: LogFile, text: string): Promise<void> => {
      await promised<void>((done) => file.append(bytesOf(text), done));
      await promised<void>((done) => file.sync(done, true));
      sizes.push(statSync(join(path, 'x')).size);
    };
    const file = directory.open('x');
    await write(file, 'one');
    await write(file, 'two');
    expect(sizes[0]).toBeGreaterThan(1_000);
    expect(sizes[1]).toBe(sizes[0]);
    expect(file.length).toBe(6);
    // As after a crash: the room is still there.
    expect(Buffer.from(directory.read('x')).toString()).toBe('onetwo');
    const again = directory.open('x');
    expect(again.length).toBe(6);
    await write(again, '3');
    again.close();
    expect(statSync(join(path, 'x')).size).toBe(7);
    expect(Buffer.from(directory.read('x')).toString()).toBe('onetwo3');
    writeFileSync(join(path, 'y'), new Uint8Array(200_000));
    expect(directory.read('y').length).toBe(0);
    expect(directory.open('y').length).toBe(0);
  });

  test('cuts a file and leaves the rest as it was', () => {
    const directory = new FileLogDirectory(path);
    const bytes = new Uint8Array(3_000_000).map((_, i) => i % 251);
    writeFileSync(join(path, 'x'), bytes);
    directory.truncate('x', 2_500_001);
    expect(Buffer.from(directory.read('x')).equals(bytes.subarray(0, 2_500_001))).toBe(true);
    directory.truncate('x', 0);
    expect(directory.read('x').length).toBe(0);
  });

  test('removes a file, if it is there', () => {
    const directory = new FileLogDirectory(path);
    directory.open('x').close();
    directory.remove('x');
    directory.remove('x');
    expect(directory.list()).toEqual([]);
  });

  test('says what the system refused, and of which file', () => {
    const directory = new FileLogDirectory(path);
    mkdirSync(join(path, 'folder'));
    writeFileSync(join(path, 'file'), '');
    const refusals: readonly (readonly [() => unknown, string])[] = [
      [() => directory.open('folder'), `cannot open ${join(path, 'folder')}: it is a directory (EISDIR)`],
      [() => directory.read('absent'), `cannot read ${join(path, 'absent')}: it is not there (ENOENT)`],
      [() => directory.truncate('absent', 0), `cannot cut ${join(path, 'absent')}: it is not there (ENOENT)`],
      [() => directory.open('file/x'), `cannot open ${join(path, 'file/x')}: a part of the path is not a directory`],
      [() => new FileLogDirectory(join(path, 'file/x')), `cannot make the directory ${join(path, 'file/x')}: `],
    ];
    for (const [call, message] of refusals) {
      expect(call).toThrow(expect.objectContaining({ code: 'ERR_STORAGE', message: expect.stringContaining(message) }));
    }
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    expect(fileFailure(full, 'append to', '/data/log-00000001')).toMatchObject({
      code: 'ERR_STORAGE',
      message: 'cannot append to /data/log-00000001: the disk is full (ENOSPC)',
      cause: full,
    });
  });

  test.runIf(process.platform === 'linux')('a device that is full fails the write', async () => {
    const file = new FileLogDirectory('/dev').open('full');
    await expect(promised<void>((done) => file.append(bytesOf('x'), done))).rejects.toMatchObject({
      code: 'ERR_STORAGE',
      message: 'cannot append to /dev/full: the disk is full (ENOSPC)',
    });
    file.close();
  });
});

describe('a log of files', () => {
  function open(firstSegment = FIRST_SEGMENT): { log: WriteAheadLog; found: string[] } {
    const found: string[] = [];
    const log = WriteAheadLog.open(
      new FileLogDirectory(path),
      (bytes) => crc32(bytes),
      firstSegment,
      (record) => found.push(new TextDecoder().decode(record)),
      { segmentBytesMax: 1_000 },
    );
    return { log, found };
  }

  const flush = (log: WriteAheadLog) => promised<void>((done) => log.flush(done));
  const close = (log: WriteAheadLog) => promised<void>((done: Done<void>) => log.close(done));

  test('gives back what was flushed, over segments, rotations and lives', async () => {
    const expected: string[] = [];
    let first = FIRST_SEGMENT;
    for (let life = 0; life < 4; life++) {
      const { log, found } = open(first);
      expect(found).toEqual(expected);
      for (let record = 0; record < 50; record++) {
        const text = `${life}.${record}`.padEnd(record * 3, '.');
        expected.push(text);
        log.append(bytesOf(text));
        if (record % 7 === 0) await flush(log);
      }
      if (life === 2) {
        first = await promised<number>((done) => log.flushAndRotate(done));
        expect(log.dropBefore(first)).toMatchObject({ ok: true });
        expected.length = 0;
      } else {
        await flush(log);
      }
      await close(log);
    }
    expect(open(first).found).toEqual(expected);
  });

  test('flushes that come while one is under way share a write', async () => {
    const { log } = open();
    // So much is handed to another thread.
    const large = new Uint8Array(100_000);
    const flushes = [large, ...[1, 2, 3, 4].map((i) => bytesOf(`${i}`))].map((record) => {
      log.append(record);
      return flush(log);
    });
    await Promise.all(flushes);
    await close(log);
    const overhead = 28 + 2 * (13 + 1);
    const lengthBytes = 3;
    const length = overhead + large.length + lengthBytes + 4 + 4 * (4 + 1);
    expect(readFileSync(join(path, 'log-00000001')).length - length).toBeLessThanOrEqual(0);
    expect(open().found.slice(1)).toEqual(['1', '2', '3', '4']);
  });

  test('drops a torn end and goes on behind it', async () => {
    const { log } = open();
    log.append(bytesOf('one'));
    await flush(log);
    await close(log);
    appendFileSync(join(path, 'log-00000001'), new Uint8Array(700));
    const again = open();
    expect(again.found).toEqual(['one']);
    again.log.append(bytesOf('two'));
    await flush(again.log);
    await close(again.log);
    expect(open().found).toEqual(['one', 'two']);
  });

  test('refuses damage, naming the file', async () => {
    const { log } = open();
    for (const record of ['one', 'two']) {
      log.append(bytesOf(record));
      await flush(log);
    }
    await close(log);
    const file = join(path, 'log-00000001');
    const bytes = readFileSync(file);
    bytes[46] = 0x21;
    writeFileSync(file, bytes);
    expect(() => open()).toThrow(
      expect.objectContaining({ code: 'ERR_CORRUPT', message: expect.stringMatching(/^log-00000001, offset 28: /) }),
    );
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });
});
