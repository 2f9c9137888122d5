import { type Origin, originOf, type ReplicaId } from '../base/ids.js';
import type { Outcome } from '../base/outcome.js';
import type {
  ClusterTerms,
  PullBatch,
  PullRequest,
  Report,
  Resume,
  Standing,
  StoreCursor,
  StorePage,
} from './messages.js';
import type { VersionVector } from './version-vector.js';
import type { Write } from './write.js';

/**
 * Who asks for what goes into a bundle: no replica, so that nobody takes it for a member. No message from outside can come
 * from it, since its id is empty.
 */
export const NOBODY: Origin = originOf('' as ReplicaId, 0);

/** One step of the making of a bundle: the next part of what a pull would bring to who holds `since`. */
export interface ExportRequest {
  /** What whoever takes the bundle must hold. */
  readonly since: VersionVector;
  /** How far it has come: what the parts so far hold beside `since`, and the `seen` of the last. Null at first. */
  readonly resume: Resume | null;
  readonly store: StoreCursor | null;
  readonly writesMax: number;
  readonly bytesMax: number;
}

export interface ExportReply<Op> {
  readonly terms: ClusterTerms;
  /** With a report. */
  readonly batch: PullBatch<Op>;
}

/** Whose writes a bundle brings, from where and up to where. */
export interface BundleOffer {
  readonly terms: ClusterTerms;
  readonly from: Origin;
  readonly since: VersionVector;
  readonly seen: VersionVector;
}

/** The answer to the request that the import of that number asked last. */
export interface ImportBatch<Op> {
  readonly number: number;
  /** Or why there is none. */
  readonly batch: Outcome<PullBatch<Op>>;
}

export interface ImportReply {
  /** Names the import. */
  readonly number: number;
  /** What the replica asks of the bundle next; null if it has taken all of it. */
  readonly request: PullRequest | null;
}

/** The first block of a bundle. */
export interface BundleHead {
  readonly terms: ClusterTerms;
  /** Who made it. */
  readonly from: Origin;
  /** What whoever takes the bundle must hold. */
  readonly since: VersionVector;
}

/** Writes, in stamp order, that none of the parts before cover; or a part of the base store, which come first. */
export interface BundlePart<Op> {
  readonly writes: readonly Write<Op>[];
  readonly store: StorePage<Op> | null;
}

/** The last block of a bundle: what who made it could claim, and knew, when its last part was cut. */
export interface BundleEnd {
  readonly seen: VersionVector;
  readonly standing: Standing;
  readonly report: Report;
  /** Writes, and keys of the base store, in all parts. */
  readonly entries: number;
  /** As of a `PullBatch`. */
  readonly replaced?: VersionVector;
}
