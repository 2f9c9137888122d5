import fs from 'node:fs';
import { BaristaError } from '../base/errors.js';
import { type Done, fail, type Outcome, succeed } from '../base/outcome.js';
import type { VersionVector } from '../bayou/version-vector.js';
import { type Bundle, openBundle } from './bundle.js';
import { type BundleSink, type BundleSource, exportBundle, type Made } from './export.js';
import type { BundleBytes } from './format.js';
import { type BundleTarget, importBundle } from './import.js';

/*
 * Bundles in files: the one place that knows of them.
 */

/**
 * Makes a bundle in the file at `path`, as `exportBundle` does. It stands under that name only when it is whole and synced; a
 * file of that name is replaced. Fails with ERR_OUTPUT if it cannot be written.
 */
export function exportBundleTo(path: string, source: BundleSource, since: VersionVector, done: Done<Made>): void {
  const unfinished = `${path}.${process.pid}.unfinished`;
  const failed = (thrown: Error): BaristaError => {
    return new BaristaError('ERR_OUTPUT', `${path}: ${thrown.message}`, { cause: thrown });
  };
  fs.open(unfinished, 'w', (error, file) => {
    if (error !== null) return done(fail(failed(error)));
    const end = (made: Outcome<Made>): void => {
      fs.close(file, () => {
        if (!made.ok) return fs.unlink(unfinished, () => done(made));
        fs.rename(unfinished, path, (error) => {
          if (error === null) return done(made);
          fs.unlink(unfinished, () => done(fail(failed(error))));
        });
      });
    };
    exportBundle(source, new FileSink(file, failed), since, (made) => {
      if (!made.ok) return end(made);
      fs.fsync(file, (error) => end(error === null ? made : fail(failed(error))));
    });
  });
}

/** Reads the bundle in the file at `path` from end to end, and has the replica take it, as `importBundle` does. */
export function importBundleFrom(path: string, target: BundleTarget, done: Done<Bundle>): void {
  withBundle(path, done, (bundle, end) => {
    importBundle(target, bundle, (outcome) => end(outcome.ok ? succeed(bundle) : outcome));
  });
}

/** The bundle in the file at `path`, which is closed by then: what it is, not its parts. Fails with ERR_BUNDLE. */
export function inspectBundleIn(path: string, done: Done<Bundle>): void {
  withBundle(path, done, (bundle, end) => end(succeed(bundle)));
}

function withBundle(
  path: string,
  done: Done<Bundle>,
  work: (bundle: Bundle, end: (outcome: Outcome<Bundle>) => void) => void,
): void {
  const failed = (thrown: Error): BaristaError => {
    return new BaristaError('ERR_BUNDLE', `${path}: ${thrown.message}`, { cause: thrown });
  };
  fs.open(path, 'r', (error, file) => {
    if (error !== null) return done(fail(failed(error)));
    const end = (outcome: Outcome<Bundle>): void => fs.close(file, () => done(outcome));
    fs.fstat(file, (error, stat) => {
      if (error !== null) return end(fail(failed(error)));
      if (!stat.isFile()) return end(fail(new BaristaError('ERR_BUNDLE', `${path} is no file`)));
      openBundle(new FileBytes(file, stat.size, failed), (bundle) =>
        bundle.ok ? work(bundle.value, end) : end(bundle),
      );
    });
  });
}

class FileBytes implements BundleBytes {
  readonly #file: number;
  readonly size: number;
  readonly #failed: (thrown: Error) => BaristaError;

  constructor(file: number, size: number, failed: (thrown: Error) => BaristaError) {
    this.#file = file;
    this.size = size;
    this.#failed = failed;
  }

  read(at: number, length: number, done: Done<Buffer>): void {
    const bytes = Buffer.allocUnsafe(length);
    const readOn = (from: number): void => {
      if (from === length) return done(succeed(bytes));
      fs.read(this.#file, bytes, from, length - from, at + from, (error, count) => {
        if (error !== null) return done(fail(this.#failed(error)));
        if (count === 0) return done(fail(this.#failed(new Error('it became shorter while it was read'))));
        readOn(from + count);
      });
    };
    readOn(0);
  }
}

class FileSink implements BundleSink {
  readonly #file: number;
  readonly #failed: (thrown: Error) => BaristaError;
  #at = 0;

  constructor(file: number, failed: (thrown: Error) => BaristaError) {
    this.#file = file;
    this.#failed = failed;
  }

  restart(done: Done<void>): void {
    this.#at = 0;
    fs.ftruncate(this.#file, 0, (error) => done(error === null ? succeed(undefined) : fail(this.#failed(error))));
  }

  append(bytes: Uint8Array, done: Done<void>): void {
    if (bytes.length === 0) return done(succeed(undefined));
    fs.write(this.#file, bytes, 0, bytes.length, this.#at, (error, count) => {
      if (error !== null) return done(fail(this.#failed(error)));
      this.#at += count;
      this.append(bytes.subarray(count), done);
    });
  }
}
