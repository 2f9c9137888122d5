import { closeSync, openSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BaristaError } from '../../base/errors.js';
import type { ClockKind } from '../../bayou/messages.js';
import type { TieBreak } from '../../bayou/write.js';
import { syncDirectory } from './directory.js';
import { codeOf, fileFailure } from './file-failure.js';

/*
 * `replica.json` says whose data a directory holds, under which incarnation, and which file `mark` was made with it. A
 * copy of the directory has a `mark` of its own, with another inode number, or born at another time; so a replica that
 * is started on a copy, beside the original or in its place, is found out before it gives a stamp a second time.
 *
 * Noticed are copies by cp, rsync, tar and the like, a directory restored from such a backup, also over what was there,
 * and a move to another file system, which is a copy. (A tool that writes back only files that differ replaces the mark
 * too: every start touches it.) Not noticed is what keeps inodes and their times: a snapshot of the file system, an image
 * of the disk or of the whole machine, and files written over in place. A restart, and a rename on the same file system,
 * leave the mark as it is. Where the file system does not tell when a file was made, the inode number alone decides; it
 * may be given again to the mark of a restored backup once the original was removed.
 */

/** Whose data a directory holds. What is there must agree: the order of its writes, or what they mean, rests on it. */
export interface Identity {
  readonly id: string;
  readonly cluster: string;
  readonly tieBreak: TieBreak;
  readonly clock: ClockKind;
  readonly retryWindowMs: number;
}

/** What tells the file `mark` from a copy of it. As texts: both may be beyond exact numbers. */
interface Mark {
  readonly inode: string;
  /** In nanoseconds; "0" where the file system does not tell. */
  readonly bornNs: string;
}

export interface StoredIdentity extends Identity {
  readonly format: number;
  readonly incarnation: number;
  /** The incarnation the directory was made under. */
  readonly founded: number;
  readonly mark: Mark;
  /** Names the last process that used it; absent until one has. */
  readonly life?: number;
}

const FORMAT = 2;
const IDENTITY_FILE = 'replica.json';
const MARK_FILE = 'mark';
const MARK_TEXT = 'This file tells the directory from a copy of it: see `barista help server`, --new-incarnation.\n';

/** Null if there is none. Throws ERR_CORRUPT if it is damaged, ERR_STORAGE if it cannot be read. */
export function readIdentity(path: string): StoredIdentity | null {
  const file = join(path, IDENTITY_FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return null;
    throw fileFailure(thrown, 'read', file);
  }
  const stored = parsed(text);
  if (stored === null) throw new BaristaError('ERR_CORRUPT', `${file} is not what was written there`);
  if (stored.format === FORMAT) return stored;
  throw new BaristaError('ERR_CORRUPT', `${file} is of format ${stored.format}, this version reads ${FORMAT}`);
}

function parsed(text: string): StoredIdentity | null {
  try {
    const stored = JSON.parse(text) as StoredIdentity;
    if (stored.format !== FORMAT) return Number.isSafeInteger(stored.format) ? stored : null;
    const { incarnation, mark, id, life = 0 } = stored;
    const isWhole = Number.isSafeInteger(incarnation) && typeof id === 'string' && typeof mark.inode === 'string';
    return isWhole && Number.isSafeInteger(life) ? stored : null;
  } catch {
    return null;
  }
}

/** The identity of a directory that is new. */
export function found(path: string, identity: Identity, incarnation: number): StoredIdentity {
  const mark = ownMark(path);
  return writeIdentity(path, { format: FORMAT, ...identity, incarnation, founded: incarnation, mark });
}

/** Durable when it returns; a crash leaves the file as it was or as it is to be. */
export function writeIdentity(path: string, identity: StoredIdentity): StoredIdentity {
  const file = join(path, IDENTITY_FILE);
  try {
    writeFileSync(`${file}.new`, `${JSON.stringify(identity, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
    syncDirectory(path);
  } catch (thrown) {
    throw fileFailure(thrown, 'write', file);
  }
  return identity;
}

/** Whether the directory is a copy of the one that `mark` was made in. */
export function isCopied(path: string, mark: Mark): boolean {
  const file = join(path, MARK_FILE);
  try {
    const now = new Date();
    utimesSync(file, now, now);
    const { ino, birthtimeNs, ctimeNs } = statSync(file, { bigint: true });
    if (mark.inode !== `${ino}`) return true;
    // Where birth is not told, some systems give the time of the last change: the touch a moment ago.
    const isBirthTold = birthtimeNs !== 0n && birthtimeNs !== ctimeNs;
    return isBirthTold && mark.bornNs !== '0' && mark.bornNs !== `${birthtimeNs}`;
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return true;
    throw fileFailure(thrown, 'mark', file);
  }
}

/** The mark that is there; makes one if there is none. */
export function ownMark(path: string): Mark {
  const file = join(path, MARK_FILE);
  try {
    closeSync(openSync(file, 'a', 0o600));
    writeFileSync(file, MARK_TEXT, { flush: true });
    syncDirectory(path);
    const { ino, birthtimeNs } = statSync(file, { bigint: true });
    return { inode: `${ino}`, bornNs: `${birthtimeNs}` };
  } catch (thrown) {
    throw fileFailure(thrown, 'mark', file);
  }
}
