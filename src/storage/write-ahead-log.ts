import { assert } from '../base/assert.js';
import { BaristaError, messageOf, toBaristaError } from '../base/errors.js';
import { type Done, fail, type Outcome, succeed } from '../base/outcome.js';
import { type BytesPart, copyPart } from './bytes.js';
import type { LogDirectory, LogFile } from './log-directory.js';
import {
  type Checksum,
  corruptLog,
  GROUP_BYTES_MAX,
  GROUP_END_BYTES,
  GROUP_HEADER_BYTES,
  NO_SEGMENT,
  RECORD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_NUMBER_MAX,
  type SegmentEnd,
  SegmentReader,
  sealGroup,
  segmentName,
  segmentOfName,
  writeSegmentHeader,
} from './log-segment.js';

/** The segment that a new log begins with. */
export const FIRST_SEGMENT = 1;

export const SEGMENT_BYTES_MAX = 16 * 1024 * 1024;

/** A buffer that grew beyond this for one flush is not kept for the next. */
const BUFFER_KEPT_BYTES_MAX = 4 * 1024 * 1024;
const BUFFER_BYTES_MIN = 16 * 1024;

/** The headers, the longest payload, and the end. */
const BUFFER_BYTES_MAX = SEGMENT_HEADER_BYTES + GROUP_HEADER_BYTES + GROUP_BYTES_MAX + GROUP_END_BYTES;

/** The payload begins here in a buffer, so that both headers can be put before it. */
const PAYLOAD = SEGMENT_HEADER_BYTES + GROUP_HEADER_BYTES;

export interface WriteAheadLogOptions {
  /** A flush that finds the segment this long, or longer, begins a new one; the last group may reach beyond it. */
  readonly segmentBytesMax?: number;
  /** What the disk writes whole or not at all, or a divisor of it. */
  readonly sectorBytes?: number;
}

/**
 * An append-only log of records in segments. Records appended between two flushes become durable as one group: after a
 * crash either all of them are there or none. At most one flush is under way; so at most the last group is ever in
 * doubt, and opening keeps it if it is whole (log-segment.ts says how that is known).
 *
 * The owner
 * - takes what `replay` gave only once `open` has returned: it throws after having replayed a part;
 * - answers for a record only when a flush asked for after its append has succeeded;
 * - after a failed flush closes the log, and opens it again to learn what is stored, before it goes on;
 * - checkpoints thus: takes its state and calls `flushAndRotate` in one step, saves the state and the segment's number
 *   durably when that has answered, then calls `dropBefore`.
 */
export class WriteAheadLog {
  readonly #directory: LogDirectory;
  readonly #checksum: Checksum;
  readonly #segmentBytesMax: number;

  #segment: number;
  #file: LogFile;
  /** The end of the current segment's synced part. */
  #end: SegmentEnd;
  /** The end of the segment before the current one. Nothing asks for it again if that one is no longer there. */
  #previous: SegmentEnd;
  /** No segment below this is there. */
  #oldest: number;

  /** What is being filled. */
  #batch = newBatch(newBuffer(BUFFER_BYTES_MIN));
  /** What was filled before it and ends a segment each, waiting to be written. */
  readonly #sealed: Batch[] = [];
  /** What is being written. */
  #inFlight: Batch | null = null;
  /** To be filled while another buffer is being written. */
  #spare: Buffer | null = null;

  #broken: BaristaError | null = null;
  #isClosed = false;
  /** Who waits for the end of what is under way since the log was closed. */
  #closing: Done<void>[] | null = null;

  private constructor(
    directory: LogDirectory,
    checksum: Checksum,
    segmentBytesMax: number,
    found: {
      readonly segment: number;
      readonly file: LogFile;
      readonly end: SegmentEnd;
      readonly previous: SegmentEnd;
    },
    oldest: number,
  ) {
    this.#directory = directory;
    this.#checksum = checksum;
    this.#segmentBytesMax = segmentBytesMax;
    this.#segment = found.segment;
    this.#file = found.file;
    this.#end = found.end;
    this.#previous = found.previous;
    this.#oldest = oldest;
  }

