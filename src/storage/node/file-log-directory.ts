import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  unlinkSync,
  write,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { assert } from '../../base/assert.js';
import { type Done, fail, succeed } from '../../base/outcome.js';
import { DiskPace } from '../disk-pace.js';
import type { LogDirectory, LogFile } from '../log-directory.js';
import { makeDirectory, syncDirectory } from './directory.js';
import { codeOf, fileFailure } from './file-failure.js';

const REWRITE_CHUNK_BYTES = 1024 * 1024;

/** On a quick disk so much is written, and synced, by the caller itself: handing it to another thread would take longer. */
const BLOCKING_BYTES_MAX = 64 * 1024;
/**
 * A file is kept longer than what was appended, by zeros: a sync that finds the file as long as before need not store its
 * length, which takes about as long as to store what was written. As much again as there is, within these.
 */
const ROOM_BYTES_MIN = 64 * 1024;
const ROOM_BYTES_MAX = 1024 * 1024;
const ZEROS = new Uint8Array(ROOM_BYTES_MAX);

/**
 * A directory of the file system. Every failure is ERR_STORAGE and names the file and what the system said. A file that is
 * being appended to has zeros behind its end, which nobody is shown.
 */
export class FileLogDirectory implements LogDirectory {
  readonly #path: string;
  readonly #pace = new DiskPace();

  /** Makes the directory, durably, if it is not there. */
  constructor(path: string) {
    this.#path = resolve(path);
    attempt('make the directory', this.#path, () => makeDirectory(this.#path));
  }

  list(): readonly string[] {
    return attempt('list', this.#path, () =>
      readdirSync(this.#path, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name),
    );
  }

  read(name: string): Uint8Array {
    const path = join(this.#path, name);
    return attempt('read', path, () => {
      const bytes = readFileSync(path);
      return bytes.subarray(0, endOf(bytes));
    });
  }

  open(name: string): LogFile {
    const path = join(this.#path, name);
    return attempt('open', path, () => {
      const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o666);
      try {
        const length = lengthOf(descriptor);
        // Also if it was there already: whoever created it may have ended before it synced the directory.
        syncDirectory(this.#path);
        return new AppendedFile(path, descriptor, length, this.#pace);
      } catch (thrown) {
        closeSync(descriptor);
        throw thrown;
      }
    });
  }

  /**
   * Writes what remains once more, in place. A sync alone would not do: after a failed write-back, the system may hold
   * as clean what the disk never took, and show it to whoever reads.
   */
  truncate(name: string, length: number): void {
    const path = join(this.#path, name);
    attempt('cut', path, () => {
      const descriptor = openSync(path, 'r+');
      try {
        ftruncateSync(descriptor, length);
        const chunk = new Uint8Array(Math.min(length, REWRITE_CHUNK_BYTES));
        for (let at = 0; at < length; ) {
          const read = readSync(descriptor, chunk, 0, Math.min(chunk.length, length - at), at);
          assert(read > 0, `${path} is shorter than the ${length} bytes it was cut to`);
          for (let done = 0; done < read; ) done += writeSync(descriptor, chunk, done, read - done, at + done);
          at += read;
        }
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    });
  }

  remove(name: string): void {
    const path = join(this.#path, name);
    attempt('remove', path, () => {
      try {
        unlinkSync(path);
      } catch (thrown) {
        if (codeOf(thrown) === 'ENOENT') return;
        throw thrown;
      }
      syncDirectory(this.#path);
    });
  }
}

class AppendedFile implements LogFile {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #pace: DiskPace;
  /** Of what was appended. */
  #length: number;
  /** Up to where there is room, of zeros. */
  #room: number;
  /** Bytes that were written, zeros too, since the last sync began. */
  #unsynced = 0;
  /** Closing while the system works on the file could hit another that got the same number. */
  #isBusy = false;
  #isClosed = false;

  constructor(path: string, descriptor: number, length: number, pace: DiskPace) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#pace = pace;
    this.#length = length;
    this.#room = length;
  }

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array, done: Done<void>): void {
    this.#begin();
    if (bytes.length > BLOCKING_BYTES_MAX) return this.#write(bytes, 0, done);
    try {
      for (let from = 0; from < bytes.length; ) {
        const taken = writeSync(this.#descriptor, bytes, from, bytes.length - from, this.#length);
        this.#took(taken);
        from += taken;
      }
    } catch (thrown) {
      return this.#end(thrown, 'append to', done);
    }
    if (this.#length > this.#room) this.#makeRoom();
    this.#end(null, 'append to', done);
  }

  #makeRoom(): void {
    const bytes = Math.min(Math.max(this.#length, ROOM_BYTES_MIN), ROOM_BYTES_MAX);
    this.#room = this.#length;
    // Without it, whether there is room for what is appended shows when that comes.
    ignoreFailure(() => {
      this.#room += writeSync(this.#descriptor, ZEROS, 0, bytes, this.#length);
      this.#unsynced += bytes;
    });
  }

  #took(bytes: number): void {
    this.#length += bytes;
    this.#unsynced += bytes;
  }

  /** The system may take fewer bytes than it was given. */
  #write(bytes: Uint8Array, from: number, done: Done<void>): void {
    if (from === bytes.length) return this.#end(null, 'append to', done);
    write(this.#descriptor, bytes, from, bytes.length - from, this.#length, (error, taken) => {
      if (error !== null) return this.#end(error, 'append to', done);
      this.#took(taken);
      this.#write(bytes, from + taken, done);
    });
  }

  sync(done: Done<void>, isAwaited: boolean): void {
    this.#begin();
    const end = (error: unknown): void => this.#end(error, 'sync', done);
    const bytes = this.#unsynced;
    this.#unsynced = 0;
    if (!isAwaited || bytes > BLOCKING_BYTES_MAX || !this.#pace.blocks()) return fdatasync(this.#descriptor, end);
    const start = performance.now();
    try {
      fdatasyncSync(this.#descriptor);
    } catch (thrown) {
      return end(thrown);
    }
    this.#pace.took(performance.now() - start);
    end(null);
  }

  close(): void {
    assert(!this.#isClosed && !this.#isBusy, `close ${this.#path} once, and when nothing is under way`);
    this.#isClosed = true;
    // Everything that was answered for is synced, so that a failure to close, or to give back the room, loses nothing.
    if (this.#room > this.#length) ignoreFailure(() => ftruncateSync(this.#descriptor, this.#length));
    ignoreFailure(() => closeSync(this.#descriptor));
  }

  #begin(): void {
    assert(!this.#isClosed && !this.#isBusy, `one call at a time on ${this.#path}`);
    this.#isBusy = true;
  }

  #end(error: unknown, doing: string, done: Done<void>): void {
    this.#isBusy = false;
    done(error === null ? succeed(undefined) : fail(fileFailure(error, doing, this.#path)));
  }
}

/** Where the zeros begin that end these bytes. */
function endOf(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

/** How long a file is without the zeros at its end. */
function lengthOf(descriptor: number): number {
  const chunk = new Uint8Array(ROOM_BYTES_MIN);
  let length = fstatSync(descriptor).size;
  while (length > 0) {
    const from = Math.max(0, length - chunk.length);
    const end = endOf(chunk.subarray(0, readSync(descriptor, chunk, 0, length - from, from)));
    if (end > 0) return from + end;
    length = from;
  }
  return 0;
}

function ignoreFailure(call: () => void): void {
  try {
    call();
  } catch {
    // As it says.
  }
}

function attempt<T>(doing: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    throw fileFailure(thrown, doing, path);
  }
}
