import { BaristaError, toBaristaError } from '../base/errors.js';
import { compareKeys, type Origin } from '../base/ids.js';
import { type Done, fail, type Outcome, succeed } from '../base/outcome.js';
import type { ReplicaStorage } from '../bayou/ports.js';
import { VersionVector } from '../bayou/version-vector.js';
import type { Write } from '../bayou/write.js';
import { Layer } from './layer.js';
import type { LogDirectory } from './log-directory.js';
import { mergeByRank } from './merge.js';
import type { OperationCodec } from './operation-codec.js';
import { type Change, RecordFormat } from './record-format.js';
import type { Table } from './table.js';
import { WriteAheadLog, type WriteAheadLogOptions } from './write-ahead-log.js';

/** A checkpoint begins when the log has grown by so much since the last; it bounds what opening replays, and the layers. */
const CHECKPOINT_LOG_BYTES = 16 * 1024 * 1024;
/** While a checkpoint is under way and the log has grown by so much more, flushes wait for it. */
const CHECKPOINT_LAG_BYTES_MAX = 64 * 1024 * 1024;

const FORMAT = 1;

export interface DurableConfig<Op> {
  readonly directory: LogDirectory;
  readonly table: Table;
  readonly codec: OperationCodec<Op>;
  readonly checksum: (bytes: Uint8Array) => number;
  readonly checkpointLogBytes?: number;
  readonly logOptions?: WriteAheadLogOptions;
  /** Told when a checkpoint fails: nothing is lost, but the log is not cut until a later one succeeds. */
  readonly onCheckpointFailure?: (error: BaristaError) => void;
}

/** What a commit of the table says of the whole. */
interface Meta {
  readonly format: number;
  /** The first segment of the log that the table does not hold. */
  readonly segment: number;
  readonly size: number;
  readonly highestTime: number;
  readonly seen: readonly (readonly [Origin, number])[];
  readonly origins: readonly Origin[];
}

/**
 * Durable storage: changes go to a write-ahead log, one sync for all that wait, and into a layer in memory; from time to
 * time the layer is committed to a table on disk in one transaction, off the path of any write, and the log before it is
 * dropped. A read looks into the layer, then into the one being committed, then into the table.
 *
 * So opening costs what the log has since the last checkpoint, memory holds no more than two layers, and a crash takes
 * back the unflushed changes and nothing else: the records of one flush are one group of the log, there whole or not.
 */
export class DurableStorage<Op> implements ReplicaStorage<Op> {
  readonly #config: DurableConfig<Op>;
  readonly #format: RecordFormat<Op>;
  readonly #checkpointLogBytes: number;
  #log: WriteAheadLog;
  #live = new Layer<Op>();
  /** The layer that is being committed. */
  #frozen: Layer<Op> | null = null;
  #seen = new VersionVector();
  #origins = new Set<Origin>();
  #size = 0;
  #highestTime = 0;
  #dirty = false;
  #failed = false;
  #logBytes = 0;
  /** What the table answered last; null once it may be out of date. */
  #lastStored: { readonly key: string; readonly history: readonly Write<Op>[] } | null = null;
  /** Flushes that are done and wait for the checkpoint to catch up; called when it ends. */
  #behind: (() => void)[] = [];

  /** Throws ERR_CORRUPT if what is on disk is not what was written. */
  constructor(config: DurableConfig<Op>) {
    this.#config = config;
    this.#format = new RecordFormat(config.codec);
    this.#checkpointLogBytes = config.checkpointLogBytes ?? CHECKPOINT_LOG_BYTES;
    this.#log = this.#open();
  }

  get size(): number {
    return this.#size;
  }

  /** The highest accept time of any write that was ever inserted. */
  get highestTime(): number {
    return this.#highestTime;
  }

  get dirty(): boolean {
    return this.#dirty;
  }

  /** True after a failed flush, until `recover`: every flush fails, since what is on disk is not known. */
  get failed(): boolean {
    return this.#failed;
  }

  history(key: string): readonly Write<Op>[] {
    return this.#layered(key) ?? this.#stored(key);
  }

  insert(write: Write<Op>, position: number): void {
    this.#record({ kind: 'insert', write, position });
  }

  remove(key: string, position: number): void {
    this.#record({ kind: 'remove', key, position });
  }

  saveSeen(origin: Origin, acceptTime: number): void {
    this.#record({ kind: 'seen', origin, acceptTime });
  }

  loadSeen(): VersionVector {
    return this.#seen.clone();
  }

  origins(): Iterable<Origin> {
    return this.#origins;
  }

