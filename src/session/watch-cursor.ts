import { DEFAULT_LIMITS } from '../base/limits.js';
import type { WatchCursor } from '../bayou/watch-messages.js';
import { type CursorScope, readPosition, readScope, writePosition, writeScope } from './position-bytes.js';
import { open, seal } from './sealed.js';
import { ByteWriter } from './token-bytes.js';

/*
 * Where a watch stands, as a string. URL-safe base64 of: the letter w; the version, 1; the hashes of the cluster and of the
 * prefix; flags; what was told of what; if a base store is being told its time, and the last key; a CRC-32 of all that.
 */

const VERSION = 1;
const IS_TOLD = 1;
const HAS_STORE = 2;
const HAS_AFTER = 4;

export function encodeWatchCursor({ told, target, store }: WatchCursor, scope: CursorScope): string {
  const isTold = told.equals(target);
  const bytes = new ByteWriter();
  writeScope(bytes, VERSION, scope);
  bytes.number((isTold ? IS_TOLD : 0) + (store === null ? 0 : HAS_STORE) + (store?.after == null ? 0 : HAS_AFTER));
  writePosition(bytes, { told, target }, isTold);
  if (store !== null) bytes.number(store.time);
  if (store?.after != null) bytes.text(store.after);
  return seal('watch cursor', bytes.toBuffer());
}

/** Throws ERR_TOKEN for what is damaged, of another version, of another cluster or of another prefix. */
export function decodeWatchCursor(cursor: string, scope: CursorScope): WatchCursor {
  return open('watch cursor', cursor, (bytes) => {
    readScope(bytes, 'watch cursor', VERSION, scope);
    const flags = bytes.number();
    if (flags > 7) throw new RangeError('flags that there are not');
    const position = readPosition(bytes, (flags & IS_TOLD) !== 0);
    if ((flags & HAS_STORE) === 0) {
      if ((flags & HAS_AFTER) !== 0) throw new RangeError('a key of no base store');
      return { ...position, store: null };
    }
    const time = bytes.number();
    const after = (flags & HAS_AFTER) === 0 ? null : bytes.text(DEFAULT_LIMITS.keyBytesMax);
    return { ...position, store: { time, after } };
  });
}
