import { assert } from '../base/assert.js';
import type { ClientId, Origin } from '../base/ids.js';
import { type BatchLimits, cutBatch, RunMerge } from './batch.js';
import { foldKey } from './folding.js';
import { type Folded, foldHistory, type KeyRules, positionOf, type Unknown } from './key-history.js';
import { LongHistories } from './long-histories.js';
import type { PullBatch } from './messages.js';
import type { KeyEntry, ReplicaStorage } from './ports.js';
import { isPrunedOnArrival, isReplacedBy, replacedBatch, replacedSince } from './pruning.js';
import { VersionVector } from './version-vector.js';
import { type AcceptStamp, areOneBatch, nameWrite, type StampOrder, type Write } from './write.js';

/** About what a write takes in a batch beside its key and operation. */
const STAMP_BYTES = 16;
/** How many keys one step prunes. */
const PRUNE_KEYS = 1_024;
const PRUNING_KEYS_MAX = 262_144;
/** How many things that are lacking are told apart. */
const LACKING_MAX = 64;

/** A storage as the log shows it: what changes writes goes through the log. */
export type LogStorage<Op> = Omit<ReplicaStorage<Op>, 'insert' | 'remove' | 'settle' | 'setBase' | 'lowerSeen'>;

/**
 * The writes a replica holds, and the vector that says what it may claim of them: a log, and the base store that its
 * beginning was folded into. A write stands in the base if its accept time is at most `baseTime`.
 */
export class WriteLog<Op, Value> {
  readonly storage: LogStorage<Op>;
  readonly order: StampOrder;
  readonly rules: KeyRules<Op, Value>;
  /** What the replica may claim to hold. */
  readonly seen: VersionVector;
  readonly #kept: ReplicaStorage<Op>;
  readonly #long: LongHistories<Op, Value>;
  readonly #self: Origin;
  /**
   * Keys on which a received write may replace others once it is claimed, or be replaced; and the accept time of the first such
   * write. Bounded: what is forgotten costs space until it is folded, and nothing else.
   */
  #received = new Map<string, number>();
  /** Those of them that are to be looked at, since something was claimed. */
  #pruning = new Map<string, number>();
  /** Of each origin that writes were received of, the highest accept time; unless some may be left of an earlier life. */
  readonly #reached = new Map<Origin, number>();
  /** By what is lacking, an operation that lacks it. */
  readonly #lacking = new Map<string, Op>();
  baseTime: number;
  /**
   * For each origin, up to where this replica, or one whose claims it has made, claimed its writes before it accepted some of
   * them anew: who asks for those by their first stamps is shown what came of them.
   */
  readonly replaced: VersionVector;
  /** For each origin, the highest accept time that is folded into the base store. */
  baseVector: VersionVector;

  /** `self`: whose log it is. */
  constructor(storage: ReplicaStorage<Op>, order: StampOrder, rules: KeyRules<Op, Value>, self: Origin) {
    this.#self = self;
    this.storage = storage;
    this.#kept = storage;
    this.order = order;
    this.rules = rules;
    this.#long = new LongHistories(storage, rules);
    this.seen = storage.loadSeen().clone();
    const state = storage.loadState();
    this.baseTime = state?.baseTime ?? 0;
    this.baseVector = state?.baseVector.clone() ?? new VersionVector();
    this.replaced = state?.replaced.clone() ?? new VersionVector();
  }

  /** False while a base store was taken over whose tail is still to come: claims have gaps then. */
  get isWhole(): boolean {
    return !this.isAheadOf(this.seen);
  }

  read(key: string): Folded<Op, Value> | Unknown | null {
    return this.#long.read(key);
  }

