import type { Address } from '../base/address.js';
import type { ErrorCode } from '../base/errors.js';
import type { Origin, ReplicaId } from '../base/ids.js';
import type { ClusterTerms, Drift } from './messages.js';
import type { VersionVector } from './version-vector.js';
import type { AcceptStamp, Write } from './write.js';

export interface LinkRequest {
  readonly peer: ReplicaId;
  readonly address: Address;
  /** The peer's incarnation, null if it is not known. */
  readonly incarnation: number | null;
}

export interface UnlinkRequest {
  readonly peer: ReplicaId;
}

/** Says that a replica will not return under its present incarnation, so that nobody waits for it any more. */
export interface RetireRequest {
  readonly id: ReplicaId;
}

/** How far a pull is. */
export interface Progress {
  /** Writes, and keys of a base store, that were taken. */
  readonly done: number;
  /** About how many there are in all. */
  readonly total: number;
  /** How many were taken a second, since the pull began. */
  readonly perSecond: number;
}

export interface LinkStatus {
  readonly peer: ReplicaId;
  readonly address: Address;
  /** The code of the last pull's failure; null if it succeeded or none was tried. */
  readonly lastError: ErrorCode | null;
  /** Why the transfer from the peer waits for time to catch up; null if it does not. */
  readonly drift: Drift | null;
  /** Null unless a pull of more than one batch is under way. */
  readonly progress: Progress | null;
}

export interface Status {
  readonly origin: Origin;
  readonly terms: ClusterTerms;
  readonly seen: VersionVector;
  /** Live writes in the log. */
  readonly writes: number;
  /** Writes up to this accept time are folded into the base store and left the log; 0 if none are. */
  readonly base: number;
  /** Every member holds every write up to this accept time, as far as this replica knows; 0 if it cannot tell. */
  readonly stable: number;
  /** The members whose report keeps writes from being stable: those that hold least, or were not heard from. */
  readonly waitsFor: readonly Origin[];
  /** The origins that were retired. */
  readonly retired: readonly Origin[];
  readonly links: readonly LinkStatus[];
  /** The merge procedures that writes here need and the replica has not, as `name@version`: what rests on them waits. */
  readonly lacks: readonly string[];
}

export interface StabilizeRequest {
  /** The neighbours to pull from; null for all that are linked. */
  readonly peers: readonly ReplicaId[] | null;
  /** Answer after about this many milliseconds, finished or not. */
  readonly budgetMs: number;
  /** True to learn what the members attest, and then fold what is stable. */
  readonly compact: boolean;
}

/** How the pull from one neighbour ended. */
export interface PullOutcome {
  readonly peer: ReplicaId;
  /** True if the neighbour had nothing left to give. */
  readonly done: boolean;
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
}

export interface StabilizeReply {
  readonly outcomes: readonly PullOutcome[];
  /** What the replica may claim to hold afterwards. */
  readonly seen: VersionVector;
}

export interface StoreRequest {
  /** Keys after this one; null from the first. */
  readonly after: string | null;
  readonly entriesMax: number;
}

export interface StoreReply<Value> {
  readonly entries: readonly { readonly key: string; readonly value: Value }[];
  readonly more: boolean;
}

export interface LogRequest {
  /** Writes after this stamp; null from the first. */
  readonly after: AcceptStamp | null;
  readonly writesMax: number;
}

export interface LogReply<Op> {
  readonly entries: readonly Write<Op>[];
  readonly more: boolean;
}

/** A page of the store or of the log also ends at about this size, whatever was asked for. */
export const PAGE_BYTES_MAX = 1024 * 1024;
