import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { BaristaError } from '../../src/base/errors.js';
import type { Done, Outcome } from '../../src/base/outcome.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { FaultyDirectory, PowerLoss } from '../../src/sim/disk/faulty-directory.js';
import type { LogDirectory, LogFile } from '../../src/storage/log-directory.js';
import { GROUP_HEADER_BYTES, RECORD_BYTES_MAX, SEGMENT_HEADER_BYTES } from '../../src/storage/log-segment.js';
import { FIRST_SEGMENT, WriteAheadLog, type WriteAheadLogOptions } from '../../src/storage/write-ahead-log.js';

const SECTOR_BYTES = 64;
const OPTIONS = { sectorBytes: SECTOR_BYTES, segmentBytesMax: 300 } as const;
const SEEDS = 3_000;

const checksum = (bytes: Uint8Array): number => crc32(bytes);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function open(
  directory: LogDirectory,
  options: WriteAheadLogOptions = OPTIONS,
  firstSegment = FIRST_SEGMENT,
): { log: WriteAheadLog; found: string[] } {
  const found: string[] = [];
  const log = WriteAheadLog.open(directory, checksum, firstSegment, (record) => found.push(textOf(record)), options);
  return { log, found };
}

function outcomesOf<T>(start: (done: Done<T>) => void): Outcome<T>[] {
  const outcomes: Outcome<T>[] = [];
  start((outcome) => outcomes.push(outcome));
  return outcomes;
}

function flushed(log: WriteAheadLog, ...records: readonly string[]): Outcome<void> | undefined {
  for (const record of records) log.append(bytesOf(record));
  return outcomesOf<void>((done) => log.flush(done))[0];
}

function refusal(call: () => unknown): BaristaError {
  try {
    call();
  } catch (thrown) {
    return thrown as BaristaError;
  }
  throw new Error('it was not refused');
}

/** A log of five groups in three segments; no sector of it is all zeros. */
function exampleLog(): FaultyDirectory {
  const directory = new FaultyDirectory(1, { sectorBytes: SECTOR_BYTES });
  const { log } = open(directory);
  for (const group of ['a', 'b', 'c', 'd', 'e']) flushed(log, group.repeat(90), `${group}2`.repeat(30), group);
  log.close();
  return directory;
}

describe('a write-ahead log', () => {
  test('gives back what was flushed, in order, and forgets what was not', () => {
    const directory = new FaultyDirectory(1);
    const { log, found } = open(directory);
    expect(found).toEqual([]);
    expect(flushed(log, 'one', '', 'two')).toEqual({ ok: true, value: undefined });
    expect(flushed(log, 'three')).toMatchObject({ ok: true });
    log.append(bytesOf('four'));
    expect(log.pendingBytes).toBe(8);
    log.close();
    expect(open(directory).found).toEqual(['one', '', 'two', 'three']);
  });

  test('goes on where it ended', () => {
    const directory = new FaultyDirectory(1);
    for (const [i, record] of ['one', 'two', 'three'].entries()) {
      const { log, found } = open(directory);
      expect(found).toEqual(['one', 'two', 'three'].slice(0, i));
      flushed(log, record);
      log.close();
    }
    expect(open(directory).found).toEqual(['one', 'two', 'three']);
    expect(directory.names()).toEqual(['log-00000001']);
  });

  test('keeps a record of any length', () => {
    const directory = new FaultyDirectory(1, { sectorBytes: 4096 });
    const { log } = open(directory, {});
    const long = 'x'.repeat(3_000_000);
    flushed(log, long);
    flushed(log, 'short', long, long);
    log.close();
    expect(open(directory, {}).found).toEqual([long, 'short', long, long]);
    expect(() => log.append(new Uint8Array(RECORD_BYTES_MAX + 1))).toThrow();
  });

  test('does not keep what it was given', () => {
    const directory = new FaultyDirectory(1);
    const { log } = open(directory);
    const record = bytesOf('one');
    log.append(record);
    record.fill(0x7a);
    flushed(log);
    log.close();
    expect(open(directory).found).toEqual(['one']);
  });

  test('has nothing to do for a flush of nothing', () => {
    const directory = new FaultyDirectory(1);
    const { log } = open(directory);
    flushed(log, 'one');
    const { calls } = directory;
    expect(flushed(log)).toMatchObject({ ok: true });
    expect(directory.calls).toBe(calls);
  });
});

