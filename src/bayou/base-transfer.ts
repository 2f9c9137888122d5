import { compareKeys } from '../base/ids.js';
import type { BatchLimits } from './batch.js';
import { yieldingTo } from './folding.js';
import { Effects, worthAnew } from './key-history.js';
import type { StorePage } from './messages.js';
import { isReplacedBy } from './pruning.js';
import type { VersionVector } from './version-vector.js';
import type { Write } from './write.js';
import type { WriteLog } from './write-log.js';

/** How many keys a responder looks at for one page, whether they have a base or not. */
const KEYS_LOOKED_AT_MAX = 65_536;
/** What a page holds at most, whatever the requester asks for. */
const PAGE_WRITES_MAX = 16_384;
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

/** The next keys of the base store after `after`: at least one if any is left, or the word that none is. */
export function cutPage<Op, Value>(log: WriteLog<Op, Value>, after: string | null, limits: BatchLimits): StorePage<Op> {
  const { storage, baseTime: time, baseVector } = log;
  const writesMax = Math.min(limits.writesMax, PAGE_WRITES_MAX);
  const bytesMax = Math.min(limits.bytesMax, PAGE_BYTES_MAX);
  const entries: Write<Op>[] = [];
  let bytes = 0;
  let upTo = after;
  let looked = 0;
  const page = (last: string | null): StorePage<Op> => {
    keys.return?.();
    return { time, vector: baseVector.clone(), after, entries, upTo: last };
  };
  const keys = storage.keys(after ?? undefined);
  for (let next = keys.next(); next.done !== true; next = keys.next()) {
    if (looked++ >= KEYS_LOOKED_AT_MAX) return page(upTo);
    const base = storage.base(next.value);
    if (base !== null) {
      bytes += log.bytesOf(base);
      if (entries.length > 0 && (entries.length >= writesMax || bytes > bytesMax)) return page(upTo);
      entries.push(base);
    }
    upTo = next.value;
  }
  return page(null);
}

/**
 * Makes a part of this replica's store what a page of another's base store says: for each key the page speaks for, the
 * base, and no write of the log that is folded into it. A write that stands before the page's end, and that `theirs`, what the
 * other claims, does not cover, is one that nobody there had received: it stays, to be accepted anew (`resubmit`) when all pages
 * and the tail have come, together with the others of its batch, whose keys other pages speak for.
 */
export function takePage<Op, Value>(log: WriteLog<Op, Value>, page: StorePage<Op>, theirs: VersionVector): void {
  const { storage } = log;
  const bases = new Map(page.entries.map((entry) => [entry.key, entry]));
  for (const key of keysOf(log, page)) {
    if (!bases.has(key) && storage.base(key) !== null) log.setBase(key, null);
    takeKey(log, key, page.time, bases.get(key) ?? null, theirs);
  }
  for (const [key, base] of bases) {
    const there = storage.base(key);
    if (there === null || log.order(there, base) !== 0) log.setBase(key, base);
  }
}

/** This replica's keys among those the page speaks for. */
function keysOf<Op, Value>(log: WriteLog<Op, Value>, { after, upTo }: StorePage<Op>): string[] {
  const found: string[] = [];
  const keys = log.storage.keys(after ?? undefined);
  for (let next = keys.next(); next.done !== true; next = keys.next()) {
    if (upTo !== null && compareKeys(next.value, upTo) > 0) break;
    found.push(next.value);
  }
  keys.return?.();
  return found;
}

function takeKey<Op, Value>(
  log: WriteLog<Op, Value>,
  key: string,
  time: number,
  base: Write<Op> | null,
  theirs: VersionVector,
): void {
  const history = [...log.storage.history(key)];
  const isFolded = ({ acceptTime }: Write<Op>): boolean => acceptTime <= time;
  const isKnown = ({ origin, acceptTime }: Write<Op>): boolean => theirs.covers(origin, acceptTime);
  const known = history.filter(isKnown);
  // Repeats of what is folded there left the log with it.
  const effects = new Effects(known, log.rules);
  const effective = known.filter((write) => effects.take(write) && isFolded(write));
  const repeats = yieldingTo(effective, history.slice(history.filter(isFolded).length), log.rules);
  const folded = history.filter(isFolded);
  const unknown = folded.filter((write) => !isKnown(write));
  const worth = new Set(worthAnew(unknown, history, log.rules));
  for (const write of unknown) {
    const isReplaced = base !== null && isReplacedBy(write, base, log.order, log.rules);
    if (isReplaced || !worth.has(write)) log.giveUp(write, time);
  }
  for (const write of [...folded.filter(isKnown), ...repeats]) {
    log.dropReplacedBy(write, theirs);
    log.drop(write);
  }
}
