import { BaristaError } from '../base/errors.js';
import { hashText } from '../base/hash.js';
import { compareOrigins, type Origin } from '../base/ids.js';
import type { AcceptClock } from './clock.js';
import type { ConflictsReply, ConflictsRequest } from './conflict-messages.js';
import { Conflicts } from './conflicts.js';
import { historyPage } from './histories.js';
import type { HistoryReply, HistoryRequest, Stage } from './history-messages.js';
import type { WriteState } from './hold-messages.js';
import type { Integration } from './integration.js';
import { type Folded, isOver, lackingIs, type Unknown } from './key-history.js';
import { LogWalk } from './log-walk.js';
import type { Membership } from './membership.js';
import { isRefused, type ReadReply, type ReadRequest, type Refused, refused } from './messages.js';
import type { FoundValue, ReadManyReply, ReadManyRequest, ScanReply, ScanRequest } from './read-messages.js';
import { Snapshots } from './snapshots.js';
import type { VersionVector } from './version-vector.js';
import type { WatchReply, WatchRequest } from './watch-messages.js';
import { Watches } from './watches.js';
import { type AcceptStamp, stampOf } from './write.js';
import type { WriteLog } from './write-log.js';

interface ReaderParts<Op, Value> {
  readonly self: Origin;
  readonly life: number;
  readonly log: WriteLog<Op, Value>;
  readonly members: Membership;
  readonly integration: Integration<Op, Value>;
  readonly clock: AcceptClock;
  /** Has nothing folded for a while. `now` is the wall clock in milliseconds. */
  readonly pin: (now: number) => void;
}

/** What a replica answers from what it holds, changing nothing; but its clock passes what was seen to have expired. */
export class Reader<Op, Value> {
  readonly #parts: ReaderParts<Op, Value>;
  readonly #snapshots: Snapshots<Op, Value>;
  readonly watches: Watches<Op, Value>;
  readonly #conflicts: Conflicts<Op, Value>;
  #observe: (key: string) => void = () => undefined;

