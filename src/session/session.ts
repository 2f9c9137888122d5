import type { Concurrent, LossRule } from '../bayou/conflict-messages.js';
import type { Fate } from '../bayou/fates.js';
import type { Stage } from '../bayou/history-messages.js';
import type { WriteState } from '../bayou/hold-messages.js';
import type { Guarantee } from '../bayou/session.js';
import type { AcceptStamp } from '../bayou/write.js';
import type { ValueCodec } from './value-codec.js';

/** Which write: the clock reading that a replica gave it, and the replica, as `id#incarnation`. */
export type Stamp = AcceptStamp;

/**
 * What becomes of a request that a replica cannot serve yet, since it lacks what the session has seen or written:
 *
 * - `wait` until it has come, for `waitMs` at most;
 * - `try-another`: ask the other replicas, in the order of their distance (with one replica, that is to report);
 * - `report`.
 *
 * If that does not help, the answer is of kind `missing`.
 */
export type OnMissing = 'wait' | 'try-another' | 'report';

/** Limits of one call. */
export interface CallOptions {
  /** How long it may take, in milliseconds; then it fails with ERR_TIMEOUT. Up to an hour. */
  readonly timeoutMs?: number;
  /** Fails with ERR_ABORTED when it fires. A write may take effect all the same. */
  readonly signal?: AbortSignal;
  readonly onMissing?: OnMissing;
  /** How long `wait` waits, in milliseconds. */
  readonly waitMs?: number;
}

/** How a session begins; what a call does not say goes by this. */
export interface SessionOptions<V = string> extends Omit<CallOptions, 'signal'> {
  /**
   * Default: read-your-writes and monotonic-reads. `causal` is all four. A session that goes on from a token keeps those that
   * it had.
   */
  readonly guarantees?: readonly (Guarantee | 'causal')[];
  /** Goes on from `session.token()`, with all that that session had seen and written. */
  readonly token?: string;
  /** How values stand in the store. Default: utf8. */
  readonly codec?: ValueCodec<V>;
}

/** The replica lacks what the session needs (ERR_DEP). */
export interface Missing {
  readonly kind: 'missing';
  readonly code: 'ERR_DEP';
  /** For each replica whose writes are lacking, the last one that is needed. */
  readonly missing: readonly Stamp[];
}

/** How a read ended. */
export type Read<V> =
  | ({ readonly kind: 'found' } & Found<V>)
  /** There is nothing under the key (ERR_KEY). */
  | { readonly kind: 'absent' }
  | Missing;

/** A value, and the write it comes from. */
export interface Found<V> {
  readonly value: V;
  readonly stamp: Stamp;
  /**
   * The accept time from which on it is gone; absent if it stays. `millisecondsOf` tells which wall clock that is, where accept times
   * are of a hybrid clock.
   */
  readonly expires?: number;
}

/** How a read of several keys ended: all of it is of one state. */
export type ReadMany<V> =
  /** By key; those that are absent are not in it. */
  { readonly kind: 'found'; readonly values: ReadonlyMap<string, Found<V>> } | Missing;

/** Which keys a scan goes through, in the order of their UTF-8 bytes. */
export interface ScanOptions extends CallOptions {
  /** Keys that begin so. */
  readonly prefix?: string;
  /** Keys from this one on. */
  readonly from?: string;
  /** Keys before this one. */
  readonly before?: string;
  /** From the last key on. */
  readonly reverse?: boolean;
  /** At most so many entries. */
  readonly limit?: number;
  /** Goes on behind where `scan.cursor` stood, with the keys and the order of that scan; then only `limit` may be said anew. */
  readonly cursor?: string;
  /**
   * True, the default: all pages show the state that the first one did. That costs the replica what changes under keys that are
   * still to come; it holds a state for a minute after each page, and the next page fails with ERR_SNAPSHOT if it could not.
   * False: each page (4,096 entries, or about 1 MiB) shows one state, no older than that of the page before.
   */
  readonly snapshot?: boolean;
}

export interface ScanEntry<V> extends Found<V> {
  readonly key: string;
}

