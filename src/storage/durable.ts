import { sameBytes } from '../base/bytes.js';
import { BaristaError, toBaristaError } from '../base/errors.js';
import type { Origin } from '../base/ids.js';
import { type Done, fail, type Outcome, succeed } from '../base/outcome.js';
import type { ReplicaState, ReplicaStorage, Visit } from '../bayou/ports.js';
import { VersionVector } from '../bayou/version-vector.js';
import type { Write } from '../bayou/write.js';
import type { BytesPart } from './bytes.js';
import { Checkpoint } from './checkpoint.js';
import { type CheckpointMeta, decodeMeta, NO_CHECKPOINT, NO_STATE, type StoredPart } from './checkpoint-meta.js';
import { type Entry, isEmpty } from './entry.js';
import { EXPIRING, IN_ENTRY, type Layer } from './layer.js';
import { Layers } from './layers.js';
import type { LogDirectory } from './log-directory.js';
import type { OperationCodec } from './operation-codec.js';
import { Places } from './places.js';
import { presentKeys, walkPresent } from './present.js';
import { readable } from './readable.js';
import { type Change, keyOf, RecordFormat } from './record-format.js';
import { behindTime, compareRunPlaces, firstPlace, placesBehind, RUN_END, type RunPlace } from './run-place.js';
import type { Table } from './table.js';
import { FIRST_SEGMENT, WriteAheadLog, type WriteAheadLogOptions } from './write-ahead-log.js';

/** A checkpoint begins when the log has grown by so much since the last; it bounds what opening replays, and the layers. */
const CHECKPOINT_LOG_BYTES = 16 * 1024 * 1024;
/** While a checkpoint is under way and the log has grown by so much more, flushes wait for it. */
const CHECKPOINT_LAG_BYTES_MAX = 64 * 1024 * 1024;
/** A log of so much is put into a checkpoint at an orderly end, so that it takes no place and the next start no time. */
const CHECKPOINT_AT_END_BYTES = 64 * 1024;

export interface DurableConfig<Op> {
  readonly directory: LogDirectory;
  readonly table: Table;
  readonly codec: OperationCodec<Op>;
  readonly checksum: (bytes: Uint8Array) => number;
  readonly checkpointLogBytes?: number;
  /** How many keys one commit of a checkpoint takes. */
  readonly checkpointPart?: number;
  readonly logOptions?: WriteAheadLogOptions;
  /** Told when a checkpoint fails: nothing is lost, but the log is not cut until a later one succeeds. */
  readonly onCheckpointFailure?: (error: BaristaError) => void;
}

/** So do so many keys that changed, and what of them was copied from the table counts as log. */
const LAYER_KEYS_MAX = 65_536;

/**
 * Durable storage: changes go to a write-ahead log, one sync for all that wait, and into a layer in memory; from time to time that
 * is committed to a table on disk, off the path of any write, and the log before it is dropped. Reads look into all three.
 *
 * So opening costs what the log has since the last checkpoint, memory holds no more than two layers, and a crash takes back
 * the unflushed changes and nothing else: the records of one flush are one group of the log, whole or not there.
 */
export class DurableStorage<Op> implements ReplicaStorage<Op> {
  readonly #config: DurableConfig<Op>;
  readonly #checkpointLogBytes: number;
  #places = new Places();
  #format: RecordFormat<Op>;
  #log: WriteAheadLog;
  #layers: Layers<Op>;
  #seen = new VersionVector();
  #origins = new Set<Origin>();
  /** Encoded; empty if none was saved. */
  #state: Uint8Array = NO_STATE;
  #size = 0;
  #keyCount = 0;
  #highestTime = 0;
  #dirty = false;
  #failed = false;
  #logBytes = 0;
  /** What the table says of a checkpoint that is partly there: the first segment still needed, and the parts. */
  #from = FIRST_SEGMENT;
  #parts: readonly StoredPart[] = [];
  /** Flushes that are done and wait for the checkpoint to catch up; called when it ends. */
  #behind: (() => void)[] = [];

  /** Throws ERR_CORRUPT if what is on disk is not what was written. */
  constructor(config: DurableConfig<Op>) {
    this.#config = config;
    this.#format = new RecordFormat(config.codec, this.#places);
    this.#layers = this.#layersOver(NO_CHECKPOINT);
    this.#checkpointLogBytes = config.checkpointLogBytes ?? CHECKPOINT_LOG_BYTES;
    this.#log = this.#open();
  }

  get size(): number {
    return this.#size;
  }

