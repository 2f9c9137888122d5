import { BaristaError, messageOf } from '../base/errors.js';
import { type Done, succeed } from '../base/outcome.js';
import { decodeMeta, NO_CHECKPOINT } from './checkpoint-meta.js';
import { DurableStorage } from './durable.js';
import type { LogDirectory, LogFile } from './log-directory.js';
import { type Checksum, type SegmentEnd, SegmentReader, segmentName, segmentOfName } from './log-segment.js';
import type { OperationCodec } from './operation-codec.js';
import type { Table } from './table.js';
import { FIRST_SEGMENT } from './write-ahead-log.js';

/*
 * What is sound of a replica's storage, found without changing any of it. The log is sound up to its first damage: each
 * of its groups stands on those before. What judges it is what a start does: the reading of the segments, and then
 * opening storage over the table and a log that ends there.
 */

/** What storage is made of. */
export interface Stored<Op> {
  readonly directory: LogDirectory;
  readonly table: Table;
  readonly codec: OperationCodec<Op>;
  readonly checksum: Checksum;
}

export type TableFindings =
  | {
      readonly kind: 'sound';
      /** The first segment of the log that the table does not hold. */
      readonly segment: number;
      /** The first that what it says of the whole does not count in: a later one while a checkpoint is partly there. */
      readonly counted: number;
      readonly keys: number;
      readonly writes: number;
    }
  | { readonly kind: 'damaged'; readonly what: string };

export interface SegmentFindings {
  readonly segment: number;
  readonly name: string;
  readonly bytes: number;
  /** How many of the bytes are kept: all, unless it is damaged or stands after damage. */
  readonly soundBytes: number;
}

export interface Damage {
  readonly segment: number;
  /** `log-00000003, offset 28: ...`. */
  readonly what: string;
}

export interface LogFindings {
  /** Ascending; without those that the table holds. */
  readonly segments: readonly SegmentFindings[];
  /** The first one; null if there is none. */
  readonly damage: Damage | null;
}

const SECTOR_BYTES = 512;

/** Reads all that a table holds, and whether it agrees with itself. A table has no checksums: a value may be damaged. */
export function inspectTable<Op>({ table, codec, checksum }: Omit<Stored<Op>, 'directory'>): TableFindings {
  try {
    const meta = table.meta();
    const { segment: counted, from: segment } = meta === undefined ? NO_CHECKPOINT : decodeMeta(meta);
    // Storage whose log is empty is what the table holds.
    const log = new Map([[segmentName(segment), new Uint8Array()]]);
    const storage = new DurableStorage({ directory: new LogView(log), table, codec, checksum });
    let keys = 0;
    let writes = 0;
    for (const key of storage.keys()) {
      keys += 1;
      storage.base(key);
      writes += storage.history(key).length;
    }
    let runs = 0;
    for (const origin of storage.origins()) {
      const run = storage.run(origin, 0, Number.POSITIVE_INFINITY);
      while (run.next().done !== true) runs += 1;
    }
    storage.loadState();
    // Of a checkpoint that is partly there the numbers are ahead; the log from its first segment on makes up for that.
    if (segment < counted) return { kind: 'sound', segment, counted, keys, writes };
    const { size, keyCount } = storage;
    if (keys !== keyCount) throw new RangeError(`it has ${keys} keys, and says that it has ${keyCount}`);
    if (writes !== size) throw new RangeError(`it has ${writes} writes by key, and says that it has ${size}`);
    if (runs !== size) throw new RangeError(`it has ${runs} writes by origin, and says that it has ${size}`);
    return { kind: 'sound', segment, counted, keys, writes };
  } catch (thrown) {
    return { kind: 'damaged', what: messageOf(thrown) };
  }
}

/**
 * What the damage of the log leaves of its table. While a checkpoint is partly there, some keys are ahead of the log, and
 * so is all that the table claims: without the whole log up to where the checkpoint was begun it is of no state at all.
 */
export function tableBeside(table: TableFindings, { damage }: LogFindings): TableFindings {
  if (table.kind === 'damaged' || damage === null || damage.segment >= table.counted) return table;
  return {
    kind: 'damaged',
    what: `it holds a part of a checkpoint, and what the rest was to come from is gone: ${damage.what}`,
  };
}

