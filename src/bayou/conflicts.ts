import type { ClientId } from '../base/ids.js';
import type {
  Concurrent,
  Conflict,
  ConflictCursor,
  ConflictsReply,
  ConflictsRequest,
  LossRule,
} from './conflict-messages.js';
import { fatesOf, nameOf, type WriteName } from './fates.js';
import { type KeyRules, positionOf } from './key-history.js';
import type { LogWalk } from './log-walk.js';
import { type Refused, refused } from './messages.js';
import { VersionVector } from './version-vector.js';
import { type AcceptStamp, nameStamp, type Write } from './write.js';
import type { WriteLog } from './write-log.js';

/** Conflicts of one reply, whatever is asked for; */
const CONFLICTS_MAX = 4_096;
/** and bytes after which no more are added. */
const BYTES_MAX = 1024 * 1024;
/** Writes that are looked at for one reply, under whatever key; */
const LOOKED_AT_MAX = 4_096;
/** and in the histories of their keys, beyond which no further key is looked at. */
const IN_HISTORIES_MAX = 65_536;
/** Of what was begun by another reply so many times as much, before it is begun anew. */
const BEGUN_TIMES_MAX = 4;
/** Writes of which it is remembered what they lost to. */
const LOSERS_KEPT_MAX = 16_384;

export interface ConflictsParts<Op, Value> {
  readonly log: WriteLog<Op, Value>;
  readonly walk: LogWalk<Op, Value>;
  /** True while what is claimed has gaps. */
  readonly isBehind: () => boolean;
}

type Reply<Op> = ConflictsReply<Op> | Refused;

/** The claimed writes that a reply speaks of: those that `end` covers, and what was told of before does not. */
interface Part {
  readonly keys: ReadonlySet<string>;
  readonly end: VersionVector;
  /** True if these are all that were meant. */
  readonly isAll: boolean;
}

/**
 * Which writes lost, and to which. A reply speaks of the next claimed writes in stamp order: of each key that they are on it tells
 * what was lost to them, or by them to what was told of before. So each pair of writes is told once, whichever of the two came
 * later. The replica keeps nothing of who asks.
 */
export class Conflicts<Op, Value> {
  readonly #parts: ConflictsParts<Op, Value>;
  /**
   * By the stamp of a write that lost, what it was first seen to lose to: so that it is not told again to have lost to another,
   * when the client of that overwrites it, and it is pruned, or one comes to stand between. Bounded: what is forgotten is told.
   */
  readonly #firstWinners = new Map<string, AcceptStamp>();

  constructor(parts: ConflictsParts<Op, Value>) {
    this.#parts = parts;
  }

  /** The next conflicts; ERR_FOLDED if it cannot go on from there, ERR_BEHIND while the replica takes over what it missed. */
  next({ prefix, from, conflictsMax }: ConflictsRequest): Reply<Op> {
    const { log, walk, isBehind } = this.#parts;
    if (isBehind()) return refused('ERR_BEHIND', 'the replica is itself taking over what it missed');
    if (from.kind === 'cursor') {
      const { cursor } = from;
      return walk.lacking(cursor.target) ?? this.#nextFrom(prefix, cursor, conflictsMax);
    }
    if (from.kind === 'now') return replyOf([], standing(log.seen), false);
    if (from.kind === 'start') return replyOf([], standing(log.baseVector), true);
    const { origin, acceptTime } = from.stamp;
    const lacking = walk.lacking(new VersionVector([[origin, acceptTime]]));
    return lacking ?? replyOf([], standing(walk.behind(from.stamp)), true);
  }

  #nextFrom(prefix: string, from: ConflictCursor, conflictsMax: number): Reply<Op> {
    const { log, walk } = this.#parts;
    const { told, target, after } = from;
    if (log.isAheadOf(told)) return walk.folded('some of what may have lost since');
    // What was begun may have grown; but no replica began so much.
    const begun = after === null ? null : this.#part(prefix, told, target, BEGUN_TIMES_MAX);
    if (begun?.isAll === false) return this.#nextFrom(prefix, { ...from, after: null }, conflictsMax);
    const { keys, end } = begun ?? this.#part(prefix, told, log.seen);
    const losses = [...keys].flatMap((key) => this.#lossesOn(key, from, end));
    losses.sort((a, b) => log.order(a.write, b.write));
    const conflicts: Conflict<Op>[] = [];
    let bytes = 0;
    for (const { write, conflict } of losses) {
      if (after !== null && log.order(write, after) <= 0) continue;
      if (conflicts.length >= Math.min(conflictsMax, CONFLICTS_MAX) || bytes >= BYTES_MAX) {
        return replyOf(conflicts, { told, target: end, after: conflicts.at(-1)?.lost.stamp ?? null }, true);
      }
      conflicts.push(conflict);
      bytes += log.bytesOf(write);
    }
    return replyOf(conflicts, { told: end, target: log.seen.clone(), after: null }, !end.dominates(log.seen));
  }

