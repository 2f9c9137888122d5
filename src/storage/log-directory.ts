import type { Done } from '../base/outcome.js';

/**
 * Where a write-ahead log keeps its segments: a directory of append-only files. A port, so that tests can lose, tear and
 * reorder what was not synced, fail a sync, or fill the disk. Synchronous calls throw what the system throws. What is
 * appended ends with a byte that is not zero: zeros that end a file need not be shown.
 */
export interface LogDirectory {
  /** The names of the files there, in no order. */
  list(): readonly string[];
  /** The whole file. */
  read(name: string): Uint8Array;
  /** Opens a file to append to, creating it if it is not there. The file's existence is durable when this returns. */
  open(name: string): LogFile;
  /** Cuts a file to `length` bytes; that, and all that is left of it, is durable when this returns, whatever failed before. */
  truncate(name: string, length: number): void;
  /** Removes a file, if it is there. */
  remove(name: string): void;
}

export interface LogFile {
  /** Bytes appended so far, synced or not. */
  readonly length: number;
  /** Answers when the system has taken the bytes; a crash of the machine may still take them back. */
  append(bytes: Uint8Array, done: Done<void>): void;
  /**
   * Answers when everything appended before is durable (fdatasync). `isAwaited`: somebody waits for it, so that it is to be
   * done soon, even if it keeps the caller from all else meanwhile; otherwise it must not.
   */
  sync(done: Done<void>, isAwaited: boolean): void;
  close(): void;
}
