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

export interface LinkStatus {
  readonly peer: ReplicaId;
  readonly address: Address;
  /** The code of the last pull's failure; null if it succeeded or none was tried. */
  readonly lastError: ErrorCode | null;
  /** Why the transfer from the peer waits for time to catch up; null if it does not. */
  readonly drift: Drift | null;
}

export interface Status {
  readonly origin: Origin;
  readonly terms: ClusterTerms;
  readonly seen: VersionVector;
  /** Live writes in the log. */
  readonly writes: number;
  readonly links: readonly LinkStatus[];
}

export interface StabilizeRequest {
  /** The neighbours to pull from; null for all that are linked. */
  readonly peers: readonly ReplicaId[] | null;
  /** Answer after about this many milliseconds, finished or not. */
  readonly budgetMs: number;
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