  *run(origin: Origin, after: number, upTo: number): Generator<Write<Op>, undefined> {
    const stored = this.#config.table.run(origin, after, upTo);
    let head = stored.next();
    let time = after;
    for (;;) {
      // The layers are asked anew each time: they may have changed since.
      const live = this.#live.runs.get(origin)?.next(time);
      const frozen = this.#frozen?.runs.get(origin)?.next(time);
      const next = Math.min(
        live?.[0] ?? Number.POSITIVE_INFINITY,
        frozen?.[0] ?? Number.POSITIVE_INFINITY,
        head.done === true ? Number.POSITIVE_INFINITY : head.value[0],
      );
      if (next > upTo || next === Number.POSITIVE_INFINITY) return undefined;
      time = next;
      let write: Write<Op> | null;
      if (live?.[0] === next) write = live[1];
      else if (frozen?.[0] === next) write = frozen[1];
      else write = head.done === true ? null : this.#find(head.value[1], origin, next);
      while (head.done !== true && head.value[0] <= next) head = stored.next();
      if (write !== null) yield write;
    }
  }

  *keys(after?: string): Generator<string, undefined> {
    const layers = [this.#live, ...(this.#frozen === null ? [] : [this.#frozen])];
    const sequences = [...layers.map((layer) => layer.keys(after)), this.#config.table.keys(after)];
    for (const key of mergeByRank(sequences, compareKeys)) {
      if (this.#layered(key)?.length !== 0) yield key;
    }
    return undefined;
  }

  /** One sync for everything changed before; begins a checkpoint when it is due. */
  flush(done: Done<void>): void {
    if (this.#failed) return done(fail(new BaristaError('ERR_STORAGE', 'an earlier flush failed')));
    this.#dirty = false;
    if (this.#logBytes >= this.#checkpointLogBytes && this.#frozen === null) return this.#flushAndCheckpoint(done);
    this.#log.flush((flushed) => {
      if (!flushed.ok) this.#failed = true;
      this.#answerInStep(done, flushed);
    });
  }

  /**
   * After a failed flush: forgets what was not acknowledged and reads again what is on disk. Every change since the last
   * flush that answered is taken back, but for those of the failed one if they reached the disk whole. Fails with the
   * reason while the disk cannot be read.
   */
  recover(done: Done<void>): void {
    this.#afterCheckpoint(() =>
      this.#log.close(() => {
        try {
          this.#log = this.#open();
          this.#failed = false;
        } catch (thrown) {
          return done(fail(toBaristaError(thrown, 'ERR_STORAGE')));
        }
        done(succeed(undefined));
      }),
    );
  }

  /** Makes everything durable, as far as that can be, and lets go of the files. */
  close(done: Done<void>): void {
    const end = (): void => this.#afterCheckpoint(() => this.#log.close(() => this.#config.table.close(done)));
    if (this.#failed || !this.#dirty) end();
    else this.flush(end);
  }

  #afterCheckpoint(next: () => void): void {
    if (this.#frozen === null) next();
    else this.#behind.push(() => this.#afterCheckpoint(next));
  }

  #open(): WriteAheadLog {
    this.#live = new Layer();
    this.#frozen = null;
    this.#lastStored = null;
    this.#dirty = false;
    this.#logBytes = 0;
    const meta = this.#readMeta();
    this.#seen = new VersionVector(meta.seen);
    this.#origins = new Set(meta.origins);
    this.#size = meta.size;
    this.#highestTime = meta.highestTime;
    const { directory, checksum, logOptions = {} } = this.#config;
    return WriteAheadLog.open(directory, checksum, meta.segment, (record) => this.#replay(record), logOptions);
  }

  #replay(record: Uint8Array): void {
    this.#logBytes += record.length;
    try {
      this.#apply(this.#format.decodeChange(record));
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown;
      const message = `a record of the log cannot be read: ${thrown.message}`;
      throw new BaristaError('ERR_CORRUPT', message, { cause: thrown });
    }
  }