/** Where the log that follows a sound table is damaged first. `first` is the segment it begins with. */
export function inspectLog<Op>(stored: Stored<Op>, first: number): LogFindings {
  const { directory, checksum } = stored;
  const numbers = directory
    .list()
    .map(segmentOfName)
    .filter((segment) => segment !== undefined)
    .filter((segment) => segment >= first)
    .sort((a, b) => a - b);
  const files = new Map(numbers.map((segment) => [segment, directory.read(segmentName(segment))]));
  const findings = (kept: (segment: number) => number, damage: Damage | null): LogFindings => ({
    segments: numbers.map((segment) => {
      return { segment, name: segmentName(segment), bytes: sizeOf(files, segment), soundBytes: kept(segment) };
    }),
    damage,
  });
  const upTo = (last: number, soundBytes: number, what: string): LogFindings =>
    findings((segment) => (segment < last ? sizeOf(files, segment) : segment === last ? soundBytes : 0), {
      segment: last,
      what,
    });

  if (numbers.length === 0 && first === FIRST_SEGMENT) return findings(() => 0, null);
  let previous: SegmentEnd | null = null;
  const last = numbers.at(-1) ?? first;
  for (let segment = first; segment <= last; segment++) {
    const bytes = files.get(segment);
    if (bytes === undefined) {
      return upTo(segment, 0, `${segmentName(segment)}, offset 0: this segment of the log is missing`);
    }
    try {
      previous = readSegment(segment, bytes, previous, segment === last, checksum);
    } catch (thrown) {
      return upTo(segment, soundLength(segment, bytes, previous, checksum), corruption(thrown).message);
    }
  }
  const wrong = faultOf(stored, files);
  if (wrong === null) return findings((segment) => sizeOf(files, segment), null);
  const { segment, soundBytes } = lastThatOpens(stored, files);
  const what = `${segmentName(segment)}, offset ${soundBytes}: ${wrong.message}`;
  return upTo(segment, soundBytes, what);
}

function sizeOf(files: ReadonlyMap<number, Uint8Array>, segment: number): number {
  return files.get(segment)?.length ?? 0;
}

function readSegment(
  segment: number,
  bytes: Uint8Array,
  previous: SegmentEnd | null,
  isLast: boolean,
  checksum: Checksum,
): SegmentEnd {
  return new SegmentReader(segment, bytes, checksum, SECTOR_BYTES).read(previous, isLast, () => undefined);
}

/** How long the part of a damaged segment is that ends with a sound group. */
function soundLength(segment: number, bytes: Uint8Array, previous: SegmentEnd | null, checksum: Checksum): number {
  const end = (length: number): SegmentEnd | null => {
    try {
      return readSegment(segment, bytes.subarray(0, length), previous, true, checksum);
    } catch (thrown) {
      corruption(thrown);
      return null;
    }
  };
  // A file that ends before the damage ends with a group, or with a torn one.
  const length = highest(bytes.length, (length) => end(length) !== null);
  return end(length)?.length ?? 0;
}

/** Records that are whole and still cannot be read, or do not fit what is there: where the last group before them ends. */
function lastThatOpens<Op>(
  stored: Stored<Op>,
  files: ReadonlyMap<number, Uint8Array>,
): { readonly segment: number; readonly soundBytes: number } {
  const numbers = [...files.keys()];
  const before = (count: number): Map<number, Uint8Array> => new Map([...files].slice(0, count));
  const whole = highest(numbers.length, (count) => count === 0 || faultOf(stored, before(count)) === null);
  const segment = numbers[whole] as number;
  const bytes = files.get(segment) as Uint8Array;
  const cut = (length: number): Map<number, Uint8Array> => before(whole).set(segment, bytes.subarray(0, length));
  const length = highest(bytes.length, (length) => length === 0 || faultOf(stored, cut(length)) === null);
  const view = viewOf(cut(length));
  open(stored, view);
  return { segment, soundBytes: view.read(segmentName(segment)).length };
}

/** Why storage does not open over the table and these segments; null if it does. */
function faultOf<Op>(stored: Stored<Op>, files: ReadonlyMap<number, Uint8Array>): BaristaError | null {
  try {
    open(stored, viewOf(files));
    return null;
  } catch (thrown) {
    return corruption(thrown);
  }
}

function open<Op>({ table, codec, checksum }: Stored<Op>, directory: LogDirectory): void {
  new DurableStorage({ directory, table, codec, checksum });
}

function viewOf(files: ReadonlyMap<number, Uint8Array>): LogView {
  return new LogView(new Map(Array.from(files, ([segment, bytes]) => [segmentName(segment), bytes])));
}

/** The highest number up to `max` that passes, if with each number that passes every lower one does; 0 passes. */
function highest(max: number, passes: (n: number) => boolean): number {
  let low = 0;
  let high = max;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (passes(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function corruption(thrown: unknown): BaristaError {
  if (thrown instanceof BaristaError && thrown.code === 'ERR_CORRUPT') return thrown;
  throw thrown;
}

/** Files of a log in memory, so that opening it changes nothing on disk. */
class LogView implements LogDirectory {
  readonly #files: Map<string, Uint8Array>;

  constructor(files: ReadonlyMap<string, Uint8Array>) {
    this.#files = new Map(files);
  }

  list(): readonly string[] {
    return [...this.#files.keys()];
  }

  read(name: string): Uint8Array {
    return this.#files.get(name) ?? new Uint8Array();
  }

  open(name: string): LogFile {
    const nothing = (done: Done<void>): void => done(succeed(undefined));
    return {
      length: this.read(name).length,
      append: (_bytes, done) => nothing(done),
      sync: nothing,
      close: () => undefined,
    };
  }

  truncate(name: string, length: number): void {
    this.#files.set(name, this.read(name).subarray(0, length));
  }

  remove(name: string): void {
    this.#files.delete(name);
  }
}