/**
 * What is under a range of keys, page by page, as it is asked for: memory holds a page, however many there are. To be gone
 * through once; to leave the loop lets go of the state. Limits of the call are those of each page.
 */
export interface Scan<V> extends AsyncIterable<ScanEntry<V>> {
  readonly kind: 'scan';
  /** Where it stands, behind the entry that was given last, for a scan that goes on later or elsewhere. */
  readonly cursor: string;
}

/** Where a watch begins, and its limits. */
export interface WatchOptions extends CallOptions {
  /**
   * - `now`, the default: it tells what the replica comes to hold from now on;
   * - `start`: all that is there first, a change for each, and then what changes;
   * - a stamp: what stands after that write, and what the replica comes to hold from now on, wherever that stands;
   * - `watch.cursor` of a watch of the same prefix: on from there, without a gap or a repeat;
   * - `session.token()`: from now on, at a replica that holds what that session has seen and written.
   */
  readonly from?: 'now' | 'start' | Stamp | string;
  /** For how long no replica may answer, or hold what the watch was told, before it fails. Default: a minute. */
  readonly timeoutMs?: number;
  /** How long `wait` waits for what a replica lacks. Default: `timeoutMs`. */
  readonly waitMs?: number;
}

/** A write, as a watch tells of it: once. */
export interface Change<V> {
  readonly key: string;
  /** What is under the key now: `undefined` if nothing. */
  readonly value: V | undefined;
  /** The accept time from which on that is gone, which is not told; absent if it stays. */
  readonly expires?: number;
  /** The write that is told of. */
  readonly stamp: Stamp;
  /** Who wrote. */
  readonly client: string;
  /** The write that the value comes from, or that deleted it: `stamp`, unless another stands after that. */
  readonly standing: Stamp;
  /** True if the value rests on this write; false if it lost to one that stands after it. */
  readonly stands: boolean;
  /**
   * False: told as it came, the first time that its place is known. True: it came late, and stands before a write on its key
   * that was told of already; or it was accepted anew under another stamp, since its replica had been left behind.
   */
  readonly reordered: boolean;
  /** What the write set, if it does not stand: `undefined` if it does, or deleted the key. */
  readonly lost: V | undefined;
}

/**
 * Changes under a prefix, as they come, each once. To be gone through once. Asks for more only when those at hand were taken,
 * so that a slow program is told the newest values, and holds up nobody. To leave the loop ends it; so do `close`, which ends
 * the loop, and the signal, which fails it with ERR_ABORTED. Fails with ERR_FOLDED if it goes on so late that what was deleted
 * meanwhile can no longer be told, or what it was told is lost; with ERR_DEP, ERR_CONN, ... if no replica can serve it in time. `cursor` is then good still.
 */
export interface Watch<V> extends AsyncIterable<Change<V>>, AsyncDisposable {
  /**
   * Where it stands, behind the change that was given last, as a URL-safe string for `from`. Null until it has begun. At most
   * about 60 characters, and 36 and one and a third times its id for each replica of the cluster, however long it has watched;
   * while it tells what is there from the `start`, one and a third times a key more.
   */
  readonly cursor: string | null;
  /** Done when it has begun: what is written from then on is told. Rejects with why it could not begin. */
  begun(): Promise<void>;
  close(): void;
}

/** What a write may be waited for. Each fails with ERR_TIMEOUT, by default after a minute, and ERR_ABORTED. */
export interface WriteProgress {
  /**
   * Waits until so many replicas are known to hold the write on disk, the one that accepted it among them. Members that are
   * away, or were retired, hold nothing.
   */
  replicated(replicas: number, options?: StateOptions): Promise<WriteState>;
  /** Waits until every member of the cluster holds the write. One that is away keeps it from being stable; one that was retired does not. */
  stable(options?: StateOptions): Promise<WriteState>;
  /** How far the write has come, as far as the replica that is asked knows. */
  state(options?: StateOptions): Promise<WriteState>;
}

export type StateOptions = Pick<CallOptions, 'timeoutMs' | 'signal'>;

/** A write that a replica has accepted: it is on disk there. */
export interface AcceptedWrite extends WriteProgress {
  readonly kind: 'accepted';
  readonly key: string;
  readonly stamp: Stamp;
}

