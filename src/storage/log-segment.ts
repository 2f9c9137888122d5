import { BaristaError } from '../base/errors.js';

/*
 * How a segment of a write-ahead log looks. All numbers are little-endian.
 *
 *     segment = header group*
 *     header  = magic(8) version(4) segment(4) previousLength(4) previousCheck(4) checksum(4)
 *     group   = BEGIN(1) length(4) payloadChecksum(4) headerChecksum(4) payload(length) END(1)
 *     payload = (recordLength(4) record)+
 *
 * A group is what one flush made durable. Its header checksum also covers the segment's number and the group's place in
 * the file, so that bytes of another place or file are not taken for it. The header of a segment says how long the one
 * before it was and which group ended it, so that a segment that lost its end, or is of another log, is found out.
 *
 * What power loss can leave
 *
 * A group is written only after the one before it was synced, and a segment is created only after the last group of
 * the one before it was. So whatever is followed by anything was synced, and only the last group of the last segment
 * (with the segment's header, if it is the first) may be torn. We count on this of a file system: synced bytes stay; of
 * unsynced ones any set of sectors may be there, in any order; a sector is written whole or not; what was not written
 * reads as zeros or is beyond the end of the file; a file may have zeros behind its last group in any case. (Zeros, not what the disk held before: ext4 with data=ordered or
 * data=journal, XFS, Btrfs, ZFS, APFS and NTFS keep that; ext4 with data=writeback does not, and a torn group may there
 * be refused as damage: an availability risk, never a loss.)
 *
 * So a group that is not whole is torn, and dropped, if
 * - the file ends before the group does, or
 * - it ends the file, and a sector of it is all zeros (a group whose header is in such a sector does not say where it
 *   ends; then no sound header of a later group may follow).
 * Everything else is damage to synced data, and refused. BEGIN and END are there so that the pieces of a group in its
 * first and last sector, however small, are never zeros by themselves.
 *
 * What stays undecided: the last group was synced and answered for, and then lost its end, or was damaged while one of
 * its sectors holds nothing but zeros, by itself or by the damage. It is then taken for torn. So is a log whose whole
 * end, back to some group, became zeros, or was cut off. Nothing in the log itself can tell these from power loss.
 */

/** Such as CRC-32; gives a whole number in [0, 2^32). */
export type Checksum = (bytes: Uint8Array) => number;

export const RECORD_BYTES_MAX = 64 * 1024 * 1024;
/** The payload of a group: its records with four bytes each. */
export const GROUP_BYTES_MAX = 256 * 1024 * 1024;
export const SEGMENT_NUMBER_MAX = 99_999_999;

export const SEGMENT_HEADER_BYTES = 28;
export const GROUP_HEADER_BYTES = 13;
export const GROUP_END_BYTES = 1;
export const RECORD_HEADER_BYTES = 4;

const FORMAT_VERSION = 1;
const MAGIC = [0x42, 0x72, 0x73, 0x74, 0x61, 0x4c, 0x6f, 0x67] as const; // BrstaLog
// More than one bit each, so that no flipped bit makes them zero.
const BEGIN = 0xb5;
const END = 0xa7;

/** The end of a segment as the next one's header states it. */
export interface SegmentEnd {
  readonly length: number;
  /** The header checksum of its last group. */
  readonly check: number;
}

/** What the first segment of a log says of the one before it. */
export const NO_SEGMENT: SegmentEnd = { length: 0, check: 0 };

export function segmentName(segment: number): string {
  return `log-${String(segment).padStart(8, '0')}`;
}

/** Undefined if it is not the name of a segment. */
export function segmentOfName(name: string): number | undefined {
  return /^log-\d{8}$/.test(name) ? Number(name.slice(4)) : undefined;
}

export function corruptLog(name: string, offset: number, what: string): BaristaError {
  return new BaristaError('ERR_CORRUPT', `${name}, offset ${offset}: ${what}`);
}

/** Writes the header of `segment` to the start of `target`. */
export function writeSegmentHeader(
  target: Uint8Array,
  segment: number,
  previous: SegmentEnd,
  checksum: Checksum,
): void {
  const view = new DataView(target.buffer, target.byteOffset, SEGMENT_HEADER_BYTES);
  target.set(MAGIC);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(12, segment, true);
  view.setUint32(16, previous.length, true);
  view.setUint32(20, previous.check, true);
  view.setUint32(24, checksum(target.subarray(0, 24)), true);
}

