import { createHash } from 'node:crypto';
import { type Database, open, type RootDatabase } from 'lmdb';
import { BaristaError, messageOf } from '../../base/errors.js';
import { compareKeys, type Origin } from '../../base/ids.js';
import { type Done, fail, succeed } from '../../base/outcome.js';
import type { Table, TableChanges } from '../table.js';

/** LMDB takes keys of up to 1,978 bytes; ours have up to 4 KiB. A longer one is stored by its beginning and a digest. */
const DIRECT_KEY_BYTES_MAX = 1_900;
const DIGEST_BYTES = 32;

const META = Buffer.from('meta');

/**
 * Checkpoints in LMDB: three sub-databases in one file, committed in one synced transaction on a thread of its own.
 *
 * `histories`: key -> encoded history (for a long key, the key's length and text before it).
 * `runs`: place of the origin in `origins` (4 bytes), accept time (8 bytes), both big-endian -> key.
 * `meta`: what the storage says of the whole, and `origins`.
 */
export class LmdbTable implements Table {
  readonly #root: RootDatabase;
  readonly #histories: Database<Buffer, Buffer>;
  readonly #runs: Database<Buffer, Buffer>;
  readonly #meta: Database<Buffer, Buffer>;
  readonly #origins: Origin[];

  /** `path` is a directory; it is created if it is not there. */
  constructor(path: string) {
    this.#root = open({
      path,
      maxDbs: 4,
      // A commit answers when it is on disk.
      overlappingSync: false,
    });
    const options = { keyEncoding: 'binary', encoding: 'binary' } as const;
    this.#histories = this.#root.openDB<Buffer, Buffer>({ name: 'histories', ...options });
    this.#runs = this.#root.openDB<Buffer, Buffer>({ name: 'runs', ...options });
    this.#meta = this.#root.openDB<Buffer, Buffer>({ name: 'meta', ...options });
    this.#origins = (this.#readMeta()?.origins ?? []) as Origin[];
  }

  history(key: string): Uint8Array | undefined {
    const bytes = Buffer.from(key);
    if (bytes.length <= DIRECT_KEY_BYTES_MAX) return this.#histories.getBinary(bytes);
    const stored = this.#histories.getBinary(digestKey(bytes));
    return stored?.subarray(4 + stored.readUInt32BE(0));
  }

  *keys(after?: string): Generator<string, undefined> {
    const start = after === undefined ? undefined : Buffer.from(after).subarray(0, DIRECT_KEY_BYTES_MAX);
    // Long keys with one beginning stand together, in the order of their digests.
    let alike: string[] = [];
    let beginning: Buffer | null = null;
    const range = start === undefined ? {} : { start };
    for (const { key, value } of this.#histories.getRange(range)) {
      const isLong = key.length > DIRECT_KEY_BYTES_MAX;
      const next = isLong ? key.subarray(0, DIRECT_KEY_BYTES_MAX) : null;
      if (beginning !== null && (next === null || !beginning.equals(next))) {
        yield* alike.sort(compareKeys).filter((long) => isAfter(long, after));
        alike = [];
      }
      beginning = next === null ? null : Buffer.from(next);
      if (isLong) alike.push(value.toString('utf8', 4, 4 + value.readUInt32BE(0)));
      else {
        const text = key.toString();
        if (isAfter(text, after)) yield text;
      }
    }
    yield* alike.sort(compareKeys).filter((long) => isAfter(long, after));
    return undefined;
  }

  *run(origin: Origin, after: number, upTo: number): Generator<readonly [number, string], undefined> {
    const place = this.#origins.indexOf(origin);
    if (place < 0) return undefined;
    const start = runKey(place, after + 1);
    const end = runKey(place, Math.min(upTo, Number.MAX_SAFE_INTEGER));
    for (const { key, value } of this.#runs.getRange({ start, end, inclusiveEnd: true })) {
      yield [key.readUInt32BE(4) * 2 ** 32 + key.readUInt32BE(8), value.toString()];
    }
    return undefined;
  }

  meta(): string | undefined {
    return this.#readMeta()?.text;
  }

  commit({ histories, runs, meta }: TableChanges, done: Done<void>): void {
    const known = this.#origins.length;
    const commit = async (): Promise<void> => {
      await this.#root.batch(() => {
        for (const [key, history] of histories) this.#putHistory(key, history);
        for (const [origin, acceptTime, key] of runs) this.#putRun(origin, acceptTime, key);
        void this.#meta.put(META, Buffer.from(JSON.stringify({ text: meta, origins: this.#origins })));
      });
      await this.#root.flushed;
    };
    commit().then(
      () => done(succeed(undefined)),
      (cause: unknown) => {
        this.#origins.length = known;
        const reason = messageOf(cause);
        done(fail(new BaristaError('ERR_STORAGE', `a checkpoint could not be written: ${reason}`, { cause })));
      },
    );
  }

  close(done: Done<void>): void {
    this.#root.close().then(
      () => done(succeed(undefined)),
      (cause: unknown) => done(fail(new BaristaError('ERR_STORAGE', 'the table could not be closed', { cause }))),
    );
  }

  #readMeta(): { readonly text: string; readonly origins: readonly string[] } | undefined {
    const stored = this.#meta.getBinary(META);
    return stored === undefined
      ? undefined
      : (JSON.parse(stored.toString()) as { readonly text: string; readonly origins: readonly string[] });
  }

  #putHistory(key: string, history: Uint8Array | null): void {
    const bytes = Buffer.from(key);
    const isLong = bytes.length > DIRECT_KEY_BYTES_MAX;
    const at = isLong ? digestKey(bytes) : bytes;
    if (history === null) {
      void this.#histories.remove(at);
      return;
    }
    const head = Buffer.alloc(isLong ? 4 : 0);
    if (isLong) head.writeUInt32BE(bytes.length);
    void this.#histories.put(at, isLong ? Buffer.concat([head, bytes, history]) : Buffer.from(history));
  }

  #putRun(origin: Origin, acceptTime: number, key: string | null): void {
    let place = this.#origins.indexOf(origin);
    if (place < 0) place = this.#origins.push(origin) - 1;
    if (key === null) void this.#runs.remove(runKey(place, acceptTime));
    else void this.#runs.put(runKey(place, acceptTime), Buffer.from(key));
  }
}

function digestKey(key: Buffer): Buffer {
  const digest = createHash('sha256').update(key).digest().subarray(0, DIGEST_BYTES);
  return Buffer.concat([key.subarray(0, DIRECT_KEY_BYTES_MAX), digest]);
}

function runKey(place: number, acceptTime: number): Buffer {
  const key = Buffer.alloc(12);
  key.writeUInt32BE(place, 0);
  key.writeUInt32BE(Math.floor(acceptTime / 2 ** 32), 4);
  key.writeUInt32BE(acceptTime % 2 ** 32, 8);
  return key;
}

function isAfter(key: string, after: string | undefined): boolean {
  return after === undefined || compareKeys(key, after) > 0;
}