describe('group commit', () => {
  test('serves all flushes that wait with one write and one sync', () => {
    const directory = new FaultyDirectory(1, { answers: 'when told' });
    const { log } = open(directory);
    const answers: string[] = [];
    const flush = (name: string): void => {
      log.append(bytesOf(name));
      log.flush((outcome) => answers.push(`${name} ${outcome.ok}`));
    };
    flush('first');
    for (let i = 0; i < 20; i++) flush(`w${i}`);
    expect([directory.appends, directory.syncs]).toEqual([1, 0]);
    directory.answerNext();
    expect([directory.appends, directory.syncs]).toEqual([1, 1]);
    expect(answers).toEqual([]);
    directory.answerNext();
    expect(answers).toEqual(['first true']);
    directory.answerAll();
    expect([directory.appends, directory.syncs]).toEqual([2, 2]);
    expect(answers).toHaveLength(21);
  });

  test('lets a flush of nothing new wait for what is under way', () => {
    const directory = new FaultyDirectory(1, { answers: 'when told' });
    const { log } = open(directory);
    log.append(bytesOf('one'));
    const first = outcomesOf<void>((done) => log.flush(done));
    const second = outcomesOf<void>((done) => log.flush(done));
    expect(second).toEqual([]);
    directory.answerAll();
    expect(first).toMatchObject([{ ok: true }]);
    expect(second).toMatchObject([{ ok: true }]);
    expect(directory.syncs).toBe(1);
  });

  test('a flush asked for in an answer is a flush of its own', () => {
    const directory = new FaultyDirectory(1);
    const { log } = open(directory);
    const answers: string[] = [];
    log.append(bytesOf('one'));
    log.flush(() => {
      log.append(bytesOf('two'));
      log.flush(() => answers.push('two'));
      answers.push('one');
    });
    expect(answers.sort()).toEqual(['one', 'two']);
    log.close();
    expect(open(directory).found).toEqual(['one', 'two']);
  });
});

describe('segments', () => {
  test('a segment that is full is followed by another', () => {
    const directory = exampleLog();
    expect(directory.names()).toEqual(['log-00000001', 'log-00000002', 'log-00000003']);
    expect(open(directory).found).toHaveLength(15);
  });

  test('a rotation divides what was appended before it from what came after, whatever is under way', () => {
    const directory = new FaultyDirectory(1, { answers: 'when told' });
    const { log } = open(directory, {});
    for (const record of ['a', 'b']) {
      log.append(bytesOf(record));
      log.flush(() => undefined);
    }
    const rotated = outcomesOf<number>((done) => log.flushAndRotate(done));
    log.append(bytesOf('c'));
    const last = outcomesOf<void>((done) => log.flush(done));
    expect(rotated).toEqual([]);
    directory.answerAll();
    expect(rotated).toEqual([{ ok: true, value: 2 }]);
    expect(last).toMatchObject([{ ok: true }]);
    expect(log.dropBefore(2)).toMatchObject({ ok: true });
    log.close();
    expect(directory.names()).toEqual(['log-00000002']);
    expect(open(directory, {}, 2).found).toEqual(['c']);
  });

  test('a rotation with nothing pending comes at once, and only once', () => {
    const directory = new FaultyDirectory(1);
    const { log } = open(directory);
    expect(outcomesOf<number>((done) => log.flushAndRotate(done))).toEqual([{ ok: true, value: 1 }]);
    flushed(log, 'one');
    expect(outcomesOf<number>((done) => log.flushAndRotate(done))).toEqual([{ ok: true, value: 2 }]);
    expect(outcomesOf<number>((done) => log.flushAndRotate(done))).toEqual([{ ok: true, value: 2 }]);
    expect(directory.names()).toEqual(['log-00000001', 'log-00000002']);
    log.close();
    expect(open(directory, OPTIONS, 2).found).toEqual([]);
  });

  test('older segments that were left behind are removed, and other files are left alone', () => {
    const directory = exampleLog();
    directory.store('log-7', bytesOf('not ours'));
    expect(open(directory, OPTIONS, 2).found).toHaveLength(9);
    expect(directory.names()).toEqual(['log-00000002', 'log-00000003', 'log-7']);
  });

  test('a drop that fails is tried again', () => {
    const directory = exampleLog();
    const { log } = open(directory);
    directory.failAt('remove', 2);
    expect(log.dropBefore(3)).toMatchObject({ ok: false, error: { code: 'ERR_STORAGE' } });
    expect(directory.names()).toEqual(['log-00000002', 'log-00000003']);
    expect(flushed(log, 'more')).toMatchObject({ ok: true });
    expect(log.dropBefore(3)).toMatchObject({ ok: true });
    expect(directory.names()).not.toContain('log-00000002');
  });
});