/** A write that was not made, since the session wants its writes to follow what the replica lacks. To wait for it fails with ERR_DEP. */
export interface RefusedWrite extends WriteProgress, Missing {
  readonly key: string;
}

export type Write = AcceptedWrite | RefusedWrite;

/** A batch that a replica has accepted: all of it is on disk there. */
export interface AcceptedBatch extends WriteProgress {
  readonly kind: 'accepted';
  readonly keys: readonly string[];
  /** Of all its writes. */
  readonly stamp: Stamp;
}

/** A batch of which nothing was written, as of a `RefusedWrite`. */
export interface RefusedBatch extends WriteProgress, Missing {
  readonly keys: readonly string[];
}

export type Batch = AcceptedBatch | RefusedBatch;

/**
 * What a write does to its key. All but `put` and `delete` read the value that stands where the write has its place in the order
 * of all writes, so that each counts once, and the same everywhere; where it cannot it takes no effect, and is accepted all the
 * same. docs/GUARANTEES.md, "Operations", says it of each.
 */
export type Operation<V> =
  | ({ readonly kind: 'put'; readonly value: V } & Lasting)
  | { readonly kind: 'delete' }
  /** Adds to a decimal number; an absent key counts as 0. `by` is a whole number within 2^53 - 1. */
  | { readonly kind: 'increment'; readonly by: number }
  /** Puts the bytes of a value after those that are there. For codecs of which that makes a value: `concatenates`. */
  | { readonly kind: 'append'; readonly value: V }
  /** Adds a member to a set of strings, at most 4 KiB each: a JSON array. An absent key counts as the empty set. */
  | { readonly kind: 'setAdd'; readonly member: string }
  | { readonly kind: 'setRemove'; readonly member: string }
  /** The value, if the key is absent. */
  | ({ readonly kind: 'putIfAbsent'; readonly value: V } & Lasting)
  /**
   * The value, if under the key is what is expected: a value, or nothing. Else what the merge procedure, `name@version`, makes of
   * what is there and of the value; it decides always if nothing is expected.
   */
  | {
      readonly kind: 'merge';
      readonly value: V;
      readonly procedure: string;
      readonly expects?: V;
      readonly expectsAbsent?: boolean;
    };

/** A time to live. It ends everywhere by the first accept stamp of the write, whenever that comes to a replica. */
export interface Lasting {
  /** For how many milliseconds the value stays, unless something else is written before: a whole number, up to ten years. */
  readonly ttlMs?: number;
  /** As `history` and `conflicts` tell it, the accept time from which on it is gone. Not looked at in what is written. */
  readonly expires?: number;
}

/** Limits of a put, and for how long what it puts stays. */
export interface PutOptions extends CallOptions, Pick<Lasting, 'ttlMs'> {}

/** What a merge expects to find: a value, or that the key is absent, or neither. */
export interface MergeOptions<V> extends CallOptions {
  readonly expects?: V;
  readonly expectsAbsent?: boolean;
}

/** Which writes of a key's history are asked for. */
export interface HistoryOptions extends CallOptions {
  /** Those that stand behind this one: `cursor` of the page before. Default: from the first. */
  readonly after?: Stamp;
  /** At most so many writes. A page ends at 4,096, or about 1 MiB, all the same. Default: 1,024. */
  readonly limit?: number;
}

/** A write that the replica still holds. */
export interface PastWrite<V> {
  readonly stamp: Stamp;
  /** Who wrote. */
  readonly client: string;
  readonly operation: Operation<V>;
  /** What became of it, among all that the replica holds of its key. */
  readonly fate: Fate;
  /** `received` but not claimed yet, `accepted`, or `stable`, as far as the replica knows. */
  readonly stage: Stage;
  /** True if a replica that had been left behind accepted it anew, under this stamp. */
  readonly resubmitted: boolean;
}