  constructor(parts: ReaderParts<Op, Value>) {
    this.#parts = parts;
    let named = 0;
    this.#snapshots = new Snapshots({
      read: (key, seen, asOf) => this.#foundOf(key, parts.log.readTogether(key, seen), asOf),
      readEntry: (key, entry, seen, asOf) => this.#foundOf(key, parts.log.readEntry(key, entry, seen), asOf),
      walk: (after, reverse, visit) => parts.log.storage.walk(after, reverse, visit),
      seen: () => parts.log.seen,
      reading: (now) => parts.clock.reading(now),
      name: (now) => hashText(`${parts.self} ${parts.life} ${now} ${++named}`),
    });
    const { log, members, clock } = parts;
    const isGone = (origin: Origin): boolean =>
      log.seen.has(origin) && !members.isMember(origin) && members.stable(clock.latest) > 0;
    const walk = new LogWalk(log, isGone);
    const isBehind = (): boolean => parts.integration.isBehind;
    const reading = (now: number): number => clock.reading(now);
    this.watches = new Watches({ log, walk, isBehind, reading, pin: parts.pin });
    this.#conflicts = new Conflicts({ log, walk, isBehind });
  }

  /** What of a session's needs the replica lacks; while it is taking over what it missed its claims have gaps. */
  missing(needs: VersionVector | null): VersionVector | null {
    const { integration, log } = this.#parts;
    if (needs === null || needs.size === 0) return null;
    return integration.isBehind ? needs : log.missing(needs);
  }

  /** A client's read. Dependency is tested before presence. `now`, as everywhere here, is the wall clock in milliseconds. */
  read(request: ReadRequest, now: number): ReadReply<Value> | Refused {
    const missing = this.missing(request.needs);
    if (missing !== null) return { kind: 'missing', missing };
    const { log, clock } = this.#parts;
    const found = this.#foundOf(request.key, log.read(request.key), clock.reading(now));
    if (found !== null && isRefused(found)) return found;
    return found === null ? { kind: 'absent' } : { kind: 'found', ...found };
  }

  /** Several keys, as they are in one state, with all of a batch or nothing of it. ERR_BEHIND while there is none. */
  readMany({ keys, needs }: ReadManyRequest, now: number): ReadManyReply<Value> | Refused {
    const missing = this.missing(needs);
    if (missing !== null) return { kind: 'missing', missing };
    const { log, clock } = this.#parts;
    if (keys.length > 1 && this.#isBetweenStates) return this.#behind();
    const asOf = clock.reading(now);
    const values: (FoundValue<Value> | null)[] = [];
    for (const key of keys) {
      const found = this.#foundOf(key, log.readTogether(key, log.seen), asOf);
      if (found !== null && isRefused(found)) return found;
      values.push(found);
    }
    return { kind: 'values', values };
  }

  /** A page of a range, likewise. What a session needs is looked at when its state is taken. */
  scan(request: ScanRequest, now: number): ScanReply<Value> | Refused {
    if (request.snapshot !== null) return this.#snapshots.scan(request, now);
    const missing = this.missing(request.needs);
    if (missing !== null) return { kind: 'missing', missing };
    return this.#isBetweenStates ? this.#behind() : this.#snapshots.scan(request, now);
  }

  /** While a base store is taken over, key by key, some keys are as they were, and others as they are there. */
  get #isBetweenStates(): boolean {
    return this.#parts.integration.isBehind;
  }

  #behind(): Refused {
    return refused(
      'ERR_BEHIND',
      `${this.#parts.self} takes over what it missed, and shows one key at a time meanwhile`,
    );
  }

  /** The next writes that lost, and what they lost to. */
  conflicts(request: ConflictsRequest): ConflictsReply<Op> | Refused {
    const missing = this.missing(request.needs);
    return missing === null ? this.#conflicts.next(request) : { kind: 'missing', missing };
  }

  /** A page of the writes on a key. `peers`: as of `stateOf`. */
  history(request: HistoryRequest, peers: Iterable<readonly [Origin, VersionVector]>, now: number): HistoryReply<Op> {
    const missing = this.missing(request.needs);
    if (missing !== null) return { kind: 'missing', missing };
    const known = [...peers];
    const { log, clock } = this.#parts;
    return historyPage(log, request, (stamp) => this.#stageOf(stamp, known), clock.reading(now));
  }

  /** The next changes for who watches. */
  watch(request: WatchRequest, now: number): WatchReply<Value> | Refused {
    const missing = this.missing(request.needs);
    return missing === null ? this.watches.next(request, now) : { kind: 'missing', missing };
  }

  /** What is under `key` is about to change. */
  changing(key: string): void {
    this.#snapshots.changing(key);
    this.#observe(key);
  }

  /** Tells `observer` from now on of each key whose writes are about to change. */
  observe(observer: (key: string) => void): void {
    this.#observe = observer;
  }

  /**
   * The value of every present key, ascending by key, after `after` if it is not null. Throws ERR_PROCEDURE where it cannot be
   * told for want of a merge procedure.
   */
  *entries(after: string | null, now: number): Generator<{ readonly key: string; readonly value: Value }> {
    const { log, clock } = this.#parts;
    const asOf = clock.reading(now);
    const keys = log.storage.keys(after ?? undefined);
    for (let next = keys.next(); next.done !== true; next = keys.next()) {
      const folded = log.read(next.value);
      if (folded?.kind === 'unknown') throw new BaristaError('ERR_PROCEDURE', lackingIs(next.value, folded));
      if (folded !== null && !isOver(folded, asOf)) yield { key: next.value, value: folded.value };
    }
  }

  /** How far a write has come: who attests to hold it, and who of `peers` shows by its vector that it does. */
  stateOf(stamp: AcceptStamp, peers: Iterable<readonly [Origin, VersionVector]>): WriteState {
    const { self, log, members, integration, clock } = this.#parts;
    const { origin, acceptTime } = stamp;
    const isHere = !integration.isBehind && log.seen.covers(origin, acceptTime);
    const holders = new Set<Origin>(isHere ? [self] : []);
    for (const [peer, seen] of peers) if (seen.covers(origin, acceptTime)) holders.add(peer);
    // What is attested speaks of the writes of members only.
    const isMembers = isHere && members.isMember(origin);
    if (isMembers) for (const member of members.holding(acceptTime)) holders.add(member);
    const view = members.view();
    const isAttested = isHere && members.stable(clock.latest) >= acceptTime;
    const stable = isAttested && (isMembers || view.every((member) => holders.has(member)));
    return {
      holders: [...holders].sort(compareOrigins),
      waitsFor: stable ? [] : view.filter((member) => !holders.has(member)),
      stable,
    };
  }

  /** What is under the key at the accept time `asOf`. */
  #foundOf(key: string, folded: Folded<Op, Value> | Unknown | null, asOf: number): FoundValue<Value> | Refused | null {
    if (folded === null) return null;
    if (folded.kind === 'unknown') return refused('ERR_PROCEDURE', lackingIs(key, folded));
    const { value, last, expires, basis } = folded;
    if (isOver(folded, asOf)) {
      // What was seen to be gone stays so, and is before all that is written from now on, also if the wall clock goes back.
      this.#parts.clock.observe(expires ?? 0);
      return null;
    }
    const stamp = stampOf(last);
    return { value, stamp, ...(expires === null ? {} : { expires }), ...(basis === null ? {} : { basis }) };
  }

  #stageOf(stamp: AcceptStamp, peers: readonly (readonly [Origin, VersionVector])[]): Stage {
    if (!this.#parts.log.seen.covers(stamp.origin, stamp.acceptTime)) return 'received';
    return this.stateOf(stamp, peers).stable ? 'stable' : 'accepted';
  }
}