describe('a failure', () => {
  test.each(['append', 'sync'] as const)('of one %s ends all acknowledgement until the log is opened again', (call) => {
    for (let seed = 0; seed < 200; seed++) {
      const directory = new FaultyDirectory(seed, { sectorBytes: 16, answers: 'when told' });
      const { log } = open(directory);
      flushed(log, 'kept');
      directory.answerAll();
      directory.failAt(call, 1);
      const outcomes: Outcome<unknown>[] = [];
      log.append(bytesOf('in doubt'));
      log.flush((outcome) => outcomes.push(outcome));
      log.append(bytesOf('waits'));
      log.flush((outcome) => outcomes.push(outcome));
      log.flushAndRotate((outcome) => outcomes.push(outcome));
      directory.answerAll();
      log.append(bytesOf('later'));
      log.flush((outcome) => outcomes.push(outcome));
      log.flushAndRotate((outcome) => outcomes.push(outcome));
      expect(outcomes).toHaveLength(5);
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ ok: false, error: { code: 'ERR_STORAGE', cause: log.broken } });
      }
      log.close();

      const again = open(directory);
      expect([['kept'], ['kept', 'in doubt']]).toContainEqual(again.found);
      again.log.append(bytesOf('after'));
      const flush = outcomesOf<void>((done) => again.log.flush(done));
      directory.answerAll();
      expect(flush).toMatchObject([{ ok: true }]);
      directory.crash();
      expect(open(directory).found).toEqual([...again.found, 'after']);
    }
  });

  test('a full disk refuses the write, and takes the next when there is room', () => {
    const directory = new FaultyDirectory(1);
    const { log } = open(directory);
    flushed(log, 'one');
    directory.capacityBytes = 120;
    expect(flushed(log, 'x'.repeat(200))).toMatchObject({ ok: false, error: { code: 'ERR_STORAGE' } });
    log.close();
    directory.heal();
    const again = open(directory);
    expect(again.found).toEqual(['one']);
    expect(flushed(again.log, 'two')).toMatchObject({ ok: true });
    again.log.close();
    expect(open(directory).found).toEqual(['one', 'two']);
  });

  test('to begin a segment breaks the log, and what was flushed stays', () => {
    const directory = new FaultyDirectory(1);
    const { log } = open(directory);
    directory.failAt('open', 1);
    log.append(bytesOf('one'));
    const rotated = outcomesOf<number>((done) => log.flushAndRotate(done));
    expect(rotated).toMatchObject([{ ok: false, error: { code: 'ERR_STORAGE' } }]);
    expect(flushed(log, 'two')).toMatchObject({ ok: false, error: { code: 'ERR_STORAGE' } });
    log.close();
    expect(open(directory).found).toEqual(['one']);
  });

  test('to open the directory says what failed', () => {
    for (const call of ['list', 'read', 'truncate', 'open'] as const) {
      const directory = exampleLog();
      directory.failAt(call, 1);
      expect(refusal(() => open(directory))).toMatchObject({ code: 'ERR_STORAGE' });
      expect(open(directory).found).toHaveLength(15);
    }
  });
});

