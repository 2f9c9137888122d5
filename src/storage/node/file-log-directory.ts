import {
  close,
  closeSync,
  fdatasync,
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
import type { LogDirectory, LogFile } from '../log-directory.js';
import { makeDirectory, syncDirectory } from './directory.js';
import { codeOf, fileFailure } from './file-failure.js';

const REWRITE_CHUNK_BYTES = 1024 * 1024;

/** A directory of the file system. Every failure is ERR_STORAGE and names the file and what the system said. */
export class FileLogDirectory implements LogDirectory {
  readonly #path: string;

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
    return attempt('read', path, () => readFileSync(path));
  }

  open(name: string): LogFile {
    const path = join(this.#path, name);
    return attempt('open', path, () => {
      const descriptor = openSync(path, 'a');
      try {
        const length = fstatSync(descriptor).size;
        // Also if it was there already: whoever created it may have ended before it synced the directory.
        syncDirectory(this.#path);
        return new AppendedFile(path, descriptor, length);
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
  #length: number;
  /** Closing while the system works on the file could hit another that got the same number. */
  #isBusy = false;
  #isClosed = false;

  constructor(path: string, descriptor: number, length: number) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#length = length;
  }

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array, done: Done<void>): void {
    this.#begin();
    this.#write(bytes, 0, done);
  }

  /** The system may take fewer bytes than it was given. */
  #write(bytes: Uint8Array, from: number, done: Done<void>): void {
    if (from === bytes.length) return this.#end(null, 'append to', done);
    write(this.#descriptor, bytes, from, bytes.length - from, null, (error, taken) => {
      if (error !== null) return this.#end(error, 'append to', done);
      this.#length += taken;
      this.#write(bytes, from + taken, done);
    });
  }

  sync(done: Done<void>): void {
    this.#begin();
    fdatasync(this.#descriptor, (error) => this.#end(error, 'sync', done));
  }

  close(): void {
    assert(!this.#isClosed && !this.#isBusy, `close ${this.#path} once, and when nothing is under way`);
    this.#isClosed = true;
    // Everything that was answered for is synced, so that a failure to close loses nothing.
    close(this.#descriptor, () => undefined);
  }

  #begin(): void {
    assert(!this.#isClosed && !this.#isBusy, `one call at a time on ${this.#path}`);
    this.#isBusy = true;
  }

  #end(error: Error | null, doing: string, done: Done<void>): void {
    this.#isBusy = false;
    done(error === null ? succeed(undefined) : fail(fileFailure(error, doing, this.#path)));
  }
}

function attempt<T>(doing: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    throw fileFailure(thrown, doing, path);
  }
}
