import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { open } from 'lmdb';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BaristaError } from '../../src/base/errors.js';
import type { ClientId, Origin } from '../../src/base/ids.js';
import { fail, promised } from '../../src/base/outcome.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { type KvOperation, kvOperationCodec } from '../../src/machine/kv.js';
import { repairData } from '../../src/server/repair.js';
import { DurableStorage } from '../../src/storage/durable.js';
import { DataDirectory } from '../../src/storage/node/data-directory.js';
import { FileLogDirectory } from '../../src/storage/node/file-log-directory.js';
import { LmdbTable } from '../../src/storage/node/lmdb-table.js';
import { repairDirectory } from '../../src/storage/node/repair-directory.js';
import { WriteAheadLog } from '../../src/storage/write-ahead-log.js';

/* Real directories with bits flipped, ends lost and files gone: what is found, what is kept, and that they open again. */

const IDENTITY = { id: 'a', cluster: 'test', tieBreak: 'higher', clock: 'logical', retryWindowMs: 600_000 } as const;
const SEGMENT_BYTES = 2_000;
const NOW = 1_000;
/** Of LMDB, and where its meta pages say where the tree of databases begins. */
const PAGE_BYTES = 4_096;
const MAIN_ROOT = 136;
const checksum = (bytes: Uint8Array): number => crc32(bytes);

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barista-repair-'));
  path = join(folder, 'data');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Where the log ended, and what storage held, after a flush. */
interface Flushed {
  readonly segment: string;
  readonly length: number;
  readonly state: string;
}

/** Makes a directory in whose log every flush is known; with `checkpointLogBytes` also a table. */
async function fill(random: Random, flushes: number, checkpointLogBytes = 2 ** 40): Promise<Flushed[]> {
  await promised<void>((done) => DataDirectory.open(path, IDENTITY, 7, kvOperationCodec).close(done));
  for (const name of readdirSync(join(path, 'log'))) rmSync(join(path, 'log', name));
  const storage = new DurableStorage<KvOperation>({
    directory: new FileLogDirectory(join(path, 'log')),
    table: new LmdbTable(join(path, 'table')),
    codec: kvOperationCodec,
    checksum,
    checkpointLogBytes,
    logOptions: { segmentBytesMax: SEGMENT_BYTES },
  });
  const flushed: Flushed[] = [];
  let time = 0;
  for (let flush = 0; flush < flushes; flush++) {
    for (let changes = 1 + random.below(3); changes > 0; changes--) {
      time += 1;
      insert(storage, time, `k${random.below(20)}`, random.below(300));
    }
    await promised<void>((done) => storage.flush(done));
    const segment = segments().at(-1) as string;
    const { length } = new FileLogDirectory(join(path, 'log')).read(segment);
    flushed.push({ segment, length, state: stateOf(storage) });
  }
  await promised<void>((done) => storage.close(done));
  return flushed;
}

function insert(storage: DurableStorage<KvOperation>, time: number, key: string, bytes: number): void {
  const operation = { kind: 'put', value: new Uint8Array(bytes).fill(time) } as const;
  const write = {
    origin: 'a#7' as Origin,
    acceptTime: time,
    client: 'c' as ClientId,
    clientTime: time,
    key,
    operation,
  };
  storage.insert(write, storage.history(key).length);
  storage.saveSeen(write.origin, time);
}

function stateOf(storage: DurableStorage<KvOperation>): string {
  const keys = [...storage.keys()].map((key) => [key, storage.history(key).map(({ acceptTime }) => acceptTime)]);
  return JSON.stringify([storage.loadSeen().toString(), storage.size, keys]);
}

function segments(): string[] {
  return readdirSync(join(path, 'log')).sort();
}

function sizeOf(segment: string): number {
  return statSync(join(path, 'log', segment)).size;
}

function flipBit(file: string, offset: number, bit: number): void {
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ (1 << bit), offset);
  writeFileSync(file, bytes);
}

