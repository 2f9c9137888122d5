import { isUtf8 } from 'node:buffer';
import { checkId } from '../base/checks.js';
import { type ClientId, type Origin, originOf, type ReplicaId } from '../base/ids.js';
import { DEFAULT_LIMITS } from '../base/limits.js';
import { marked, type Write } from '../bayou/write.js';
import { type KvOperation, kvOperationCodec } from '../machine/kv.js';
import { FieldError, located, malformed } from './field-error.js';
import { FRAME_BYTES_MAX, LIST_SIZE_MAX } from './limits.js';
import {
  NUMBER_BYTES_MAX,
  PACKED_DELETE,
  PACKED_FORMAT,
  PACKED_PART,
  PACKED_PUT,
  WRITE_BYTES_MIN,
} from './packed-format.js';

const { idBytesMax, keyBytesMax } = DEFAULT_LIMITS;
const PUT = kvOperationCodec.kindOf({ kind: 'put', value: new Uint8Array() });
const DELETE = kvOperationCodec.kindOf({ kind: 'delete' });

/**
 * Values are copied together, as they lie, so many bytes at a time: memory for each alone costs more than all else here.
 * So a value that is kept may keep its neighbours, but no more than this of them.
 */
const SHARED_BYTES = 8 * 1024;

/** A value from this size on has memory to itself. */
const ALONE_BYTES_MIN = 2 * 1024;

const NO_MEMORY = new Uint8Array(0);

/** Below this, copying byte by byte is faster than a call into the runtime. */
const SHORT_BYTES = 48;

/** The key read last, whose beginning the next one may share. Reading is never interrupted, so there is one for all. */
const KEY = Buffer.allocUnsafeSlow(keyBytesMax);

/** Reads the bytes of a PackedWrites of barista.thrift, which describes them. Nothing it returns points into `bytes`. */
export function readPackedWrites(bytes: Buffer): readonly Write<KvOperation>[] {
  return new PackedReader(bytes).writes();
}

class PackedReader {
  readonly #bytes: Buffer;
  #at = 0;
  readonly #origins: Origin[] = [];
  readonly #clients: ClientId[] = [];
  /** By the client's place, the client time of its last write. */
  readonly #clientTimes: number[] = [];
  #keyLength = 0;
  /** So many bytes at the beginning of the key are ASCII. */
  #keyAscii = 0;
  /** Bytes of keys and values so far. */
  #contentBytes = 0;
  /** A copy of `#bytes` from `#sharedStart` on, which values point into. */
  #shared = NO_MEMORY;
  #sharedStart = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  writes(): readonly Write<KvOperation>[] {
    const format = this.#number();
    if (format !== PACKED_FORMAT) throw malformed(`packed writes of format ${format}, only ${PACKED_FORMAT} is known`);
    const count = this.#number();
    const left = this.#bytes.length - this.#at;
    if (count > LIST_SIZE_MAX) throw malformed(`${count} writes, at most ${LIST_SIZE_MAX} are allowed`);
    if (count * WRITE_BYTES_MIN > left) throw malformed(`${count} writes where ${left} bytes are left`);
    const writes: Write<KvOperation>[] = [];
    let acceptTime = 0;
    try {
      while (writes.length < count) {
        const write = this.#write(acceptTime);
        acceptTime = write.acceptTime;
        writes.push(write);
      }
    } catch (thrown) {
      throw located(thrown, `[${writes.length}]`);
    }
    if (this.#at < this.#bytes.length) throw malformed(`${this.#bytes.length - this.#at} bytes after the last write`);
    return writes;
  }

