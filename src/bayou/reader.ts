import { compareOrigins, type Origin } from '../base/ids.js';
import type { AcceptClock } from './clock.js';
import type { WriteState } from './hold-messages.js';
import type { Integration } from './integration.js';
import type { Membership } from './membership.js';
import type { ReadReply, ReadRequest } from './messages.js';
import type { VersionVector } from './version-vector.js';
import type { AcceptStamp } from './write.js';
import type { WriteLog } from './write-log.js';

interface ReaderParts<Op, Value> {
  readonly self: Origin;
  readonly log: WriteLog<Op, Value>;
  readonly members: Membership;
  readonly integration: Integration<Op, Value>;
  readonly clock: AcceptClock;
}

/** What a replica answers from what it holds, changing nothing. */
export class Reader<Op, Value> {
  readonly #parts: ReaderParts<Op, Value>;

  constructor(parts: ReaderParts<Op, Value>) {
    this.#parts = parts;
  }

  /** What of a session's needs the replica lacks; while it is taking over what it missed its claims have gaps. */
  missing(needs: VersionVector | null): VersionVector | null {
    const { integration, log } = this.#parts;
    if (needs === null || needs.size === 0) return null;
    return integration.isBehind ? needs : log.seen.missing(needs);
  }

  /** A client's read. Dependency is tested before presence. */
  read(request: ReadRequest): ReadReply<Value> {
    const missing = this.missing(request.needs);
    if (missing !== null) return { kind: 'missing', missing };
    const folded = this.#parts.log.read(request.key);
    if (folded === null) return { kind: 'absent' };
    const { origin, acceptTime } = folded.last;
    return { kind: 'found', value: folded.value, stamp: { origin, acceptTime } };
  }

  /** The value of every present key, ascending by key, after `after` if it is not null. */
  *entries(after: string | null): Generator<{ readonly key: string; readonly value: Value }> {
    const { log } = this.#parts;
    const keys = log.storage.keys(after ?? undefined);
    for (let next = keys.next(); next.done !== true; next = keys.next()) {
      const folded = log.read(next.value);
      if (folded !== null) yield { key: next.value, value: folded.value };
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
}
