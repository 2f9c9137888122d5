import { hasControlCharacter } from '../base/checks.js';
import { type ErrorCode, isErrorCode } from '../base/errors.js';
import type { ClientId, ReplicaId } from '../base/ids.js';
import { DEFAULT_LIMITS, utf8Length } from '../base/limits.js';
import { FieldError, malformed } from './field-error.js';
import { LIST_SIZE_MAX } from './limits.js';
import { type Codec, mapped } from './schema.js';
import { WireType } from './thrift.js';

/*
 * The scalars of barista.thrift, each with what it may be. Every value is checked here, on its way in and on its way
 * out, so that no other room need doubt an id, a key, a value or a time.
 */

interface TextRules {
  readonly bytesMin: number;
  readonly bytesMax: number;
  /** The code of what breaks the rules. */
  readonly code: ErrorCode;
  readonly controlCharacters: boolean;
}

function textOf({ bytesMin, bytesMax, code, controlCharacters }: TextRules): Codec<string> {
  const checkLength = (bytes: number): void => {
    if (bytes < bytesMin || bytes > bytesMax) {
      throw new FieldError(code, `${bytes} bytes, where ${bytesMin} to ${bytesMax} are allowed`);
    }
  };
  const checkCharacters = (text: string): void => {
    if (!controlCharacters && hasControlCharacter(text)) throw new FieldError(code, 'it holds a control character');
  };
  return {
    shape: { kind: 'string' },
    wireType: WireType.string,
    read: (reader) => {
      const length = reader.length();
      checkLength(length);
      const text = reader.text(length);
      if (text === null) throw new FieldError(code, 'it is not UTF-8');
      checkCharacters(text);
      return text;
    },
    write: (writer, text) => {
      const length = utf8Length(text);
      if (length < 0) throw new FieldError(code, 'it holds a lone surrogate, which has no UTF-8 form');
      checkLength(length);
      checkCharacters(text);
      writer.text(text, length);
    },
  };
}

const id = textOf({
  bytesMin: 1,
  bytesMax: DEFAULT_LIMITS.idBytesMax,
  code: 'ERR_INVALID_ID',
  controlCharacters: false,
});

// The brands say what `id` has checked.
export const clientId = id as Codec<ClientId>;
export const replicaId = id as Codec<ReplicaId>;
export const clusterName: Codec<string> = id;

export const key: Codec<string> = textOf({
  bytesMin: 1,
  bytesMax: DEFAULT_LIMITS.keyBytesMax,
  code: 'ERR_INVALID_KEY',
  controlCharacters: true,
});

/** Of a set. */
export const member: Codec<string> = textOf({
  bytesMin: 0,
  bytesMax: DEFAULT_LIMITS.memberBytesMax,
  code: 'ERR_INVALID_VALUE',
  controlCharacters: true,
});

/** Whether it is one is looked at with its operation. */
export const procedureName: Codec<string> = textOf({
  bytesMin: 1,
  bytesMax: 256,
  code: 'ERR_INVALID_VALUE',
  controlCharacters: false,
});

/** The longest name the domain name system has. */
export const host: Codec<string> = textOf({
  bytesMin: 1,
  bytesMax: 255,
  code: 'ERR_PROTOCOL',
  controlCharacters: false,
});

/** For people; a text of ours that is longer, or not well-formed, is cut and mended rather than refused. */
export const message: Codec<string> = mapped(
  textOf({ bytesMin: 0, bytesMax: 64 * 1024, code: 'ERR_PROTOCOL', controlCharacters: true }),
  (text) => text,
  (text) => Buffer.from(text.slice(0, 16 * 1024)).toString(),
);

/** A code as it stands on the wire; one this version does not know comes from a newer one. */
export const errorCodeText: Codec<string> = textOf({
  bytesMin: 0,
  bytesMax: 256,
  code: 'ERR_PROTOCOL',
  controlCharacters: true,
});

export const errorCode: Codec<ErrorCode> = mapped(
  errorCodeText,
  (text) => (isErrorCode(text) ? text : 'ERR_PROTOCOL'),
  (code) => code,
);

export const value: Codec<Uint8Array> = {
  shape: { kind: 'binary' },
  wireType: WireType.string,
  read: (reader) => {
    const length = reader.length();
    checkValueLength(length);
    return reader.bytes(length);
  },
  write: (writer, bytes) => {
    checkValueLength(bytes.length);
    writer.bytes(bytes);
  },
};

function checkValueLength(bytes: number): void {
  if (bytes > DEFAULT_LIMITS.valueBytesMax) {
    throw new FieldError('ERR_INVALID_VALUE', `${bytes} bytes, where ${DEFAULT_LIMITS.valueBytesMax} are allowed`);
  }
}

function timeFrom(min: number): Codec<number> {
  const check = (time: number): number => {
    if (!Number.isSafeInteger(time) || time < min) {
      throw new FieldError('ERR_INVALID_TIME', `not a whole number from ${min} to 2^53 - 1`);
    }
    return time;
  };
  return {
    shape: { kind: 'i64' },
    wireType: WireType.i64,
    read: (reader) => check(reader.i64()),
    write: (writer, time) => writer.i64(check(time)),
  };
}

export const time: Codec<number> = timeFrom(0);
export const incarnation: Codec<number> = timeFrom(1);

/** A whole number within 2^53 - 1. */
export const integer: Codec<number> = {
  shape: { kind: 'i64' },
  wireType: WireType.i64,
  read: (reader) => checkInteger(reader.i64()),
  write: (writer, number) => writer.i64(checkInteger(number)),
};

function checkInteger(number: number): number {
  if (Number.isSafeInteger(number)) return number;
  throw new FieldError('ERR_INVALID_VALUE', 'not a whole number within 2^53 - 1');
}

function i32From(min: number, max = 0x7fff_ffff): Codec<number> {
  const check = (number: number): number => {
    if (!Number.isInteger(number) || number < min || number > max) {
      throw malformed(`${number} is not a whole number from ${min} to ${max}`);
    }
    return number;
  };
  return {
    shape: { kind: 'i32' },
    wireType: WireType.i32,
    read: (reader) => check(reader.i32()),
    write: (writer, number) => writer.i32(check(number)),
  };
}

/** Any version may be said, so that a mismatch is found by who compares them. */
export const protocolVersion: Codec<number> = i32From(-0x8000_0000);
export const port: Codec<number> = i32From(1, 65_535);
export const bytesMax: Codec<number> = i32From(1);
export const exceptionType: Codec<number> = i32From(-0x8000_0000);
export const milliseconds: Codec<number> = i32From(0);
export const count: Codec<number> = i32From(0);
/** How many elements a reply may have. More than a list can have means as many as it can. */
export const elementsMax: Codec<number> = mapped(
  i32From(1),
  (count) => Math.min(count, LIST_SIZE_MAX),
  (count) => count,
);
