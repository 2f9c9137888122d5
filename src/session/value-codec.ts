import { markAsUntransferable } from 'node:worker_threads';
import { BaristaError, messageOf } from '../base/errors.js';
import { Slab } from '../base/slab.js';

/** How a program's values stand in the store. What `encode` throws refuses the value, where it enters. */
export interface ValueCodec<V> {
  /** For messages: "utf8", "json". */
  readonly name: string;
  /** True if the bytes of one value and then those of another are a value too: that is what `append` makes. Default: false. */
  readonly concatenates?: boolean;
  /** The bytes of a value, at most 1 MiB. Throws if it is not one. */
  encode(value: V): Uint8Array;
  /** Throws if the bytes are no such value: another program may have put them there. Does not keep or change them. */
  decode(bytes: Uint8Array): V;
}

/** What JSON can say. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text, as UTF-8. Refuses text with half of a surrogate pair, which has no such form. */
export const utf8: ValueCodec<string> = {
  name: 'utf8',
  concatenates: true,
  encode: (value) => {
    if (typeof value !== 'string') throw new TypeError(`a string is wanted, not ${kindOf(value)}`);
    if (!isWellFormed(value)) throw new TypeError('it holds half of a surrogate pair, which has no UTF-8 form');
    return encoder.encode(value);
  },
  decode: (bytes) => decoder.decode(bytes),
};

/** Bytes sent elsewhere are copied, not taken away from the values that share their buffer. */
const slab = new Slab(markAsUntransferable);

/**
 * Bytes, as they are: copied when they enter, and when they are read. Short values that were read share a buffer, as those of
 * `Buffer.from` do: what is in one begins at its `byteOffset`.
 */
export const binary: ValueCodec<Uint8Array> = {
  name: 'binary',
  concatenates: true,
  encode: (value) => {
    if (!(value instanceof Uint8Array)) throw new TypeError(`a Uint8Array is wanted, not ${kindOf(value)}`);
    return new Uint8Array(value);
  },
  decode: (bytes) => slab.copyOf(bytes),
};

/**
 * JSON. `isValue` says whether what was parsed, or handed in, is a V; without it the type is taken on trust. Refuses what JSON
 * would silently lose: NaN and infinities, functions, symbols, and undefined but as a property.
 */
export function json<V = JsonValue>(isValue?: (value: unknown) => value is V): ValueCodec<V> {
  const checked = (value: unknown): V => {
    if (isValue !== undefined && !isValue(value)) throw new TypeError('it is not what the codec takes');
    return value as V;
  };
  return {
    name: 'json',
    encode: (value) => {
      const text: string | undefined = JSON.stringify(checked(value), refuseLossy);
      if (text === undefined) throw new TypeError(`JSON has no ${kindOf(value)}`);
      return utf8.encode(text);
    },
    decode: (bytes) => checked(JSON.parse(decoder.decode(bytes))),
  };
}

function refuseLossy(this: unknown, key: string, value: unknown): unknown {
  const isLost =
    (typeof value === 'number' && !Number.isFinite(value)) ||
    typeof value === 'function' ||
    typeof value === 'symbol' ||
    (value === undefined && Array.isArray(this));
  if (isLost) throw new TypeError(`JSON has no ${typeof value === 'number' ? value : kindOf(value)}, at "${key}"`);
  return value;
}

/** The bytes of `value`; ERR_INVALID_VALUE if the codec does not take it, with what it said as the cause. */
export function encodeValue<V>(codec: ValueCodec<V>, value: V): Uint8Array {
  try {
    return codec.encode(value);
  } catch (thrown) {
    throw wrongValue(`the codec ${codec.name} does not take the value: ${messageOf(thrown)}`, thrown);
  }
}

/** The value of `bytes`; ERR_INVALID_VALUE if the codec cannot read them. */
export function decodeValue<V>(codec: ValueCodec<V>, key: string, bytes: Uint8Array): V {
  try {
    return codec.decode(bytes);
  } catch (thrown) {
    const what = `the codec ${codec.name} cannot read the value of ${JSON.stringify(key)}: ${messageOf(thrown)}`;
    throw wrongValue(what, thrown);
  }
}

function wrongValue(message: string, thrown: unknown): BaristaError {
  return thrown instanceof BaristaError ? thrown : new BaristaError('ERR_INVALID_VALUE', message, { cause: thrown });
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** Node 20 has String.prototype.isWellFormed, which the types of ES2023 lack. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
