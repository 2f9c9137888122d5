import type { ErrorCode } from '../base/errors.js';
import type { ClientId, Origin, ReplicaId } from '../base/ids.js';
import type { VersionVector } from './version-vector.js';
import type { AcceptStamp, TieBreak, Write } from './write.js';

/** What all replicas of a cluster must agree on before they exchange anything. */
export interface ClusterTerms {
  readonly protocol: number;
  readonly cluster: string;
  readonly tieBreak: TieBreak;
  readonly clock: ClockKind;
  /**
   * For how long after it first sent an operation a client may send it again and have it take effect once. In
   * milliseconds; with a logical clock, in accept times. The log keeps writes for twice as long after they are stable.
   */
  readonly retryWindowMs: number;
}

/** `logical` is a counter; `hybrid` a hybrid logical clock, so that "last writer" means what people expect. */
export type ClockKind = 'logical' | 'hybrid';

/** Raised when a change to the messages or to their meaning keeps an older replica from understanding a newer one. */
export const PROTOCOL_VERSION = 5;

export interface WriteRequest<Op> {
  readonly client: ClientId;
  readonly clientTime: number;
  readonly key: string;
  readonly operation: Op;
  /** The highest accept time the client's session has read or written; the new write is stamped after it. */
  readonly after: number;
  /** What the replica must hold before it may take the write (writes-follow-reads, monotonic-writes); null if nothing. */
  readonly needs: VersionVector | null;
}

/** One operation of a batch. */
export interface BatchPart<Op> {
  readonly key: string;
  readonly operation: Op;
}

/** Several keys as one atomic write: under one stamp, and one client time. */
export interface BatchRequest<Op> extends Pick<WriteRequest<Op>, 'client' | 'clientTime' | 'after' | 'needs'> {
  /** From 1 to BATCH_PARTS_MAX, each on a key of its own; BATCH_BYTES_MAX in all. */
  readonly parts: readonly BatchPart<Op>[];
}

export type WriteReply =
  | { readonly kind: 'accepted'; readonly stamp: AcceptStamp }
  /** ERR_DEP: the replica does not hold what the session needs; nothing was written. */
  | { readonly kind: 'missing'; readonly missing: VersionVector };

export interface ReadRequest {
  readonly key: string;
  /** What the session needs for this key (read-your-writes, monotonic-reads); null if nothing. */
  readonly needs: VersionVector | null;
}

export type ReadReply<Value> =
  | {
      readonly kind: 'found';
      readonly value: Value;
      /** Of the last write that changed the value. */
      readonly stamp: AcceptStamp;
      /** The accept time from which on it is gone; absent if it stays. */
      readonly expires?: number;
      /** Of each origin, the last write that the value rests on; absent if that is the one of `stamp` alone. */
      readonly basis?: VersionVector;
    }
  /** ERR_KEY. */
  | { readonly kind: 'absent' }
  /** ERR_DEP, which is tested before ERR_KEY. */
  | { readonly kind: 'missing'; readonly missing: VersionVector };

/** Where an interrupted transfer stands: `received` is meaningful only with a peer whose `seen` dominates `target`. */
export interface Resume {
  readonly received: VersionVector;
  /** The `seen` the last reply of the transfer carried. */
  readonly target: VersionVector;
}

/** Where the transfer of a base store stands. */
export interface StoreCursor {
  /** Names the base store: the highest accept time that is folded into it. */
  readonly time: number;
  /** The last key that was taken; null if none was. */
  readonly after: string | null;
}

/** One step of a pull. It says all the responder needs, so that a responder keeps nothing between two steps. */
export interface PullRequest {
  readonly terms: ClusterTerms;
  readonly from: Origin;
  /** The replica the requester means to ask. */
  readonly to: ReplicaId;
  readonly seen: VersionVector;
  readonly resume: Resume | null;
  /** Set while the base store of a responder is being taken. */
  readonly store: StoreCursor | null;
  /** True to be told what the members attest. */
  readonly report: boolean;
  /** The requester stamps nothing at or below this accept time any more; 0 if it does not say. */
  readonly clock: number;
  /** Grows with each start of the requester's process: two that take turns run on copies of one storage. */
  readonly life: number;
  /** True if the requester rejoins under a new incarnation, and has not heard yet what it missed. */
  readonly outside: boolean;
  /**
   * The responder stops at whichever comes first, and always sends one write if any is left; of a batch, which it does not
   * divide, all.
   */
  readonly writesMax: number;
  readonly bytesMax: number;
}

