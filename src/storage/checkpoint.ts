import type { BaristaError } from '../base/errors.js';
import { countBefore } from '../base/search.js';
import { type CheckpointMeta, encodeMeta, type StoredPart } from './checkpoint-meta.js';
import { isEmpty, noEntry } from './entry.js';
import { EntryArena } from './entry-arena.js';
import type { Layer } from './layer.js';
import type { Places } from './places.js';
import type { RecordFormat } from './record-format.js';
import type { PutEntry, RunChange, Table, TableChanges } from './table.js';

/** Writes of runs, and entries, that one commit of the table takes: it keeps the caller waiting while it takes them. */
const RUN_PART = 16_384;
const ENTRY_PART = 8_192;

type RunChanges = readonly [place: number, changes: readonly RunChange[]];

/**
 * Commits a layer to the table in parts, each of its own range of keys: so that none keeps the caller waiting for long, and
 * the table, which writes every page that changes anew, can use the pages of one part again in the next but one.
 *
 * Between two parts the table holds some keys as the layer has them and others as they were. What it says of the whole
 * is ahead of both: it names the parts (`StoredPart`), and opening replays for each key what its part did not have.
 * Runs come first: to put them there again changes nothing.
 */
export class Checkpoint<Op> {
  readonly #table: Table;
  readonly #format: RecordFormat<Op>;
  readonly #meta: CheckpointMeta;
  readonly #runs: RunChanges[][];
  readonly #layer: Layer<Op>;
  readonly #keys: string[][];
  /** What of it is stored. */
  #parts: readonly StoredPart[];

  /** `meta` is what the whole comes to with the layer; its `from` and `parts` are those of before. */
  constructor(
    table: Table,
    format: RecordFormat<Op>,
    places: Places,
    layer: Layer<Op>,
    meta: CheckpointMeta,
    entryPart = ENTRY_PART,
  ) {
    this.#table = table;
    this.#format = format;
    this.#meta = meta;
    this.#parts = meta.parts;
    this.#runs = divideRuns(layer, places);
    this.#layer = layer;
    this.#keys = divideKeys([...layer.entries.keys()], entryPart);
  }

  /** Answers with the parts that are stored and the error if it failed, or with null. */
  run(done: (failure: { readonly parts: readonly StoredPart[]; readonly error: BaristaError } | null) => void): void {
    const runs = this.#runs.shift() ?? [];
    // In the order of their code units, in which parts are named.
    const keys = this.#runs.length > 0 ? [] : (this.#keys.shift() ?? []).sort();
    const isLast = this.#runs.length === 0 && this.#keys.length === 0;
    const { segment } = this.#meta;
    const upTo = keys.at(-1);
    const parts =
      upTo === undefined ? this.#parts : [...this.#parts.filter((part) => part.upTo > upTo), { segment, upTo }];
    const meta = isLast ? { ...this.#meta, from: segment, parts: [] } : { ...this.#meta, parts };
    const changes: TableChanges = { entries: (put) => this.#putAll(keys, put), runs, meta: encodeMeta(meta) };
    this.#table.commit(changes, (committed) => {
      if (!committed.ok) return done({ parts: this.#parts, error: committed.error });
      this.#parts = parts;
      if (isLast) done(null);
      else this.run(done);
    });
  }

  #putAll(keys: readonly string[], put: PutEntry): void {
    const { entries, encoded } = this.#layer;
    const encodedNow = new EntryArena();
    for (const key of keys) {
      const entry = entries.get(key) ?? noEntry();
      if (typeof entry === 'number') put(key, encoded.at(entry));
      else if (isEmpty(entry)) put(key, null);
      else put(key, encodedNow.at(this.#format.encodeEntry(entry, encodedNow)));
    }
  }
}

function divideRuns<Op>(layer: Layer<Op>, places: Places): RunChanges[][] {
  const parts: RunChanges[][] = [];
  let left = 0;
  for (const [origin, run] of layer.runs) {
    const place = places.placeOf(origin);
    let changes: RunChange[] = [];
    for (const [{ acceptTime, key }, write] of run.writes.entries()) {
      if (left === 0) {
        parts.push([]);
        left = RUN_PART;
        changes = [];
      }
      if (changes.length === 0) parts.at(-1)?.push([place, changes]);
      changes.push([acceptTime, key ?? '', write !== null]);
      left -= 1;
    }
  }
  return parts;
}

/** Divides keys into ranges of about `length`, one after the other, each in no order. */
function divideKeys(keys: readonly string[], length: number): string[][] {
  const count = Math.ceil(keys.length / length);
  // Every so many is as good as a random choice: keys come as they were changed.
  const step = Math.max(1, Math.floor(keys.length / (16 * count)));
  const sample: string[] = [];
  for (let at = 0; at < keys.length; at += step) sample.push(keys[at] as string);
  sample.sort();
  const ends = Array.from({ length: Math.max(0, count - 1) }, (_, i) => {
    return sample[Math.floor(((i + 1) * sample.length) / count)] as string;
  });
  const parts: string[][] = Array.from({ length: count }, () => []);
  for (const key of keys) parts[countBefore(ends.length, (at) => (ends[at] as string) < key)]?.push(key);
  return parts.filter((part) => part.length > 0);
}
