import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { codeOf } from './file-failure.js';

/*
 * What can be told of LMDB's file without LMDB, which ends the process when it is given a file that is none of its own.
 * The file begins with two meta pages, each of which says how large pages are and where its trees begin. On a 64-bit
 * machine with little-endian numbers:
 *
 *     page = number(8) txn(8) padding(2) flags(2) bounds(4) ...
 *     meta = magic(4) version(4) address(8) mapSize(8) freeTree(48) mainTree(48) lastPage(8) ...
 *     tree = pageSize(4) flags(2) depth(2) pages(24) entries(8) rootPage(8)
 */

const FLAGS = 18;
const META_FLAG = 0x08;
const MAGIC = 24;
const VERSION = 28;
const PAGE_SIZE = 48;
const FREE_ROOT = 88;
const MAIN_ROOT = 136;
const META_END = 160;
/** From the root of a tree back to how many entries it has. */
const ROOT_AFTER_ENTRIES = 8;

const MAGIC_NUMBER = 0xbeefc0de;
const DATA_VERSION = 2;
const NO_PAGE = 2n ** 64n - 1n;

/** Why the file in the folder of a table is none of LMDB; null if it may be, is not there, or is empty. */
export function tableFileFault(folder: string): string | null {
  const is64Bit = process.arch === 'x64' || process.arch === 'arm64';
  if (!is64Bit || endianness() !== 'LE') return null;
  let descriptor: number;
  try {
    descriptor = openSync(join(folder, 'data.mdb'), 'r');
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return null;
    throw thrown;
  }
  try {
    const { size } = fstatSync(descriptor);
    if (size === 0) return null;
    const first = metaAt(descriptor, 0, size);
    if (typeof first === 'string') return first;
    const second = metaAt(descriptor, first.pageSize, size);
    if (typeof second === 'string') return second;
    return first.pageSize === second.pageSize ? null : 'its meta pages disagree on the size of pages';
  } finally {
    closeSync(descriptor);
  }
}

function metaAt(descriptor: number, offset: number, size: number): { readonly pageSize: number } | string {
  const bytes = Buffer.alloc(META_END);
  const where = `data.mdb, offset ${offset}`;
  if (readSync(descriptor, bytes, 0, META_END, offset) < META_END) return `${where}: the file ends here`;
  const version = bytes.readUInt32LE(VERSION) & 0xffff;
  const isMeta = (bytes.readUInt16LE(FLAGS) & META_FLAG) !== 0 && bytes.readUInt32LE(MAGIC) === MAGIC_NUMBER;
  if (!isMeta || version !== DATA_VERSION) return `${where}: this is no meta page of LMDB`;
  const pageSize = bytes.readUInt32LE(PAGE_SIZE);
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) {
    return `${where}: it says that pages have ${pageSize} bytes`;
  }
  for (const tree of [FREE_ROOT, MAIN_ROOT]) {
    const root = bytes.readBigUInt64LE(tree);
    // LMDB would begin it anew, over what the file has.
    if (root === NO_PAGE && bytes.readBigUInt64LE(tree - ROOT_AFTER_ENTRIES) !== 0n) {
      return `${where}: a tree has entries, and begins nowhere`;
    }
    if (root !== NO_PAGE && (root + 1n) * BigInt(pageSize) > BigInt(size)) {
      return `${where}: a tree begins beyond the end of the file`;
    }
  }
  return { pageSize };
}
