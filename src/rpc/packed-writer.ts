import { checkId } from '../base/checks.js';
import { BaristaError } from '../base/errors.js';
import { type ClientId, incarnationOf, type Origin, replicaIdOf } from '../base/ids.js';
import { DEFAULT_LIMITS, utf8Length } from '../base/limits.js';
import type { Write } from '../bayou/write.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../machine/kv.js';
import { FieldError, located, malformed } from './field-error.js';
import { FRAME_BYTES_MAX, LIST_SIZE_MAX } from './limits.js';
import {
  NUMBER_BYTES_MAX,
  PACKED_DELETE,
  PACKED_FORMAT,
  PACKED_OTHER,
  PACKED_PART,
  PACKED_PUT,
  PACKED_RESUBMITTED,
} from './packed-format.js';

const { idBytesMax, keyBytesMax } = DEFAULT_LIMITS;
const { bodyOf, kindOf, bodyBytesMax } = kvOperationCodec;
const PUT = kindOf({ kind: 'put', value: new Uint8Array() });

/** In UTF-8, of each unit of a text. */
const BYTES_A_UNIT_MAX = 3;

/** A write without its value takes at most this: twelve numbers, two ids, a key, and the digits of an increment. */
const HEAD_BYTES_MAX = 15 * NUMBER_BYTES_MAX + 2 * idBytesMax + keyBytesMax;

const CAPACITY_MIN = 64 * 1024;

/** A larger buffer is not kept for the next writes; the largest batch that a replica sends fits. */
const CAPACITY_KEPT_MAX = 8 * 1024 * 1024;

/** Below this, copying byte by byte is faster than a call into the runtime. */
const SHORT_BYTES = 48;

/** Packs writes in the format that PackedWrites of barista.thrift describes. The bytes are good until the next call. */
export function packWrites(writes: readonly Write<KvOperation>[]): Buffer {
  PACKER.begin(writes.length);
  let index = 0;
  try {
    for (; index < writes.length; index++) PACKER.write(writes[index] as Write<KvOperation>);
  } catch (thrown) {
    throw located(thrown, `[${index}]`);
  } finally {
    PACKER.forget();
  }
  return PACKER.take();
}

class PackedWriter {
  #bytes = Buffer.allocUnsafeSlow(CAPACITY_MIN);
  #at = 0;
  readonly #origins = new Map<Origin, number>();
  readonly #clients = new Map<ClientId, number>();
  /** By the client's place, the client time of its last write. */
  readonly #clientTimes: number[] = [];
  #acceptTime = 0;
  /** The last write's key, in UTF-8. */
  readonly #key = Buffer.allocUnsafeSlow(keyBytesMax);
  #keyLength = 0;
  /** Bytes of keys and values so far. */
  #contentBytes = 0;

  begin(count: number): void {
    if (count > LIST_SIZE_MAX) throw malformed(`${count} writes, at most ${LIST_SIZE_MAX} are allowed`);
    this.#at = 0;
    this.#acceptTime = 0;
    this.#keyLength = 0;
    this.#contentBytes = 0;
    this.#number(PACKED_FORMAT);
    this.#number(count);
  }

  write({ origin, acceptTime, client, clientTime, key, operation, resubmitted, part }: Write<KvOperation>): void {
    this.#reserve(operation);
    let field = 'origin';
    try {
      this.#origin(origin, (resubmitted === true ? PACKED_RESUBMITTED : 0) + (part === true ? PACKED_PART : 0));
      field = 'client';
      const place = this.#client(client);
      field = 'acceptTime';
      this.#difference(checkTime(acceptTime, 1) - this.#acceptTime);
      this.#acceptTime = acceptTime;
      field = 'clientTime';
      this.#difference(checkTime(clientTime, 0) - (this.#clientTimes[place] as number));
      this.#clientTimes[place] = clientTime;
      field = 'key';
      this.#writeKey(key);
      field = 'operation';
      this.#operation(operation);
    } catch (thrown) {
      throw located(thrown, `.${field}`);
    }
  }

  /** Lets go of the origins and clients. */
  forget(): void {
    this.#origins.clear();
    this.#clients.clear();
    this.#clientTimes.length = 0;
  }

  /** What was written, good until more is. */
  take(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#at);
    if (this.#bytes.length > CAPACITY_KEPT_MAX) this.#bytes = Buffer.allocUnsafeSlow(CAPACITY_MIN);
    return bytes;
  }

  #origin(origin: Origin, marks: number): void {
    const place = this.#origins.get(origin);
    if (place !== undefined) {
      this.#number(4 * place + marks);
      return;
    }
    const incarnation = incarnationOf(origin);
    if (!Number.isSafeInteger(incarnation) || incarnation < 1) {
      throw new FieldError('ERR_INVALID_TIME', `${incarnation} is not an incarnation`);
    }
    this.#number(4 * this.#origins.size + marks);
    this.#origins.set(origin, this.#origins.size);
    this.#id(replicaIdOf(origin));
    this.#number(incarnation);
  }

