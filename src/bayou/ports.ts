import type { Address } from '../base/address.js';
import type { Origin, ReplicaId } from '../base/ids.js';
import type { Done } from '../base/outcome.js';
import type {
  LinkRequest,
  LogReply,
  LogRequest,
  RetireRequest,
  StabilizeReply,
  StabilizeRequest,
  Status,
  StoreReply,
  StoreRequest,
  UnlinkRequest,
} from './admin-messages.js';
import type { BundleOffer, ExportReply, ExportRequest, ImportBatch, ImportReply } from './bundle-messages.js';
import type { ConflictsReply, ConflictsRequest } from './conflict-messages.js';
import type { HistoryReply, HistoryRequest } from './history-messages.js';
import type { HoldsReply, HoldsRequest, WriteState, WriteStateRequest } from './hold-messages.js';
import type {
  News,
  PullBatch,
  PullRequest,
  ReadReply,
  ReadRequest,
  Resume,
  StoreCursor,
  WriteReply,
} from './messages.js';
import type { ReadManyReply, ReadManyRequest, ScanReply, ScanRequest } from './read-messages.js';
import type { Submission } from './submission.js';
import type { VersionVector } from './version-vector.js';
import type { WatchReply, WatchRequest } from './watch-messages.js';
import type { Write } from './write.js';

/**
 * What a replica keeps. Reads are synchronous and see every change made so far; changes become durable together, in
 * the order made, when a later `flush` answers. A crash takes back every change since the last flush that answered,
 * and never a part of them. Implementations run `runStorageConformance` of tests/storage.
 */
export interface ReplicaStorage<Op> {
  /** The live writes on `key`, ascending in the total order; empty if none. Callers do not keep or change it. */
  history(key: string): readonly Write<Op>[];
  /** Adds a write, `position` being where it stands in its key's history. Its stamp is not yet present on its key. */
  insert(write: Write<Op>, position: number): void;
  /** Drops the write at `position` of the history of `key`. */
  remove(key: string, position: number): void;
  /** What the writes on `key` that were folded come to: the one that sets its value; null if they leave it absent. */
  base(key: string): Write<Op> | null;
  /**
   * Folds the first write of the history of `key`: it leaves the log and replaces the key's base; or the key has none if
   * `present` is false.
   */
  settle(key: string, present: boolean): void;
  /** Replaces the base of `key` by what another replica's is. */
  setBase(key: string, base: Write<Op> | null): void;
  /** The bases that expire up to the accept time `upTo`, those first that expire first. Found by search. Used up before the next change. */
  expiring(upTo: number): Iterator<Write<Op>>;
  /** The origins that have, or had, writes here. */
  origins(): Iterable<Origin>;
  /**
   * The live writes of `origin` with accept time above `after` and at most `upTo`, ascending; those of one accept time by key.
   * Found by search, not by a pass. Stays valid while writes are inserted and removed.
   */
  run(origin: Origin, after: number, upTo: number): Iterator<Write<Op>>;
  /** About how many writes `run` would give. */
  count(origin: Origin, after: number, upTo: number): number;
  /** The keys that have a history or a base, ascending by code point, after `after` if it is given. */
  keys(after?: string): Iterator<string>;
  /**
   * Goes through these keys with what is under them, from the first on or if it is `reverse` from the last, beyond `after` if that is
   * not null; until there are no more, or `visit` says false. `visit` changes nothing.
   */
  walk(after: string | null, reverse: boolean, visit: Visit<Op>): void;
  /** The number of writes in the log: those in histories, without the bases. */
  readonly size: number;
  /** About how many keys there are. */
  readonly keyCount: number;
  /** The highest accept time of any write that was ever inserted; 0 if none was. */
  readonly highestTime: number;
  /** The vector as stored; what `saveSeen` said last. Empty at first. */
  loadSeen(): VersionVector;
  saveSeen(origin: Origin, acceptTime: number): void;
  /** Lowers the entry of `origin`, of what a replica that rejoins claims no more. */
  lowerSeen(origin: Origin, acceptTime: number): void;
  /** What `saveState` said last; null at first. */
  loadState(): ReplicaState | null;
  saveState(state: ReplicaState): void;
  /** True if there are changes that no flush has been asked for. */
  readonly dirty: boolean;
  /**
   * Makes every change made before the call durable. May answer before it returns. If it is not `isAwaited`, it must not
   * keep the caller from all else while the disk is at work.
   */
  flush(done: Done<void>, isAwaited?: boolean): void;
  /**
   * After a failed flush: forgets every change since the last flush that answered, but for those of the failed one if they
   * turn out to be durable whole, and shows what is. Fails while that cannot be read; the caller tries again.
   */
  recover(done: Done<void>): void;
}