/**
 * Writes the header and the end of the group that fills `target`, whose payload is already there, to go to `offset` of
 * `segment`. Gives the group's check.
 */
export function sealGroup(target: Uint8Array, segment: number, offset: number, checksum: Checksum): number {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  const end = target.length - GROUP_END_BYTES;
  const payloadChecksum = checksum(target.subarray(GROUP_HEADER_BYTES, end));
  const check = headerCheck(segment, offset, end - GROUP_HEADER_BYTES, payloadChecksum, checksum);
  view.setUint8(0, BEGIN);
  view.setUint32(1, end - GROUP_HEADER_BYTES, true);
  view.setUint32(5, payloadChecksum, true);
  view.setUint32(9, check, true);
  view.setUint8(end, END);
  return check;
}

function headerCheck(
  segment: number,
  offset: number,
  length: number,
  payloadChecksum: number,
  checksum: Checksum,
): number {
  const fields = new DataView(new ArrayBuffer(16));
  fields.setUint32(0, segment, true);
  fields.setUint32(4, offset, true);
  fields.setUint32(8, length, true);
  fields.setUint32(12, payloadChecksum, true);
  return checksum(new Uint8Array(fields.buffer));
}

interface GroupHeader {
  readonly length: number;
  readonly payloadChecksum: number;
  readonly check: number;
}

/** A segment's bytes, read front to back. */
export class SegmentReader {
  readonly #segment: number;
  readonly #name: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #checksum: Checksum;
  readonly #sectorBytes: number;

  constructor(segment: number, bytes: Uint8Array, checksum: Checksum, sectorBytes: number) {
    this.#segment = segment;
    this.#name = segmentName(segment);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#checksum = checksum;
    this.#sectorBytes = sectorBytes;
  }