  /** The client's place. */
  #client(client: ClientId): number {
    const known = this.#clients.get(client);
    const place = known ?? this.#clients.size;
    this.#number(place);
    if (known === undefined) {
      this.#clients.set(client, place);
      this.#clientTimes.push(0);
      this.#id(client);
    }
    return place;
  }

  #id(id: string): void {
    const error = checkId(id);
    if (error !== null) throw new FieldError(error.code, error.message);
    const length = utf8Length(id);
    this.#number(length);
    this.#at += this.#bytes.write(id, this.#at, length, 'utf8');
  }

  #writeKey(key: string): void {
    const length = utf8Length(key);
    if (length < 0) throw new FieldError('ERR_INVALID_KEY', 'it holds a lone surrogate, which has no UTF-8 form');
    if (length < 1 || length > keyBytesMax) {
      throw new FieldError('ERR_INVALID_KEY', `${length} bytes, where 1 to ${keyBytesMax} are allowed`);
    }
    this.#count(length);
    const shared = length === key.length ? this.#shareAscii(key) : this.#shareUtf8(key, length);
    this.#keyLength = length;
    this.#number(shared);
    this.#number(length - shared);
    this.#copy(this.#key, shared, length);
  }

  /** Makes `key` the last key; how many bytes at its beginning are those of the one before. */
  #shareAscii(key: string): number {
    const last = this.#key;
    const most = Math.min(this.#keyLength, key.length);
    let shared = 0;
    while (shared < most && last[shared] === key.charCodeAt(shared)) shared++;
    if (key.length > SHORT_BYTES) last.write(key, 'latin1');
    else for (let i = shared; i < key.length; i++) last[i] = key.charCodeAt(i);
    return shared;
  }

  #shareUtf8(key: string, length: number): number {
    const next = Buffer.from(key);
    const last = this.#key;
    const most = Math.min(this.#keyLength, length);
    let shared = 0;
    while (shared < most && last[shared] === next[shared]) shared++;
    last.set(next);
    return shared;
  }

  #operation(operation: KvOperation): void {
    if (operation.kind === 'delete') {
      this.#number(PACKED_DELETE);
      return;
    }
    const body = bodyOf(operation);
    const kind = kindOf(operation);
    const bytesMax = bodyBytesMax(kind);
    if (body.length > bytesMax) {
      throw new FieldError('ERR_INVALID_VALUE', `${body.length} bytes, where ${bytesMax} are allowed`);
    }
    this.#count(body.length);
    if (kind === PUT) {
      this.#number(body.length + PACKED_PUT);
    } else {
      this.#number(PACKED_OTHER);
      this.#number(kind);
      this.#number(body.length);
    }
    this.#copy(body, 0, body.length);
  }

  #copy(from: Uint8Array, start: number, end: number): void {
    const bytes = this.#bytes;
    const length = end - start;
    const at = this.#at;
    if (length <= SHORT_BYTES) for (let i = 0; i < length; i++) bytes[at + i] = from[start + i] as number;
    else bytes.set(start === 0 && end === from.length ? from : from.subarray(start, end), at);
    this.#at = at + length;
  }

  #count(bytes: number): void {
    this.#contentBytes += bytes;
    if (this.#contentBytes > FRAME_BYTES_MAX) {
      throw new BaristaError('ERR_FRAME_TOO_LARGE', `keys and values of more than ${FRAME_BYTES_MAX} bytes`);
    }
  }

  #number(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  /** The sign takes the lowest bit; the rest goes as a number does, so that no more than 53 bits are shifted. */
  #difference(difference: number): void {
    const sign = difference < 0 ? 1 : 0;
    const size = sign === 0 ? difference : -difference - 1;
    const first = ((size & 0x3f) << 1) | sign;
    if (size < 0x40) {
      this.#bytes[this.#at++] = first;
      return;
    }
    this.#bytes[this.#at++] = first | 0x80;
    this.#number(Math.floor(size / 0x40));
  }

  /** Room for one write. */
  #reserve(operation: KvOperation): void {
    // Of what is longer than that nothing is copied.
    const needed =
      this.#at +
      HEAD_BYTES_MAX +
      Math.min(BYTES_A_UNIT_MAX * kvMachine.sizeOf(operation), bodyBytesMax(kindOf(operation)));
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

/** Packing is never interrupted, so there is one for all. */
const PACKER = new PackedWriter();

function checkTime(time: number, min: number): number {
  if (Number.isSafeInteger(time) && time >= min) return time;
  throw new FieldError('ERR_INVALID_TIME', `not a whole number from ${min} to 2^53 - 1`);
}
