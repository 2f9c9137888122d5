import { createHash } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BaristaError, messageOf } from '../../base/errors.js';
import { compareKeys, compareKeysDown } from '../../base/ids.js';
import { type Done, fail, succeed } from '../../base/outcome.js';
import type { BytesPart } from '../bytes.js';
import { EMPTY_TABLE, type Table, type TableChanges } from '../table.js';
import { syncDirectory } from './directory.js';
import {
  DIRECT_KEY_BYTES_MAX,
  type LmdbEnvironment,
  openEnvironment,
  openToRead,
  transact,
} from './lmdb-environment.js';
import { AWAITED_ENTRIES_MAX, REPACKED_BYTES_MIN, Repacking, WrittenEntries } from './lmdb-repacking.js';
import { LmdbRuns } from './lmdb-runs.js';

const DIGEST_BYTES = 32;
/** An iterator over the database is used up at once: one left open would keep what was replaced since from being reused. */
const KEYS_READ = 256;

const META = 'meta';
/** What the directories begin with in which a table is written anew. */
const REPACKED = 'repacked-';

/**
 * Checkpoints in LMDB: three sub-databases in one file, committed in one synced transaction on a thread of its own.
 *
 * `entries`: key -> encoded entry (for a long key, the key's length and text before it).
 * `runs`: see LmdbRuns.
 * `meta`: what the storage says of the whole.
 */
export class LmdbTable implements Table {
  readonly #path: string;
  readonly #repackedBytesMin: number;
  #environment: LmdbEnvironment;
  #runs: LmdbRuns;
  readonly #found: { bytes: Uint8Array; start: number; end: number } = { bytes: new Uint8Array(), start: 0, end: 0 };
  #written = new WrittenEntries();
  #repacking: { readonly work: Repacking; readonly ended: Promise<void> } | null = null;
  /** So many were begun. */
  #repackings = 0;
  /** That another file took the place of the table's is not yet known to be on disk. */
  #isUnsynced = false;
  #isCommitting = false;
  #isClosed = false;

  /**
   * `path` is a directory; it is created if it is not there. A file of at least `repackedBytesMin` is kept short. With
   * `toRead`, which is of `path`, nothing is changed there. Throws ERR_CORRUPT, having changed nothing.
   */
  constructor(path: string, repackedBytesMin = REPACKED_BYTES_MIN, toRead?: LmdbEnvironment) {
    this.#path = path;
    this.#repackedBytesMin = repackedBytesMin;
    this.#environment = toRead ?? openEnvironment(path);
    this.#runs = new LmdbRuns(this.#environment.runs);
    if (toRead !== undefined) return;
    for (const name of readdirSync(path)) {
      if (name.startsWith(REPACKED)) rmSync(join(path, name), { recursive: true, force: true });
    }
  }

  /** What is in the directory, which nothing is changed of, so nothing may be committed. Throws ERR_CORRUPT. */
  static toRead(path: string): Table {
    const environment = openToRead(path);
    return environment === null ? EMPTY_TABLE : new LmdbTable(path, REPACKED_BYTES_MIN, environment);
  }

  entry(key: string): BytesPart | undefined {
    const long = longKey(key);
    // LMDB's own buffer, which the next read overwrites.
    const bytes = this.#environment.entries.getBinaryFast(long === null ? key : digestKey(long));
    if (bytes === undefined) return undefined;
    const found = this.#found;
    found.bytes = bytes;
    found.start = long === null ? 0 : 4 + long.length;
    found.end = bytes.length;
    return found;
  }

  *keys(after?: string): Generator<string, undefined> {
    for (const key of this.#inOrder(this.#read(after === undefined ? {} : { start: firstAlike(after) }))) {
      if (after === undefined || compareKeys(key, after) > 0) yield key;
    }
    return undefined;
  }

