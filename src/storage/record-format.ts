import type { ClientId, Origin, ReplicaId } from '../base/ids.js';
import type { ReplicaState } from '../bayou/ports.js';
import { VersionVector } from '../bayou/version-vector.js';
import { marked, type Write } from '../bayou/write.js';
import { ByteReader, type BytesPart, ByteWriter } from './bytes.js';
import type { Entry } from './entry.js';
import type { EntryArena } from './entry-arena.js';
import type { OperationCodec } from './operation-codec.js';
import type { Places } from './places.js';

/** A change of a replica's storage, as the write-ahead log keeps it. */
export type Change<Op> =
  | { readonly kind: 'insert'; readonly write: Write<Op>; readonly position: number }
  | { readonly kind: 'remove'; readonly key: string; readonly position: number }
  | { readonly kind: 'settle'; readonly key: string; readonly present: boolean }
  | { readonly kind: 'base'; readonly key: string; readonly base: Write<Op> | null }
  | { readonly kind: 'seen' | 'unseen'; readonly origin: Origin; readonly acceptTime: number }
  /** The origin gets the next place. Comes before whatever names the place. */
  | { readonly kind: 'origin'; readonly origin: Origin }
  /** Not decoded: it is asked for once in a life. */
  | { readonly kind: 'state'; readonly state: Uint8Array };

/** Which key a change is of; null if of none. */
export function keyOf<Op>(change: Change<Op>): string | null {
  if (change.kind === 'insert') return change.write.key;
  return 'key' in change ? change.key : null;
}

const INSERT = 1;
const REMOVE = 2;
const SEEN = 3;
const ORIGIN = 4;
const SETTLE_ABSENT = 5;
const SETTLE_PRESENT = 6;
const BASE = 7;
const NO_BASE = 8;
const STATE = 9;
const UNSEEN = 10;

/** A write's kind is doubled, and has these added: the second stands above all kinds there may be, since it came later. */
const RESUBMITTED = 1;
const PART = 64;
const KIND_WORD_MAX = 127;

/** What of an entry of one write stands before it. */
const FIRST_HEAD_BYTES = 1;

/** How changes, keys and the replica's state stand on disk. What is encoded is good until the next is, but for entries. */
export class RecordFormat<Op> {
  readonly #codec: OperationCodec<Op>;
  readonly #places: Places;
  readonly #writer = new ByteWriter();
  readonly #reader = new ByteReader();

  /** Origins stand as their places: those of what is encoded are there, those of what is decoded must be. */
  constructor(codec: OperationCodec<Op>, places: Places) {
    this.#codec = codec;
    this.#places = places;
  }

