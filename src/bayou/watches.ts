import type { BatchLimits } from './batch.js';
import { type Folded, foldHistory, isOver, isSuperseded, lackingIs, startOf, type Unknown } from './key-history.js';
import type { LogWalk } from './log-walk.js';
import { isRefused, type Refused, refused } from './messages.js';
import { VersionVector } from './version-vector.js';
import type { Change, WatchCursor, WatchFrom, WatchReply, WatchRequest } from './watch-messages.js';
import { hasSameStamp, stampOf, type Write } from './write.js';
import type { WriteLog } from './write-log.js';

/** Changes of one reply, whatever is asked for; */
const CHANGES_MAX = 4_096;
/** and bytes after which no more are added. */
const BYTES_MAX = 1024 * 1024;
/** Writes, or keys of the base store, that are looked at for one reply, under whatever key. */
const LOOKED_AT_MAX = 4_096;

export interface WatchesParts<Op, Value> {
  readonly log: WriteLog<Op, Value>;
  readonly walk: LogWalk<Op, Value>;
  /** True while what is claimed has gaps. */
  readonly isBehind: () => boolean;
  /** Which accept time it is. */
  readonly reading: (now: number) => number;
  /** Has nothing folded for a while. `now` is the wall clock in milliseconds. */
  readonly pin: (now: number) => void;
}

type Reply<Value> = WatchReply<Value> | Refused;

/**
 * What a replica tells those who watch keys. A watch is a pull that keeps only some keys: the writes that `seen` covers and the
 * watch was not told of, in stamp order, and of each what stands under its key by all that `seen` covers. The replica keeps
 * nothing of a watch.
 */
export class Watches<Op, Value> {
  readonly #parts: WatchesParts<Op, Value>;

  constructor(parts: WatchesParts<Op, Value>) {
    this.#parts = parts;
  }

  /** The next changes; ERR_FOLDED if it cannot go on from there. `now` is the wall clock in milliseconds. */
  next({ prefix, from, changesMax }: WatchRequest, now: number): Reply<Value> {
    const { log, walk, isBehind } = this.#parts;
    const lacking = walk.lacking(targetOf(from));
    if (lacking !== null) return lacking;
    if (from.kind === 'now') return this.upToDate();
    if (from.kind === 'stamp') {
      const told = walk.behind(from.stamp);
      if (log.isAheadOf(told)) return walk.folded('what stands after the stamp');
      return replyOf([], { told, target: log.seen.clone(), store: null }, true);
    }
    const { cursor } = from;
    // What is claimed has gaps until it has taken over what it missed.
    if (isBehind()) return replyOf([], cursor, false);
    const limits = { writesMax: Math.min(changesMax, CHANGES_MAX), bytesMax: BYTES_MAX };
    if (cursor.store === null && !log.isAheadOf(cursor.told)) return this.#nextOfLog(prefix, cursor.told, limits, now);
    return this.#nextOfBase(prefix, cursor, limits, now);
  }

  /** The reply to who was told of all that is claimed. */
  upToDate(): WatchReply<Value> {
    return replyOf([], this.standing, false);
  }

  /** Where a watch stands that was told of all that is claimed. */
  get standing(): WatchCursor {
    const { seen } = this.#parts.log;
    return { told: seen.clone(), target: seen.clone(), store: null };
  }

  /**
   * The cursor, without what it says of origins that are not known here, which nothing can be told of; and it shares what it can
   * with `seen`. So what a watch that waits takes is bounded by what the replica knows.
   */
  narrowed({ told, target, store }: WatchCursor): WatchCursor {
    const { seen } = this.#parts.log;
    const narrow = (vector: VersionVector): VersionVector => {
      if (vector.equals(seen)) return seen.clone();
      return new VersionVector([...vector.entries()].filter(([origin]) => seen.has(origin)));
    };
    return { told: narrow(told), target: narrow(target), store };
  }

  /** True if there is something here that may not be claimed yet. */
  get hasUnclaimed(): boolean {
    if (this.#parts.isBehind()) return true;
    const { storage, seen } = this.#parts.log;
    for (const origin of storage.origins()) {
      if (storage.run(origin, seen.get(origin), Number.POSITIVE_INFINITY).next().done !== true) return true;
    }
    return false;
  }

  #nextOfLog(prefix: string, before: VersionVector, limits: BatchLimits, now: number): Reply<Value> {
    const { log, walk, reading } = this.#parts;
    const asOf = reading(now);
    const { seen } = log;
    const merge = walk.beyond(before, seen);
    const page = new Page<Value>(limits);
    // Up to the stamp that is looked at: its writes are told together, or not yet.
    const told = before.clone();
    const soFar = (): WatchReply<Value> => replyOf(page.changes, { told, target: seen.clone(), store: null }, true);
    let last: Write<Op> | null = null;
    for (let write = merge.peek(); write !== undefined; merge.advance(), write = merge.peek()) {
      if (last !== null && !hasSameStamp(last, write)) {
        told.raise(last.origin, last.acceptTime);
        if (page.isFull) return soFar();
        page.mark();
      }
      last = write;
      const change = write.key.startsWith(prefix) ? this.#changeOf(write, before, asOf) : null;
      if (change !== null && isRefused(change)) {
        page.backToMark();
        return page.looked === 0 ? change : soFar();
      }
      page.look(change, change === null ? 0 : log.bytesOf(write));
    }
    return replyOf(page.changes, this.standing, false);
  }