  /**
   * Calls `replay` for each record, a group's only after the whole group was found sound, and gives where the sound
   * part ends. `previous` is null if the segment before is not there any more. Only the last segment may be empty, or
   * end torn. Throws ERR_CORRUPT.
   */
  read(previous: SegmentEnd | null, isLast: boolean, replay: (record: Uint8Array) => void): SegmentEnd {
    if (isLast && this.#bytes.length === 0) return NO_SEGMENT;
    const headerFault = this.#headerFault(previous);
    if (headerFault !== undefined) {
      const { offset, what, mayBeTorn } = headerFault;
      if (isLast && mayBeTorn && this.#isTornHeader(0, SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES)) return NO_SEGMENT;
      throw corruptLog(this.#name, offset, what);
    }
    let end: SegmentEnd = NO_SEGMENT;
    let offset = SEGMENT_HEADER_BYTES;
    do {
      // The header of a segment is written with its first group.
      const written = end.length;
      const group = this.#groupHeader(offset);
      if (group === undefined) {
        if (isLast && this.#isTornHeader(written, offset + GROUP_HEADER_BYTES, offset)) return end;
        throw corruptLog(this.#name, offset, 'no group of records begins here, or its header is damaged');
      }
      const next = offset + GROUP_HEADER_BYTES + group.length + GROUP_END_BYTES;
      const payload = this.#bytes.subarray(offset + GROUP_HEADER_BYTES, next - GROUP_END_BYTES);
      const isWhole = next <= this.#bytes.length && this.#bytes[next - GROUP_END_BYTES] === END;
      if (!isWhole || this.#checksum(payload) !== group.payloadChecksum) {
        const endsFile = next >= this.#bytes.length;
        if (isLast && endsFile && (next > this.#bytes.length || this.#hasZeroSector(written, written, next)))
          return end;
        throw corruptLog(this.#name, offset, `the group of ${group.length} bytes here does not match its checksum`);
      }
      this.#replayGroup(payload, offset + GROUP_HEADER_BYTES, replay);
      end = { length: next, check: group.check };
      offset = next;
    } while (offset < this.#bytes.length);
    return end;
  }

  #headerFault(
    previous: SegmentEnd | null,
  ): { readonly offset: number; readonly what: string; readonly mayBeTorn: boolean } | undefined {
    const bytes = this.#bytes;
    const view = this.#view;
    if (bytes.length < SEGMENT_HEADER_BYTES) {
      return { offset: bytes.length, what: 'the file ends within the header of the segment', mayBeTorn: true };
    }
    if (MAGIC.some((byte, i) => bytes[i] !== byte)) {
      return { offset: 0, what: 'this is no segment of a Barista log', mayBeTorn: true };
    }
    if (this.#checksum(bytes.subarray(0, 24)) !== view.getUint32(24, true)) {
      return { offset: 0, what: 'the header of the segment does not match its checksum', mayBeTorn: true };
    }
    const version = view.getUint32(8, true);
    if (version !== FORMAT_VERSION) {
      const what = `the segment has format version ${version}, and this version of Barista reads ${FORMAT_VERSION}`;
      return { offset: 8, what, mayBeTorn: false };
    }
    const segment = view.getUint32(12, true);
    if (segment !== this.#segment) {
      return { offset: 12, what: `this is segment ${segment} under the name of another`, mayBeTorn: false };
    }
    const length = view.getUint32(16, true);
    if (previous !== null && length !== previous.length) {
      const what = `the segment before this was ${length} bytes long when this began, and is now ${previous.length}`;
      return { offset: 16, what, mayBeTorn: false };
    }
    if (previous !== null && view.getUint32(20, true) !== previous.check) {
      return { offset: 20, what: 'this segment follows another than the one before it', mayBeTorn: false };
    }
    return undefined;
  }

  /** Undefined if no sound header of a group is at `offset`. */
  #groupHeader(offset: number): GroupHeader | undefined {
    if (offset + GROUP_HEADER_BYTES > this.#bytes.length || this.#bytes[offset] !== BEGIN) return undefined;
    const length = this.#view.getUint32(offset + 1, true);
    if (length < RECORD_HEADER_BYTES || length > GROUP_BYTES_MAX) return undefined;
    const payloadChecksum = this.#view.getUint32(offset + 5, true);
    const check = this.#view.getUint32(offset + 9, true);
    if (headerCheck(this.#segment, offset, length, payloadChecksum, this.#checksum) !== check) return undefined;
    return { length, payloadChecksum, check };
  }

  /**
   * Whether the headers that were written from `written` on and end at `headersEnd` may be unsound because the write
   * was torn; the group of that write begins at `group`.
   */
  #isTornHeader(written: number, headersEnd: number, group: number): boolean {
    if (this.#bytes.length < headersEnd) return true;
    if (!this.#hasZeroSector(written, written, headersEnd)) return false;
    const own = this.#groupHeader(group);
    if (own !== undefined && group + GROUP_HEADER_BYTES + own.length + GROUP_END_BYTES < this.#bytes.length) {
      return false;
    }
    const last = this.#bytes.length - GROUP_HEADER_BYTES;
    for (let offset = this.#bytes.indexOf(BEGIN, group + 1); offset !== -1 && offset <= last; ) {
      if (this.#groupHeader(offset) !== undefined) return false;
      offset = this.#bytes.indexOf(BEGIN, offset + 1);
    }
    return true;
  }

  /** Whether a sector that has a part in [from, to) is all zeros, as far as it was written from `written` on. */
  #hasZeroSector(written: number, from: number, to: number): boolean {
    const size = this.#sectorBytes;
    for (let sector = from - (from % size); sector < to; sector += size) {
      const end = Math.min(sector + size, this.#bytes.length);
      let at = Math.max(sector, written);
      while (at < end && this.#bytes[at] === 0) at++;
      if (at === end) return true;
    }
    return false;
  }

  #replayGroup(payload: Uint8Array, place: number, replay: (record: Uint8Array) => void): void {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    let at = 0;
    while (at < payload.length) {
      const from = at + RECORD_HEADER_BYTES;
      const to = from <= payload.length ? from + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
      if (to > payload.length) throw corruptLog(this.#name, place + at, 'a record here goes beyond its group');
      replay(payload.subarray(from, to));
      at = to;
    }
  }
}