export interface PullBatch<Op> {
  readonly from: Origin;
  /** True if the batch goes on from `resume.received`; false if it starts from `seen`. */
  readonly resumed: boolean;
  /** In stamp order; the parts of a batch by key. Never some parts of a batch without the others. */
  readonly writes: readonly Write<Op>[];
  /** The responder's `seen`, fixed in the same step as `writes`. */
  readonly seen: VersionVector;
  /** True if writes are left after these. */
  readonly more: boolean;
  readonly standing: Standing;
  /** A part of the base store, which the requester lacks: there are no writes then, and more is left. */
  readonly store: StorePage<Op> | null;
  /** About how many writes, and keys of the base store, are left after this batch; null unless a transfer begins. */
  readonly left: number | null;
  /** Set if it was asked for. */
  readonly report: Report | null;
  /** What claims that were given up still answer for (`WriteLog.replaced`); absent if nothing. Goes with `seen`. */
  readonly replaced?: VersionVector;
}

/** What tells a replica and a peer that do not know each other which of them rejoins. */
export interface Standing {
  /** Writes up to this accept time are folded into the responder's base store; 0 if none are. */
  readonly base: number;
  /** From an origin it does not know, the responder takes writes only above this accept time. */
  readonly floor: number;
  /** The responder stamps nothing at or below this accept time any more. */
  readonly clock: number;
  /** How many members the responder knows, itself among them. */
  readonly members: number;
}

/** The next keys of a base store. It speaks for every key after `after` up to `upTo`. */
export interface StorePage<Op> {
  /** Names the base store: the highest accept time that is folded into it. */
  readonly time: number;
  /** For each origin, the highest accept time that is folded into the base store. */
  readonly vector: VersionVector;
  /** The key the page comes after; null if it is the first page. */
  readonly after: string | null;
  /** The write each present key comes from, ascending by key. */
  readonly entries: readonly Write<Op>[];
  /** The last key the page speaks for; null if it speaks for all that are left. */
  readonly upTo: string | null;
}

/** What a member says of itself; others pass it on. Of two, the one with the higher `clock` is newer. */
export interface Attestation {
  readonly origin: Origin;
  /** The member stamps nothing at or below this accept time any more. */
  readonly clock: number;
  /** The member holds every write of every member up to this accept time, and always will; 0 if it cannot tell. */
  readonly held: number;
  /** Names the members it counted. */
  readonly view: number;
}

/** What a replica knows of the members beyond their writes. */
export interface Report {
  readonly attestations: readonly Attestation[];
  /** The origins that were retired. */
  readonly retired: readonly Origin[];
}

/** What keeps a transfer waiting: an accept time further ahead of this replica's wall clock than it takes. */
export interface Drift {
  /** Who stamped it. */
  readonly origin: Origin;
  /** By how much it was ahead, when it was last looked at. */
  readonly aheadMs: number;
}

/** Tells a neighbour that there is something new to pull. */
export interface News {
  readonly terms: ClusterTerms;
  readonly from: Origin;
  /** The replica that is meant. */
  readonly to: ReplicaId;
  /** What of the sender's `seen` the recipient does not cover, as far as the sender knows. */
  readonly fresh: VersionVector;
}

/** The core's answer to what it cannot do; the driver turns it into the coded error of the same name. */
export interface Refused {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
}

export function isRefused(reply: object): reply is Refused {
  return 'kind' in reply && reply.kind === 'refused';
}

export function refused(code: ErrorCode, message: string): Refused {
  return { kind: 'refused', code, message };
}
