import { compareOrigins, type Origin, type ReplicaId, replicaIdOf } from '../base/ids.js';
import { takePage } from './base-transfer.js';
import type { AcceptClock } from './clock.js';
import type { Membership } from './membership.js';
import {
  type PullBatch,
  type PullRequest,
  type Refused,
  type Resume,
  refused,
  type StoreCursor,
  type StorePage,
} from './messages.js';
import { checkBatch, firstAhead } from './refusals.js';
import { adoptOrphans, dissolveBase, resubmit } from './rejoin.js';
import type { Held, Integrated, Rejoin } from './replica.js';
import type { Transfers } from './transfers.js';
import { VersionVector } from './version-vector.js';
import type { Write } from './write.js';
import type { WriteLog } from './write-log.js';

/** How many writes one step accepts anew, about, */
const RESUBMIT_WRITES = 4_096;
/** and of how many keys one takes the base store apart. */
const DISSOLVE_KEYS = 4_096;

/** After so many signs of others a replica that rejoins no longer waits for the one it is to hear from. */
const IN_VAIN_MAX = 8;

const ASK_AGAIN: Integrated = { kind: 'integrated', more: true, fresh: false };

export interface IntegrationParts<Op, Value> {
  readonly self: Origin;
  readonly log: WriteLog<Op, Value>;
  readonly members: Membership;
  readonly transfers: Transfers;
  readonly clock: AcceptClock;
  /** Of an origin that is not known, only writes above this accept time are taken. */
  readonly floor: () => number;
  readonly store: StoreCursor | null;
  readonly rejoinsWith: ReplicaId | null;
  /** Stores what is kept beside the writes. */
  readonly save: () => void;
}

/** The requester's side of a pull: takes in what a peer answered. */
export class Integration<Op, Value> {
  readonly #parts: IntegrationParts<Op, Value>;
  #store: StoreCursor | null;
  /** Whose base store is being taken over; null if the last who gave of it was lost. */
  #storePeer: ReplicaId | null = null;
  #rejoinsWith: ReplicaId | null;
  /** How often others that rejoin too have asked, or others than the one to hear from have answered. */
  #inVain = 0;
  #wantsReport = false;
  /** Strangers that a member counts as one. */
  readonly #vouchedFor = new Set<Origin>();
  /** How far this replica's own base store is dissolved. */
  #dissolved: string | null = null;
  /** True if the base store is known to be a peer's, and others are there that have folded as much. */
  #isTaken = false;
  /** How often peers have answered since that had folded less. */
  #lessFolded = 0;

  constructor(parts: IntegrationParts<Op, Value>) {
    this.#parts = parts;
    this.#store = parts.store;
    this.#rejoinsWith = parts.rejoinsWith;
  }

  /** Where taking over a base store stands; null unless that is under way. */
  get store(): StoreCursor | null {
    return this.#store;
  }

  /** From whom the replica is to hear what it missed; null unless it rejoins. */
  get rejoinsWith(): ReplicaId | null {
    return this.#rejoinsWith;
  }

  /** True if a batch could not be claimed without knowing what the members attest. */
  get wantsReport(): boolean {
    return this.#wantsReport;
  }

  /** True while the replica takes over what it missed, so that what it claims has gaps. */
  get isBehind(): boolean {
    return this.#outside || this.#store !== null || !this.#parts.log.isWhole;
  }

