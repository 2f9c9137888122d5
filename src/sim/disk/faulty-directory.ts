import { assert } from '../../base/assert.js';
import { BaristaError } from '../../base/errors.js';
import { type Done, fail, type Outcome, succeed } from '../../base/outcome.js';
import { type Random, seededRandom } from '../../base/random.js';
import type { LogDirectory, LogFile } from '../../storage/log-directory.js';

export type DirectoryCall = 'list' | 'read' | 'open' | 'truncate' | 'remove' | 'append' | 'sync';

export interface FaultyDirectoryOptions {
  /** What the disk writes whole or not at all. Small, so that small files have many. */
  readonly sectorBytes?: number;
  /** Whether appends and syncs answer before they return, when `answerNext` says so, or when who is given the answer does. */
  readonly answers?: 'at once' | 'when told' | ((call: 'append' | 'sync', answer: () => void) => void);
  /** Told in the very call in which the machine goes down. */
  readonly onDown?: () => void;
}

/** The machine went down in this call. Nothing that catches it does anything to a disk any more. */
export class PowerLoss extends Error {
  override readonly name = 'PowerLoss';
}

/**
 * A directory in memory whose machine can lose power, be killed, fail and fill up; the same seed does the same. It keeps
 * apart what the system shows to readers (its cache) and what the disk has, sector by sector:
 *
 * - An append goes to the cache; its sectors are dirty, and the file's new length is not stored yet.
 * - A sync that answers well has stored the sectors that were dirty when it was called, and the length of that moment.
 * - `crash` stores any of the dirty sectors, and any length from the stored one to the cached one; the cache then shows
 *   what the disk has. A sector that was never stored reads as zeros. So unsynced bytes come back short, torn anywhere,
 *   zero-filled, or with sectors missing in any pattern; synced ones always come back.
 * - `kill` ends the process and not the machine: the cache stays, but for a part of an append under way.
 * - A failed append leaves a part of its bytes. A failed sync forgets that some sectors are dirty: the cache goes on
 *   showing bytes that no later sync stores.
 * - `open` and `truncate` are durable when they return, `truncate` with all that it left of the file, even what a failed
 *   sync forgot. A removal may be taken back by a crash until a later `open`.
 *
 * After `crash` and `kill` the directory is that of the machine, or process, that comes after: what was open before must
 * not be used, and what was not answered never is. Callers in a world that went down in the middle of a call (`crashAt`)
 * still run to the end of their turn, as code does; `isDown` is true then, and what they say to others does not count.
 */
export class FaultyDirectory implements LogDirectory {
  /** Calls so far, on the directory and its files; closing is none. */
  calls = 0;
  /** Appends and syncs that were called. */
  appends = 0;
  syncs = 0;
  /** How many bytes all files may have together before an append fails with ENOSPC. */
  capacityBytes = Number.POSITIVE_INFINITY;

  readonly #random: Random;
  readonly #sectorBytes: number;
  readonly #answers: 'at once' | 'when told' | ((call: 'append' | 'sync', answer: () => void) => void);
  readonly #onDown: () => void;
  readonly #files = new Map<string, StoredFile>();
  /** Removed, but a crash may bring them back. */
  readonly #removed = new Map<string, StoredFile>();
  #waiting: (() => void)[] = [];
  /** What an append under way may yet lose when the process is killed. */
  #appending: { readonly file: StoredFile; readonly from: number } | null = null;
  #crashAt = Number.POSITIVE_INFINITY;
  #faults: { readonly call: DirectoryCall; nth: number; readonly lasting: boolean; readonly code: string }[] = [];
  #isDown = false;
  /** Calls of an earlier life are our own mistakes. */
  #life = 0;

  constructor(seed: number, options: FaultyDirectoryOptions = {}) {
    this.#random = seededRandom(seed);
    this.#sectorBytes = options.sectorBytes ?? 64;
    this.#answers = options.answers ?? 'at once';
    this.#onDown = options.onDown ?? (() => undefined);
  }

  /** Whether the machine went down at the call that `crashAt` named, and `crash` has not brought it up again. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** Appends and syncs that have not answered. */
  get unanswered(): number {
    return this.#waiting.length;
  }

  /** The machine goes down in the `nth` call from now on, 1 being the next. */
  crashAt(nth: number): void {
    this.#crashAt = this.calls + nth;
  }

  /** The `nth` call of this kind from now on, 1 being the next, fails; `lasting`: and all of them after it. */
  failAt(call: DirectoryCall, nth: number, lasting = false, code = 'EIO'): void {
    this.#faults.push({ call, nth, lasting, code });
  }

  /** Nothing fails from now on that did until now, and there is room. */
  heal(): void {
    this.#faults = [];
    this.capacityBytes = Number.POSITIVE_INFINITY;
  }

  /** Lets the append or sync that was called first answer; false if none waits. */
  answerNext(): boolean {
    const answer = this.#waiting.shift();
    answer?.();
    return answer !== undefined;
  }

  answerAll(): void {
    while (this.answerNext());
  }