  walk(after: string | null, reverse: boolean, visit: (key: string, found: BytesPart) => boolean): void {
    const compare = reverse ? compareKeysDown : compareKeys;
    let isBeyond = after === null;
    const give = (key: string, found: BytesPart | undefined): boolean => {
      isBeyond ||= compare(key, after as string) > 0;
      return !isBeyond || found === undefined || visit(key, found);
    };
    let alike: Buffer[] = [];
    const giveAlike = (): boolean => {
      const keys = alike.map((key) => this.#textOf(key)).sort(compare);
      alike = [];
      return keys.every((key) => give(key, this.entry(key)));
    };
    const range = { reverse, ...(after === null ? {} : { start: reverse ? lastAlike(after) : firstAlike(after) }) };
    for (const { key, value } of this.#environment.walked.getRange(range)) {
      let found: BytesPart | undefined = value;
      if (alike.length > 0 && (typeof key === 'string' || !isAlike(key, alike[0] as Buffer))) {
        if (!giveAlike()) return;
        // Their reads took the place of what was found here.
        if (typeof key === 'string') found = this.entry(key);
      }
      if (typeof key !== 'string') alike.push(key);
      else if (!give(key, found)) return;
    }
    giveAlike();
  }

  run(place: number, after: number, upTo: number): Iterator<readonly [number, string]> {
    return this.#runs.run(place, after, upTo);
  }

  count(place: number, after: number, upTo: number): number {
    return this.#runs.count(place, after, upTo);
  }

  meta(): Uint8Array | undefined {
    return this.#environment.meta.getBinary(META);
  }

  commit({ entries, runs, meta }: TableChanges, done: Done<void>): void {
    const commit = async (): Promise<void> => {
      const { work, ended } = this.#repacking ?? {};
      if (work !== undefined && this.#entryCount() > AWAITED_ENTRIES_MAX) {
        work.isAbandoned = true;
      } else {
        await ended;
      }
      if (this.#isUnsynced) this.#sync();
      await transact(this.#environment.root, () => {
        for (const [place, changes] of runs) this.#runs.change(place, changes);
        entries((key, entry) => this.#putEntry(key, entry));
        void this.#environment.meta.put(META, Buffer.from(meta));
      });
    };
    this.#isCommitting = true;
    commit().then(
      () => {
        this.#isCommitting = false;
        done(succeed(undefined));
        this.#repackIfBloated();
      },
      (cause: unknown) => {
        this.#isCommitting = false;
        const reason = messageOf(cause);
        done(fail(new BaristaError('ERR_STORAGE', `a checkpoint could not be written: ${reason}`, { cause })));
      },
    );
  }

  /** A file that is bloated is written anew first, unless that took long. */
  close(done: Done<void>): void {
    if (this.#entryCount() <= AWAITED_ENTRIES_MAX) this.#repackIfBloated();
    else if (this.#repacking !== null) this.#repacking.work.isAbandoned = true;
    this.#isClosed = true;
    const close = (): Promise<void> => this.#environment.root.close();
    // At once if it can be: LMDB opens a file once in a process, and who opens it next may not want it to read.
    const closed = this.#repacking === null ? close() : this.#repacking.ended.then(close);
    closed.then(
      () => done(succeed(undefined)),
      (cause: unknown) => done(fail(new BaristaError('ERR_STORAGE', 'the table could not be closed', { cause }))),
    );
  }

  /** When the caller, who was just answered, has no more to commit. */
  #repackIfBloated(): void {
    if (this.#isCommitting || this.#isClosed || this.#repacking !== null) return;
    if (!this.#written.showBloat(this.#environment, this.#repackedBytesMin)) return;
    this.#repackings += 1;
    const work = new Repacking(this.#path, `${REPACKED}${this.#repackings}`);
    // Done with or not, it begins again only after as much was written as now.
    this.#written = new WrittenEntries();
    const end = (): void => {
      // If it failed the table is as it was. What is left of the other file is removed when the table is next opened.
      this.#repacking = null;
      this.#repackIfBloated();
    };
    this.#repacking = { work, ended: this.#repack(work).then(end, end) };
  }

  async #repack(work: Repacking): Promise<void> {
    const old = this.#environment;
    const repacked = await work.copy(old);
    if (repacked === null) return;
    // From here to the end of the change without a pause, in which a commit could come.
    try {
      work.takePlace();
    } catch (thrown) {
      await work.discard(repacked);
      throw thrown;
    }
    this.#isUnsynced = true;
    this.#environment = repacked;
    this.#runs = new LmdbRuns(repacked.runs);
    try {
      this.#sync();
    } finally {
      await old.root.close();
    }
  }

  #entryCount(): number {
    return (this.#environment.entries.getStats() as { entryCount: number }).entryCount;
  }

  /** Before anything is committed to a file that took the place of another. */
  #sync(): void {
    syncDirectory(this.#path);
    this.#isUnsynced = false;
  }

  /** The keys as text. Long ones with one beginning stand together, in the order of their digests: they are put in order. */
  *#inOrder(stored: Iterable<string | Buffer>): Generator<string> {
    let alike: string[] = [];
    let last: Buffer | null = null;
    for (const key of stored) {
      if (last !== null && (typeof key === 'string' || !isAlike(key, last))) {
        yield* alike.sort(compareKeys);
        alike = [];
      }
      last = typeof key === 'string' ? null : key;
      if (typeof key === 'string') yield key;
      else alike.push(this.#textOf(key));
    }
    yield* alike.sort(compareKeys);
  }

  /** A part at a time. */
  *#read(range: { readonly start?: string | Buffer }): Generator<string | Buffer> {
    let keys = [...this.#environment.entries.getKeys({ ...range, limit: KEYS_READ })];
    while (keys.length > 0) {
      yield* keys;
      if (keys.length < KEYS_READ) return;
      const start = keys.at(-1) as string;
      keys = [...this.#environment.entries.getKeys({ ...range, start, exclusiveStart: true, limit: KEYS_READ })];
    }
  }

  #textOf(longKey: Buffer): string {
    const bytes = this.#environment.entries.getBinary(longKey) as Buffer;
    return bytes.toString('utf8', 4, 4 + bytes.readUInt32BE(0));
  }

  #putEntry(key: string, entry: BytesPart | null): void {
    const long = longKey(key);
    const at = long === null ? key : digestKey(long);
    if (entry === null) {
      void this.#environment.entries.remove(at);
      return;
    }
    const { bytes, start, end } = entry;
    this.#written.add(key.length + end - start);
    if (long === null) {
      // LMDB keeps the bytes until they are written. Of bytes so marked it takes that part, from where their memory begins.
      const part = bytes as MarkedBytes;
      part.start = bytes.byteOffset + start;
      part.end = bytes.byteOffset + end;
      void this.#environment.entries.put(at, part);
    } else {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(long.length);
      void this.#environment.entries.put(at, Buffer.concat([head, long, bytes.subarray(start, end)]));
    }
  }
}

/** As lmdb's own encoders hand over what they encoded: without a view for each value. */
type MarkedBytes = Buffer & { start: number; end: number };

/** The bytes of a key that LMDB does not take as it is; null for one that it takes. */
function longKey(key: string): Buffer | null {
  // No character has more than 3 bytes for each of its units.
  if (3 * key.length <= DIRECT_KEY_BYTES_MAX) return null;
  const bytes = Buffer.from(key);
  return bytes.length <= DIRECT_KEY_BYTES_MAX ? null : bytes;
}

function digestKey(key: Buffer): Buffer {
  const digest = createHash('sha256').update(key).digest().subarray(0, DIGEST_BYTES);
  return Buffer.concat([key.subarray(0, DIRECT_KEY_BYTES_MAX), digest]);
}

/** True for two long keys with one beginning, as LMDB has them. */
function isAlike(a: Buffer, b: Buffer): boolean {
  return a.compare(b, 0, DIRECT_KEY_BYTES_MAX, 0, DIRECT_KEY_BYTES_MAX) === 0;
}

/** Where a key stands, or the first of the long keys that begin as it does. */
function firstAlike(key: string): string | Buffer {
  return longKey(key)?.subarray(0, DIRECT_KEY_BYTES_MAX) ?? key;
}

/** Where a key stands, or behind the last of the long keys that begin as it does. */
function lastAlike(key: string): string | Buffer {
  const first = firstAlike(key);
  return typeof first === 'string' ? first : Buffer.concat([first, Buffer.alloc(DIGEST_BYTES + 1, 0xff)]);
}
