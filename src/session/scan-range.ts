import { BaristaError } from '../base/errors.js';
import { compareKeys } from '../base/ids.js';
import { DEFAULT_LIMITS, utf8Length } from '../base/limits.js';
import type { KeyRange } from '../bayou/read-messages.js';
import { checkText } from './check-text.js';
import { open, seal } from './sealed.js';
import type { ScanOptions } from './session.js';
import { ByteWriter } from './token-bytes.js';

/** Where a scan stands. */
export interface ScanPosition {
  readonly range: KeyRange;
  readonly reverse: boolean;
  /** The last key that was given; null if none was. */
  readonly after: string | null;
}

const VERSION = 1;
const REVERSE = 1;
const HAS_FROM = 2;
const HAS_BEFORE = 4;
const HAS_AFTER = 8;
const BOUND = 'a bound of the scan';

/** Where a scan begins. Throws ERR_OPTION, ERR_INVALID_KEY, or ERR_TOKEN for a cursor that is not one. */
export function positionOf(options: ScanOptions): ScanPosition {
  const { prefix, from, before, reverse, cursor } = options;
  if (cursor !== undefined) {
    if ([prefix, from, before, reverse].some((option) => option !== undefined)) {
      throw new BaristaError('ERR_OPTION', 'a cursor keeps the keys and the order of its scan: leave them out');
    }
    return decodeCursor(cursor);
  }
  for (const key of [prefix, from]) if (key !== undefined && key !== '') checkText(key, BOUND);
  if (before !== undefined) checkText(before, BOUND);
  const after = prefix === undefined || prefix === '' ? null : endOfPrefix(prefix);
  return {
    range: { from: highest([prefix, from]), before: lowest([after, before]) },
    reverse: reverse === true,
    after: null,
  };
}

/** True if the key is in the range. */
export function isInRange({ from, before }: KeyRange, key: string): boolean {
  return (from === null || compareKeys(key, from) >= 0) && (before === null || compareKeys(key, before) < 0);
}

export function encodeCursor({ range, reverse, after }: ScanPosition): string {
  const bytes = new ByteWriter();
  bytes.number(VERSION);
  bytes.number(
    (reverse ? REVERSE : 0) +
      (range.from === null ? 0 : HAS_FROM) +
      (range.before === null ? 0 : HAS_BEFORE) +
      (after === null ? 0 : HAS_AFTER),
  );
  for (const key of [range.from, range.before, after]) if (key !== null) bytes.text(key);
  return seal('cursor', bytes.toBuffer());
}

function decodeCursor(cursor: string): ScanPosition {
  return open('cursor', cursor, (bytes) => {
    const version = bytes.number();
    if (version !== VERSION) throw new BaristaError('ERR_TOKEN', `the cursor is of version ${version}, not ${VERSION}`);
    const flags = bytes.number();
    if (flags > 15) throw new RangeError('flags that there are not');
    const key = (flag: number): string | null => ((flags & flag) === 0 ? null : bytes.text(DEFAULT_LIMITS.keyBytesMax));
    const range = { from: key(HAS_FROM), before: key(HAS_BEFORE) };
    return { range, reverse: (flags & REVERSE) !== 0, after: key(HAS_AFTER) };
  });
}

/** The first key after all that begin so; null if there is none. */
function endOfPrefix(prefix: string): string | null {
  const points = [...prefix].map((character) => character.codePointAt(0) as number);
  while (points.at(-1) === 0x10_ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return null;
  const before = String.fromCodePoint(...points);
  // Between them stand the surrogates, which are no characters.
  const end = before + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
  // If that takes more bytes than a key may, so does every key that begins with `before` and a later character.
  return utf8Length(end) <= DEFAULT_LIMITS.keyBytesMax ? end : endOfPrefix(before);
}

function highest(keys: readonly (string | undefined)[]): string | null {
  const given = keys.filter((key) => key !== undefined && key !== '') as string[];
  return given.sort(compareKeys).at(-1) ?? null;
}

function lowest(keys: readonly (string | null | undefined)[]): string | null {
  const given = keys.filter((key) => key !== null && key !== undefined) as string[];
  return given.sort(compareKeys)[0] ?? null;
}