  /** Power is lost, and comes back. */
  crash(): void {
    this.#endProcess();
    for (const file of this.#files.values()) file.losePower(this.#random);
    for (const [name, file] of this.#removed) {
      file.losePower(this.#random);
      if (this.#random.below(2) === 0 && !this.#files.has(name)) this.#files.set(name, file);
    }
    this.#removed.clear();
  }

  /** The process is ended, as by kill -9. */
  kill(): void {
    this.#endProcess();
  }

  #endProcess(): void {
    if (this.#appending !== null) {
      const { file, from } = this.#appending;
      file.forgetAfter(from + this.#random.below(file.length - from + 1));
    }
    this.#appending = null;
    this.#waiting = [];
    this.#crashAt = Number.POSITIVE_INFINITY;
    this.#isDown = false;
    this.#life += 1;
  }

  /** Damages what is stored, as a failing disk does. */
  flipBit(name: string, offset: number, bit: number): void {
    const bytes = this.#existing(name).contents();
    bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
    this.store(name, bytes);
  }

  /** Makes a file of these bytes, whatever was there, synced. */
  store(name: string, bytes: Uint8Array): void {
    const file = new StoredFile(this.#sectorBytes);
    file.append(bytes);
    file.storeAll();
    this.#files.set(name, file);
  }

  /** What a reader sees, without it being a call. */
  contents(name: string): Uint8Array {
    return this.#existing(name).contents();
  }

  /** How many bytes all files have. */
  get usedBytes(): number {
    let used = 0;
    for (const file of this.#files.values()) used += file.length;
    return used;
  }

  /** Every file's name, in order, without it being a call. */
  names(): string[] {
    return [...this.#files.keys()].sort();
  }

  list(): readonly string[] {
    this.#call('list');
    return [...this.#files.keys()];
  }

  read(name: string): Uint8Array {
    this.#call('read');
    return this.#existing(name).contents();
  }

  open(name: string): LogFile {
    this.#call('open', () => {
      if (this.#random.below(2) === 0) this.#create(name);
    });
    return new OpenFile(this, this.#create(name), this.#life);
  }

  truncate(name: string, length: number): void {
    const cut = (): void => {
      const file = this.#existing(name);
      assert(length <= file.length, `${name} has ${file.length} bytes, and cannot be cut to ${length}`);
      file.forgetAfter(length);
      file.storeAll();
    };
    this.#call('truncate', () => {
      if (this.#random.below(2) === 0) cut();
    });
    cut();
  }

  remove(name: string): void {
    const remove = (): void => {
      const file = this.#files.get(name);
      if (file === undefined) return;
      this.#files.delete(name);
      this.#removed.set(name, file);
    };
    this.#call('remove', () => {
      if (this.#random.below(2) === 0) remove();
    });
    remove();
  }

  /** For `OpenFile`. */
  append(file: StoredFile, life: number, bytes: Uint8Array, done: Done<void>): void {
    assert(this.#life === life, 'append to a file that a process of old had open');
    const length = file.length;
    const part = (): void => file.append(bytes.subarray(0, this.#random.below(bytes.length + 1)));
    let outcome = this.#called('append', part);
    this.appends += 1;
    if (outcome?.ok === true) {
      const room = Math.max(0, this.capacityBytes - this.usedBytes);
      file.append(bytes.subarray(0, room));
      if (room < bytes.length) outcome = fail(systemError('ENOSPC', 'append'));
      this.#appending = { file, from: length };
    }
    this.#answer('append', outcome, done, () => {
      this.#appending = null;
    });
  }

  /** For `OpenFile`. */
  sync(file: StoredFile, life: number, done: Done<void>): void {
    assert(this.#life === life, 'sync of a file that a process of old had open');
    const stored = file.prepareSync();
    const outcome = this.#called('sync', () => {
      if (this.#isDown && this.#random.below(2) === 0) stored();
      else file.forgetDirt(this.#random);
    });
    this.syncs += 1;
    this.#answer('sync', outcome, done, () => {
      if (outcome?.ok === true) stored();
    });
  }

  /** Null: the machine is down, and nobody answers. */
  #called(call: DirectoryCall, inPart: () => void): Outcome<void> | null {
    try {
      this.#call(call, inPart, inPart);
      return succeed(undefined);
    } catch (thrown) {
      if (thrown instanceof BaristaError) return fail(thrown);
      if (thrown instanceof PowerLoss) return null;
      throw thrown;
    }
  }

  #answer(call: 'append' | 'sync', outcome: Outcome<void> | null, done: Done<void>, before: () => void): void {
    if (outcome === null) return;
    const life = this.#life;
    const answer = (): void => {
      if (life !== this.#life) return;
      before();
      done(outcome);
    };
    if (this.#answers === 'at once') answer();
    else if (this.#answers === 'when told') this.#waiting.push(answer);
    else this.#answers(call, answer);
  }

  #call(call: DirectoryCall, onCrash: () => void = () => undefined, onFailure: () => void = () => undefined): void {
    if (this.#isDown) throw new PowerLoss('the machine is down');
    this.calls += 1;
    if (this.calls >= this.#crashAt) {
      this.#isDown = true;
      this.#onDown();
      onCrash();
      throw new PowerLoss(`power is lost in call ${this.calls}, ${call}`);
    }
    for (const fault of this.#faults) {
      if (fault.call !== call) continue;
      fault.nth -= 1;
      if (fault.nth > 0 || (fault.nth < 0 && !fault.lasting)) continue;
      onFailure();
      throw systemError(fault.code, call);
    }
  }

  #create(name: string): StoredFile {
    let file = this.#files.get(name);
    if (file === undefined) {
      file = new StoredFile(this.#sectorBytes);
      this.#files.set(name, file);
    }
    this.#removed.clear();
    return file;
  }

  #existing(name: string): StoredFile {
    const file = this.#files.get(name);
    if (file === undefined) throw systemError('ENOENT', name);
    return file;
  }
}

class OpenFile implements LogFile {
  readonly #directory: FaultyDirectory;
  readonly #file: StoredFile;
  readonly #life: number;
  #isClosed = false;

  constructor(directory: FaultyDirectory, file: StoredFile, life: number) {
    this.#directory = directory;
    this.#file = file;
    this.#life = life;
  }

  get length(): number {
    return this.#file.length;
  }

  append(bytes: Uint8Array, done: Done<void>): void {
    assert(!this.#isClosed, 'append to a closed file');
    this.#directory.append(this.#file, this.#life, bytes, done);
  }

  sync(done: Done<void>): void {
    assert(!this.#isClosed, 'sync of a closed file');
    this.#directory.sync(this.#file, this.#life, done);
  }

  close(): void {
    assert(!this.#isClosed, 'close a file once');
    this.#isClosed = true;
  }
}

/** One file, as the system shows it and as the disk has it. */
class StoredFile {
  readonly #sectorBytes: number;
  #cache = new Uint8Array(256);
  #length = 0;
  /** What the disk has, as long as the cache; sectors that were never stored are zeros. */
  #disk = new Uint8Array(256);
  #storedLength = 0;
  #dirty = new Set<number>();

  constructor(sectorBytes: number) {
    this.#sectorBytes = sectorBytes;
  }

  get length(): number {
    return this.#length;
  }

  contents(): Uint8Array {
    return this.#cache.slice(0, this.#length);
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#cache.length) {
      this.#cache = grownTo(2 * length, this.#cache);
      this.#disk = grownTo(2 * length, this.#disk);
    }
    this.#cache.set(bytes, this.#length);
    for (let sector = this.#sectorOf(this.#length); sector * this.#sectorBytes < length; sector++) {
      if (bytes.length > 0) this.#dirty.add(sector);
    }
    this.#length = length;
  }

  /** Gives what stores all that is dirty now. */
  prepareSync(): () => void {
    const dirty = [...this.#dirty];
    const length = this.#length;
    return () => {
      for (const sector of dirty) this.#store(sector);
      this.#storedLength = Math.max(this.#storedLength, length);
    };
  }

  /** Takes some dirty sectors for clean. */
  forgetDirt(random: Random): void {
    for (const sector of [...this.#dirty]) {
      if (random.below(2) === 0) this.#dirty.delete(sector);
    }
  }

  forgetAfter(length: number): void {
    this.#cache.fill(0, length, this.#length);
    this.#length = length;
    for (const sector of [...this.#dirty]) {
      if (sector * this.#sectorBytes >= length) this.#dirty.delete(sector);
    }
  }

  /** All that is shown, dirty or not, and the length. */
  storeAll(): void {
    this.#disk.fill(0);
    this.#disk.set(this.#cache.subarray(0, this.#length));
    this.#dirty.clear();
    this.#storedLength = this.#length;
  }

  losePower(random: Random): void {
    const keeps = ['none', 'all', 'some', 'most'] as const;
    const keep = keeps[random.below(keeps.length)];
    for (const sector of [...this.#dirty]) {
      const isStored = keep === 'all' || (keep === 'some' && random.below(2) === 0);
      if (isStored || (keep === 'most' && random.below(8) > 0)) this.#store(sector);
    }
    const low = Math.min(this.#storedLength, this.#length);
    const lengths = [low, this.#length, low + random.below(this.#length - low + 1)];
    const length = lengths[random.below(lengths.length)] ?? low;
    this.#cache.fill(0);
    this.#cache.set(this.#disk.subarray(0, length));
    this.#length = length;
    // What the disk has beyond the length is never shown again.
    this.storeAll();
  }

  #store(sector: number): void {
    const from = sector * this.#sectorBytes;
    const to = Math.min(from + this.#sectorBytes, this.#disk.length);
    const [cache, disk, length] = [this.#cache, this.#disk, this.#length];
    // Byte by byte: a sector is so small that making a view of it would take longer.
    for (let at = from; at < to; at++) disk[at] = at < length ? (cache[at] as number) : 0;
    this.#dirty.delete(sector);
  }

  #sectorOf(offset: number): number {
    return Math.floor(offset / this.#sectorBytes);
  }
}

function grownTo(length: number, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(length);
  grown.set(bytes);
  return grown;
}

function systemError(code: string, what: string): BaristaError {
  return new BaristaError('ERR_STORAGE', `${code}: ${what}`);
}