  encodeChange(change: Change<Op>): Uint8Array {
    const writer = this.#writer;
    switch (change.kind) {
      case 'insert':
        this.#writeInsertHead(change.write.key, change.position);
        this.#write(writer, change.write);
        break;
      case 'remove':
        writer.number(REMOVE);
        writer.number(change.position);
        writer.text(change.key);
        break;
      case 'settle':
        writer.number(change.present ? SETTLE_PRESENT : SETTLE_ABSENT);
        writer.text(change.key);
        break;
      case 'base':
        writer.number(change.base === null ? NO_BASE : BASE);
        writer.text(change.key);
        if (change.base !== null) this.#write(writer, change.base);
        break;
      case 'seen':
      case 'unseen':
        writer.number(change.kind === 'seen' ? SEEN : UNSEEN);
        writer.number(this.#places.placeOf(change.origin));
        writer.time(change.acceptTime);
        break;
      case 'origin':
        writer.number(ORIGIN);
        writer.text(change.origin);
        break;
      case 'state':
        writer.number(STATE);
        writer.bytes(change.state);
        break;
    }
    return writer.take();
  }

  decodeChange(bytes: Uint8Array): Change<Op> {
    const reader = this.#reader;
    reader.open(bytes);
    const kind = reader.number();
    switch (kind) {
      case INSERT: {
        const position = reader.number();
        return { kind: 'insert', position, write: this.#read(reader, reader.newText()) };
      }
      case REMOVE:
        return { kind: 'remove', position: reader.number(), key: reader.text() };
      case SETTLE_ABSENT:
      case SETTLE_PRESENT:
        return { kind: 'settle', key: reader.text(), present: kind === SETTLE_PRESENT };
      case BASE: {
        const key = reader.text();
        return { kind: 'base', key, base: this.#read(reader, key) };
      }
      case NO_BASE:
        return { kind: 'base', key: reader.text(), base: null };
      case SEEN:
      case UNSEEN: {
        const origin = this.#places.originAt(reader.number());
        return { kind: kind === SEEN ? 'seen' : 'unseen', origin, acceptTime: reader.time() };
      }
      case ORIGIN:
        return { kind: 'origin', origin: reader.text() as Origin };
      case STATE:
        return { kind: 'state', state: reader.bytes() };
      default:
        throw new RangeError(`no change is of kind ${kind}`);
    }
  }

  /** Adds one key's base and history; the key itself is not part of it. */
  encodeEntry({ base, history }: Entry<Op>, entries: EntryArena): number {
    const writer = entries.begin();
    writer.number(base === null ? 0 : 1);
    if (base !== null) this.#write(writer, base);
    for (const write of history) this.#write(writer, write);
    return entries.keep();
  }

  /** Adds an entry of this write alone. */
  encodeFirst(write: Write<Op>, entries: EntryArena): number {
    const writer = entries.begin();
    writer.number(0);
    this.#write(writer, write);
    return entries.keep();
  }

  /** The change that makes such an entry, in two parts: the first is good until the next change is encoded. */
  changeOfFirst(key: string, { bytes, start, end }: BytesPart): readonly [head: BytesPart, write: BytesPart] {
    this.#writeInsertHead(key, 0);
    return [this.#writer.takePart(), { bytes, start: start + FIRST_HEAD_BYTES, end }];
  }

  #writeInsertHead(key: string, position: number): void {
    this.#writer.number(INSERT);
    this.#writer.number(position);
    this.#writer.text(key);
  }

  decodeEntry(key: string, { bytes, start, end }: BytesPart): Entry<Op> {
    const reader = this.#reader;
    reader.open(bytes, start, end);
    const base = reader.number() === 0 ? null : this.#read(reader, key);
    const history: Write<Op>[] = [];
    while (reader.remaining > 0) history.push(this.#read(reader, key));
    return { base, history };
  }

  /** The entry, sharing no memory with others: for one that is kept for long. */
  detached({ base, history }: Entry<Op>): Entry<Op> {
    return {
      base: base === null ? null : this.#detached(base),
      history: history.map((write) => this.#detached(write)),
    };
  }

  #detached(write: Write<Op>): Write<Op> {
    const { operation } = write;
    const body = this.#codec.bodyOf(operation);
    if (body.buffer.byteLength === body.length) return write;
    return { ...write, operation: this.#codec.decode(this.#codec.kindOf(operation), new Uint8Array(body)) };
  }

  encodeState(state: ReplicaState): Uint8Array {
    const writer = this.#writer;
    writer.number(state.baseTime);
    this.#writeVector(state.baseVector);
    writer.number(state.retired.length);
    for (const origin of state.retired) writer.number(this.#places.placeOf(origin));
    writer.number(state.clock);
    writer.number(state.resume === null ? 0 : 1);
    if (state.resume !== null) {
      this.#writeVector(state.resume.received);
      this.#writeVector(state.resume.target);
    }
    writer.number(state.store === null ? 0 : state.store.after === null ? 1 : 2);
    if (state.store !== null) {
      writer.number(state.store.time);
      if (state.store.after !== null) writer.text(state.store.after);
    }
    writer.text(state.rejoinsWith ?? '');
    if (state.replaced.size > 0) this.#writeVector(state.replaced);
    return writer.take();
  }

  decodeState(bytes: Uint8Array): ReplicaState {
    const reader = this.#reader;
    reader.open(bytes);
    const baseTime = reader.number();
    const baseVector = this.#readVector(reader);
    const retired: Origin[] = [];
    for (let left = reader.number(); left > 0; left--) retired.push(this.#places.originAt(reader.number()));
    const clock = reader.number();
    const hasResume = reader.number() !== 0;
    const resume = hasResume ? { received: this.#readVector(reader), target: this.#readVector(reader) } : null;
    const cursor = reader.number();
    const store = cursor === 0 ? null : { time: reader.number(), after: cursor === 1 ? null : reader.text() };
    const rejoinsWith = (reader.text() || null) as ReplicaId | null;
    // Absent if it is empty, as it always was in earlier versions.
    const replaced = reader.remaining > 0 ? this.#readVector(reader) : new VersionVector();
    return { baseTime, baseVector, replaced, retired, clock, resume, store, rejoinsWith };
  }

  #write(writer: ByteWriter, write: Write<Op>): void {
    writer.number(this.#places.placeOf(write.origin));
    writer.time(write.acceptTime);
    writer.text(write.client);
    writer.time(write.clientTime);
    const marks = (write.resubmitted === true ? RESUBMITTED : 0) + (write.part === true ? PART : 0);
    writer.number(2 * this.#codec.kindOf(write.operation) + marks);
    writer.bytes(this.#codec.bodyOf(write.operation));
  }

  #read(reader: ByteReader, key: string): Write<Op> {
    const origin = this.#places.originAt(reader.number());
    const acceptTime = reader.time();
    const client = reader.text() as ClientId;
    const clientTime = reader.time();
    const word = reader.number();
    if (word > KIND_WORD_MAX) throw new RangeError(`no write is marked ${word}`);
    const operation = this.#codec.decode((word % PART) >>> 1, reader.bytes());
    const write: Write<Op> = { origin, acceptTime, client, clientTime, key, operation };
    return word < PART && word % 2 === 0 ? write : marked(write, word % 2 === 1, word >= PART);
  }

  #writeVector(vector: VersionVector): void {
    this.#writer.number(vector.size);
    for (const [origin, time] of vector.entries()) {
      this.#writer.number(this.#places.placeOf(origin));
      this.#writer.time(time);
    }
  }

  #readVector(reader: ByteReader): VersionVector {
    const vector = new VersionVector();
    for (let left = reader.number(); left > 0; left--) {
      vector.raise(this.#places.originAt(reader.number()), reader.time());
    }
    return vector;
  }
}