/** What an opened directory holds, and under which incarnation; closes it. */
async function found(): Promise<{ readonly state: string; readonly incarnation: number }> {
  const data = DataDirectory.open(path, IDENTITY, NOW, kvOperationCodec);
  const state = stateOf(data.storage);
  await promised<void>((done) => data.close(done));
  return { state, incarnation: data.incarnation };
}

function openingFails(): BaristaError {
  try {
    DataDirectory.open(path, IDENTITY, NOW, kvOperationCodec);
  } catch (thrown) {
    if (thrown instanceof BaristaError) return thrown;
  }
  throw new Error('it opened');
}

/** Every file with its bytes; but not who uses the directory, which only a look at it changes. */
function contents(): Record<string, string> {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => !/^lock\.|lock\.mdb$/.test(name) && statSync(join(path, name)).isFile());
  return Object.fromEntries(
    files.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(path, name)))
        .digest('hex'),
    ]),
  );
}

function repair(apply: boolean) {
  return repairDirectory({
    path,
    apply,
    now: NOW,
    codec: kvOperationCodec,
    inspectTable: () => ({ kind: 'sound', segment: 1, counted: 1, keys: 0, writes: 0 }),
  });
}

const EMPTY = JSON.stringify(['', 0, []]);

describe('a damaged log', () => {
  test('is kept up to the flipped bit, wherever that is', async () => {
    const random = seededRandom(1);
    const flushed = await fill(random, 60);
    const whole = join(folder, 'whole');
    expect(segments().length).toBeGreaterThan(5);
    let refused = 0;
    for (let round = 0; round < 60; round++) {
      // Written back in place: a copy would be noticed.
      cpSync(join(path, 'log'), whole, { recursive: true });
      const segment = segments()[random.below(segments().length)] as string;
      const offset = random.below(sizeOf(segment));
      flipBit(join(path, 'log', segment), offset, random.below(8));
      const where = `round ${round}: ${segment} at ${offset}`;

      // In the header of a segment, nothing of it is left; else the groups before the bit.
      const before = flushed.filter((flush) => flush.segment < segment || flush.length <= offset);
      const kept = before.filter((flush) => flush.segment < segment || (flush.segment === segment && offset >= 28));
      const expected = kept.at(-1)?.state ?? EMPTY;

      const damaged = contents();
      const error = openingFails();
      expect(error.code, where).toBe('ERR_CORRUPT');
      expect(error.message, where).toMatch(new RegExp(`^${join(path, 'log', segment)}, offset \\d+: `));
      const report = repair(false);
      expect(`${path}/log/${report.log.damage?.what}`, where).toBe(error.message);
      expect(contents(), where).toEqual(damaged);

      const { repaired } = repair(true);
      expect(await found(), where).toEqual({ state: expected, incarnation: NOW + refused });
      expect(repaired?.origin).toBe(`a#${NOW + refused}`);
      refused += 1;
      for (const file of repaired?.aside ?? []) {
        const name = file.split('/').at(-1) as string;
        expect(readFileSync(file).equals(readFileSync(join(whole, name))), where).toBe(name > segment);
      }
      expect(repair(false)).toMatchObject({ log: { damage: null }, repaired: null });

      for (const name of segments()) rmSync(join(path, 'log', name));
      cpSync(whole, join(path, 'log'), { recursive: true });
    }
  });

  test('that lost a segment keeps what came before it', async () => {
    const flushed = await fill(seededRandom(2), 60);
    const [, lost = '', ...later] = segments();
    rmSync(join(path, 'log', lost));
    expect(openingFails().message).toBe(`${join(path, 'log', lost)}, offset 0: this segment of the log is missing`);
    const report = repair(true);
    expect(report.repaired?.aside.map((file) => file.split('/').at(-1))).toEqual(later);
    const kept = flushed.filter(({ segment }) => segment < lost);
    expect((await found()).state).toBe(kept.at(-1)?.state);
  });

  test('that lost its first segment keeps nothing, and says so', async () => {
    await fill(seededRandom(3), 30);
    rmSync(join(path, 'log', 'log-00000001'));
    expect(repair(false).log.segments.map(({ soundBytes }) => soundBytes)).toEqual(segments().map(() => 0));
    repair(true);
    expect((await found()).state).toBe(EMPTY);
  });

  test('that lost the end of a segment before the last keeps what is there', async () => {
    const flushed = await fill(seededRandom(4), 60);
    const [, cut = ''] = segments();
    truncateSync(join(path, 'log', cut), sizeOf(cut) - 1);
    expect(openingFails().code).toBe('ERR_CORRUPT');
    repair(true);
    const kept = flushed.filter(({ segment }) => segment <= cut).slice(0, -1);
    expect((await found()).state).toBe(kept.at(-1)?.state);
  });

  test('with a record that is whole and cannot be read ends before its group', async () => {
    const flushed = await fill(seededRandom(5), 10);
    const log = WriteAheadLog.open(new FileLogDirectory(join(path, 'log')), checksum, 1, () => undefined);
    const sound = sizeOf(segments().at(-1) as string);
    for (const record of [Uint8Array.of(99), Uint8Array.of(98)]) {
      log.append(record);
      await promised<void>((done) => log.flush(done));
    }
    await promised<void>((done) => log.close(() => done({ ok: true, value: undefined })));
    expect(openingFails().message).toMatch(new RegExp(`^${path}: a record of the log cannot be read: `));
    const { damage, segments: seen } = repair(false).log;
    expect(damage?.what).toMatch(new RegExp(`^${segments().at(-1)}, offset ${sound}: a record of the log`));
    expect(seen.at(-1)?.soundBytes).toBe(sound);
    repair(true);
    expect((await found()).state).toBe(flushed.at(-1)?.state);
  });

  test('is not one that power loss tore', async () => {
    const flushed = await fill(seededRandom(6), 20);
    const last = segments().at(-1) as string;
    truncateSync(join(path, 'log', last), sizeOf(last) - 1);
    expect(repair(true)).toMatchObject({ log: { damage: null }, repaired: null });
    expect(await found()).toEqual({ state: flushed.at(-2)?.state, incarnation: 7 });
  });

  test('is set aside beside what was set aside before', async () => {
    await fill(seededRandom(7), 60);
    for (const round of [1, 2]) {
      const segment = segments()[2 - round] as string;
      flipBit(join(path, 'log', segment), 100, 0);
      const aside = repair(true).repaired?.aside ?? [];
      expect(aside[0]).toBe(join(path, `set-aside.${round}`, segment));
    }
  });
});