describe('a log that closes', () => {
  test('answers what is under way and refuses what waits', () => {
    const directory = new FaultyDirectory(1, { answers: 'when told' });
    const { log } = open(directory);
    log.append(bytesOf('one'));
    const first = outcomesOf<void>((done) => log.flush(done));
    log.append(bytesOf('two'));
    const second = outcomesOf<void>((done) => log.flush(done));
    const closed = outcomesOf<void>((done) => log.close(done));
    const closedAgain = outcomesOf<void>((done) => log.close(done));
    expect(second).toMatchObject([{ ok: false, error: { code: 'ERR_CLOSED' } }]);
    expect([first, closed]).toEqual([[], []]);
    directory.answerAll();
    expect(first).toMatchObject([{ ok: true }]);
    expect([closed.length, closedAgain.length]).toEqual([1, 1]);
    expect(outcomesOf<void>((done) => log.close(done))).toMatchObject([{ ok: true }]);
    expect(outcomesOf<void>((done) => log.flush(done))).toMatchObject([{ ok: false, error: { code: 'ERR_CLOSED' } }]);
    expect(open(directory).found).toEqual(['one']);
  });
});

describe('damage', () => {
  test('any flipped bit is refused, naming file and place, and changes nothing', () => {
    const directory = exampleLog();
    const replayed = open(directory).found.join();
    for (const name of directory.names()) {
      for (let offset = 0; offset < directory.contents(name).length; offset++) {
        const bit = offset % 8;
        directory.flipBit(name, offset, bit);
        const { calls } = directory;
        const error = refusal(() => open(directory));
        expect(error, `${name} ${offset}.${bit}`).toMatchObject({ code: 'ERR_CORRUPT' });
        const [, file, place] = /^(log-\d{8}), offset (\d+): /.exec(error.message) ?? [];
        // What a segment says of the one before it is damaged in one of the two.
        expect(file).toBe(name);
        expect(Number(place)).toBeLessThanOrEqual(offset);
        expect(directory.calls - calls).toBeLessThanOrEqual(4);
        directory.flipBit(name, offset, bit);
      }
    }
    expect(open(directory).found.join()).toBe(replayed);
  });

  test('any run of bytes before the last group that is lost or overwritten is refused', () => {
    const random = seededRandom(7);
    const good = exampleLog();
    const names = good.names();
    for (let round = 0; round < 2_000; round++) {
      const directory = exampleLog();
      const name = names[random.below(names.length - 1)] as string;
      const bytes = directory.contents(name);
      const from = random.below(bytes.length);
      const to = from + 1 + random.below(bytes.length - from);
      const damaged = bytes.slice();
      for (let at = from; at < to; at++) damaged[at] = round % 3 === 0 ? 0 : random.below(256);
      const cut = round % 3 === 1 ? bytes.slice(0, from) : damaged;
      if (Buffer.from(cut).equals(bytes)) continue;
      directory.store(name, cut);
      const error = refusal(() => open(directory));
      expect(error, `round ${round}`).toMatchObject({ code: 'ERR_CORRUPT' });
      expect(error.message).toMatch(/^log-\d{8}, offset \d+: /);
    }
  });

  test('within the last segment, zeros before the last group are refused, and zeros in it are taken for torn', () => {
    const directory = new FaultyDirectory(1, { sectorBytes: SECTOR_BYTES });
    const { log } = open(directory, { sectorBytes: SECTOR_BYTES });
    for (const group of ['a', 'b', 'c']) flushed(log, group.repeat(150));
    log.close();
    const [name = ''] = directory.names();
    const bytes = directory.contents(name);
    const last = bytes.length - (150 + 4 + GROUP_HEADER_BYTES + 1);
    for (let sector = 0; sector * SECTOR_BYTES < bytes.length; sector++) {
      const from = sector * SECTOR_BYTES;
      const damaged = bytes.slice();
      if (from >= last) {
        damaged.fill(0, from, from + SECTOR_BYTES);
        directory.store(name, damaged);
        expect(open(directory, { sectorBytes: SECTOR_BYTES }).found).toHaveLength(2);
      } else {
        damaged.fill(0, from, Math.min(from + SECTOR_BYTES, last));
        directory.store(name, damaged);
        expect(refusal(() => open(directory, { sectorBytes: SECTOR_BYTES }))).toMatchObject({ code: 'ERR_CORRUPT' });
      }
    }
  });

  test('groups that changed places are refused', () => {
    const directory = exampleLog();
    const bytes = directory.contents('log-00000001');
    const group = (bytes.length - SEGMENT_HEADER_BYTES) / 2;
    const middle = SEGMENT_HEADER_BYTES + group;
    const swapped = bytes.slice();
    swapped.set(bytes.subarray(middle), SEGMENT_HEADER_BYTES);
    swapped.set(bytes.subarray(SEGMENT_HEADER_BYTES, middle), middle);
    directory.store('log-00000001', swapped);
    expect(refusal(() => open(directory)).message).toMatch(/^log-00000001, offset 28: /);
  });

  test('a segment that lost its header is refused if its first group was followed by anything', () => {
    const options = { sectorBytes: 16 };
    const directory = new FaultyDirectory(1, options);
    const { log } = open(directory, options);
    flushed(log, 'a'.repeat(50));
    const first = directory.contents('log-00000001');
    flushed(log, 'b'.repeat(50));
    const both = directory.contents('log-00000001');
    both.fill(0, 0, 16);
    both.fill(0x21, first.length, first.length + 4);
    directory.store('log-00000001', both);
    expect(refusal(() => open(directory, options))).toMatchObject({ code: 'ERR_CORRUPT' });
    first.fill(0, 0, 16);
    directory.store('log-00000001', first);
    expect(open(directory, options).found).toEqual([]);
  });

  test('a damaged length allocates nothing', () => {
    const directory = exampleLog();
    const [name = ''] = directory.names();
    const bytes = directory.contents(name);
    bytes.set([0xff, 0xff, 0xff, 0xff], SEGMENT_HEADER_BYTES + 1);
    directory.store(name, bytes);
    expect(refusal(() => open(directory)).message).toBe(
      'log-00000001, offset 28: no group of records begins here, or its header is damaged',
    );
  });

  test('a missing segment is refused', () => {
    const lacks = (name: string, firstSegment = FIRST_SEGMENT): string => {
      const directory = exampleLog();
      directory.remove(name);
      return refusal(() => open(directory, OPTIONS, firstSegment)).message;
    };
    expect(lacks('log-00000001')).toBe('log-00000001, offset 0: this segment of the log is missing');
    expect(lacks('log-00000002')).toBe('log-00000002, offset 0: this segment of the log is missing');
    expect(lacks('log-00000001', 7)).toBe('log-00000007, offset 0: this segment of the log is missing');
    const empty = new FaultyDirectory(1);
    expect(refusal(() => open(empty, OPTIONS, 2))).toMatchObject({ code: 'ERR_CORRUPT' });
  });

  test('a segment of another log, or under another name, is refused', () => {
    const directory = exampleLog();
    const other = new FaultyDirectory(1);
    const { log } = open(other);
    for (const group of ['v', 'w', 'x', 'y', 'z']) flushed(log, group.repeat(90), `${group}2`.repeat(30), group);
    directory.store('log-00000002', other.contents('log-00000002'));
    expect(refusal(() => open(directory)).message).toBe(
      'log-00000002, offset 20: this segment follows another than the one before it',
    );
    directory.store('log-00000002', directory.contents('log-00000001'));
    expect(refusal(() => open(directory)).message).toBe(
      'log-00000002, offset 12: this is segment 1 under the name of another',
    );
    directory.store('log-00000002', bytesOf('something else entirely, and long enough'));
    expect(refusal(() => open(directory)).message).toBe('log-00000002, offset 0: this is no segment of a Barista log');
  });

  test('a segment that lost its last groups is refused', () => {
    const directory = exampleLog();
    const bytes = directory.contents('log-00000001');
    const group = (bytes.length - SEGMENT_HEADER_BYTES) / 2;
    directory.store('log-00000001', bytes.slice(0, SEGMENT_HEADER_BYTES + group));
    expect(refusal(() => open(directory)).message).toBe(
      `log-00000002, offset 16: the segment before this was ${bytes.length} bytes long when this began, and is now ${bytes.length - group}`,
    );
  });

  test('whatever the bytes are, opening ends, with a log or with ERR_CORRUPT', () => {
    const random = seededRandom(11);
    for (let round = 0; round < 2_000; round++) {
      const directory = exampleLog();
      for (const name of directory.names()) {
        const bytes = directory.contents(name);
        for (let damage = random.below(4); damage > 0; damage--) bytes[random.below(bytes.length)] = random.below(256);
        directory.store(name, bytes.slice(0, random.below(2) === 0 ? bytes.length : random.below(bytes.length + 1)));
      }
      try {
        expect('abcde'.repeat(3)).toContain(open(directory).found[0]?.[0] ?? '');
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'ERR_CORRUPT' });
      }
    }
  });
});