  get keyCount(): number {
    return this.#keyCount;
  }

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
    return this.#layers.find(key).entry.history;
  }

  base(key: string): Write<Op> | null {
    return this.#layers.find(key).entry.base;
  }

  insert(write: Write<Op>, position: number): void {
    this.#place(write.origin);
    if (!this.#layers.isFirst(write.key)) return this.#record({ kind: 'insert', write, position });
    const entry = this.#insertFirst(write);
    const [head, rest] = this.#format.changeOfFirst(write.key, entry);
    this.#log.appendParts(head, rest);
    this.#changed(head.end - head.start + rest.end - rest.start);
  }

  remove(key: string, position: number): void {
    this.#record({ kind: 'remove', key, position });
  }

  settle(key: string, present: boolean): void {
    if (present) this.#placeExpiring(this.history(key)[0] ?? null);
    this.#record({ kind: 'settle', key, present });
  }

  setBase(key: string, base: Write<Op> | null): void {
    if (base !== null) this.#place(base.origin);
    this.#placeExpiring(base);
    this.#record({ kind: 'base', key, base });
  }

  saveSeen(origin: Origin, acceptTime: number): void {
    this.#place(origin);
    this.#record({ kind: 'seen', origin, acceptTime });
  }

  lowerSeen(origin: Origin, acceptTime: number): void {
    this.#record({ kind: 'unseen', origin, acceptTime });
  }

  loadSeen(): VersionVector {
    return this.#seen.clone();
  }

  loadState(): ReplicaState | null {
    return this.#state.length === 0 ? null : this.#format.decodeState(this.#state);
  }

  saveState(state: ReplicaState): void {
    const vectors = [state.baseVector, state.replaced, state.resume?.received, state.resume?.target];
    const named = vectors.flatMap((vector) => [...(vector?.entries() ?? [])].map(([origin]) => origin));
    for (const origin of [...state.retired, ...named]) this.#place(origin);
    const encoded = this.#format.encodeState(state);
    if (!sameBytes(encoded, this.#state)) this.#record({ kind: 'state', state: new Uint8Array(encoded) });
  }

  expiring(upTo: number): Iterator<Write<Op>> {
    return this.run(EXPIRING, 0, upTo);
  }

  origins(): Iterable<Origin> {
    return this.#origins;
  }

  *run(origin: Origin, after: number, upTo: number): Generator<Write<Op>, undefined> {
    const place = this.#places.find(origin);
    if (place === undefined) return undefined;
    let passed = behindTime(after);
    for (;;) {
      const layers = this.#layers;
      const { generation } = layers;
      const stored = placesBehind(passed, (from) => this.#config.table.run(place, from, upTo));
      const live = layers.live.run(origin).writes.cursor(passed);
      const frozen = layers.frozen?.run(origin).writes.cursor(passed);
      let head = stored.next();
      while (layers === this.#layers && generation === layers.generation) {
        const storedAt = head.done === true ? RUN_END : head.value;
        const layersAt = firstPlace(frozen?.key() ?? RUN_END, live.key() ?? RUN_END);
        const next = firstPlace(storedAt, layersAt);
        if (next.acceptTime > upTo || next === RUN_END) return undefined;
        passed = next;
        let inRun: Write<Op> | typeof IN_ENTRY | null = null;
        const inLayers = compareRunPlaces(layersAt, next) === 0;
        if (compareRunPlaces(storedAt, next) === 0) {
          if (!inLayers) inRun = IN_ENTRY;
          head = stored.next();
        }
        for (const cursor of inLayers ? [frozen, live] : []) {
          if (compareRunPlaces(cursor?.key() ?? RUN_END, next) === 0) inRun = cursor?.take() ?? null;
        }
        const write = inRun === IN_ENTRY ? this.#writeAt(origin, next) : inRun;
        if (write !== null) yield write;
      }
    }
  }

  #writeAt(origin: Origin, { acceptTime, key }: RunPlace): Write<Op> | null {
    if (origin === EXPIRING) return this.base(key ?? '');
    return this.history(key ?? '').find((it) => it.acceptTime === acceptTime && it.origin === origin) ?? null;
  }

  count(origin: Origin, after: number, upTo: number): number {
    const place = this.#places.find(origin);
    if (place === undefined) return 0;
    const live = this.#layers.live.runs.get(origin)?.added(after, upTo) ?? 0;
    const frozen = this.#layers.frozen?.runs.get(origin)?.added(after, upTo) ?? 0;
    return Math.max(0, this.#config.table.count(place, after, upTo) + live + frozen);
  }

  keys(after?: string): Generator<string> {
    return presentKeys(this.#config.table, [this.#layers.live, this.#layers.frozen], after);
  }

  walk(after: string | null, reverse: boolean, visit: Visit<Op>): void {
    const { live, frozen } = this.#layers;
    walkPresent(this.#config.table, [live, frozen], this.#format, { after, reverse, visit });
  }

  /** One sync for everything changed before; begins a checkpoint when it is due. */
  flush(done: Done<void>, isAwaited = true): void {
    if (this.#failed) return done(fail(new BaristaError('ERR_STORAGE', 'an earlier flush failed')));
    this.#dirty = false;
    if (this.#layers.frozen === null && this.#exceeds(this.#checkpointLogBytes, LAYER_KEYS_MAX))
      return this.#flushAndCheckpoint(done);
    this.#log.flush((flushed) => {
      if (!flushed.ok) this.#failed = true;
      this.#answerInStep(done, flushed);
    }, isAwaited);
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
    this.#afterCheckpoint(() => {
      if (this.#failed) end();
      else if (this.#logBytes >= CHECKPOINT_AT_END_BYTES) this.#flushAndCheckpoint(end);
      else if (this.#dirty) this.flush(end);
      else end();
    });
  }

  #afterCheckpoint(next: () => void): void {
    if (this.#layers.frozen === null) next();
    else this.#behind.push(() => this.#afterCheckpoint(next));
  }

  #open(): WriteAheadLog {
    this.#dirty = false;
    this.#logBytes = 0;
    const meta = this.#readMeta();
    this.#from = meta.from;
    this.#parts = meta.parts;
    const places = new Places(meta.origins);
    this.#places = places;
    this.#format = new RecordFormat(this.#config.codec, places);
    this.#layers = this.#layersOver(meta);
    this.#seen = new VersionVector(meta.seen.map(([place, time]) => [places.originAt(place), time]));
    this.#origins = new Set(meta.written.map((place) => places.originAt(place)));
    this.#state = meta.state;
    this.#size = meta.size;
    this.#keyCount = meta.keyCount;
    this.#highestTime = meta.highestTime;
    const { directory, checksum, logOptions = {} } = this.#config;
    const replay = (record: Uint8Array, segment: number): void =>
      readable('a record of the log', () => this.#replay(record, segment, meta));
    return WriteAheadLog.open(directory, checksum, meta.from, replay, logOptions);
  }

  #layersOver(meta: CheckpointMeta): Layers<Op> {
    return new Layers(this.#format, this.#config.table, meta === NO_CHECKPOINT, meta.from < meta.segment);
  }

  #replay(record: Uint8Array, segment: number, meta: CheckpointMeta): void {
    this.#logBytes += record.length;
    const change = this.#format.decodeChange(record);
    if (segment >= meta.segment) return this.#apply(change);
    // The checkpoint began, and ended with the process: its numbers have the change, its entries may not.
    const key = keyOf(change);
    if (key === null || meta.parts.some((part) => segment < part.segment && key <= part.upTo)) return;
    this.#apply(change);
    this.#size = meta.size;
    this.#keyCount = meta.keyCount;
  }

  #readMeta(): CheckpointMeta {
    const { table } = this.#config;
    const bytes = table.meta();
    if (bytes !== undefined) return readable('the checkpoint', () => decodeMeta(bytes));
    // They are committed with it.
    if (table.keys().next().done !== true) throw new BaristaError('ERR_CORRUPT', 'the checkpoint has only its keys');
    return NO_CHECKPOINT;
  }

  #place(origin: Origin): void {
    if (this.#places.find(origin) === undefined) this.#record({ kind: 'origin', origin });
  }

  #placeExpiring(base: Write<Op> | null): void {
    if (this.#expiresOf(base) !== null) this.#place(EXPIRING);
  }

  #record(change: Change<Op>): void {
    this.#apply(change);
    const record = this.#format.encodeChange(change);
    this.#log.append(record);
    this.#changed(record.length);
  }

  #changed(bytes: number): void {
    this.#logBytes += bytes;
    this.#dirty = true;
  }

  /** Adds the write as all that there is of its key; where the layer has it now. */
  #insertFirst(write: Write<Op>): BytesPart {
    this.#keyCount += 1;
    this.#noteWrite(write, IN_ENTRY);
    return this.#layers.addFirst(write);
  }

  #noteWrite(write: Write<Op>, inRun: Write<Op> | typeof IN_ENTRY): void {
    this.#layers.live.run(write.origin).insert(write, inRun);
    this.#origins.add(write.origin);
    this.#size += 1;
    this.#highestTime = Math.max(this.#highestTime, write.acceptTime);
  }

  #apply(change: Change<Op>): void {
    switch (change.kind) {
      case 'insert': {
        const { write, position } = change;
        if (this.#layers.isFirst(write.key)) {
          this.#insertFirst(write);
          break;
        }
        const entry = this.#layers.toChange(write.key);
        if (isEmpty(entry)) this.#keyCount += 1;
        // Not into an empty array, which would get room for many: most keys have one write.
        if (entry.history.length === 0) entry.history = [write];
        else entry.history.splice(position, 0, write);
        this.#noteWrite(write, write);
        break;
      }
      case 'remove':
        this.#change(change.key, (entry) => this.#take(entry, change.position));
        break;
      case 'settle':
        this.#change(change.key, (entry) => {
          const write = this.#take(entry, 0);
          this.#replaceBase(change.key, entry, change.present ? write : null);
        });
        break;
      case 'base':
        this.#change(change.key, (entry) => {
          this.#replaceBase(change.key, entry, change.base);
        });
        break;
      case 'seen':
        this.#seen.raise(change.origin, change.acceptTime);
        break;
      case 'unseen':
        this.#seen.lower(change.origin, change.acceptTime);
        break;
      case 'origin':
        if (this.#places.find(change.origin) !== undefined) throw new RangeError(`${change.origin} came twice`);
        this.#places.add(change.origin);
        break;
      case 'state':
        this.#state = change.state;
        break;
    }
  }

  #replaceBase(key: string, entry: Entry<Op>, base: Write<Op> | null): void {
    const had = this.#expiresOf(entry.base);
    const has = this.#expiresOf(base);
    if (had !== null) this.#layers.live.run(EXPIRING).remove({ acceptTime: had, key });
    if (base !== null && has !== null) this.#layers.live.run(EXPIRING).insert({ acceptTime: has, key }, base);
    entry.base = base;
  }

  #expiresOf(base: Write<Op> | null): number | null {
    return base === null ? null : this.#config.codec.expiresOf(base.operation);
  }

  /** Changes the key's entry in the live layer. */
  #change(key: string, change: (entry: Entry<Op>) => void): void {
    const entry = this.#layers.toChange(key);
    const wasEmpty = isEmpty(entry);
    change(entry);
    this.#keyCount += Number(wasEmpty) - Number(isEmpty(entry));
  }

  /** Takes a write out of its history and its run. */
  #take(entry: Entry<Op>, position: number): Write<Op> {
    const [write] = entry.history.splice(position, 1);
    if (write === undefined) throw new RangeError(`no write at position ${position}`);
    this.#layers.live.run(write.origin).remove(write);
    this.#size -= 1;
    return write;
  }

  /** Sets the layer aside as of this flush; once it is durable, what is before the new segment goes to the table. */
  #flushAndCheckpoint(done: Done<void>): void {
    const layer = this.#layers.setAside();
    this.#logBytes = 0;
    const meta = {
      from: this.#from,
      parts: this.#parts,
      size: this.#size,
      keyCount: this.#keyCount,
      highestTime: this.#highestTime,
      origins: [...this.#places.origins],
      written: Array.from(this.#origins, (origin) => this.#places.placeOf(origin)),
      seen: Array.from(this.#seen.entries(), ([origin, time]) => [this.#places.placeOf(origin), time] as const),
      state: this.#state,
    };
    this.#log.flushAndRotate((rotated) => {
      if (rotated.ok) {
        this.#commit(layer, { ...meta, segment: rotated.value });
        this.#answerInStep(done, succeed(undefined));
      } else {
        this.#failed = true;
        this.#layers.takeBack();
        done(rotated);
      }
    });
  }

  /** Lets a checkpoint that lags catch up before more is acknowledged, so that the layers stay bounded. */
  #answerInStep(done: Done<void>, outcome: Outcome<void>): void {
    if (this.#layers.frozen !== null && this.#exceeds(CHECKPOINT_LAG_BYTES_MAX, 2 * LAYER_KEYS_MAX))
      this.#behind.push(() => done(outcome));
    else done(outcome);
  }

  #exceeds(bytes: number, keys: number): boolean {
    const { live } = this.#layers;
    return this.#logBytes + live.copiedBytes >= bytes || live.entries.size >= keys;
  }

  #commit(layer: Layer<Op>, meta: CheckpointMeta): void {
    const { table, checkpointPart } = this.#config;
    new Checkpoint(table, this.#format, this.#places, layer, meta, checkpointPart).run((failure) => {
      if (failure === null) {
        this.#from = meta.segment;
        this.#parts = [];
        this.#layers.letGo();
        // What cannot be removed now is removed by the next checkpoint, or when the log is opened.
        this.#log.dropBefore(meta.segment);
      } else {
        this.#parts = failure.parts;
        // It comes to nothing: the log keeps what the layer holds.
        layer.storedInPart();
        this.#layers.takeBack();
        this.#config.onCheckpointFailure?.(failure.error);
      }
      for (const next of this.#behind.splice(0)) next();
    });
  }
}