/** What the writes on a key come to that left the log, since every member holds them. */
export interface PastBase<V> {
  /** `undefined`: they leave the key absent. Of what has expired, what it was, while that is still there. */
  readonly value: V | undefined;
  /** Of the last of them that has a part in the value, and who wrote that. */
  readonly stamp: Stamp;
  readonly client: string;
  /** True if several of them came to the value. */
  readonly isTotal: boolean;
  readonly fate: Fate;
}

/** The writes on a key that a replica still holds, or a page of them, as they stand in the order of all writes. */
export interface History<V> {
  readonly kind: 'history';
  /** What stands before all of them; null if nothing does, or on a later page. */
  readonly base: PastBase<V> | null;
  readonly writes: readonly PastWrite<V>[];
  /** Where the next page goes on, as `after`; null if none is left. */
  readonly cursor: Stamp | null;
}

/** A write, and who wrote it. */
export interface Author {
  readonly stamp: Stamp;
  readonly client: string;
}

/** A write that lost to another. docs/GUARANTEES.md, "Conflicts", says what that is, and what it cannot tell. */
export interface Loss<V> {
  readonly key: string;
  readonly lost: Author;
  /** What the loser would have done; its value is in it, and `restore` puts it back. */
  readonly operation: Operation<V>;
  /** `overwritten` by a put or a delete of another client; or `inapplicable` to what it found, as the winner had left it. */
  readonly rule: LossRule;
  /** Null only where an operation does not apply to a key that nobody ever wrote. */
  readonly winner: Author | null;
  /**
   * Whether the replica that accepted the later of the two did so without the other: `yes` if it did not claim that yet, `no` if it
   * had accepted that itself, `unknown` if it cannot be told.
   */
  readonly concurrent: Concurrent;
}

/** Which conflicts are asked for. */
export interface ConflictsOptions extends CallOptions {
  /**
   * - `start`, the default: all that there are in the log;
   * - `now`: none; but the `cursor` says where to go on from, when it was gone through;
   * - a stamp: those that came of what stands after that write, or comes to be held from now on;
   * - `conflicts.cursor`, or `watch.cursor`, of the same prefix: on from there, without a gap or a repeat.
   */
  readonly since?: 'start' | 'now' | Stamp | string;
  /** Of keys that begin so. */
  readonly prefix?: string;
}

/**
 * The conflicts that there are, in no particular order, until none is left; memory holds a page. To be gone through once. Fails
 * with ERR_FOLDED if some of what may have lost was folded since, with ERR_BEHIND while the replica takes over what it missed, and
 * with ERR_DEP if none that answers holds what was told, or what the session needs.
 */
export interface Conflicts<V> extends AsyncIterable<Loss<V>> {
  /** Behind the conflict that was given last, as a URL-safe string for `since`. Null until it has begun. As long as that of a watch. */
  readonly cursor: string | null;
}

/** One operation of a batch, and its key. */
export type BatchPart<V> = Operation<V> & { readonly key: string };

/**
 * A program's view of the store: it sees its own writes, and never sees time run backwards, whichever replica serves it, as
 * far as its guarantees say. The same in the process of a replica and over the wire.
 *
 * Calls may be made while others are under way; what order they take effect in is then open. What the protocol expects is a
 * value; everything else rejects with a `BaristaError`.
 */