  #readMeta(): Meta {
    const text = this.#config.table.meta();
    if (text === undefined) return { format: FORMAT, segment: 1, size: 0, highestTime: 0, seen: [], origins: [] };
    const meta = JSON.parse(text) as Meta;
    if (meta.format === FORMAT) return meta;
    throw new BaristaError(
      'ERR_CORRUPT',
      `the data directory is of format ${meta.format}, this version reads ${FORMAT}`,
    );
  }

  #record(change: Change<Op>): void {
    this.#apply(change);
    const record = this.#format.encodeChange(change);
    this.#log.append(record);
    this.#logBytes += record.length;
    this.#dirty = true;
  }

  #apply(change: Change<Op>): void {
    switch (change.kind) {
      case 'insert': {
        const { write, position } = change;
        this.#changeable(write.key).splice(position, 0, write);
        this.#live.setWrite(write.origin, write.acceptTime, write);
        this.#origins.add(write.origin);
        this.#size += 1;
        this.#highestTime = Math.max(this.#highestTime, write.acceptTime);
        break;
      }
      case 'remove': {
        const [write] = this.#changeable(change.key).splice(change.position, 1);
        if (write === undefined) throw new RangeError(`no write at position ${change.position}`);
        this.#live.setWrite(write.origin, write.acceptTime, null);
        this.#size -= 1;
        break;
      }
      case 'seen':
        this.#seen.raise(change.origin, change.acceptTime);
        break;
    }
  }

  /** The key's history in the live layer, copied there if it is not yet. */
  #changeable(key: string): Write<Op>[] {
    let history = this.#live.histories.get(key);
    if (history === undefined) {
      history = [...this.history(key)];
      this.#live.setHistory(key, history);
    }
    return history;
  }

  #layered(key: string): Write<Op>[] | undefined {
    return this.#live.histories.get(key) ?? this.#frozen?.histories.get(key);
  }

  /** A step asks for its key's history more than once. */
  #stored(key: string): readonly Write<Op>[] {
    if (this.#lastStored?.key === key) return this.#lastStored.history;
    const bytes = this.#config.table.history(key);
    const history = bytes === undefined ? [] : this.#format.decodeHistory(key, bytes);
    this.#lastStored = { key, history };
    return history;
  }

  #find(key: string, origin: Origin, acceptTime: number): Write<Op> | null {
    return this.history(key).find((write) => write.acceptTime === acceptTime && write.origin === origin) ?? null;
  }

  /** Sets the layer aside as of this flush; once it is durable, what is before the new segment goes to the table. */
  #flushAndCheckpoint(done: Done<void>): void {
    const layer = this.#live;
    this.#frozen = layer;
    this.#live = new Layer();
    this.#logBytes = 0;
    const state = {
      format: FORMAT,
      size: this.#size,
      highestTime: this.#highestTime,
      seen: [...this.#seen.entries()],
      origins: [...this.#origins],
    };
    this.#log.flushAndRotate((rotated) => {
      if (rotated.ok) {
        this.#commit(layer, { ...state, segment: rotated.value });
        this.#answerInStep(done, succeed(undefined));
      } else {
        this.#failed = true;
        this.#takeBack();
        done(rotated);
      }
    });
  }

  /** Lets a checkpoint that lags catch up before more is acknowledged, so that the layers stay bounded. */
  #answerInStep(done: Done<void>, outcome: Outcome<void>): void {
    if (this.#frozen !== null && this.#logBytes > CHECKPOINT_LAG_BYTES_MAX) this.#behind.push(() => done(outcome));
    else done(outcome);
  }

  #commit(layer: Layer<Op>, meta: Meta): void {
    const format = this.#format;
    const histories = function* (): Generator<readonly [string, Uint8Array | null]> {
      for (const [key, history] of layer.histories)
        yield [key, history.length === 0 ? null : format.encodeHistory(history)];
    };
    const runs = function* (): Generator<readonly [Origin, number, string | null]> {
      for (const [origin, run] of layer.runs)
        for (const [time, write] of run.entries()) yield [origin, time, write?.key ?? null];
    };
    this.#config.table.commit({ histories: histories(), runs: runs(), meta: JSON.stringify(meta) }, (committed) => {
      if (committed.ok) {
        this.#lastStored = null;
        this.#frozen = null;
        // What cannot be removed now is removed by the next checkpoint, or when the log is opened.
        this.#log.dropBefore(meta.segment);
      } else {
        this.#takeBack();
        this.#config.onCheckpointFailure?.(committed.error);
      }
      for (const next of this.#behind.splice(0)) next();
    });
  }

  /** The checkpoint comes to nothing: its layer goes under the live one again, and the log keeps what it holds. */
  #takeBack(): void {
    const layer = this.#frozen;
    this.#frozen = null;
    if (layer === null) return;
    for (const [key, history] of layer.histories) {
      if (!this.#live.histories.has(key)) this.#live.setHistory(key, history);
    }
    for (const [origin, run] of layer.runs) {
      const live = this.#live.runs.get(origin);
      for (const [time, write] of run.entries()) {
        if (live?.next(time - 1)?.[0] !== time) this.#live.setWrite(origin, time, write);
      }
    }
  }
}