  /**
   * The keys that come next with what was folded of them. Only for who was told of nothing: to who was, it would have to be told
   * as well what was deleted, of which nothing is left. What was told need not be folded itself to have been deleted there: it
   * may have been pruned. Nothing is folded meanwhile.
   */
  #nextOfBase(prefix: string, { told, target, store }: WatchCursor, limits: BatchLimits, now: number): Reply<Value> {
    const { log, walk, pin, reading } = this.#parts;
    const asOf = reading(now);
    const { baseTime: time, baseVector } = log;
    if (store !== null && !(store.time === time && target.dominates(baseVector))) {
      return walk.folded('what comes after a part of a base store');
    }
    if (told.highestTime() > 0) return walk.folded('what comes next');
    pin(now);
    const within = target.clone();
    within.merge(baseVector);
    const page = new Page<Value>(limits);
    let after = store?.after ?? null;
    for (const key of this.#keysOf(prefix, after)) {
      if (page.isFull) break;
      const base = log.storage.base(key);
      // A delete may be kept, by who knows no other replica; and what has expired, for a while.
      const isPresent = base !== null && isThere(foldHistory(base, [], log.rules), asOf);
      const change = isPresent ? this.#changeOf(base, null, asOf) : null;
      if (change !== null && isRefused(change)) {
        if (page.looked === 0) return change;
        break;
      }
      page.look(change, isPresent ? log.bytesOf(base) : 0);
      after = key;
    }
    if (page.looked > 0) return replyOf(page.changes, { told, target: within, store: { time, after } }, true);
    return replyOf([], { told: baseVector.clone(), target: within, store: null }, true);
  }

  *#keysOf(prefix: string, after: string | null): Generator<string, undefined> {
    const { storage } = this.#parts.log;
    // Whether the prefix itself is a key, only a look tells.
    if (after === null && prefix !== '' && storage.base(prefix) !== null) yield prefix;
    const keys = storage.keys(after ?? (prefix === '' ? undefined : prefix));
    try {
      for (let next = keys.next(); next.done !== true && next.value.startsWith(prefix); next = keys.next()) {
        yield next.value;
      }
    } finally {
      keys.return?.();
    }
    return undefined;
  }

  /**
   * A write and what came of it, as the claimed writes on its key have it. `told`: what was told of before; null for a base.
   * Null for a repeat that takes no effect: it changes nothing, and never will. ERR_PROCEDURE if it cannot be told here. The value is
   * that of the accept time `asOf`.
   */
  #changeOf(write: Write<Op>, told: VersionVector | null, asOf: number): Change<Value> | Refused | null {
    const { seen, storage, rules, order } = this.#parts.log;
    const { key, client } = write;
    const base = storage.base(key);
    const history = storage.history(key).filter((other) => seen.covers(other.origin, other.acceptTime));
    const position = told === null ? -1 : history.findIndex((other) => order(other, write) === 0);
    if (position >= 0 && isSuperseded(history, position, rules)) return null;
    let last = write;
    let stands = true;
    let reordered = told !== null && write.resubmitted === true;
    for (let at = history.length - 1; at > position; at--) {
      const later = history[at] as Write<Op>;
      reordered ||= told?.covers(later.origin, later.acceptTime) === true;
      const overwrites = rules.machine.isBlind(later.operation);
      if ((last !== write && !(stands && overwrites)) || isSuperseded(history, at, rules)) continue;
      if (last === write) last = later;
      if (overwrites) stands = false;
    }
    const folded = foldHistory(base, history, rules);
    if (folded?.kind === 'unknown') return refused('ERR_PROCEDURE', lackingIs(key, folded));
    const { expires = null, basis = null } = folded ?? {};
    return {
      key,
      stamp: stampOf(write),
      client,
      value: folded === null || !isThere(folded, asOf) ? null : folded.value,
      ...(expires === null ? {} : { expires }),
      ...(basis === null ? {} : { basis }),
      standing: stampOf(last),
      stands,
      reordered,
      lost: stands || !rules.machine.isBlind(write.operation) ? null : (startOf(write, rules).value ?? null),
    };
  }
}

/** What cannot be told counts as there. */
function isThere<Op, Value>(folded: Folded<Op, Value> | Unknown | null, asOf: number): boolean {
  if (folded === null || folded.kind === 'unknown') return folded !== null;
  return !isOver(folded, asOf);
}

/** What a replica must hold to go on from there. */
function targetOf(from: WatchFrom): VersionVector {
  if (from.kind === 'cursor') return from.cursor.target;
  return new VersionVector(from.kind === 'stamp' ? [[from.stamp.origin, from.stamp.acceptTime]] : []);
}

function replyOf<Value>(changes: readonly Change<Value>[], cursor: WatchCursor, more: boolean): WatchReply<Value> {
  return { kind: 'changes', changes, cursor, more };
}

/** Changes of one reply, as they are gathered. */
class Page<Value> {
  readonly changes: Change<Value>[] = [];
  looked = 0;
  readonly #limits: BatchLimits;
  #bytes = 0;
  #marked = { changes: 0, looked: 0 };

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  get isFull(): boolean {
    const { writesMax, bytesMax } = this.#limits;
    return this.changes.length >= writesMax || this.#bytes >= bytesMax || this.looked >= LOOKED_AT_MAX;
  }

  /** What is looked at from here on may be taken back. */
  mark(): void {
    this.#marked = { changes: this.changes.length, looked: this.looked };
  }

  backToMark(): void {
    this.changes.length = this.#marked.changes;
    this.looked = this.#marked.looked;
  }

  /** Takes note of one more that was looked at: the change it makes, if it makes one, of about so many bytes. */
  look(change: Change<Value> | null, bytes: number): void {
    this.looked += 1;
    this.#bytes += bytes;
    if (change !== null) this.changes.push(change);
  }
}
