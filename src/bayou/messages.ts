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
}

/** `logical` is a counter; `hybrid` a hybrid logical clock, so that "last writer" means what people expect. */
export type ClockKind = 'logical' | 'hybrid';

/** Raised when a change to the messages or to their meaning keeps an older replica from understanding a newer one. */
export const PROTOCOL_VERSION = 1;

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
  | { readonly kind: 'found'; readonly value: Value; readonly stamp: AcceptStamp }
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

/** One step of a pull. It says all the responder needs, so that a responder keeps nothing between two steps. */
export interface PullRequest {
  readonly terms: ClusterTerms;
  readonly from: Origin;
  /** The replica the requester means to ask. */
  readonly to: ReplicaId;
  readonly seen: VersionVector;
  readonly resume: Resume | null;
  /** The responder stops at whichever comes first, and always sends one write if any is left. */
  readonly writesMax: number;
  readonly bytesMax: number;
}

export interface PullBatch<Op> {
  readonly from: Origin;
  /** True if the batch goes on from `resume.received`; false if it starts from `seen`. */
  readonly resumed: boolean;
  /** In stamp order. */
  readonly writes: readonly Write<Op>[];
  /** The responder's `seen`, fixed in the same step as `writes`. */
  readonly seen: VersionVector;
  /** True if writes are left after these. */
  readonly more: boolean;
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

export function refused(code: ErrorCode, message: string): Refused {
  return { kind: 'refused', code, message };
}