  /**
   * Reads the log from `firstSegment` on and calls `replay` for each record and its segment, in order. A record is a view
   * of the segment's bytes; copy what is kept. Everything replayed is durable when this returns. With FIRST_SEGMENT and no
   * segment there a new log begins. Segments before `firstSegment` are removed.
   *
   * Throws ERR_CORRUPT, naming file and offset, and then has changed nothing; ERR_STORAGE if the directory refuses.
   */
  static open(
    directory: LogDirectory,
    checksum: Checksum,
    firstSegment: number,
    replay: (record: Uint8Array, segment: number) => void,
    options: WriteAheadLogOptions = {},
  ): WriteAheadLog {
    const { segmentBytesMax = SEGMENT_BYTES_MAX, sectorBytes = 512 } = options;
    assert(firstSegment >= FIRST_SEGMENT && firstSegment <= SEGMENT_NUMBER_MAX, `no segment ${firstSegment}`);
    assert(
      segmentBytesMax > 0 && segmentBytesMax <= GROUP_BYTES_MAX,
      'a segment holds at most a group and as much more',
    );
    const numbers = stored('read the log', () => directory.list())
      .map(segmentOfName)
      .filter((segment) => segment !== undefined)
      .sort((a, b) => a - b);
    const older = numbers.filter((segment) => segment < firstSegment);
    const segments = numbers.slice(older.length);
    const isNew = numbers.length === 0 && firstSegment === FIRST_SEGMENT;
    if (isNew) segments.push(FIRST_SEGMENT);

    let previous: SegmentEnd | null = null;
    let end: SegmentEnd | null = null;
    let length = 0;
    const last = segments.at(-1) ?? firstSegment;
    for (let segment = firstSegment; segment <= last; segment++) {
      const name = segmentName(segment);
      if (segments[segment - firstSegment] !== segment) throw corruptLog(name, 0, 'this segment of the log is missing');
      if (isNew) break;
      const bytes = stored(`read ${name}`, () => directory.read(name));
      previous = end;
      length = bytes.length;
      const reader = new SegmentReader(segment, bytes, checksum, sectorBytes);
      end = reader.read(previous, segment === last, (record) => replay(record, segment));
    }

    const name = segmentName(last);
    const whole = end ?? NO_SEGMENT;
    // Drops a torn group. It also makes durable what was found whole but may never have been synced: the owner goes on
    // from it, and tells others.
    if (length > 0) stored(`cut ${name}`, () => directory.truncate(name, whole.length));
    for (const segment of older) stored(`remove ${segmentName(segment)}`, () => directory.remove(segmentName(segment)));
    const file = stored(`open ${name}`, () => directory.open(name));
    assert(file.length === whole.length, `${name} is ${file.length} bytes long, not ${whole.length}`);
    const found = { segment: last, file, end: whole, previous: previous ?? NO_SEGMENT };
    return new WriteAheadLog(directory, checksum, segmentBytesMax, found, firstSegment);
  }

  /** The segment that the next group goes to, unless that begins another. */
  get segment(): number {
    return this.#segment;
  }

  /** Bytes that no flush has taken up. The owner sees to it that they stay below GROUP_BYTES_MAX. */
  get pendingBytes(): number {
    return this.#batch.filled - PAYLOAD;
  }

  /** Whether a flush is under way. */
  get isFlushing(): boolean {
    return this.#inFlight !== null;
  }

  /** Why every flush fails until the log is opened again; null if none failed. */
  get broken(): BaristaError | null {
    return this.#broken;
  }

  /** Adds a record, which is copied, to what the next flush writes. A broken log forgets it: no flush will succeed. */
  append(record: Uint8Array): void {
    const at = this.#begin(record.length);
    if (at !== null) this.#batch.buffer.bytes.set(record, at);
  }

