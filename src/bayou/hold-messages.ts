import type { Origin } from '../base/ids.js';
import type { VersionVector } from './version-vector.js';
import type { AcceptStamp } from './write.js';

/** Asks whether a replica holds something, and to wait until it does. */
export interface HoldsRequest {
  readonly needs: VersionVector;
  /** How long the answer may wait for the rest to come; 0 to be told at once. */
  readonly budgetMs: number;
}

export interface HoldsReply {
  /** What the replica still lacks; null if nothing. */
  readonly missing: VersionVector | null;
}

/** Asks how far a write has come, and to wait until it has come further. */
export interface WriteStateRequest {
  readonly stamp: AcceptStamp;
  /** Answer once so many replicas are known to hold the write; 0 if that is not waited for. */
  readonly holders: number;
  /** Answer once the write is stable. */
  readonly stable: boolean;
  /** How long the answer may wait; 0 to be told at once. */
  readonly budgetMs: number;
}

/**
 * How far a write has come, as far as the replica that answers knows: from what its neighbours say when they pull or are
 * pulled from, and from what the members attest.
 */
export interface WriteState {
  /** The replicas that hold it on disk, by id. */
  readonly holders: readonly Origin[];
  /** The members that are not known to hold it, by id. */
  readonly waitsFor: readonly Origin[];
  /** True if every member holds it. */
  readonly stable: boolean;
}