  #write(timeBefore: number): Write<KvOperation> {
    let field = 'origin';
    try {
      const word = this.#number();
      const marks = word % 4;
      const origin = this.#origin(Math.floor(word / 4));
      field = 'client';
      const place = this.#client();
      const client = this.#clients[place] as ClientId;
      field = 'acceptTime';
      const acceptTime = this.#timeAfter(timeBefore, 1);
      field = 'clientTime';
      const clientTime = this.#timeAfter(this.#clientTimes[place] as number, 0);
      this.#clientTimes[place] = clientTime;
      field = 'key';
      const key = this.#key();
      field = 'operation';
      const operation = this.#operation();
      const write: Write<KvOperation> = { origin, acceptTime, client, clientTime, key, operation };
      return marks === 0 ? write : marked(write, marks % 2 === 1, marks >= PACKED_PART);
    } catch (thrown) {
      throw located(thrown, `.${field}`);
    }
  }

  #origin(place: number): Origin {
    const origins = this.#origins;
    checkPlace(place, origins.length);
    if (place === origins.length) {
      const id = this.#id() as ReplicaId;
      const incarnation = this.#number();
      if (incarnation < 1) throw new FieldError('ERR_INVALID_TIME', 'an incarnation of 0');
      origins.push(originOf(id, incarnation));
    }
    return origins[place] as Origin;
  }

  /** The client's place. */
  #client(): number {
    const clients = this.#clients;
    const place = this.#number();
    checkPlace(place, clients.length);
    if (place === clients.length) {
      clients.push(this.#id() as ClientId);
      this.#clientTimes.push(0);
    }
    return place;
  }

  #id(): string {
    const length = this.#number();
    if (length > idBytesMax)
      throw new FieldError('ERR_INVALID_ID', `${length} bytes, at most ${idBytesMax} are allowed`);
    const at = this.#take(length);
    if (!isUtf8(this.#bytes.subarray(at, at + length))) throw new FieldError('ERR_INVALID_ID', 'it is not UTF-8');
    const id = this.#bytes.toString('utf8', at, at + length);
    const error = checkId(id);
    if (error !== null) throw new FieldError(error.code, error.message);
    return id;
  }

  #key(): string {
    const shared = this.#number();
    const length = this.#number();
    const end = shared + length;
    if (shared > this.#keyLength) throw malformed(`${shared} bytes shared with a key of ${this.#keyLength}`);
    if (end < 1 || end > keyBytesMax) {
      throw new FieldError('ERR_INVALID_KEY', `${end} bytes, where 1 to ${keyBytesMax} are allowed`);
    }
    this.#count(end);
    const from = this.#take(length) - shared;
    let ascii = Math.min(this.#keyAscii, shared);
    if (length > SHORT_BYTES) this.#bytes.copy(KEY, shared, from + shared, from + end);
    else for (let i = shared; i < end; i++) KEY[i] = this.#bytes[from + i] as number;
    if (ascii === shared) while (ascii < end && (KEY[ascii] as number) < 0x80) ascii++;
    this.#keyAscii = ascii;
    this.#keyLength = end;
    if (ascii === end) return KEY.toString('latin1', 0, end);
    if (!isUtf8(KEY.subarray(0, end))) throw new FieldError('ERR_INVALID_KEY', 'it is not UTF-8');
    return KEY.toString('utf8', 0, end);
  }

  #operation(): KvOperation {
    const word = this.#number();
    if (word === PACKED_DELETE) return { kind: 'delete' };
    if (word >= PACKED_PUT) return { kind: 'put', value: this.#body(word - PACKED_PUT, PUT) };
    const kind = this.#number();
    // One operation has one form: these have others.
    if (kind === PUT || kind === DELETE) throw malformed(`a put or a delete as kind ${kind}`);
    const body = this.#body(this.#number(), kind);
    try {
      return kvOperationCodec.decode(kind, body);
    } catch (thrown) {
      if (thrown instanceof RangeError) throw new FieldError('ERR_INVALID_VALUE', thrown.message);
      throw thrown;
    }
  }

  #body(length: number, kind: number): Uint8Array {
    const bytesMax = kvOperationCodec.bodyBytesMax(kind);
    if (length > bytesMax) throw new FieldError('ERR_INVALID_VALUE', `${length} bytes, where ${bytesMax} are allowed`);
    this.#count(length);
    return this.#copy(this.#take(length), length);
  }

  /** A copy of `length` bytes, which may share its memory with those of other values. */
  #copy(at: number, length: number): Uint8Array {
    if (length === 0) return NO_MEMORY;
    if (length >= ALONE_BYTES_MIN) return this.#copyAlone(at, length);
    if (at + length > this.#sharedStart + this.#shared.length) {
      this.#sharedStart = at;
      this.#shared = this.#copyAlone(at, Math.min(SHARED_BYTES, this.#bytes.length - at));
    }
    return new Uint8Array(this.#shared.buffer, at - this.#sharedStart, length);
  }

  #copyAlone(at: number, length: number): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(length);
    this.#bytes.copy(copy, 0, at, at + length);
    return copy;
  }

  /** What stands shortened in the bytes, as keys do, is counted in full: it must not come to more than a frame holds. */
  #count(bytes: number): void {
    this.#contentBytes += bytes;
    if (this.#contentBytes > FRAME_BYTES_MAX) throw malformed(`keys and values of more than ${FRAME_BYTES_MAX} bytes`);
  }

  #timeAfter(before: number, min: number): number {
    const time = before + this.#difference();
    // A sum that had to be rounded is out of bounds too.
    if (!Number.isSafeInteger(time) || time < min) {
      throw new FieldError('ERR_INVALID_TIME', `not a whole number from ${min} to 2^53 - 1`);
    }
    return time;
  }

  #number(): number {
    const first = this.#bytes[this.#take(1)] as number;
    if (first < 0x80) return first;
    const number = this.#rest(first & 0x7f, 0x80);
    if (number > Number.MAX_SAFE_INTEGER) throw malformed('a number beyond 2^53 - 1');
    return number;
  }

  #difference(): number {
    const first = this.#bytes[this.#take(1)] as number;
    let size = (first & 0x7f) >> 1;
    if (first >= 0x80) size = this.#rest(size, 0x40);
    return (first & 1) === 0 ? size : -size - 1;
  }

  /** The rest of a number of which `value` is read, up to `factor`. */
  #rest(value: number, factor: number): number {
    let sum = value;
    let weight = factor;
    for (let i = 1; i < NUMBER_BYTES_MAX; i++) {
      const byte = this.#bytes[this.#take(1)] as number;
      sum += (byte & 0x7f) * weight;
      if (byte < 0x80) return sum;
      weight *= 0x80;
    }
    throw malformed(`a number of more than ${NUMBER_BYTES_MAX} bytes`);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#bytes.length - at) throw malformed('the bytes end in the middle of a write');
    this.#at = at + bytes;
    return at;
  }
}

function checkPlace(place: number, size: number): void {
  if (place > size) throw malformed(`place ${place} where ${size} are taken`);
}