  /** The same of a record in two parts. */
  appendParts(head: BytesPart, rest: BytesPart): void {
    const headLength = head.end - head.start;
    const at = this.#begin(headLength + rest.end - rest.start);
    if (at === null) return;
    copyPart(head, this.#batch.buffer.bytes, at);
    copyPart(rest, this.#batch.buffer.bytes, at + headLength);
  }

  /** Where a record of so many bytes is to be put; null if the log is broken. */
  #begin(length: number): number | null {
    assert(!this.#isClosed, 'append to a closed log');
    if (length > RECORD_BYTES_MAX) assert(false, `a record of ${length} bytes`);
    if (this.#broken !== null) return null;
    const batch = this.#batch;
    const from = batch.filled + RECORD_HEADER_BYTES;
    const to = from + length;
    if (to - PAYLOAD > GROUP_BYTES_MAX) assert(false, `${to - PAYLOAD} bytes wait for a flush`);
    if (to + GROUP_END_BYTES > batch.buffer.bytes.length) grow(batch, to + GROUP_END_BYTES);
    batch.buffer.view.setUint32(batch.filled, length, true);
    batch.filled = to;
    return from;
  }

  /**
   * Makes everything appended so far durable: with one write and one sync, shared by all calls that wait while an
   * earlier flush is under way. May answer before it returns. Fails with ERR_STORAGE, and from then on always; what
   * was not answered for may then be stored or not. With `isAwaited` it is done soon, even if that keeps the caller from
   * all else; without, it may take longer, unless another call is awaited.
   */
  flush(done: Done<void>, isAwaited = true): void {
    const refusal = this.#refusal();
    if (refusal !== null) return done(fail(refusal));
    if (this.pendingBytes > 0) {
      this.#batch.flushes.push(done);
      this.#batch.isAwaited ||= isAwaited;
      this.#startIfIdle();
      return;
    }
    // Everything is in what waits or is under way, or durable.
    const last = this.#sealed.at(-1) ?? this.#inFlight;
    if (last === null) done(succeed(undefined));
    else last.flushes.push(done);
  }

  /**
   * A flush that also ends the segment: everything appended so far is durable in segments below the number it answers
   * with, everything appended after the call goes to that segment or later ones, and that segment is durably there. A
   * segment without groups stays the current one. Answers after the flush calls made before it.
   */
  flushAndRotate(done: Done<number>): void {
    const refusal = this.#refusal();
    if (refusal !== null) return done(fail(refusal));
    if (this.pendingBytes > 0) {
      this.#batch.rotations.push(done);
      this.#sealed.push(this.#batch);
      this.#batch = newBatch(this.#takeSpare());
      this.#startIfIdle();
      return;
    }
    const last = this.#sealed.at(-1) ?? this.#inFlight;
    if (last !== null) last.rotations.push(done);
    else if (this.#beginSegment()) done(succeed(this.#segment));
    else done(fail(this.#refusal() ?? closedError()));
  }

  /**
   * Removes the segments below `segment`. From then on the log opens with a `firstSegment` of at least this, so the
   * owner has made that durable before. If it fails, the log goes on, and the next call, or open, tries again.
   */
  dropBefore(segment: number): Outcome<void> {
    if (this.#isClosed) return fail(closedError());
    assert(segment <= this.#segment, `drop segments before ${segment}`);
    try {
      for (; this.#oldest < segment; this.#oldest++) {
        const name = segmentName(this.#oldest);
        stored(`remove ${name}`, () => this.#directory.remove(name));
      }
    } catch (thrown) {
      return fail(toBaristaError(thrown, 'ERR_STORAGE'));
    }
    return succeed(undefined);
  }

  /**
   * Answers when nothing is under way any more; only then may the log be opened again. A flush under way is answered as
   * it ends, those that wait fail with ERR_CLOSED, and what no flush has written is forgotten.
   */
  close(done: Done<void> = () => undefined): void {
    if (this.#isClosed && this.#closing === null) return done(succeed(undefined));
    if (this.#closing !== null) {
      this.#closing.push(done);
      return;
    }
    this.#isClosed = true;
    this.#closing = [done];
    this.#refuseWaiting(closedError());
    if (this.#inFlight === null) this.#finishClose();
  }

  #finishClose(): void {
    const closing = this.#closing;
    if (closing === null) return;
    this.#closing = null;
    this.#file.close();
    for (const done of closing) done(succeed(undefined));
  }

  /** Why nothing can be flushed; null if it can. */
  #refusal(): BaristaError | null {
    if (this.#isClosed) return closedError();
    return this.#broken === null ? null : brokenError(this.#broken);
  }

  #startIfIdle(): void {
    if (this.#inFlight !== null || this.#isClosed || this.#broken !== null) return;
    const sealed = this.#sealed.shift();
    if (sealed !== undefined) {
      this.#write(sealed);
    } else if (this.#batch.flushes.length > 0) {
      const batch = this.#batch;
      this.#batch = newBatch(this.#takeSpare());
      this.#write(batch);
    }
  }

  #write(batch: Batch): void {
    this.#inFlight = batch;
    if (this.#end.length >= this.#segmentBytesMax && !this.#beginSegment()) return;
    const { bytes } = batch.buffer;
    const groupEnd = batch.filled + GROUP_END_BYTES;
    // The header of a segment goes with its first group.
    const isFirst = this.#end.length === 0;
    if (isFirst) writeSegmentHeader(bytes, this.#segment, this.#previous, this.#checksum);
    const offset = isFirst ? SEGMENT_HEADER_BYTES : this.#end.length;
    const group = bytes.subarray(SEGMENT_HEADER_BYTES, groupEnd);
    const check = sealGroup(group, this.#segment, offset, this.#checksum);
    const end: SegmentEnd = { length: offset + group.length, check };
    this.#file.append(isFirst ? bytes.subarray(0, groupEnd) : group, (appended) => {
      if (!appended.ok) return this.#break(appended.error);
      this.#file.sync((synced) => {
        if (!synced.ok) return this.#break(synced.error);
        this.#end = end;
        this.#settle(batch);
      }, batch.isAwaited);
    });
  }

  #settle(batch: Batch): void {
    this.#inFlight = null;
    if (batch.buffer.bytes.length <= BUFFER_KEPT_BYTES_MAX) this.#spare = batch.buffer;
    // Before any answer: what is asked for in answers goes behind the rotation.
    if (batch.rotations.length > 0) this.#beginSegment();
    const segment = this.#segment;
    const refusal = this.#broken === null ? null : brokenError(this.#broken);
    for (const done of batch.flushes) done(succeed(undefined));
    for (const done of batch.rotations) done(refusal === null ? succeed(segment) : fail(refusal));
    if (this.#inFlight !== null) return;
    this.#finishClose();
    this.#startIfIdle();
  }

  /**
   * Only when all of the current segment is synced: that the next one is there says so. False if that failed, and the
   * log is broken.
   */
  #beginSegment(): boolean {
    if (this.#end.length === 0) return true;
    const name = segmentName(this.#segment + 1);
    assert(this.#segment < SEGMENT_NUMBER_MAX, `there is no segment ${name}`);
    try {
      const file = stored(`begin ${name}`, () => this.#directory.open(name));
      this.#file.close();
      this.#file = file;
    } catch (thrown) {
      this.#break(toBaristaError(thrown, 'ERR_STORAGE'));
      return false;
    }
    this.#segment += 1;
    this.#previous = this.#end;
    this.#end = NO_SEGMENT;
    return true;
  }

  #break(cause: BaristaError): void {
    this.#broken = cause;
    const failed = this.#inFlight;
    this.#inFlight = null;
    this.#spare = null;
    if (failed !== null) refuse(failed, brokenError(cause));
    this.#refuseWaiting(brokenError(cause));
    this.#finishClose();
  }

  /** Forgets what no write has taken up, and tells those who wait for it. */
  #refuseWaiting(error: BaristaError): void {
    const waiting = [...this.#sealed.splice(0), this.#batch];
    this.#batch = newBatch(newBuffer(0));
    for (const batch of waiting) refuse(batch, error);
  }

  #takeSpare(): Buffer {
    const buffer = this.#spare ?? newBuffer(BUFFER_BYTES_MIN);
    this.#spare = null;
    return buffer;
  }
}

/** Records to be written as one group. */
interface Batch {
  /** Room for headers, then the payload, then room for the group's end. */
  buffer: Buffer;
  /** Where the payload ends. */
  filled: number;
  readonly flushes: Done<void>[];
  isAwaited: boolean;
  /** Who wants the segment to end behind this group. */
  readonly rotations: Done<number>[];
}

function newBatch(buffer: Buffer): Batch {
  return { buffer, filled: PAYLOAD, flushes: [], isAwaited: false, rotations: [] };
}

function grow(batch: Batch, bytesMin: number): void {
  const buffer = newBuffer(
    Math.max(bytesMin, BUFFER_BYTES_MIN, Math.min(2 * batch.buffer.bytes.length, BUFFER_BYTES_MAX)),
  );
  buffer.bytes.set(batch.buffer.bytes.subarray(0, batch.filled));
  batch.buffer = buffer;
}

function refuse(batch: Batch, error: BaristaError): void {
  for (const done of batch.flushes) done(fail(error));
  for (const done of batch.rotations) done(fail(error));
}

interface Buffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

function newBuffer(length: number): Buffer {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** Runs a call to the directory, which throws what the system throws. */
function stored<T>(what: string, call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    if (thrown instanceof BaristaError) throw thrown;
    const reason = messageOf(thrown);
    throw new BaristaError('ERR_STORAGE', `cannot ${what}: ${reason}`, { cause: thrown });
  }
}

function brokenError(cause: BaristaError): BaristaError {
  return new BaristaError('ERR_STORAGE', `the log takes no more since a write failed: ${cause.message}`, { cause });
}

function closedError(): BaristaError {
  return new BaristaError('ERR_CLOSED', 'the log is closed');
}