  /** Of the writes that `upTo` covers, and `told` does not, as many of the first as one reply may look at, or so many times more. */
  #part(prefix: string, told: VersionVector, upTo: VersionVector, times = 1): Part {
    const { log, walk } = this.#parts;
    const keys = new Set<string>();
    const end = told.clone();
    const merge = walk.beyond(told, upTo);
    let looked = 0;
    let inHistories = 0;
    for (let write = merge.peek(); write !== undefined; merge.advance(), write = merge.peek()) {
      if (looked >= times * LOOKED_AT_MAX || inHistories >= times * IN_HISTORIES_MAX)
        return { keys, end, isAll: false };
      looked += 1;
      end.raise(write.origin, write.acceptTime);
      if (!write.key.startsWith(prefix) || keys.has(write.key)) continue;
      keys.add(write.key);
      inHistories += log.storage.history(write.key).length;
    }
    end.merge(upTo);
    return { keys, end, isAll: true };
  }

  /**
   * The writes on the key that have lost by all that is claimed, and are told in this part: `end` covers both them and what they
   * lost to, and `told` does not; or does, and by that alone they had not lost yet, since a third write came between.
   */
  #lossesOn(key: string, from: ConflictCursor, end: VersionVector): readonly Loss<Op>[] {
    const { told } = from;
    const { storage, seen, rules, order } = this.#parts.log;
    const base = storage.base(key);
    const history = storage.history(key).filter((write) => isCovered(seen, write));
    const known = history.filter((write) => isCovered(told, write));
    const hadLost = new Map<Write<Op>, string>();
    for (const { write, winner } of losersOf(base, known, rules)) hadLost.set(write, wordsOf(winner));
    const losses: Loss<Op>[] = [];
    for (const { write, rule, winner } of losersOf(base, history, rules)) {
      const isReached = isCovered(end, write) && (winner === null || isCovered(end, winner.stamp));
      if (!isReached || hadLost.get(write) === wordsOf(winner)) continue;
      if (winner !== null && this.#hadLostBefore(write, winner, from)) continue;
      const there = winner === null ? undefined : history[positionOf(history, winner.stamp, order)];
      const other = winner !== null && there !== undefined && order(there, winner.stamp) === 0 ? there : base;
      const concurrent = other === null ? 'unknown' : this.#areConcurrent(write, other, told);
      const { operation } = write;
      losses.push({ write, conflict: { key, lost: nameOf(write), operation, rule, winner, concurrent } });
    }
    return losses;
  }

  /**
   * True if who asks was told that the write lost, though to another. It takes who was told of all that there was then: of what was
   * replaced before he came to it he was not told.
   */
  #hadLostBefore(write: Write<Op>, winner: WriteName, { told, target }: ConflictCursor): boolean {
    const name = nameStamp(write);
    const first = this.#firstWinners.get(name);
    if (first !== undefined) {
      const wasAtEnd = told.dominates(target) && !isCovered(told, winner.stamp);
      return wasAtEnd && isCovered(told, write) && isCovered(told, first);
    }
    this.#firstWinners.set(name, winner.stamp);
    if (this.#firstWinners.size > LOSERS_KEPT_MAX) {
      const [oldest] = this.#firstWinners.keys();
      if (oldest !== undefined) this.#firstWinners.delete(oldest);
    }
    return false;
  }

  /**
   * A claimed vector that covers a write dominates what its accepter claimed when it accepted it: vectors are only ever handed on
   * whole. So who was told of the later write, and not of the earlier, knows that its accepter did not claim that; and who accepted
   * both knew the first. Nothing else is written down. What was accepted anew was known elsewhere before.
   */
  #areConcurrent(one: Write<Op>, other: Write<Op>, told: VersionVector): Concurrent {
    const { order, replaced } = this.#parts.log;
    const [earlier, later] = order(one, other) < 0 ? [one, other] : [other, one];
    if (later.resubmitted === true) return 'unknown';
    if (earlier.origin === later.origin) return 'no';
    if (earlier.resubmitted === true || replaced.covers(earlier.origin, earlier.acceptTime)) return 'unknown';
    // Who knew it would have stamped later.
    if (earlier.acceptTime === later.acceptTime) return 'yes';
    return isCovered(told, later) && !isCovered(told, earlier) ? 'yes' : 'unknown';
  }
}

interface Loss<Op> {
  readonly write: Write<Op>;
  readonly conflict: Conflict<Op>;
}

function wordsOf(winner: WriteName | null): string {
  return winner === null ? '' : nameStamp(winner.stamp);
}

function isCovered(vector: VersionVector, { origin, acceptTime }: AcceptStamp): boolean {
  return vector.covers(origin, acceptTime);
}

interface Loser<Op> {
  readonly write: Write<Op>;
  readonly rule: LossRule;
  readonly winner: WriteName | null;
}

/**
 * Those of a key's writes that have lost. What its own client overwrote has not, and neither has what took no effect for another
 * reason than that it does not apply: its operation has its effect elsewhere, or is not needed.
 */
function* losersOf<Op, Value>(
  base: Write<Op> | null,
  history: readonly Write<Op>[],
  rules: KeyRules<Op, Value>,
): Generator<Loser<Op>, undefined> {
  const fates = fatesOf(base, history, rules).writes;
  /** By client, where its last blind write that takes effect stands. */
  const blinds = new Map<ClientId, number>();
  for (const [at, fate] of fates.entries()) {
    const { client, operation } = history[at] as Write<Op>;
    if (fate.kind !== 'no-effect' && rules.machine.isBlind(operation)) blinds.set(client, at);
  }
  for (const [at, fate] of fates.entries()) {
    const write = history[at] as Write<Op>;
    if (fate.kind === 'no-effect' && fate.rule === 'inapplicable') {
      yield { write, rule: 'inapplicable', winner: fate.by };
    } else if (fate.kind === 'overwritten' && (blinds.get(write.client) ?? -1) <= at) {
      yield { write, rule: 'overwritten', winner: fate.by };
    }
  }
  return undefined;
}

/** Behind all that `told` covers. */
function standing(told: VersionVector): ConflictCursor {
  return { told: told.clone(), target: told.clone(), after: null };
}

function replyOf<Op>(conflicts: readonly Conflict<Op>[], cursor: ConflictCursor, more: boolean): ConflictsReply<Op> {
  return { kind: 'conflicts', conflicts, cursor, more };
}