/** Counts the records of each group as it is given to the directory. */
class CountingDirectory implements LogDirectory {
  readonly #inner: FaultyDirectory;
  readonly onGroup: (records: number) => void;

  constructor(inner: FaultyDirectory, onGroup: (records: number) => void) {
    this.#inner = inner;
    this.onGroup = onGroup;
  }

  list = (): readonly string[] => this.#inner.list();
  read = (name: string): Uint8Array => this.#inner.read(name);
  truncate = (name: string, length: number): void => this.#inner.truncate(name, length);
  remove = (name: string): void => this.#inner.remove(name);

  open = (name: string): LogFile => {
    const file = this.#inner.open(name);
    const { onGroup } = this;
    return {
      get length() {
        return file.length;
      },
      append: (bytes, done) => {
        onGroup(recordsOf(bytes.subarray(file.length === 0 ? SEGMENT_HEADER_BYTES : 0)));
        file.append(bytes, done);
      },
      sync: (done, isAwaited) => file.sync(done, isAwaited),
      close: () => file.close(),
    };
  };
}

function recordsOf(group: Uint8Array): number {
  const view = new DataView(group.buffer, group.byteOffset, group.byteLength);
  let records = 0;
  for (let at = GROUP_HEADER_BYTES; at < group.length - 1; at += 4 + view.getUint32(at, true)) records += 1;
  return records;
}