/** What is under a key; callers do not keep or change it. */
export interface KeyEntry<Op> {
  readonly base: Write<Op> | null;
  readonly history: readonly Write<Op>[];
}

/** Is given a key and what is under it; true to be given the next. */
export type Visit<Op> = (key: string, entry: KeyEntry<Op>) => boolean;

/** What a replica keeps beside writes and `seen`. */
export interface ReplicaState {
  /** Writes up to this accept time are folded into the base store; 0 if none are. */
  readonly baseTime: number;
  /** For each origin, the highest accept time that is folded into the base store. */
  readonly baseVector: VersionVector;
  /** For each origin, up to where its writes were claimed before some of them were accepted anew. */
  readonly replaced: VersionVector;
  /** The origins that were retired. */
  readonly retired: readonly Origin[];
  /** The replica stamps nothing at or below this accept time any more. */
  readonly clock: number;
  /** The pull that was cut, or is under way. */
  readonly resume: Resume | null;
  /** Where taking over another replica's base store stands; null unless that is under way. */
  readonly store: StoreCursor | null;
  /** Set while the replica rejoins: from whom it is to hear what it missed. */
  readonly rejoinsWith: ReplicaId | null;
}

/** How a replica reaches its peers. */
export interface PeerDialer<Op> {
  /** Never fails by itself: an address where nobody listens shows as failed pulls. */
  dial(peer: ReplicaId, address: Address): PeerConnection<Op>;
}

/*
 * The faces of a replica as others reach it. Every call answers exactly once, within `timeoutMs`: with the reply,
 * or with ERR_CONN, ERR_TIMEOUT, ERR_CLOSED or the coded error the replica answered.
 */

/** How a replica reaches one peer. */
export interface PeerConnection<Op> {
  pull(request: PullRequest, timeoutMs: number, done: Done<PullBatch<Op>>): void;
  news(news: News, timeoutMs: number, done: Done<void>): void;
  /** What is under way fails with ERR_CLOSED. */
  close(): void;
}

/** How a client reaches one replica. */
export interface ClientConnection<Op, Value> {
  write(request: Submission<Op>, timeoutMs: number, done: Done<WriteReply>): void;
  read(request: ReadRequest, timeoutMs: number, done: Done<ReadReply<Value>>): void;
  readMany(request: ReadManyRequest, timeoutMs: number, done: Done<ReadManyReply<Value>>): void;
  close(): void;
}

/** How a program's sessions reach one replica. */
export interface SessionConnection<Op, Value> extends ClientConnection<Op, Value> {
  scan(request: ScanRequest, timeoutMs: number, done: Done<ScanReply<Value>>): void;
  holds(request: HoldsRequest, timeoutMs: number, done: Done<HoldsReply>): void;
  writeState(request: WriteStateRequest, timeoutMs: number, done: Done<WriteState>): void;
  watch(request: WatchRequest, timeoutMs: number, done: Done<WatchReply<Value>>): void;
  history(request: HistoryRequest, timeoutMs: number, done: Done<HistoryReply<Op>>): void;
  conflicts(request: ConflictsRequest, timeoutMs: number, done: Done<ConflictsReply<Op>>): void;
}