  /**
   * True if all that a peer has beyond the base store is heard anew, also what is claimed. A replica that rejoins has claims of
   * what its own base store held, of which deletes leave no trace: the others may hold what was deleted there. And who has taken
   * over a base store may hold repeats of what is folded in it, which the peer has not any more.
   */
  get #hearsAnew(): boolean {
    return this.#outside || !this.#parts.log.isWhole;
  }

  /** What no peer need send. */
  get given(): VersionVector {
    const { log } = this.#parts;
    return this.#hearsAnew ? log.baseVector : log.seen;
  }

  /** Where a transfer begins, if not after what the replica claims; null if it does. */
  get tail(): Resume | null {
    const { log } = this.#parts;
    if (!this.#hearsAnew || (this.#store !== null && !this.#outside)) return null;
    return { received: log.baseVector.clone(), target: this.#outside ? new VersionVector() : log.baseVector.clone() };
  }

  /** All that is kept here beside the other parts, as a text: equal texts, equal answers ever after. */
  fingerprint(): string {
    const { time = '', after = '' } = this.#store ?? {};
    const peers = `${time} ${after} from ${this.#storePeer} with ${this.#rejoinsWith} dissolved ${this.#dissolved} ${this.#isTaken} ${this.#lessFolded}`;
    return `${peers} ${this.#inVain} ${this.#wantsReport} ${[...this.#vouchedFor].sort()}`;
  }

  rejoinWith(peer: ReplicaId): void {
    this.#rejoinsWith = peer;
  }

  /**
   * Another replica asks that rejoins too, and each would wait for the other. If nobody else has answered for a while, the
   * one with the lower origin stays as it is; or the other, should that one be unable to.
   */
  askedByOutside(from: Origin): void {
    const { log, self, save } = this.#parts;
    if (!this.#outside || this.#store !== null || !log.isWhole) return;
    this.#inVain += 1;
    if (this.#inVain < (compareOrigins(self, from) < 0 ? IN_VAIN_MAX : 4 * IN_VAIN_MAX)) return;
    this.#rejoinsWith = null;
    save();
  }

  get #outside(): boolean {
    return this.#rejoinsWith !== null;
  }

  interrupted(peer: ReplicaId): void {
    if (this.#storePeer === peer) this.#storePeer = null;
  }

  take(peer: ReplicaId, request: PullRequest, batch: PullBatch<Op>, now: number): Integrated | Held | Refused | Rejoin {
    const { transfers, clock, log, members, self } = this.#parts;
    // The next incarnation takes it: to this one even what it accepts anew is due to be accepted anew, without end.
    if (members.isRetired(self)) return refused('ERR_RETIRED', `${self} was retired, and has yet to begin again`);
    if (!transfers.isUnderWay(peer)) return ASK_AGAIN;
    // One peer's base store at a time, and nothing of the log beside it.
    if (this.#storePeer !== null && this.#storePeer !== peer) return { kind: 'integrated', more: false, fresh: false };
    if (peer === this.#rejoinsWith && batch.standing.base >= log.baseTime) this.#inVain = 0;
    const base = batch.resumed && request.resume !== null ? request.resume.received : request.seen;
    const wrong = checkBatch(batch, peer, request, base, self, log) ?? this.#checkSender(batch);
    if (wrong !== null) return wrong;
    const limit = clock.limit(now);
    clock.observe(batch.seen.highestTime(limit));
    const joined = this.#join(batch, limit) ?? this.#prepare(batch, now);
    if (joined !== null) return joined;
    const strange = this.#checkWrites(batch);
    if (strange !== null) return strange;
    if (batch.store !== null) return this.#takePage(peer, batch, batch.store, now);
    if (this.#hearsAnew && batch.standing.base < log.baseTime) return this.#passOver();
    if (this.#hearsAnew && !batch.resumed) {
      // The peer could not go on with a transfer that was cut, and what it sent begins after what is claimed.
      transfers.reset();
      return ASK_AGAIN;
    }
    return this.#takeWrites(peer, batch, base, now);
  }

  /**
   * Who has not folded as much may have repeats in its log of what is folded here. If nobody else answers for a while, those who
   * have folded as much may be gone, and the base store is taken apart.
   */
  #passOver(): Integrated {
    this.#lessFolded += 1;
    if (this.#lessFolded >= IN_VAIN_MAX) this.#isTaken = false;
    return { kind: 'integrated', more: false, fresh: false };
  }

  #takeWrites(peer: ReplicaId, batch: PullBatch<Op>, base: VersionVector, now: number): Integrated | Held | Refused {
    const { transfers, clock, log } = this.#parts;
    this.#lessFolded = 0;
    const ahead = firstAhead(batch, log.seen, clock.limit(now));
    const received = base.clone();
    let taken = 0;
    for (const write of batch.writes) {
      if (write === ahead) break;
      taken += 1;
      received.raise(write.origin, write.acceptTime);
      clock.observe(write.acceptTime);
      log.insertReceived(write, this.#hearsAnew);
    }
    this.#letGo(base, batch, taken);
    if (ahead !== null) {
      transfers.wait(peer, received, batch.seen);
      return { kind: 'held', origin: ahead.origin, aheadMs: clock.aheadMs(ahead.acceptTime, now) };
    }
    const claimed = log.seen.clone();
    if (!batch.more && !this.#resubmit(batch, now)) return this.#finish(peer, batch);
    if (!log.seen.dominates(claimed)) {
      // What was accepted anew is gone, so no transfer may count on it.
      transfers.reset();
      for (const [origin] of received.entries()) received.lower(origin, batch.seen.get(origin));
    }
    transfers.advance(peer, received, batch.seen);
    this.#parts.save();
    return ASK_AGAIN;
  }

  /** Who hears all anew has no more of what the peer claims than the peer has; of the batch it has taken so many writes. */
  #letGo(base: VersionVector, { writes, more, seen, standing }: PullBatch<Op>, taken: number): void {
    const { log } = this.#parts;
    const folded = Math.max(log.baseTime, standing.base);
    const isCut = more || taken < writes.length;
    if (!this.#hearsAnew || folded === 0 || (isCut && taken === 0)) return;
    const upTo = folded + log.rules.retryWindow - 1;
    log.dropUnsent(base, { writes: writes.slice(0, taken), more: isCut, seen }, upTo);
  }

  /**
   * When all that the peer has is known, so is what it has not of a replica's writes that rejoins, or took over its base store.
   * True if there was some.
   */
  #resubmit(batch: PullBatch<Op>, now: number): boolean {
    if (!this.#hearsAnew) return false;
    const { log, members, self } = this.#parts;
    const adopt = (writes: readonly Write<Op>[]): void => this.#adopt(writes, now);
    // Of members, and of itself, what stands in the base store; of what it was before, and others that have ended, all.
    const isEnded = (origin: Origin): boolean => this.#outside && origin !== self && members.hasEnded(origin);
    const upTo = (origin: Origin): number => (isEnded(origin) ? Number.POSITIVE_INFINITY : log.baseTime);
    return resubmit(log, upTo, batch.seen, RESUBMIT_WRITES, adopt);
  }

  /** Nothing is left: the replica may claim what the peer claims. */
  #finish(peer: ReplicaId, batch: PullBatch<Op>): Integrated | Refused {
    const { log, transfers, members, save } = this.#parts;
    const target = this.#claimable(batch);
    if (!(target instanceof VersionVector)) {
      if (target.kind === 'refused') transfers.forget(peer);
      return target;
    }
    const kept = transfers.latest;
    const known = log.replaced.clone();
    if (batch.replaced !== undefined) log.replaced.merge(batch.replaced);
    const fresh = log.claim(target);
    transfers.finish(peer, log.seen);
    const isHeard = peer === this.#rejoinsWith || (this.#outside && this.#inVain++ >= IN_VAIN_MAX);
    const changed = kept !== transfers.latest || isHeard || this.#store !== null || !known.dominates(log.replaced);
    if (isHeard) this.#rejoinsWith = null;
    this.#store = null;
    this.#wantsReport = false;
    const retires = batch.report !== null && members.adopt(batch.report);
    if (changed || retires) save();
    return { kind: 'integrated', more: false, fresh };
  }

  /**
   * What of a peer's vector may be claimed. The members a known peer knows are sound, since it let none in whose writes
   * could stand in what is folded. Of a stranger, each origin that is new here must be past the floor.
   */
  #claimable(batch: PullBatch<Op>): VersionVector | Refused | Integrated {
    const { log } = this.#parts;
    const floor = this.#floorFor(batch);
    if (floor <= 0 || this.#isKnown(batch)) return batch.seen;
    const target = batch.seen.clone();
    for (const [origin, time] of batch.seen.entries()) {
      if (log.seen.has(origin) || this.#isPast(origin, batch)) continue;
      const isAbove = log.storage.run(origin, 0, floor).next().done === true;
      if (isAbove && this.#isClockPast(origin, time, batch, floor)) continue;
      if (time > 0) {
        return this.#strange(batch, `${origin} may yet stamp writes that would stand in what is folded here`);
      }
      target.forget(origin);
    }
    return target;
  }

  /** Members that were retired since this replica attested to them have folded nothing that counts. */
  #floorFor({ report }: PullBatch<Op>): number {
    const { log, members, self, floor } = this.#parts;
    const isGone = (member: Origin): boolean => member === self || report?.retired.includes(member) === true;
    return members.view().every(isGone) ? log.baseTime : floor();
  }

  /** True if the peer is a member, or another member counts it as one: it and a member attest under the same view. */
  #isKnown({ from, report }: PullBatch<Op>): boolean {
    const { members } = this.#parts;
    if (members.isMember(from) || this.#vouchedFor.has(from)) return true;
    const view = report?.attestations.find(({ origin }) => origin === from)?.view;
    if (view === undefined || report === null) return false;
    if (!report.attestations.some((it) => it.view === view && it.origin !== from && members.isMember(it.origin)))
      return false;
    this.#vouchedFor.add(from);
    return true;
  }

  /** True if the origin is one that stamps no more. */
  #isPast(origin: Origin, { report, seen }: PullBatch<Op>): boolean {
    if (report?.retired.includes(origin) === true || this.#parts.members.isRetired(origin)) return true;
    const id = replicaIdOf(origin);
    for (const [other] of seen.entries())
      if (replicaIdOf(other) === id && compareOrigins(origin, other) < 0) return true;
    return false;
  }

  #isClockPast(origin: Origin, time: number, { from, standing, report }: PullBatch<Op>, floor: number): boolean {
    if (time > floor || (origin === from && standing.clock >= floor)) return true;
    return report?.attestations.some((attested) => attested.origin === origin && attested.clock >= floor) === true;
  }

  #checkSender({ from }: PullBatch<Op>): Refused | null {
    const { members } = this.#parts;
    if (members.isRetired(from)) return refused('ERR_BEHIND', `${from} was retired, and has not heard of it yet`);
    const successor = members.successorOf(from);
    return successor === null ? null : refused('ERR_IDENTITY', `${from} answers, but ${successor} is known`);
  }

  /** Refuses what would stand in the base store here, or in that of others as far as they may have gone. */
  #checkWrites(batch: PullBatch<Op>): Refused | Integrated | null {
    const { log } = this.#parts;
    const floor = Math.max(this.#isKnown(batch) ? 0 : this.#floorFor(batch), log.baseTime);
    for (const { origin, acceptTime } of batch.writes) {
      if (acceptTime > floor) break;
      if (log.seen.covers(origin, acceptTime)) continue;
      if (acceptTime <= log.baseTime || !log.seen.has(origin)) {
        return this.#strange(
          batch,
          `a write of ${origin} at ${acceptTime} stands in what is folded here, up to ${floor}`,
        );
      }
    }
    return null;
  }

  /** The peer has yet to take over what is folded here, or must rejoin. */
  #strange(batch: PullBatch<Op>, what: string): Refused | Integrated {
    this.#wantsReport = true;
    if (batch.report === null) return ASK_AGAIN;
    return refused('ERR_BEHIND', `the batch from ${batch.from} cannot be taken: ${what}`);
  }

  /**
   * If the peer could not take what this replica holds, since that stands in what is folded there, this replica rejoins.
   * So it does if the peer only might not, as it does not know this replica, unless a member that the peer knows counts it
   * as one. A peer whose base store is only an older one, as in a restored backup, takes over what is folded here: to take that
   * apart would lose what was deleted. Null if nothing is to be done.
   */
  #join(batch: PullBatch<Op>, limit: number): Integrated | Refused | Rejoin | null {
    const { log, members, self, clock, save } = this.#parts;
    const { standing, from, report, seen, store } = batch;
    const isKnown = seen.has(self);
    if (!isKnown && standing.floor > members.attested && standing.floor <= limit) {
      // Who stamps nothing up to the floor any more becomes known.
      clock.observe(standing.floor);
      members.promise(clock.latest);
      save();
    }
    if (this.#outside) return null;
    const base = standing.base > 0 && log.isAheadOf(seen) ? `its base store, up to ${log.baseTime}` : null;
    const isOlder = store === null && standing.base <= log.baseTime;
    let hidden = this.#hiddenFrom(seen, standing.base) ?? (isOlder ? null : base);
    if (hidden === null && !isKnown) {
      hidden = base ?? this.#hiddenFrom(seen, standing.floor);
      if (hidden === null) return null;
      if (report === null) {
        this.#wantsReport = true;
        return ASK_AGAIN;
      }
      if (members.vouchers().some((member) => seen.has(member) && !report.retired.includes(member))) return null;
    }
    if (hidden === null) return null;
    if (isKnown === members.isMember(from) && this.#isHiddenHere(batch)) {
      const mine = members.view().length;
      const yields = mine < standing.members || (mine === standing.members && compareOrigins(self, from) > 0);
      if (!yields)
        return this.#strange(batch, `it holds writes that stand in what is folded here, up to ${log.baseTime}`);
    }
    return { kind: 'rejoin', message: `${from} has folded what stands after ${hidden}, and does not hold it` };
  }

  /** A write up to `upTo` that `known` does not cover; null if there is none. */
  #hiddenFrom(known: VersionVector, upTo: number): string | null {
    const { log } = this.#parts;
    for (const [origin, time] of log.seen.entries()) {
      const from = known.get(origin);
      if (from >= time || from >= upTo) continue;
      const write = log.storage.run(origin, from, upTo).next().value;
      if (write !== undefined) return `its write of ${origin} at ${write.acceptTime}`;
    }
    return null;
  }

  /** True if this replica could not take what the peer holds. */
  #isHiddenHere(batch: PullBatch<Op>): boolean {
    const { log } = this.#parts;
    if (batch.store !== null) return log.baseTime > 0 && log.isAheadOf(batch.seen);
    const floor = this.#parts.floor();
    return batch.writes.some(({ acceptTime }) => acceptTime <= floor);
  }

  /**
   * A replica that rejoins, or has taken over a base store whose tail is still to come, retires the origins that the peer
   * does not know, and whose writes it could not take; and takes its base store apart, a step at a time, if the peer does
   * not hold all that is folded into it.
   */
  #prepare({ from, seen, standing, writes, store }: PullBatch<Op>, now: number): Integrated | Rejoin | null {
    const { log, members, transfers, self, save } = this.#parts;
    // Who gave a part of a base store was lost, and who answers now has folded nothing of it. What was claimed before may
    // have gone into that part, so that only another page can be gone on with; or all is heard anew.
    const isCutShort = this.#store !== null && store === null;
    if (isCutShort && !this.#outside && this.#dissolved === null && log.seen.highestTime() > 0) {
      if (++this.#lessFolded < 4 * IN_VAIN_MAX) return { kind: 'integrated', more: false, fresh: false };
      return { kind: 'rejoin', message: `${from} has folded nothing of the base store that a part was taken of` };
    }
    if (!this.#outside && log.isWhole && !isCutShort) return null;
    for (const origin of log.storage.origins()) {
      if (origin === self || seen.has(origin)) continue;
      if (log.storage.run(origin, 0, standing.floor).next().done !== true) members.retire(origin);
    }
    const first = writes.find(({ origin, acceptTime }) => !log.seen.covers(origin, acceptTime));
    // Who has folded less may have repeats of what is folded here.
    const isPast = standing.base < log.baseTime && !this.#isTaken;
    const differs = isPast || log.isAheadOf(seen) || (first !== undefined && first.acceptTime <= log.baseTime);
    const isDue = log.baseTime > 0 && (differs || this.#dissolved !== null);
    if (!isDue && !isCutShort) return null;
    // What other transfers have received counts on the base store; and who comes back to a part of it begins again.
    transfers.reset();
    this.#store = { time: this.#store?.time ?? log.baseTime, after: null };
    this.#dissolved = dissolveBase(log, this.#dissolved, seen, DISSOLVE_KEYS, (write) => this.#adopt([write], now));
    if (this.#dissolved === null) {
      this.#store = null;
      this.#isTaken = false;
      log.baseTime = 0;
      log.baseVector = new VersionVector();
    }
    save();
    return ASK_AGAIN;
  }

  #takePage(peer: ReplicaId, batch: PullBatch<Op>, page: StorePage<Op>, now: number): Integrated | Held | Refused {
    const { log, members, clock, transfers, save } = this.#parts;
    if (page.time > clock.limit(now)) {
      return { kind: 'held', origin: batch.from, aheadMs: clock.aheadMs(page.time, now) };
    }
    if (log.baseTime > 0 && !members.isMember(batch.from) && log.isAheadOf(batch.seen)) {
      return this.#strange(
        batch,
        `it has folded writes up to ${page.time}, and this replica others up to ${log.baseTime}`,
      );
    }
    // What was asked for before another transfer brought it is of no use any more.
    if (!this.#outside && log.seen.dominates(page.vector)) return ASK_AGAIN;
    const expected = this.#store?.time === page.time ? this.#store.after : null;
    if (page.after !== expected && page.after !== null) return ASK_AGAIN;
    this.#storePeer = peer;
    clock.observe(page.time);
    // What other transfers have received may count on what the page replaces.
    transfers.reset();
    if (page.after === null) this.#dissolved = null;
    takePage(log, page, batch.seen);
    if (page.upTo === null) {
      log.baseTime = page.time;
      log.baseVector = page.vector.clone();
      this.#store = null;
      this.#storePeer = null;
      this.#isTaken = true;
      this.#lessFolded = 0;
      // What was received before may have counted on a later base store.
      const received = this.given.clone();
      received.merge(page.vector);
      transfers.advance(peer, received, batch.seen);
    } else {
      this.#store = { time: page.time, after: page.upTo };
      this.#lessFolded = 0;
    }
    save();
    return ASK_AGAIN;
  }

  /** Takes up what those have left who are gone; once every member was heard from since. Up to where may be folded then. */
  adoptOrphans(now: number): number {
    const { log, members, transfers, self } = this.#parts;
    // Who was never a member stamps again what it has.
    const isGone = (origin: Origin): boolean => origin !== self && log.seen.has(origin) && !members.isMember(origin);
    const { any, waitsFrom } = adoptOrphans(log, isGone, (writes) => this.#adopt(writes, now));
    if (any) transfers.reset();
    return (waitsFrom ?? Number.POSITIVE_INFINITY) - 1;
  }

  /** Accepts a write anew, as the same operation of the same client; or the parts of a batch, under one stamp. */
  #adopt(writes: readonly Write<Op>[], now: number): void {
    const { clock, log, self } = this.#parts;
    const acceptTime = clock.next(0, now);
    if (acceptTime === null) return;
    log.append(writes.map((write) => ({ ...write, origin: self, acceptTime, resubmitted: true })));
  }
}