describe('a damaged table', () => {
  const CHECKPOINT_BYTES = 3_000;
  const table = (): string => join(path, 'table', 'data.mdb');

  test('leaves a replica empty if the log does not go back to the beginning', async () => {
    await fill(seededRandom(8), 60, CHECKPOINT_BYTES);
    const logs = segments();
    expect(logs[0]).not.toBe('log-00000001');
    writeFileSync(table(), Buffer.alloc(16_384, 7));
    expect(openingFails().message).toBe(`${table()}, offset 0: this is no meta page of LMDB`);
    const report = repairData(path, false);
    expect(report.table).toEqual({ kind: 'damaged', what: 'data.mdb, offset 0: this is no meta page of LMDB' });
    expect(report.log.segments.every(({ soundBytes }) => soundBytes === 0)).toBe(true);
    const aside = repairData(path, true).repaired?.aside ?? [];
    expect(aside.map((file) => file.split('/').at(-1))).toEqual([...logs, 'table']);
    expect((await found()).state).toBe(EMPTY);
  });

  test('costs nothing if the log goes back to the beginning', async () => {
    const flushed = await fill(seededRandom(9), 30);
    truncateSync(table(), 100);
    expect(repairData(path, true).repaired?.aside).toHaveLength(1);
    expect((await found()).state).toBe(flushed.at(-1)?.state);
  });

  test('that is gone is like one', async () => {
    await fill(seededRandom(10), 60, CHECKPOINT_BYTES);
    rmSync(join(path, 'table'), { recursive: true });
    const before = contents();
    expect(repairData(path, false).log.damage?.what).toMatch(
      /^log-00000001, offset 0: this segment of the log is missing$/,
    );
    expect(contents()).toEqual(before);
    repairData(path, true);
    expect((await found()).state).toBe(EMPTY);
  });

  test('or a sound one is told by reading all of it, whatever bit was flipped', async () => {
    const random = seededRandom(11);
    const state = (await fill(random, 120, CHECKPOINT_BYTES)).at(-1)?.state;
    const whole = readFileSync(table());
    let damaged = 0;
    for (let round = 0; round < 25; round++) {
      // Also several: LMDB's file has much that is not in use.
      for (let flips = 1 + random.below(40); flips > 0; flips--) {
        flipBit(table(), random.below(whole.length), random.below(8));
      }
      const before = contents();
      const report = repairData(path, false);
      expect(contents()).toEqual(before);
      if (report.table.kind === 'damaged') damaged += 1;
      else if (report.log.damage === null) await found();
      writeFileSync(table(), whole);
    }
    expect(damaged).toBeGreaterThan(0);
    expect(repairData(path, false)).toMatchObject({ table: { kind: 'sound' }, log: { damage: null } });
    expect((await found()).state).toBe(state);
  });

  /** Flips a bit of a text wherever it stands in a page of LMDB, if the page passes. */
  function flipText(text: string, passes: (page: Buffer) => boolean = () => true): void {
    const bytes = readFileSync(table());
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
      const page = at - (at % PAGE_BYTES);
      if (passes(bytes.subarray(page, page + PAGE_BYTES))) bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    }
    writeFileSync(table(), bytes);
  }

  /** Neither a check nor a start may touch what is damaged: it may be all that is left. */
  async function expectDamaged(what: string): Promise<void> {
    const before = contents();
    expect(repairData(path, false).table).toEqual({ kind: 'damaged', what });
    expect(contents()).toEqual(before);
    expect(openingFails().code).toBe('ERR_CORRUPT');
    expect(contents()).toEqual(before);
    expect(repairData(path, true).repaired?.aside.at(-1)).toBe(join(path, 'set-aside.1', 'table'));
    expect((await found()).state).toBe(EMPTY);
  }

  test.each(['entries', 'runs', 'meta'])('that lost a database, its %s, is left as it is', async (name) => {
    await fill(seededRandom(15), 60, CHECKPOINT_BYTES);
    flipText(`${name}\0`);
    await expectDamaged(`${table()}: of 3 databases only 2 are known by their names`);
  });

  test('that lost what it says of the whole is left as it is', async () => {
    await fill(seededRandom(16), 60, CHECKPOINT_BYTES);
    flipText('meta', (page) => !page.includes('meta\0'));
    await expectDamaged('the checkpoint has only its keys');
  });

  test('that lost the beginning of its tree is left as it is', async () => {
    await fill(seededRandom(17), 60, CHECKPOINT_BYTES);
    const bytes = readFileSync(table());
    for (const meta of [0, PAGE_BYTES]) bytes.writeBigUInt64LE(2n ** 64n - 1n, meta + MAIN_ROOT);
    writeFileSync(table(), bytes);
    await expectDamaged('data.mdb, offset 0: a tree has entries, and begins nowhere');
  });

  test('is told from one that a crash kept from being made', async () => {
    await fill(seededRandom(18), 10);
    rmSync(join(path, 'table'), { recursive: true });
    const unfinished = open({ path: join(path, 'table'), noSubdir: false, maxDbs: 4 });
    unfinished.openDB({ name: 'entries', encoding: 'binary' });
    await unfinished.close();
    const before = contents();
    expect(repairData(path, false)).toMatchObject({ table: { kind: 'sound', keys: 0 }, log: { damage: null } });
    expect(contents()).toEqual(before);
    await found();
  });

  test('is not what writing it anew has left, and that stays where it is', async () => {
    await fill(seededRandom(19), 60, CHECKPOINT_BYTES);
    cpSync(table(), join(path, 'table', 'repacked-1', 'data.mdb'));
    const before = contents();
    expect(repairData(path, true)).toMatchObject({ table: { kind: 'sound' }, repaired: null });
    expect(contents()).toEqual(before);
  });

  test('whose end was lost is found out', async () => {
    await fill(seededRandom(12), 120, CHECKPOINT_BYTES);
    truncateSync(table(), Math.floor(statSync(table()).size / 8_192) * 4_096);
    expect(repairData(path, true).table.kind).toBe('damaged');
    expect((await found()).state).toBe(EMPTY);
  });

  test('is one that holds a part of a checkpoint, if the log is damaged that the rest was to come from', async () => {
    const flushed = await fill(seededRandom(15), 40);
    const table = new LmdbTable(join(path, 'table'));
    const commit = table.commit.bind(table);
    let commits = 0;
    table.commit = (changes, done) => {
      commits += 1;
      if (commits === 2) done(fail(new BaristaError('ERR_STORAGE', 'the disk is full')));
      else commit(changes, done);
    };
    const directory = new FileLogDirectory(join(path, 'log'));
    const storage = new DurableStorage({
      ...{ directory, table, codec: kvOperationCodec, checksum },
      ...{ checkpointLogBytes: 1, checkpointPart: 5 },
    });
    insert(storage, 1_000, 'last', 10);
    await promised<void>((done) => storage.flush(done));
    await promised<void>((done) => storage.close(done));
    expect(commits).toBe(2);
    const { table: sound, log } = repairData(path, false);
    expect([sound.kind, log.damage]).toEqual(['sound', null]);
    expect((await found()).state).not.toBe(flushed.at(-1)?.state);

    const [first] = segments() as [string];
    flipBit(join(path, 'log', first), sizeOf(first) - 5, 3);
    const report = repairData(path, true);
    expect(report.table).toEqual({ kind: 'damaged', what: expect.stringContaining(`${first}, offset `) });
    // What the table claims was to come from there; the log of this directory begins with its first write.
    expect(flushed.map(({ state }) => state)).toContain((await found()).state);
    expect(repairData(path, false)).toMatchObject({ table: { kind: 'sound' }, log: { damage: null } });
  });

  test('does not hide damage of the log behind it', async () => {
    const flushed = await fill(seededRandom(13), 60, CHECKPOINT_BYTES);
    const data = DataDirectory.open(path, IDENTITY, NOW, kvOperationCodec);
    insert(data.storage, 1_000, 'last', 10);
    await promised<void>((done) => data.close(done));
    const last = segments().at(-1) as string;
    flipBit(join(path, 'log', last), sizeOf(last) - 5, 3);
    const report = repairData(path, true);
    expect(report.table.kind).toBe('sound');
    expect(report.log.damage?.what).toMatch(new RegExp(`^${last}, offset `));
    expect((await found()).state).toBe(flushed.at(-1)?.state);
  });
});

describe('what cannot be repaired', () => {
  test('is in use', async () => {
    const data = DataDirectory.open(path, IDENTITY, 7, kvOperationCodec);
    expect(() => repairData(path, false)).toThrow(expect.objectContaining({ code: 'ERR_LOCKED' }));
    await promised<void>((done) => data.close(done));
    expect(repairData(path, false).origin).toBe('a#7');
  });

  test('is no data directory, and is left as it is', () => {
    for (const at of [folder, join(folder, 'absent')]) {
      const message = `${at} is no data directory of a replica: it has no replica.json`;
      expect(() => repairData(at, true)).toThrow(expect.objectContaining({ code: 'ERR_STORAGE', message }));
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  test('does not say whose it is', async () => {
    await fill(seededRandom(14), 3);
    writeFileSync(join(path, 'replica.json'), '{');
    expect(() => repairData(path, true)).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT' }));
  });
});