/** How an operator, or the master, reaches one replica. */
export interface AdminConnection<Op, Value> {
  status(timeoutMs: number, done: Done<Status>): void;
  link(request: LinkRequest, timeoutMs: number, done: Done<void>): void;
  unlink(request: UnlinkRequest, timeoutMs: number, done: Done<void>): void;
  stabilize(request: StabilizeRequest, timeoutMs: number, done: Done<StabilizeReply>): void;
  store(request: StoreRequest, timeoutMs: number, done: Done<StoreReply<Value>>): void;
  log(request: LogRequest, timeoutMs: number, done: Done<LogReply<Op>>): void;
  retire(request: RetireRequest, timeoutMs: number, done: Done<void>): void;
  shutdown(timeoutMs: number, done: Done<void>): void;
  close(): void;
}

/** How who makes and takes bundles reaches one replica. */
export interface BundleConnection<Op> {
  exportBatch(request: ExportRequest, timeoutMs: number, done: Done<ExportReply<Op>>): void;
  beginImport(offer: BundleOffer, timeoutMs: number, done: Done<ImportReply>): void;
  importBatch(batch: ImportBatch<Op>, timeoutMs: number, done: Done<ImportReply>): void;
}

/** What a replica answers, however it is reached: the driver implements it. Every call answers exactly once. */
export interface ReplicaService<Op, Value> {
  write(request: Submission<Op>, done: Done<WriteReply>): void;
  read(request: ReadRequest, done: Done<ReadReply<Value>>): void;
  readMany(request: ReadManyRequest, done: Done<ReadManyReply<Value>>): void;
  scan(request: ScanRequest, done: Done<ScanReply<Value>>): void;
  holds(request: HoldsRequest, done: Done<HoldsReply>): void;
  writeState(request: WriteStateRequest, done: Done<WriteState>): void;
  watch(request: WatchRequest, done: Done<WatchReply<Value>>): void;
  pull(request: PullRequest, done: Done<PullBatch<Op>>): void;
  news(news: News, done: Done<void>): void;
  status(done: Done<Status>): void;
  link(request: LinkRequest, done: Done<void>): void;
  unlink(request: UnlinkRequest, done: Done<void>): void;
  stabilize(request: StabilizeRequest, done: Done<StabilizeReply>): void;
  store(request: StoreRequest, done: Done<StoreReply<Value>>): void;
  log(request: LogRequest, done: Done<LogReply<Op>>): void;
  retire(request: RetireRequest, done: Done<void>): void;
  readonly bundles: BundleService<Op>;
  readonly histories: HistoryService<Op>;
  shutdown(done: Done<void>): void;
}

/** What a replica tells of the writes that it still holds, and of what became of them. */
export interface HistoryService<Op> {
  history(request: HistoryRequest, done: Done<HistoryReply<Op>>): void;
  conflicts(request: ConflictsRequest, done: Done<ConflictsReply<Op>>): void;
}

/** What a replica does for who makes and takes bundles. */
export interface BundleService<Op> {
  /** The next part of a bundle. The replica keeps nothing for the one after it. */
  exportBatch(request: ExportRequest, done: Done<ExportReply<Op>>): void;
  /** Begins to pull what a bundle offers from who calls; answers with what it asks first. */
  beginImport(offer: BundleOffer, done: Done<ImportReply>): void;
  /** Goes on with it: answers with what it asks next. */
  importBatch(batch: ImportBatch<Op>, done: Done<ImportReply>): void;
  /**
   * Pulls what a bundle offers from `way`, which answers as who made the bundle would; answers when all of it is taken and
   * durable. The caller closes `way`.
   */
  pullThrough(offer: BundleOffer, way: PeerConnection<Op>, done: Done<void>): void;
}
