import { crc32, deflateRawSync } from 'node:zlib';
import { BaristaError } from '../base/errors.js';
import { type Done, fail, succeed } from '../base/outcome.js';
import { inflated } from '../rpc/compression.js';
import { FieldError } from '../rpc/field-error.js';
import { FRAME_BYTES_MAX } from '../rpc/limits.js';

/*
 * A bundle is the nine bytes of MAGIC, then blocks: a head, any number of parts, an end. A block is its kind, one byte; how
 * many bytes its content takes deflated, four bytes; a checksum, four bytes, big-endian like all of Thrift; its content: a
 * struct of barista.thrift in the binary protocol, as one raw deflate stream. The checksum is the CRC-32 of all before it in
 * the file that is no checksum, and of the block without it: so blocks that are missing, twice or of another bundle show.
 */

/** Begins with a byte that no text has; ends with the version of the format. */
const MAGIC: Buffer = Buffer.from([0x89, ...Buffer.from('BARISTA'), 1]);
const VERSION_AT = MAGIC.length - 1;

const HEAD_BYTES = 9;
const SUMMED_BYTES = 5;

/** As on the wire: higher levels take several times as long to save a few percent. */
const LEVEL = 1;

/** Deflate makes what cannot be deflated a little longer. */
const CONTENT_BYTES_MAX = FRAME_BYTES_MAX + 64 * 1024;

const KINDS = ['head', 'part', 'end'] as const;

export type BlockKind = (typeof KINDS)[number];

/** A place in a bundle between two blocks. */
export interface Place {
  readonly at: number;
  /** Of all before it. */
  readonly checksum: number;
}

export interface Block {
  readonly kind: BlockKind;
  /** Inflated. */
  readonly content: Buffer;
  /** Where the next one begins. */
  readonly next: Place;
}

/** The bytes of a bundle, wherever they are. */
export interface BundleBytes {
  readonly size: number;
  /** Answers with that many bytes from `at`, all of them before `size`. */
  read(at: number, length: number, done: Done<Buffer>): void;
}

/** How a bundle begins, and where its first block does. */
export const START: { readonly bytes: Buffer; readonly next: Place } = {
  bytes: MAGIC,
  next: { at: MAGIC.length, checksum: crc32(MAGIC) },
};

/** A block as it stands at a place, and the place after it. */
export function makeBlock(
  kind: BlockKind,
  content: Buffer,
  place: Place,
): { readonly bytes: Buffer; readonly next: Place } {
  const deflated = deflateRawSync(content, { level: LEVEL });
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(KINDS.indexOf(kind) + 1, 0);
  head.writeUInt32BE(deflated.length, 1);
  const checksum = checksumOf(head, deflated, place);
  head.writeUInt32BE(checksum, SUMMED_BYTES);
  const bytes = Buffer.concat([head, deflated]);
  return { bytes, next: { at: place.at + bytes.length, checksum } };
}

/** Checks that the bytes begin as a bundle does; answers with where its first block is. */
export function readStart(bytes: BundleBytes, done: Done<Place>): void {
  if (bytes.size < MAGIC.length) return done(fail(damaged(0, 'it is no bundle, or cut off')));
  bytes.read(0, MAGIC.length, (outcome) => {
    if (!outcome.ok) return done(outcome);
    if (outcome.value.equals(MAGIC)) return done(succeed(START.next));
    const isKnown = outcome.value.subarray(0, VERSION_AT).equals(MAGIC.subarray(0, VERSION_AT));
    const what = isKnown ? `its format is ${outcome.value[VERSION_AT]}, where 1 can be read` : 'it is no bundle';
    done(fail(damaged(0, what)));
  });
}

/** The block at a place, its checksum proved. */
export function readBlock(bytes: BundleBytes, place: Place, done: Done<Block>): void {
  const { at } = place;
  if (at + HEAD_BYTES > bytes.size) return done(fail(damaged(at, 'it is cut off')));
  bytes.read(at, HEAD_BYTES, (head) => {
    if (!head.ok) return done(head);
    const kind = KINDS[head.value.readUInt8(0) - 1];
    const length = head.value.readUInt32BE(1);
    if (kind === undefined || length > CONTENT_BYTES_MAX) return done(fail(damaged(at, 'no block begins there')));
    if (at + HEAD_BYTES + length > bytes.size) return done(fail(damaged(at, 'it is cut off')));
    bytes.read(at + HEAD_BYTES, length, (deflated) => {
      if (!deflated.ok) return done(deflated);
      const checksum = checksumOf(head.value, deflated.value, place);
      if (checksum !== head.value.readUInt32BE(SUMMED_BYTES)) {
        return done(fail(damaged(at, 'a block is not what was written')));
      }
      const content = inflate(deflated.value);
      if (typeof content === 'string') return done(fail(damaged(at, content)));
      done(succeed({ kind, content, next: { at: at + HEAD_BYTES + length, checksum } }));
    });
  });
}

export function damaged(at: number, what: string): BaristaError {
  return new BaristaError('ERR_BUNDLE', `the bundle cannot be used, from byte ${at} on: ${what}`);
}

function checksumOf(head: Buffer, deflated: Buffer, { checksum }: Place): number {
  return crc32(deflated, crc32(head.subarray(0, SUMMED_BYTES), checksum));
}

function inflate(deflated: Buffer): Buffer | string {
  try {
    return inflated(deflated);
  } catch (thrown) {
    if (thrown instanceof FieldError) return thrown.message;
    throw thrown;
  }
}
