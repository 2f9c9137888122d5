import { VersionVector } from '../bayou/version-vector.js';
import { START, type WatchFrom } from '../bayou/watch-messages.js';
import { checkPrefix } from './check-text.js';
import type { CursorScope } from './position-bytes.js';
import { kindOf } from './sealed.js';
import type { WatchOptions } from './session.js';
import { checkedStamp } from './stamp.js';
import { decodeToken } from './token.js';
import { decodeWatchCursor } from './watch-cursor.js';

const PLACES = "a watch begins at 'now', 'start', a stamp, a cursor or a token";

/** Where a watch begins, and what the replica must hold for that. */
export interface WatchBeginning {
  readonly from: WatchFrom;
  readonly needs: VersionVector | null;
}

/** Throws ERR_INVALID_KEY for a prefix that cannot be, ERR_OPTION for where it cannot begin, ERR_TOKEN for a string that is not good here. */
export function watchBeginning(from: WatchOptions['from'], scope: CursorScope): WatchBeginning {
  checkPrefix(scope.prefix);
  if (from === undefined || from === 'now') return { from: { kind: 'now' }, needs: null };
  if (from === 'start') return { from: { kind: 'cursor', cursor: START }, needs: null };
  if (typeof from !== 'string') return { from: { kind: 'stamp', stamp: checkedStamp(from, PLACES) }, needs: null };
  if (kindOf(from) !== 'token') {
    return { from: { kind: 'cursor', cursor: decodeWatchCursor(from, scope) }, needs: null };
  }
  const { writeNeeds, otherNeeds, keyNeeds } = decodeToken(from, scope.cluster);
  const needs = new VersionVector();
  for (const vector of [writeNeeds, otherNeeds, ...keyNeeds.map(([, needs]) => needs)]) needs.merge(vector);
  return { from: { kind: 'now' }, needs };
}
