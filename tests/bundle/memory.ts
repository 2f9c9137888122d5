import { type Done, type Outcome, succeed } from '../../src/base/outcome.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { type Bundle, openBundle } from '../../src/bundle/bundle.js';
import { type BundleSink, type BundleSource, exportBundle, type Made } from '../../src/bundle/export.js';
import type { BundleBytes } from '../../src/bundle/format.js';

/* Bundles in memory, made and read at once. */

export class MemorySink implements BundleSink {
  #chunks: Uint8Array[] = [];
  restarts = 0;

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  restart(done: Done<void>): void {
    this.#chunks = [];
    this.restarts += 1;
    done(succeed(undefined));
  }

  append(bytes: Uint8Array, done: Done<void>): void {
    this.#chunks.push(bytes);
    done(succeed(undefined));
  }
}

export function bytesIn(buffer: Buffer): BundleBytes {
  return {
    size: buffer.length,
    read: (at, length, done) => {
      if (at + length > buffer.length) throw new Error('a read beyond the end');
      done(succeed(Buffer.from(buffer.subarray(at, at + length))));
    },
  };
}

/** The outcome of a call that answers before it returns. */
export function now<T>(call: (done: Done<T>) => void): Outcome<T> {
  const answers: Outcome<T>[] = [];
  call((outcome) => answers.push(outcome));
  const [answer] = answers;
  if (answer === undefined || answers.length > 1) throw new Error(`answered ${answers.length} times`);
  return answer;
}

/** The value of an outcome that is to be good. */
export function good<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw outcome.error;
  return outcome.value;
}

export function made(
  source: BundleSource,
  since: VersionVector = new VersionVector(),
): { readonly bytes: Buffer; readonly made: Made } {
  const sink = new MemorySink();
  const summary = good(now<Made>((done) => exportBundle(source, sink, since, done)));
  return { bytes: sink.bytes, made: summary };
}

export function opened(buffer: Buffer): Outcome<Bundle> {
  return now<Bundle>((done) => openBundle(bytesIn(buffer), done));
}
