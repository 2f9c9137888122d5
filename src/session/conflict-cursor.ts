import type { ConflictCursor, ConflictsFrom } from '../bayou/conflict-messages.js';
import { checkPrefix } from './check-text.js';
import {
  type CursorScope,
  readOrigin,
  readPosition,
  readScope,
  writeOrigin,
  writePosition,
  writeScope,
} from './position-bytes.js';
import { kindOf, open, seal } from './sealed.js';
import type { ConflictsOptions } from './session.js';
import { checkedStamp } from './stamp.js';
import { ByteWriter } from './token-bytes.js';
import { decodeWatchCursor } from './watch-cursor.js';

/*
 * Up to where conflicts were told, as a string. URL-safe base64 of: the letter x; the version, 1; the hashes of the cluster and of
 * the prefix; flags; what was told of what; if a part of the rest was told too its last stamp; a CRC-32 of all that.
 */

const VERSION = 1;
const IS_TOLD = 1;
const HAS_AFTER = 2;
const PLACES = "conflicts are told since 'start', 'now', a stamp or a cursor";

export function encodeConflictCursor({ told, target, after }: ConflictCursor, scope: CursorScope): string {
  const isTold = told.equals(target);
  const bytes = new ByteWriter();
  writeScope(bytes, VERSION, scope);
  bytes.number((isTold ? IS_TOLD : 0) + (after === null ? 0 : HAS_AFTER));
  writePosition(bytes, { told, target }, isTold);
  if (after !== null) {
    writeOrigin(bytes, after.origin);
    bytes.number(after.acceptTime);
  }
  return seal('conflict cursor', bytes.toBuffer());
}

function decodeConflictCursor(cursor: string, scope: CursorScope): ConflictCursor {
  return open('conflict cursor', cursor, (bytes) => {
    readScope(bytes, 'conflict cursor', VERSION, scope);
    const flags = bytes.number();
    if (flags > 3) throw new RangeError('flags that there are not');
    const position = readPosition(bytes, (flags & IS_TOLD) !== 0);
    if ((flags & HAS_AFTER) === 0) return { ...position, after: null };
    const origin = readOrigin(bytes);
    return { ...position, after: { origin, acceptTime: bytes.number() } };
  });
}

/** Throws ERR_INVALID_KEY for a prefix that cannot be, ERR_OPTION for what it is no use to say, ERR_TOKEN for a cursor that is not good here. */
export function conflictsFrom(since: ConflictsOptions['since'], scope: CursorScope): ConflictsFrom {
  checkPrefix(scope.prefix);
  if (since === undefined || since === 'start') return { kind: 'start' };
  if (since === 'now') return { kind: 'now' };
  if (typeof since !== 'string') return { kind: 'stamp', stamp: checkedStamp(since, PLACES) };
  if (kindOf(since) !== 'watch cursor') return { kind: 'cursor', cursor: decodeConflictCursor(since, scope) };
  const { told, target } = decodeWatchCursor(since, scope);
  return { kind: 'cursor', cursor: { told, target, after: null } };
}