/** Owns a log over several lives, and remembers what it was told. */
class Owner {
  readonly directory: FaultyDirectory;
  readonly #counting: CountingDirectory;
  readonly #options: WriteAheadLogOptions;
  readonly #random: Random;
  #log: WriteAheadLog;
  /** All that was ever appended and may be there; the log has them from `#from` on. */
  readonly #records: string[] = [];
  #from = 0;
  /** How many records groups were made of so far, and how many of them are certain. */
  #submitted = 0;
  #durable = 0;
  #firstSegment = FIRST_SEGMENT;
  #serial = 0;

  constructor(directory: FaultyDirectory, random: Random, options: WriteAheadLogOptions) {
    this.directory = directory;
    this.#random = random;
    this.#options = options;
    this.#counting = new CountingDirectory(directory, (records) => {
      this.#submitted += records;
    });
    this.#log = this.#open().log;
  }

  append(): void {
    const filler = this.#random.below(3) === 0 ? '\0' : 'x';
    const record = `${this.#serial++}:${filler.repeat(this.#random.below(150))}`;
    this.#records.push(record);
    this.#log.append(bytesOf(record));
  }

  flush(): void {
    const upTo = this.#records.length;
    this.#log.flush((outcome) => this.#told(outcome, upTo));
  }

  checkpoint(): void {
    const upTo = this.#records.length;
    this.#log.flushAndRotate((outcome) => {
      this.#told(outcome, upTo);
      if (!outcome.ok || this.directory.isDown) return;
      // Saved elsewhere: what follows opens from there.
      this.#firstSegment = outcome.value;
      this.#from = upTo;
      this.#log.dropBefore(outcome.value);
    });
  }

  close(): void {
    this.#log.close();
  }

  /** What is found must be what was acknowledged, with the group that was under way, whole, or without it. */
  reopen(): void {
    const { log, found } = this.#open();
    const upTo = this.#from + found.length;
    expect([this.#durable, this.#submitted]).toContain(upTo);
    expect(found).toEqual(this.#records.slice(this.#from, upTo));
    this.#records.length = upTo;
    this.#durable = upTo;
    this.#submitted = upTo;
    this.#log = log;
  }

  #told(outcome: Outcome<unknown>, upTo: number): void {
    if (!outcome.ok || this.directory.isDown) return;
    expect(this.#submitted).toBeGreaterThanOrEqual(upTo);
    this.#durable = this.#submitted;
  }

  #open(): { log: WriteAheadLog; found: string[] } {
    return open(this.#counting, this.#options, this.#firstSegment);
  }
}

function goesDown(step: () => void): boolean {
  try {
    step();
    return false;
  } catch (thrown) {
    const cause = (thrown as Error).cause ?? thrown;
    if (cause instanceof PowerLoss) return true;
    throw thrown;
  }
}

describe('whatever happens, what was acknowledged is there after it, and nothing in part', () => {
  function live(seed: number): void {
    const random = seededRandom(seed);
    const sectorBytes = [16, 64, 512][random.below(3)] ?? 64;
    const answers = random.below(3) === 0 ? 'at once' : 'when told';
    const directory = new FaultyDirectory(seed + 1_000_000, { sectorBytes, answers });
    const owner = new Owner(directory, random, { sectorBytes, segmentBytesMax: 100 + random.below(1_500) });
    const steps = 10 + random.below(80);
    for (let step = 0; step < steps; step++) {
      const draw = random.below(100);
      if (draw < 40) owner.append();
      else if (draw < 60) owner.flush();
      else if (draw < 80) directory.answerNext();
      else if (draw < 85) owner.checkpoint();
      else if (draw < 88) directory.failAt(random.below(2) === 0 ? 'append' : 'sync', 1 + random.below(3));
      else if (draw < 89) directory.capacityBytes = random.below(3_000);
      else {
        directory.heal();
        if (draw < 92) {
          owner.close();
          directory.answerAll();
        } else if (draw < 95) {
          directory.kill();
        } else {
          directory.crash();
        }
        // The next life may end while it opens.
        if (random.below(4) === 0) directory.crashAt(1 + random.below(8));
        while (goesDown(() => owner.reopen())) directory.crash();
      }
      if (directory.isDown) {
        directory.crash();
        directory.heal();
        owner.reopen();
      }
    }
    directory.heal();
    directory.crash();
    owner.reopen();
  }

  test(`in ${SEEDS} random lives of logs`, () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      try {
        live(seed);
      } catch (thrown) {
        throw new Error(`seed ${seed}`, { cause: thrown });
      }
    }
  });

  test('after a crash in any call of a scenario, and in any call of the opening that follows', () => {
    const scenario = (owner: Owner): void => {
      for (let round = 0; round < 6; round++) {
        for (let record = 0; record < 3; record++) owner.append();
        owner.flush();
        owner.append();
        owner.flush();
        if (round % 3 === 2) owner.checkpoint();
      }
    };
    const options = { sectorBytes: 16, segmentBytesMax: 300 };
    const whole = new FaultyDirectory(0, { sectorBytes: 16 });
    scenario(new Owner(whole, seededRandom(0), options));
    expect(whole.calls).toBeGreaterThan(30);
    for (let call = 1; call <= whole.calls; call++) {
      for (let seed = 0; seed < 30; seed++) {
        const directory = new FaultyDirectory(seed, { sectorBytes: 16 });
        const owner = new Owner(directory, seededRandom(0), options);
        directory.crashAt(call);
        goesDown(() => scenario(owner));
        directory.crash();
        directory.crashAt(1 + (seed % 6));
        while (goesDown(() => owner.reopen())) directory.crash();
        directory.crash();
        owner.reopen();
        owner.append();
        owner.flush();
        directory.crash();
        owner.reopen();
      }
    }
  });
});
