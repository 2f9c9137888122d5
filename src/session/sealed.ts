import { crc32 } from 'node:zlib';
import { BaristaError } from '../base/errors.js';
import { ByteReader } from './token-bytes.js';

/** A token for as many origins as a vector can have, with the longest ids. */
const CHARS_MAX = 8 * 1024 * 1024;

/** What each kind of text begins with, so that one is not taken for another. */
const KINDS = { token: 0x73, cursor: 0x63, 'watch cursor': 0x77, 'conflict cursor': 0x78 } as const;

export type Kind = keyof typeof KINDS;

/** What kind the text says that it is; null if it says none. */
export function kindOf(text: string): Kind | null {
  const [first] = Buffer.from(text.slice(0, 4), 'base64url');
  return (Object.keys(KINDS) as Kind[]).find((kind) => KINDS[kind] === first) ?? null;
}

/** What it is, bytes, and the CRC-32 of both, as URL-safe base64. */
export function seal(kind: Kind, bytes: Buffer): string {
  const body = Buffer.concat([Buffer.of(KINDS[kind]), bytes]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([body, checksum]).toString('base64url');
}

/** The bytes back, all of which `read` reads. Throws ERR_TOKEN for what is damaged, another kind, or says what cannot be. */
export function open<T>(kind: Kind, text: string, read: (bytes: ByteReader) => T): T {
  const wrong = (why: string, cause?: unknown): BaristaError =>
    new BaristaError('ERR_TOKEN', `the ${kind} ${why}`, { cause });
  if (typeof text !== 'string' || text.length > CHARS_MAX) throw wrong('is not a string, or too long');
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length < 5 || bytes.toString('base64url') !== text) throw wrong('is cut off, or not URL-safe base64');
  const body = bytes.subarray(0, -4);
  if (bytes.readUInt32BE(body.length) !== crc32(body)) throw wrong('is damaged: its checksum does not match');
  if (body[0] !== KINDS[kind]) throw wrong('is something else');
  const reader = new ByteReader(body.subarray(1));
  try {
    const value = read(reader);
    if (reader.left > 0) throw new RangeError('bytes after its end');
    return value;
  } catch (thrown) {
    throw thrown instanceof BaristaError ? thrown : wrong('says what cannot be', thrown);
  }
}