export interface Session<V = string> {
  readonly guarantees: readonly Guarantee[];
  get(key: string, options?: CallOptions): Promise<Read<V>>;
  /**
   * Several keys as they are in one state, which has all of a batch or nothing of it; at most 1,024, and 8 MiB of values. Fails with
   * ERR_BEHIND at a replica that takes over what it missed; over the wire others are asked first.
   */
  getMany(keys: readonly string[], options?: CallOptions): Promise<ReadMany<V>>;
  /** A range of keys. `missing` if the replica lacks what the session needs for any key of the range; ERR_BEHIND as `getMany`. */
  scan(options?: ScanOptions): Promise<Scan<V> | Missing>;
  /** With `ttlMs`, for so long; without, until something else is written. */
  put(key: string, value: V, options?: PutOptions): Promise<Write>;
  /** Makes the key absent. */
  delete(key: string, options?: CallOptions): Promise<Write>;
  /** Adds to the number under the key: decimal digits, so that utf8 reads it as text, and json as a number. Default: 1. */
  increment(key: string, by?: number, options?: CallOptions): Promise<Write>;
  /** Puts a value after the one under the key. With utf8, binary, or another codec that `concatenates`. */
  append(key: string, value: V, options?: CallOptions): Promise<Write>;
  /** Adds to the set under the key: a JSON array of strings, ascending, each once, which json reads as an array. */
  addToSet(key: string, member: string, options?: CallOptions): Promise<Write>;
  removeFromSet(key: string, member: string, options?: CallOptions): Promise<Write>;
  /**
   * Sets the key where it is absent, or what was there has expired. Which of several takes effect only their order decides: read the
   * key once it is stable.
   */
  putIfAbsent(key: string, value: V, options?: PutOptions): Promise<Write>;
  /**
   * Sets the key if under it is what is expected, where the write stands; else to what the merge procedure makes of what is there,
   * at every replica alike: `first-wins@1`, `keep-both@1`, `highest@1`, `lowest@1`, `json-merge-patch@1`, `add-to-list@1`,
   * `first-free-slot@1`, or one that the program has registered there. Rejects with ERR_PROCEDURE if the replica has not that
   * procedure. docs/GUARANTEES.md, "Merge procedures", says what each does.
   */
  merge(key: string, value: V, procedure: string, options?: MergeOptions<V>): Promise<Write>;
  /** A write of any kind. */
  write(key: string, operation: Operation<V>, options?: CallOptions): Promise<Write>;
  /**
   * Several keys as one atomic write: 1 to 128 operations, each on a key of its own, of 1 MiB with their keys; else it fails with
   * ERR_BATCH. `getMany` and `scan` show all of it or nothing, at every replica.
   */
  batch(parts: readonly BatchPart<V>[], options?: CallOptions): Promise<Batch>;
  /**
   * Tells of changes to keys that begin with `prefix`, from now on or as `from` says. What it tells was then read by the session.
   */
  watch(prefix: string, options?: WatchOptions): Watch<V>;
  /**
   * The writes on a key that the replica still holds, and what became of each. Not those that their own client overwrote, unless
   * something stood between, nor those that were folded. All of them were then read.
   */
  history(key: string, options?: HistoryOptions): Promise<History<V> | Missing>;
  /**
   * Writes anew what an earlier write on the key would have done, and was lost, as the session's own: `stamp` says which, as
   * `history` and `conflicts` tell it. What sets a value is a put of that, whatever it was conditional on; what changes one is made
   * again, unless it still counts (ERR_OPTION). Rejects with ERR_GONE if the log has it no more.
   */
  restore(key: string, stamp: Stamp, options?: CallOptions): Promise<Write>;
  /** The writes that lost, and what they lost to: all that the log has, or as `since` says. What it tells was then read. */
  conflicts(options?: ConflictsOptions): Conflicts<V>;
  /**
   * What the session has seen and written, as a short URL-safe string: `session({ token })` goes on from it, in this process or
   * another, any number of times. Of at most about 1,400 characters, and 30 and one and a third times its id for each replica
   * whose writes the session needs; however many keys it touched. Says nothing of calls under way.
   */
  token(): string;
}

/** What sessions are begun at: a replica in this process, or a client of several. */
export interface Sessions {
  /** Begins a session, or goes on with one from its token. Values are text. */
  session(options?: SessionOptions): Session;
  /** The same, with values of the codec's. */
  session<V>(options: SessionOptions<V> & { readonly codec: ValueCodec<V> }): Session<V>;
  /** Tells of changes to keys that begin with `prefix`, as a session of its own. Values are text. */
  watch(prefix: string, options?: WatchOptions): Watch<string>;
  /** The same, with values of the codec's. */
  watch<V>(prefix: string, options: WatchOptions & { readonly codec: ValueCodec<V> }): Watch<V>;
  /** Tells which writes lost, and to which, as a session of its own. Values are text. */
  conflicts(options?: ConflictsOptions): Conflicts<string>;
  /** The same, with values of the codec's. */
  conflicts<V>(options: ConflictsOptions & { readonly codec: ValueCodec<V> }): Conflicts<V>;
}