  /**
   * The key as reads of several keys show it: without the parts of batches that `seen` does not cover. All parts of a batch are
   * covered at once, and of what is covered each write is here, or what replaced it is; so one part shows with the others, or
   * with what came after them. A batch that a transfer has brought need not be here in that sense before it is claimed: with
   * what is still to come of the transfer some of its parts may have been replaced.
   */
  readTogether(key: string, seen: VersionVector): Folded<Op, Value> | Unknown | null {
    return this.readEntry(key, { base: this.storage.base(key), history: this.storage.history(key) }, seen);
  }

  /** The same, where it is known what is under the key. */
  readEntry(key: string, entry: KeyEntry<Op>, seen: VersionVector): Folded<Op, Value> | Unknown | null {
    const { base, history } = entry;
    const isShown = (write: Write<Op>): boolean => write.part !== true || seen.covers(write.origin, write.acceptTime);
    if (history.every(isShown)) return this.#long.readEntry(key, entry);
    return foldHistory(base, history.filter(isShown), this.rules);
  }

  /** The client's writes on the key under that client time, in order; `isPast`: it may have some under a later one. */
  named(
    key: string,
    client: ClientId,
    clientTime: number,
  ): { readonly writes: readonly Write<Op>[]; readonly isPast: boolean } {
    return this.#long.named(key, client, clientTime);
  }

  insert(write: Write<Op>, position: number): void {
    this.#noteLack(write.operation);
    this.#kept.insert(write, position);
    this.#long.inserted(write, position);
  }

  remove(key: string, position: number): void {
    const write = this.storage.history(key)[position];
    assert(write !== undefined, 'only what is there is removed');
    this.#kept.remove(key, position);
    this.#long.removed(write, position);
  }

