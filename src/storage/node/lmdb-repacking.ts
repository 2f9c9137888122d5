import { renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from 'lmdb';
import { DATA_FILE, type LmdbEnvironment, openEnvironment } from './lmdb-environment.js';

/** A table in a smaller file is left as it is. */
export const REPACKED_BYTES_MIN = 1024 * 1024;
/** A table is written anew when its file is so many times as long as what is in it. */
const BLOAT_MAX = 1.5;
/** What an entry takes in a page beside its key and value: a header, and where it is. */
const NODE_BYTES = 10;
/** Too few tell nothing about the rest. */
const SAMPLE_MIN = 1_000;
/** A commit, or closing, waits for a table of so many entries, a second or two; of more, it makes the work come to nothing. */
export const AWAITED_ENTRIES_MAX = 500_000;
/** Taken in one step, which keeps the caller waiting. */
const STEP_ENTRIES = 1_000;
const STEP_BYTES_MAX = 1024 * 1024;

/** What was written to a table since it was opened or written anew: it tells how long an entry is. */
export class WrittenEntries {
  #count = 0;
  #bytes = 0;

  add(bytes: number): void {
    this.#count += 1;
    this.#bytes += bytes + NODE_BYTES;
  }

  /**
   * True if the file is much longer than what is in it, and as much as half of that was written since this began. LMDB
   * never gives space back: pages that were divided, or whose entries became shorter, stay half empty, and what is no
   * longer used stays in the file.
   */
  showBloat({ root, entries, runs }: LmdbEnvironment, fileBytesMin: number): boolean {
    if (this.#count < SAMPLE_MIN) return false;
    const { pageSize, lastPageNumber } = root.getStats() as { pageSize: number; lastPageNumber: number };
    const fileBytes = (lastPageNumber + 1) * pageSize;
    if (fileBytes < fileBytesMin) return false;
    const { entryCount } = entries.getStats() as { entryCount: number };
    const { treeLeafPageCount } = runs.getStats() as { treeLeafPageCount: number };
    const needed = (entryCount * this.#bytes) / this.#count + treeLeafPageCount * pageSize;
    return fileBytes > BLOAT_MAX * needed && this.#bytes * 2 > needed;
  }
}

/**
 * Writes what a table holds to a file of its own, in order, so that every page is full, while the table stays in use; the
 * new file then takes the place of the old one. A commit meanwhile makes it come to nothing.
 */
export class Repacking {
  readonly #path: string;
  readonly #folder: string;
  isAbandoned = false;

  /** `path` is the table's directory, `name` that of one for the new file; nothing of that name is there. */
  constructor(path: string, name: string) {
    this.#path = path;
    this.#folder = join(path, name);
  }

  /** The new file, on disk, open and not yet in its place; null if it was abandoned. */
  async copy(from: LmdbEnvironment): Promise<LmdbEnvironment | null> {
    const to = openEnvironment(this.#folder, true);
    try {
      await this.#copyAll(to, from.entries, to.entries);
      await this.#copyAll(to, from.runs, to.runs);
      await this.#copyAll(to, from.meta, to.meta);
    } catch (thrown) {
      await this.discard(to);
      throw thrown;
    }
    if (this.isAbandoned) {
      await this.discard(to);
      return null;
    }
    await to.root.close();
    const file = await open(join(this.#folder, DATA_FILE), 'r+');
    await file.sync().finally(() => file.close());
    return openEnvironment(this.#folder);
  }

  /** Both files must hold the same. The directory is yet to be synced. Throws if a commit came since they did. */
  takePlace(): void {
    if (this.isAbandoned) throw new Error('the table has changed');
    renameSync(join(this.#folder, DATA_FILE), join(this.#path, DATA_FILE));
  }

  async discard(to: LmdbEnvironment): Promise<void> {
    await to.root.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #copyAll<K extends string | Buffer>(
    { root }: LmdbEnvironment,
    from: Database<Buffer, K>,
    to: Database<Buffer, K>,
  ): Promise<void> {
    let last: K | undefined;
    do {
      const range = { limit: STEP_ENTRIES, ...(last === undefined ? {} : { start: last, exclusiveStart: true }) };
      last = undefined;
      let bytes = 0;
      const step: { readonly key: K; readonly value: Buffer }[] = [];
      for (const entry of from.getRange(range)) {
        step.push(entry);
        last = entry.key;
        bytes += entry.value.length;
        if (bytes > STEP_BYTES_MAX) break;
      }
      if (step.length > 0) {
        await root.batch(() => {
          for (const { key, value } of step) void to.put(key, value);
        });
      }
    } while (last !== undefined && !this.isAbandoned);
  }
}
