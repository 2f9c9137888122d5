import { BaristaError, messageOf } from '../../base/errors.js';

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be too large for the file system',
  EROFS: 'the file system is read-only',
  EIO: 'the disk reports an I/O error',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'it is not there',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  EMFILE: 'the process has too many files open',
  ENFILE: 'the system has too many files open',
};

export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
}

/** Says in ERR_STORAGE what the system refused: `cannot append to /data/log-00000001: the disk is full (ENOSPC)`. */
export function fileFailure(thrown: unknown, doing: string, path: string): BaristaError {
  if (thrown instanceof BaristaError) return thrown;
  const code = codeOf(thrown);
  const reason = REASONS[code];
  const why = reason === undefined ? messageOf(thrown) : `${reason} (${code})`;
  return new BaristaError('ERR_STORAGE', `cannot ${doing} ${path}: ${why}`, { cause: thrown });
}