  /** What operations of the log need that is not here, as far as they were looked at since the start; by name, ascending. */
  lacks(): readonly string[] {
    if (this.#lacking.size === 0) return [];
    for (const [name, operation] of this.#lacking) {
      if (this.rules.machine.lacks(operation) === null) this.#lacking.delete(name);
    }
    return [...this.#lacking.keys()].sort();
  }

  /** What these operations need that is not here. */
  lackedBy(parts: readonly { readonly operation: Op }[]): readonly string[] {
    return parts.map(({ operation }) => this.rules.machine.lacks(operation)).filter((lacks) => lacks !== null);
  }

  #noteLack(operation: Op): boolean {
    const lacks = this.rules.machine.lacks(operation);
    if (lacks !== null && this.#lacking.size < LACKING_MAX) this.#lacking.set(lacks, operation);
    return lacks !== null;
  }

  /** As `ReplicaStorage.settle`. */
  settle(key: string, present: boolean): void {
    const write = this.storage.history(key)[0];
    assert(write !== undefined, 'only what is there is folded');
    this.#kept.settle(key, present);
    this.#long.removed(write, 0);
    this.#long.based(key);
  }

  setBase(key: string, base: Write<Op> | null): void {
    this.#kept.setBase(key, base);
    this.#long.based(key);
  }

  raiseSeen(origin: Origin, acceptTime: number): void {
    if (this.seen.raise(origin, acceptTime)) this.storage.saveSeen(origin, acceptTime);
  }

  /**
   * Claims no more of `origin` than this, unless it is the replica's own. What it claimed up to the accept time `answered` it
   * still answers for: all of it that peers may not hold is accepted anew.
   */
  lowerSeen(origin: Origin, acceptTime: number, answered: number): void {
    const claimed = this.seen.get(origin);
    if (origin === this.#self || !this.seen.lower(origin, acceptTime)) return;
    this.#kept.lowerSeen(origin, acceptTime);
    if (answered > 0) this.replaced.raise(origin, Math.min(claimed, answered));
  }

  /** What of a session's needs is neither claimed nor replaced; null if nothing. */
  missing(needs: VersionVector): VersionVector | null {
    const missing = this.seen.missing(needs);
    return missing === null ? null : this.replaced.missing(missing);
  }

  /**
   * Drops a write that is not held elsewhere, as far as is known, and so is accepted anew. If it is not blind who has it has not
   * what it is accepted as: that counts for itself, and so it is not claimed any more. `answered`: as for `lowerSeen`.
   */
  giveUp(write: Write<Op>, answered: number): void {
    this.drop(write);
    if (!this.rules.machine.isBlind(write.operation)) this.lowerSeen(write.origin, write.acceptTime - 1, answered);
  }

  /** Adds writes of this replica under one stamp, which stands after all that is here. */
  append(writes: readonly Write<Op>[]): void {
    for (const write of writes) {
      const history = this.storage.history(write.key);
      const last = history.at(-1);
      assert(last === undefined || this.order(last, write) < 0, 'an accepted write stands after all that is here');
      this.insert(write, history.length);
    }
    for (const write of writes) {
      this.raiseSeen(write.origin, write.acceptTime);
      this.#pruneBehind(write);
    }
  }

  /**
   * Adds a write that a transfer brought; unless it is here already, or what replaces it is. What is claimed is; with `again`
   * that is not relied upon, but for what is folded.
   */
  insertReceived(write: Write<Op>, again = false): void {
    const isClaimed = this.seen.covers(write.origin, write.acceptTime);
    if (isClaimed && !(again && write.acceptTime > this.baseTime)) return;
    const history = this.storage.history(write.key);
    if (history.length > 0) this.#noteReceived(write.key, write.acceptTime);
    const position = positionOf(history, write, this.order);
    const there = history[position];
    if (there !== undefined && this.order(there, write) === 0) return;
    if (isPrunedOnArrival(history, position, write, this.seen, this.rules)) return;
    if (this.#isTaken(write)) return;
    this.insert(write, position);
  }

  /**
   * True if the stamp stands here on another key, and not for another part of the same batch: it was given twice, or a peer
   * lies. The first stays. Looks only where a transfer comes again that was cut, or among parts.
   */
  #isTaken(write: Write<Op>): boolean {
    const { origin, acceptTime } = write;
    const reached = this.#reached.get(origin);
    const isBeyond = reached !== undefined && acceptTime > reached;
    const upTo = reached === undefined ? Number.POSITIVE_INFINITY : acceptTime;
    const there = isBeyond ? undefined : this.storage.run(origin, acceptTime - 1, upTo).next().value;
    if (isBeyond || (reached === undefined && there === undefined)) this.#reached.set(origin, acceptTime);
    return there?.acceptTime === acceptTime && !areOneBatch(there, write);
  }

  /** Claims what a transfer brought, as `target` has it. True if the vector now covers writes that it did not. */
  claim(target: VersionVector): boolean {
    let fresh = false;
    for (const [origin, time] of target.entries()) {
      if (!this.seen.covers(origin, time)) fresh = true;
      this.raiseSeen(origin, time);
    }
    for (const [key, from] of this.#pruning) this.#noteReceived(key, from);
    this.#pruning = this.#received;
    this.#received = new Map();
    this.prune();
    return fresh;
  }

  /** Drops what is replaced by what was claimed since, on some of the keys that have more than one write. True if keys are left. */
  prune(): boolean {
    let left = PRUNE_KEYS;
    for (const [key, from] of this.#pruning) {
      if (left-- === 0) return true;
      this.#pruning.delete(key);
      this.#pruneKey(key, from);
    }
    return false;
  }

  #noteReceived(key: string, from: number): void {
    const noted = this.#received.get(key);
    if (noted === undefined ? this.#received.size < PRUNING_KEYS_MAX : from < noted) this.#received.set(key, from);
  }

  /** True if the base store holds writes that `vector` does not cover. */
  isAheadOf(vector: VersionVector): boolean {
    return !vector.dominates(this.baseVector);
  }

  /** The next writes that `seen` covers and `base` does not, in stamp order. At least one if any is left. */
  cut(base: VersionVector, limits: BatchLimits): { readonly writes: readonly Write<Op>[]; readonly more: boolean } {
    return cutBatch(this.#kept, this.seen, base, limits, this.order, (write) => this.bytesOf(write));
  }

  /** About how many writes `seen` covers and `base` does not. */
  countMissing(base: VersionVector): number {
    let count = 0;
    for (const [origin, time] of this.seen.entries()) {
      const known = base.get(origin);
      if (known < time) count += this.storage.count(origin, known, time);
    }
    return count;
  }

  /**
   * Folds writes up to the accept time `upTo`, about `writesMax` at most, into the base store: there is nothing that could
   * still come to stand before them. On each key they are the first of its history, since those before were folded before.
   * With `keepTombstones` a delete stays as the base of its key: others that are not known yet may hold what it deletes.
   *
   * One that was never claimed is dropped: a transfer that was cut brought it, of an origin that nobody here knows, and
   * which must stamp it again to become known.
   *
   * What cannot be told for want of a merge procedure is not folded, nor what stands after it.
   */
  fold(
    upTo: number,
    writesMax: number,
    keepTombstones: boolean,
  ): { readonly more: boolean; readonly dropped: boolean } {
    const merge = new RunMerge<Op>(this.order);
    for (const origin of this.storage.origins()) merge.add(this.storage.run(origin, this.baseTime, upTo));
    const due: Write<Op>[] = [];
    let more = false;
    for (let write = merge.peek(); write !== undefined; merge.advance(), write = merge.peek()) {
      // Writes of one accept time are folded together.
      more = due.length >= writesMax && write.acceptTime !== due.at(-1)?.acceptTime;
      if (more) break;
      if (this.seen.covers(write.origin, write.acceptTime) && this.#noteLack(write.operation)) {
        upTo = write.acceptTime - 1;
        while ((due.at(-1)?.acceptTime ?? 0) > upTo) due.pop();
        break;
      }
      due.push(write);
    }
    let dropped = false;
    const keys = new Set<string>();
    for (const write of due) {
      if (this.seen.covers(write.origin, write.acceptTime)) keys.add(write.key);
      else dropped = this.drop(write) || dropped;
    }
    const last = due.at(-1)?.acceptTime ?? 0;
    for (const key of keys) foldKey(this, key, last, keepTombstones);
    // Who has nothing to fold, or to drop, does not keep out what others may still bring.
    if (due.length > 0 || this.hasExpired(upTo)) {
      this.baseTime = Math.max(this.baseTime, more ? (due.at(-1)?.acceptTime ?? upTo) : upTo);
    }
    const isLeft = this.#dropExpired(Math.max(1, writesMax - due.length), keepTombstones);
    return { more: more || isLeft, dropped };
  }

  /** True if something in the base store has expired by the accept time `upTo`. */
  hasExpired(upTo: number): boolean {
    return this.storage.expiring(upTo).next().done !== true;
  }

  /** Drops `keysMax` keys from the base store that expired there: no write can come any more that stands before. True if more are left. */
  #dropExpired(keysMax: number, keepTombstones: boolean): boolean {
    const expired = this.storage.expiring(this.baseTime);
    const due: Write<Op>[] = [];
    for (let next = expired.next(); next.done !== true; next = expired.next()) {
      if (due.length === keysMax) break;
      due.push(next.value);
    }
    const operation = this.rules.machine.total(undefined, null);
    for (const base of due) this.setBase(base.key, keepTombstones ? { ...base, operation } : null);
    return due.length === keysMax;
  }

  /** Takes a write out of the log. True if it was there. */
  drop(write: Write<Op>): boolean {
    const position = this.#find(write);
    if (position === null) return false;
    this.remove(write.key, position);
    return true;
  }

  /**
   * Drops what a peer claims up to the accept time `upTo`, and does not hold: of what `base` does not cover it has sent all,
   * or with `more` all up to the last of `sent`. It may be a repeat of what is folded there, which nobody else can tell from it.
   */
  dropUnsent(
    base: VersionVector,
    { writes, more, seen }: Pick<PullBatch<Op>, 'writes' | 'more' | 'seen'>,
    upTo: number,
  ): void {
    const last = more ? writes.at(-1) : undefined;
    const end = Math.min(upTo, last?.acceptTime ?? upTo);
    const sent = new Set<string>();
    for (const write of writes) if (write.acceptTime <= end) sent.add(nameWrite(write));
    for (const origin of this.storage.origins()) {
      const run = this.storage.run(origin, base.get(origin), Math.min(end, seen.get(origin)));
      const due: Write<Op>[] = [];
      for (let next = run.next(); next.done !== true; next = run.next()) {
        const isPast = last !== undefined && this.order(next.value, last) > 0;
        if (!isPast && !sent.has(nameWrite(next.value))) due.push(next.value);
      }
      for (const write of due) {
        this.dropReplacedBy(write, seen);
        this.drop(write);
      }
    }
  }

  /**
   * Drops the parts of batches that `write`, which is about to leave the log, has replaced, and that `known` does not cover: they
   * stayed for the others of their batches, and nothing would tell any more that they are replaced.
   */
  dropReplacedBy(write: Write<Op>, known: VersionVector): void {
    if (!this.rules.machine.isBlind(write.operation)) return;
    const parts = this.storage.history(write.key).filter((other) => {
      if (other.part !== true || this.order(other, write) >= 0) return false;
      return !known.covers(other.origin, other.acceptTime) && isReplacedBy(other, write, this.order, this.rules);
    });
    for (const part of parts) this.drop(part);
  }

  /** Every write of the log in the total order, after `after` if it is not null. */
  *entries(after: AcceptStamp | null): Generator<Write<Op>> {
    const merge = new RunMerge<Op>(this.order);
    for (const origin of this.storage.origins()) {
      merge.add(this.storage.run(origin, Math.max((after?.acceptTime ?? 0) - 1, 0), Number.POSITIVE_INFINITY));
    }
    for (let write = merge.peek(); write !== undefined; merge.advance(), write = merge.peek()) {
      if (after === null || this.order(write, after) > 0) yield write;
    }
  }

  /** About how many bytes a write takes in a batch. */
  bytesOf(write: Write<Op>): number {
    return STAMP_BYTES + write.key.length + this.rules.machine.sizeOf(write.operation);
  }

  /** All that is kept here beside the storage, as a text: equal texts, equal answers ever after. */
  fingerprint(): string {
    const keys = `${[...this.#received].sort()} pruning ${[...this.#pruning].sort()}`;
    const reached = new VersionVector(this.#reached);
    return `${this.seen} replaced ${this.replaced} base ${this.baseTime} ${this.baseVector} received ${keys} reached ${reached}`;
  }

  /** Where the write stands in its key's history; null if it is not there. */
  #find(write: Write<Op>): number | null {
    const history = this.storage.history(write.key);
    const position = positionOf(history, write, this.order);
    const there = history[position];
    return there !== undefined && this.order(there, write) === 0 ? position : null;
  }

  /** Drops what is replaced on the key since writes came that stand at `from` or after; what is not claimed yet is left for later. */
  #pruneKey(key: string, from: number): void {
    if (!this.#long.mayHaveBlind(key)) return;
    const { places, unclaimed } = replacedSince(this.storage.history(key), from, this.seen, this.rules);
    for (const place of places) {
      const write = this.storage.history(key)[place] as Write<Op>;
      if (write.part !== true) this.remove(key, place);
      else for (const part of replacedBatch(write, this.storage, this.seen, this.order, this.rules)) this.drop(part);
    }
    if (unclaimed !== null) this.#noteReceived(key, unclaimed);
  }

  #pruneBehind(write: Write<Op>): void {
    assert(this.seen.covers(write.origin, write.acceptTime), 'only what may be claimed replaces older writes');
    const isAlone = this.storage.history(write.key).length === 1;
    if (!isAlone && this.rules.machine.isBlind(write.operation)) this.#pruneKey(write.key, write.acceptTime);
  }
}
