import { BaristaError } from '../base/errors.js';
import { hashText } from '../base/hash.js';
import { incarnationOf, originOf, type ReplicaId, replicaIdOf } from '../base/ids.js';
import { DEFAULT_LIMITS, ORIGINS_MAX } from '../base/limits.js';
import { VersionVector } from '../bayou/version-vector.js';
import type { WatchCursor } from '../bayou/watch-messages.js';
import { open, seal } from './sealed.js';
import { ByteWriter } from './token-bytes.js';

/*
 * Where a watch stands, as a string. URL-safe base64 of: the letter w; the version, 1; the hashes of the cluster and of the
 * prefix; flags; the highest accept time of the target; each origin of the target, how far its time is below that, and, unless
 * all was told, how far what was told is below its time; if a base store is being told its time, and the last key; a CRC-32 of
 * all that.
 */

const VERSION = 1;
const IS_TOLD = 1;
const HAS_STORE = 2;
const HAS_AFTER = 4;

/** Of what a cursor is: it is good for no other. */
export interface CursorScope {
  readonly cluster: string;
  readonly prefix: string;
}

export function encodeWatchCursor({ told, target, store }: WatchCursor, { cluster, prefix }: CursorScope): string {
  const isTold = told.equals(target);
  const highest = target.highestTime();
  const bytes = new ByteWriter();
  bytes.number(VERSION);
  bytes.number(hashText(cluster));
  bytes.number(hashText(prefix));
  bytes.number((isTold ? IS_TOLD : 0) + (store === null ? 0 : HAS_STORE) + (store?.after == null ? 0 : HAS_AFTER));
  bytes.number(highest);
  bytes.number(target.size);
  for (const [origin, time] of target.sorted()) {
    bytes.text(replicaIdOf(origin));
    bytes.number(incarnationOf(origin));
    bytes.number(highest - time);
    if (!isTold) bytes.number(time - told.get(origin));
  }
  if (store !== null) bytes.number(store.time);
  if (store?.after != null) bytes.text(store.after);
  return seal('watch cursor', bytes.toBuffer());
}

/** Throws ERR_TOKEN for what is damaged, of another version, of another cluster or of another prefix. */
export function decodeWatchCursor(cursor: string, { cluster, prefix }: CursorScope): WatchCursor {
  const wrong = (what: string): BaristaError => new BaristaError('ERR_TOKEN', `the watch cursor is of ${what}`);
  return open('watch cursor', cursor, (bytes) => {
    const version = bytes.number();
    if (version !== VERSION) throw wrong(`version ${version}, not ${VERSION}`);
    if (bytes.number() !== hashText(cluster)) throw wrong(`another cluster than ${JSON.stringify(cluster)}`);
    if (bytes.number() !== hashText(prefix)) throw wrong(`another prefix than ${JSON.stringify(prefix)}`);
    const flags = bytes.number();
    if (flags > 7) throw new RangeError('flags that there are not');
    const highest = bytes.number();
    const target = new VersionVector();
    const told = new VersionVector();
    bytes.list(ORIGINS_MAX, () => {
      const origin = originOf(bytes.text(DEFAULT_LIMITS.idBytesMax) as ReplicaId, bytes.number());
      const time = highest - bytes.number();
      const toldTime = (flags & IS_TOLD) === 0 ? time - bytes.number() : time;
      if (toldTime < 0 || target.has(origin)) throw new RangeError('a time that cannot be');
      target.raise(origin, time);
      told.raise(origin, toldTime);
    });
    if ((flags & HAS_STORE) === 0) {
      if ((flags & HAS_AFTER) !== 0) throw new RangeError('a key of no base store');
      return { told, target, store: null };
    }
    const time = bytes.number();
    const after = (flags & HAS_AFTER) === 0 ? null : bytes.text(DEFAULT_LIMITS.keyBytesMax);
    return { told, target, store: { time, after } };
  });
}
