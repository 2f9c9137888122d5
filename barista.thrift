/**
 * Barista on the wire: Apache Thrift, framed transport, binary protocol, the three services multiplexed on one port
 * under their own names ("KeyValue:get"). A stock Thrift client in any language can talk to a replica.
 *
 * Every method takes one request and returns one reply, so that both can grow by optional fields. Times are whole
 * numbers from 0 to 2^53 - 1. Strings are UTF-8. A failed call answers with `Failure`; what the protocol expects (a key
 * that is absent, a replica that lacks what a session needs) is part of the reply. A frame is at most 16 MiB, a list at
 * most 65,536 elements. Ids and cluster names are 1 to 256 bytes without control characters; hosts 1 to 255 bytes.
 */
namespace * barista

/** A replica in one life of its storage. */
struct Origin {
  /** The operator's name for the replica: 1 to 256 bytes. */
  1: required string id
  /** From 1; never repeats for that id, fixed when the replica's storage is created. */
  2: required i64 incarnation
}

/** Orders a write the same everywhere: by accept time, then by origin. */
struct AcceptStamp {
  /** The origin's clock reading given to the write; strictly increasing per origin. */
  1: required i64 acceptTime
  2: required Origin origin
}

/** One entry of a version vector. */
struct VectorEntry {
  1: required Origin origin
  /** The highest accept time known of it; 0 if it has no writes yet. */
  2: required i64 acceptTime
}

/** Origin -> highest accept time; no origin twice. */
typedef list<VectorEntry> VersionVector

/** Sets the key to a value. */
struct PutOperation {
  /** At most 1 MiB; may be empty. */
  1: required binary value
}

/** Makes the key absent. */
struct DeleteOperation {
}

/**
 * Adds to a number: a value of decimal digits, a minus before them if it is less than 0, no zeros before the first digit.
 * An absent key counts as 0. Takes no effect if the value is no such number, or the sum would not be within 2^53 - 1.
 */
struct IncrementOperation {
  /** Within 2^53 - 1. */
  1: required i64 by
}

/** Puts bytes after those of the value; an absent key counts as empty. Takes no effect if that came to more than 1 MiB. */
struct AppendOperation {
  /** At most 1 MiB. */
  1: required binary bytes
}

/**
 * Adds a member to a set: a value that is a JSON array of strings, in UTF-8. It is written without spaces, each member once,
 * ascending by code point, and read in any order and spacing. An absent key counts as empty. Takes no effect if the member is
 * there, the value is no such array, or would come to more than 1 MiB.
 */
struct SetAddOperation {
  /** At most 4 KiB; may be empty. */
  1: required string member
}

/** Removes a member from a set. Takes no effect if it is not there. */
struct SetRemoveOperation {
  1: required string member
}

/** Sets the key to a value, if it is absent. */
struct PutIfAbsentOperation {
  1: required binary value
}

/** Sets the key to a value that stays for a time, or until something else is written. */
struct PutForOperation {
  /** At most 1 MiB; may be empty. */
  1: required binary value
  /** For how many milliseconds it stays: from 1 to ten years (315,360,000,000). */
  2: required i64 ttlMs
  /**
   * The accept time from which on it is gone, everywhere: so much after the first one that the operation got. Of what a replica has
   * accepted; no client sends it. With a hybrid clock, milliseconds since 1970 times 2,048.
   */
  3: optional i64 expires
}

/** The same, if the key is absent, or what was there is gone by then. */
struct PutIfAbsentForOperation {
  1: required binary value
  2: required i64 ttlMs
  3: optional i64 expires
}

/**
 * Sets the key to a value, if what is there is what the writer expects; else to what a merge procedure makes of what is there and
 * of the value, or leaves it as it is. If neither `expected` nor `expectsAbsent` is set the procedure decides always.
 * docs/GUARANTEES.md, "Merge procedures". A replica that has not the procedure refuses the write (ERR_PROCEDURE).
 */
struct MergeOperation {
  /** `name@version`: lower-case letters, digits and hyphens, and a whole number from 1. */
  1: required string procedure
  /** With what is expected and the name, at most 1 MiB. */
  2: required binary value
  3: optional binary expected
  /** True if the key is expected to be absent; then `expected` is not set. */
  4: optional bool expectsAbsent
}

/** Sets the key to what operations that were folded came to. Only replicas make it. */
struct TotalOperation {
  1: required binary value
}

/** The same, of what is gone from an accept time on. */
struct TotalUntilOperation {
  1: required binary value
  2: required i64 expires
}

/**
 * What a write does to its key: exactly one field is set. All but `put`, `putFor`, `remove` and the totals read the value that stands where
 * the write has its place in the order, so that what they do is the same everywhere.
 */
union Operation {
  1: PutOperation put
  /** `delete` is a reserved word. */
  2: DeleteOperation remove
  3: IncrementOperation increment
  4: AppendOperation append
  5: SetAddOperation setAdd
  6: SetRemoveOperation setRemove
  7: PutIfAbsentOperation putIfAbsent
  8: TotalOperation total
  9: MergeOperation merge
  10: PutForOperation putFor
  11: PutIfAbsentForOperation putIfAbsentFor
  12: TotalUntilOperation totalUntil
}

/** A call that failed, with a code of docs/ERRORS.md. */
exception Failure {
  /** Stable; for programs. */
  1: required string code
  /** What was wrong, with its particulars; for people. */
  2: required string message
  /** What to do about it. */
  3: required string advice
}

// ---------------------------------------------------------------------------------------------------- for clients

/** Sets a key. */
struct PutRequest {
  /** Names who writes: 1 to 256 bytes. A client that loses its counter takes a new id. */
  1: required string client
  /** The client's own counter. (client, clientTime) names the write: a retry carries the same pair and takes effect once. */
  2: required i64 clientTime
  /** 1 byte to 4 KiB. */
  3: required string key
  /** At most 1 MiB; may be empty. */
  4: required binary value
  /** The highest accept time the session has read or written; the new write is stamped after it. Absent: 0. */
  5: optional i64 after
  /** What the replica must hold before it may take the write (writes-follow-reads, monotonic-writes). */
  6: optional VersionVector needs
}

/** Makes a key absent. The fields are those of PutRequest. */
struct DeleteRequest {
  1: required string client
  2: required i64 clientTime
  3: required string key
  4: optional i64 after
  5: optional VersionVector needs
}

/** Any operation on a key, but `total`. The other fields are those of PutRequest. */
struct WriteRequest {
  1: required string client
  2: required i64 clientTime
  3: required string key
  4: required Operation operation
  5: optional i64 after
  6: optional VersionVector needs
}

/** One operation of a batch. */
struct BatchPart {
  1: required string key
  /** Any but `total`. */
  2: required Operation operation
}

/**
 * Several keys as one atomic write: under one stamp, so that reads of several keys show all of it or nothing, at every replica.
 * What is no batch is refused with ERR_BATCH. The other fields are those of PutRequest.
 */
struct BatchRequest {
  1: required string client
  2: required i64 clientTime
  /** From 1 to 128, each on a key of its own; keys, and what operations carry, come to at most 1 MiB. */
  3: required list<BatchPart> parts
  4: optional i64 after
  5: optional VersionVector needs
}

/** Exactly one field is set. */
union WriteReply {
  /** Accepted here; the stamp goes into the session. */
  1: AcceptStamp accepted
  /** ERR_DEP: what of `needs` the replica lacks. Nothing was written. */
  2: MissingReply missing
}

/** Reads a key. */
struct GetRequest {
  /** 1 byte to 4 KiB. */
  1: required string key
  /** What the session needs for this key (read-your-writes, monotonic-reads). */
  2: optional VersionVector needs
}

/** A value and the write it comes from. */
struct FoundReply {
  1: required binary value
  /** Of the last write that changed the value. Goes into the session. */
  2: required AcceptStamp stamp
  /**
   * Set if the value rests on more writes than that one: of each origin, the last of them. Goes into the session, beside what
   * the key needed before.
   */
  3: optional VersionVector basis
  /** The accept time from which on the key is absent, unless something is written before. */
  4: optional i64 expires
}

/** ERR_KEY: the key is absent. */
struct AbsentReply {
}

/** ERR_DEP: the replica lacks something the session needs. */
struct MissingReply {
  1: required VersionVector missing
}

/** Exactly one field is set. `missing` is tested before `absent`. */
union GetReply {
  1: FoundReply found
  2: AbsentReply absent
  3: MissingReply missing
}

/**
 * Reads several keys as they are in one state, with all of a batch or nothing of it. A replica that takes over another's base
 * store, key by key, refuses with ERR_BEHIND meanwhile, unless it is one key.
 */
struct GetManyRequest {
  /** At most 1,024. */
  1: required list<string> keys
  /** What the session needs for all of them. */
  2: optional VersionVector needs
}

/** Exactly one field is set. */
union Lookup {
  1: FoundReply found
  2: AbsentReply absent
}

struct Lookups {
  /** One for each key, as they were asked for. */
  1: required list<Lookup> lookups
}

/** Exactly one field is set. Values of more than 8 MiB together are refused with ERR_FRAME_TOO_LARGE. */
union GetManyReply {
  1: Lookups values
  2: MissingReply missing
}

/** Asks for the next page of a range of keys, by their UTF-8 bytes. Refused with ERR_BEHIND as GetManyRequest is. */
struct ScanRequest {
  /** Absent: from the first key there is. */
  1: optional string atLeast
  /** Absent: to the last key there is. */
  2: optional string below
  /** True: from the last key of the range on. */
  3: required bool reverse
  /** `upTo` of the page before; absent for the first page. */
  4: optional string after
  /** At most so many entries, from 1 (more than 4,096 means 4,096); a page also ends at about 1 MiB. */
  5: required i32 entriesMax
  /** True to have the pages that follow show the state that this one does. */
  6: required bool hold
  /** `snapshot` of the page before: the state to go on in. Refused with ERR_SNAPSHOT if it is not held any more. */
  7: optional i64 snapshot
  /** What the session needs for the range; not looked at with a snapshot. */
  8: optional VersionVector needs
}

struct ScanEntry {
  1: required string key
  2: required binary value
  3: required AcceptStamp stamp
  /** As of a FoundReply. */
  4: optional VersionVector basis
  5: optional i64 expires
}

/** All of one state. */
struct ScanPage {
  /** In the order that was asked for. There may be none, though keys are left. */
  1: required list<ScanEntry> entries
  /** The last key the page speaks for; absent if no key is left. */
  2: optional string upTo
  /** Names the state, which is held for a minute, if that was asked for and keys are left. */
  3: optional i64 snapshot
}

/** Exactly one field is set. */
union ScanReply {
  1: ScanPage page
  2: MissingReply missing
}

/** Asks whether the replica holds something, and to wait until it does. */
struct HoldsRequest {
  1: required VersionVector needs
  /** The answer waits for about so many milliseconds for the rest to come, at most 30,000; 0: it does not. */
  2: required i32 budgetMs
}

struct HoldsReply {
  /** What the replica still lacks; absent if nothing. */
  1: optional VersionVector missing
}

/** Asks how far a write has come, and to wait until it has come further. */
struct WriteStateRequest {
  1: required AcceptStamp stamp
  /** Answer once so many replicas are known to hold the write; 0: do not wait for that. */
  2: required i32 holders
  /** True: answer once the write is stable. */
  3: required bool stable
  /** The answer waits for about so many milliseconds, at most 30,000; 0: it does not. */
  4: required i32 budgetMs
}

/** How far a write has come, as far as the replica knows. */
struct WriteStateReply {
  /** The replicas that hold it on disk. */
  1: required list<Origin> holders
  /** The members that are not known to hold it. */
  2: required list<Origin> waitsFor
  /** True if every member holds it. */
  3: required bool stable
}

/** Where a watch stands. Who watches keeps it; a replica keeps nothing of a watch. */
struct WatchCursor {
  /** Per origin, the accept time up to which its writes were told of, or stood there when the watch began. */
  1: required VersionVector told
  /** Goes on only at a replica that holds all of this. Both empty: told of nothing, so of all that is there first. */
  2: required VersionVector target
  /** Set while a base store is told: the highest accept time that is folded into it. */
  3: optional i64 base
  /** The last key of the base store that was told; absent if none was. */
  4: optional string after
}

/** From now on: what the replica does not claim to hold yet. */
struct FromNow {
}

/** Exactly one field is set. */
union WatchFrom {
  1: FromNow now
  /** What stands after that write, and what the replica does not claim to hold yet, wherever that will stand. */
  2: AcceptStamp stamp
  /** On from there. */
  3: WatchCursor cursor
}

/** Asks for the next changes. */
struct WatchRequest {
  /** Of keys that begin so; absent: of all. */
  1: optional string prefix
  2: required WatchFrom position
  /** What the session needs of those keys. */
  3: optional VersionVector needs
  /**
   * At most so many changes, from 1 (more than 4,096 means 4,096); a reply also ends at about 1 MiB. But a batch is told whole:
   * its parts, which have one stamp, come in one reply and next to each other.
   */
  4: required i32 changesMax
  /** From a cursor, the answer waits for about so many milliseconds for a change, at most 30,000; 0: it does not. */
  5: required i32 budgetMs
  /** Names the watch, 1 to 256 bytes: its next request has the one that still waits answered. */
  6: optional string name
}

/** A write that takes effect. It is told once. */
struct WatchChange {
  1: required string key
  2: required AcceptStamp stamp
  /** Who wrote. */
  3: required string client
  /** What is under the key now; absent if nothing. */
  4: optional binary value
  /** The write that the value comes from, or that deleted it. */
  5: required AcceptStamp standing
  /** True if the value rests on this write; false if one that stands after it overwrites it. */
  6: required bool stands
  /** True if it stands before a write on its key that was told of already, or was accepted anew under another stamp. */
  7: required bool reordered
  /** What the write set, if it does not stand; absent if it does, or deleted the key. */
  8: optional binary lost
  /** As of a FoundReply. */
  9: optional VersionVector basis
  /** The accept time from which on the value is gone, which is not told. */
  10: optional i64 expires
}

struct WatchChanges {
  /** In the order of their stamps; those of a base store, by key. There may be none, though more are left. */
  1: required list<WatchChange> changes
  /** Where the watch stands behind them. */
  2: required WatchCursor cursor
  /** True if more may be left: ask again at once. */
  3: required bool more
}

/** Exactly one field is set. */
union WatchReply {
  1: WatchChanges changes
  /** ERR_DEP: what of the cursor's target, the stamp or `needs` the replica lacks. */
  2: MissingReply missing
}

/** Asks for the writes on a key that the replica still holds. */
struct HistoryRequest {
  1: required string key
  /** Those that stand after this one: the last of the page before. Absent: from the first. */
  2: optional AcceptStamp after
  /** Only the write of this stamp. Absent: all. */
  3: optional AcceptStamp only
  /** At most so many writes, from 1 (more than 4,096 means 4,096); a page also ends at about 1 MiB. */
  4: required i32 writesMax
  /** What the session needs for the key. */
  5: optional VersionVector needs
}

/** A write, and who wrote it. */
struct WriteName {
  1: required AcceptStamp stamp
  2: required string client
}

/** The write has a part in what is under its key. */
struct Stands {
}

/** The write took effect, and the one that is named, which stands after it, overwrote it. */
struct Overwritten {
  1: required WriteName by
}

/** Why a write changed nothing where it stands. */
enum NoEffectRule {
  /** The operation took effect already, under the stamp that is named. */
  REPEAT = 1
  /** It is a repeat, of what its client overwrote by the later operation that is named, which stands before it. */
  OUTDATED = 2
  /** It was accepted anew by a replica that rejoined, under the stamp that is named. */
  ANEW = 3
  /** What it would bring about is so already: a member is in the set, or is not. */
  MET = 4
  /** It does not apply to what it finds, which is as the write that is named left it; or its procedure leaves that so. */
  INAPPLICABLE = 5
}

/** The write changed nothing where it stands. */
struct NoEffect {
  1: required NoEffectRule rule
  /** Absent where nothing was written before. */
  2: optional WriteName by
}

/** What became of it cannot be told here: it is, or rests on, a merge whose procedure the replica has not. */
struct UnknownFate {
  /** The procedure. */
  1: required string lacks
}

/** It took effect, and its time to live, or that of what it changed, has ended. */
struct Expired {
}

/** What became of a write, among all that the replica holds of its key: exactly one field is set. */
union Fate {
  1: Stands stands
  2: Overwritten overwritten
  3: NoEffect noEffect
  4: UnknownFate unknown
  5: Expired expired
}

/** How far a write has come, as far as the replica knows. */
enum Stage {
  /** Brought by a transfer under way; not claimed yet. */
  RECEIVED = 1
  /** Claimed: on disk here, and given to others. */
  ACCEPTED = 2
  /** Every member holds it. */
  STABLE = 3
}

struct PastWrite {
  1: required AcceptStamp stamp
  2: required string client
  3: required Operation operation
  4: required Fate fate
  5: required Stage stage
  /** Set if a replica that rejoined accepted it anew. */
  6: optional bool resubmitted
}

/** What the folded writes on a key come to. */
struct PastBase {
  /** Of the last of them that has a part in it. */
  1: required AcceptStamp stamp
  2: required string client
  /** Sets the value; `total` if several writes came to it. */
  3: required Operation operation
  4: required Fate fate
}

struct HistoryPage {
  /** Of the first page; absent if nothing is folded there. */
  1: optional PastBase base
  /** In the total order. */
  2: required list<PastWrite> writes
  /** True if writes are left after these. */
  3: required bool more
}

/** Exactly one field is set. */
union HistoryReply {
  1: HistoryPage page
  /** ERR_DEP. */
  2: MissingReply missing
}

/** Up to where conflicts were told of. Who asks keeps it; a replica keeps nothing of who asks. */
struct ConflictCursor {
  /** Told of all conflicts among the writes that this covers. */
  1: required VersionVector told
  /** Goes on only at a replica that holds all of this. */
  2: required VersionVector target
  /** Set if of those among what `target` covers some were told too: those whose loser stands at or before this one. */
  3: optional AcceptStamp after
}

/** All conflicts that there are in the log. */
struct FromStart {
}

/** Exactly one field is set. */
union ConflictsFrom {
  1: FromStart start
  /** None of those that there are: the reply says where to go on from. */
  2: FromNow now
  /** Those that came of what stands after that write, or the replica does not claim to hold yet. */
  3: AcceptStamp stamp
  /** On from there. One of a watch of the same prefix is good too. */
  4: ConflictCursor cursor
}

/** Asks for the next conflicts. */
struct ConflictsRequest {
  /** Under keys that begin so; absent: under all. */
  1: optional string prefix
  2: required ConflictsFrom position
  /** What the session needs of those keys. */
  3: optional VersionVector needs
  /** At most so many, from 1 (more than 4,096 means 4,096); a reply also ends at about 1 MiB. */
  4: required i32 conflictsMax
}

/** By what a write lost. */
enum LossRule {
  /** A put or a delete of another client, which stands after it, took its effect away. */
  OVERWRITTEN = 1
  /** It does not apply to what it finds where it stands. */
  INAPPLICABLE = 2
}

/** Whether the replica that accepted the later of two writes did so without the earlier one. */
enum Concurrent {
  /** It did not claim it then. */
  YES = 1
  /** It had accepted it itself. */
  NO = 2
  UNKNOWN = 3
}

/** A write that lost, and what it lost to. */
struct Conflict {
  1: required string key
  2: required WriteName lost
  3: required Operation operation
  4: required LossRule rule
  /** Absent only where an operation does not apply to a key that nobody ever wrote. */
  5: optional WriteName winner
  6: required Concurrent concurrent
}

struct Conflicts {
  /** In the order of the losers' stamps. There may be none, though more are left; there is none unless it goes on from a cursor. */
  1: required list<Conflict> conflicts
  /** Where to go on behind them. */
  2: required ConflictCursor cursor
  /** True if more may be left: ask again at once. */
  3: required bool more
}

/** Exactly one field is set. */
union ConflictsReply {
  1: Conflicts conflicts
  /** ERR_DEP: what of the cursor's target, the stamp or `needs` the replica lacks. */
  2: MissingReply missing
}

/** What clients call. */
service KeyValue {
  WriteReply put(1: PutRequest request) throws (1: Failure failure)
  /** Deletes a key (`delete` is a reserved word). Deleting what is absent is a write like any other. */
  WriteReply remove(1: DeleteRequest request) throws (1: Failure failure)
  /** Any operation, also those that `put` and `remove` stand for. */
  WriteReply write(1: WriteRequest request) throws (1: Failure failure)
  /** Several keys as one atomic write. */
  WriteReply batch(1: BatchRequest request) throws (1: Failure failure)
  GetReply get(1: GetRequest request) throws (1: Failure failure)
  GetManyReply getMany(1: GetManyRequest request) throws (1: Failure failure)
  ScanReply scan(1: ScanRequest request) throws (1: Failure failure)
  /** Answers when the replica holds what is needed, or when the budget is spent. */
  HoldsReply holds(1: HoldsRequest request) throws (1: Failure failure)
  /** Answers when the write has come as far as is asked, or when the budget is spent. */
  WriteStateReply writeState(1: WriteStateRequest request) throws (1: Failure failure)
  /** Answers when there is a change, or when the budget is spent; ERR_FOLDED if it cannot go on from there. */
  WatchReply watch(1: WatchRequest request) throws (1: Failure failure)
  HistoryReply history(1: HistoryRequest request) throws (1: Failure failure)
  /** ERR_FOLDED if it cannot go on from there, ERR_BEHIND while the replica takes over what it missed. */
  ConflictsReply conflicts(1: ConflictsRequest request) throws (1: Failure failure)
}

// ------------------------------------------------------------------------------------------------ between replicas

/** Nothing to say. */
struct Empty {
}

/** On equal accept times, which origin stands later in the total order and so wins. */
enum TieBreak {
  HIGHER = 1
  LOWER = 2
}

/** How accept times are made. */
enum ClockKind {
  /** A counter. */
  LOGICAL = 1
  /** A hybrid logical clock: wall-clock milliseconds * 2048 + a counter. */
  HYBRID = 2
}

/** What all replicas of a cluster agree on; peers refuse each other if they differ. */
struct ClusterTerms {
  1: required i32 protocol
  2: required string cluster
  3: required TieBreak tieBreak
  4: required ClockKind clock
  /**
   * For how long after it first sent an operation a client may send it again and have it take effect once. In
   * milliseconds; with a logical clock, in accept times.
   */
  5: required i64 retryWindowMs
}

/** Where an interrupted transfer stands. */
struct Resume {
  /** Per origin, the accept time up to which batches were received. */
  1: required VersionVector received
  /** The responder's `seen` of the last batch; `received` is meaningful only where this is dominated. */
  2: required VersionVector target
}

/** Where the transfer of a base store stands. */
struct StoreCursor {
  /** Names the base store: the highest accept time that is folded into it. */
  1: required i64 time
  /** The last key that was taken; absent if none was. */
  2: optional string after
}

/** One step of anti-entropy: the requester says what it has, the responder keeps nothing between two steps. */
struct PullRequest {
  1: required ClusterTerms terms
  /** Who asks. */
  2: required Origin sender
  /** The id of the replica that is meant. */
  3: required string recipient
  /** What the requester may claim to hold. */
  4: required VersionVector seen
  5: optional Resume resume
  /** Set while the base store of a responder is being taken. */
  6: optional StoreCursor store
  /** True to be told what the members attest. */
  7: required bool report
  /** The requester stamps nothing at or below this accept time any more; 0 if it does not say. */
  8: required i64 clock
  /** Grows with each start of the requester's process: two that take turns run on copies of one storage. */
  9: required i64 life
  /**
   * From 1. The responder stops at whichever of the two comes first, and sends at least one write if any is left; of a batch, all
   * parts.
   */
  10: required i32 writesMax
  /** Counted before the writes are packed. */
  11: required i32 bytesMax
  /** True if the requester rejoins under a new incarnation, and has not heard yet what it missed. */
  12: required bool outside
  /** True if the requester can read Compression.DEFLATE. Absent: it cannot. */
  13: optional bool inflates
}

/** How bytes stand in a message. */
enum Compression {
  /** As they are. */
  NONE = 1
  /** As one raw deflate stream (RFC 1951), with nothing before or after it. */
  DEFLATE = 2
}

/**
 * Writes, packed. Uncompressed, the bytes are: the format's version, one byte, 4; the number of writes, at most 65,536;
 * the writes, one after the other; nothing more.
 *
 * Two kinds of number. A `number` is 0 to 2^53 - 1: 7 bits a byte, lowest first, the high bit set in each byte but the
 * last; at most 8 bytes (unsigned LEB128). A `difference` d is written as a number is, of 2d if d >= 0 and of -2d - 1 if
 * d < 0 (zigzag); it takes up to 54 bits. A `string` is a number, its length in bytes, and so many bytes of UTF-8.
 *
 * A write is, in this order:
 *
 *  - a number, four times its origin's place, 1 more if the write was accepted anew by a replica that rejoined, and 2 more if it
 *    is a part of a batch: the parts of one have the same stamp, client and client time, and come one after the other, ascending
 *    by the keys' UTF-8 bytes. Places are given from 0 in the order in which origins first come. A place that no origin has yet is the next one, and its origin
 *    follows: the id as a string, the incarnation as a number.
 *  - its client's place, a number, likewise among the clients; of a new one the id follows as a string.
 *  - the accept time, a difference to that of the write before; of the first write, to 0. From 1.
 *  - the client time, a difference to that of the write before by the same client; of its first write, to 0.
 *  - the key: how many bytes it begins with are those of the key before (0 for the first write), a number; how many bytes
 *    follow, a number; those bytes. The two parts together are UTF-8, the beginning alone need not be.
 *  - the operation, a number: 0 makes the key absent; n + 2 sets it to the n bytes that follow; after 1 come a kind, a number,
 *    how many bytes follow, a number, and those bytes. They are the digits of an increment (kind 3), what is appended (4), the
 *    member that is added to a set (5) or removed (6), the value of a putIfAbsent (7), or of a total (8); of a merge (9) the
 *    length of its procedure's name (one byte) and the name, what it expects (one byte: 0 nothing in particular, 1 an absent key,
 *    2 a value, whose length follows in four bytes, big-endian, and then it), and its value; of a putFor (10) or a putIfAbsentFor
 *    (11) its time to live in milliseconds, the accept time at which it expires, eight bytes each, big-endian, and its value; of a
 *    totalUntil (12) the accept time at which it expires, likewise, and its value.
 *
 * Ids, keys, values and times are bounded as they are elsewhere. Keys and values together, each key in full, come to at
 * most 16 MiB.
 */
struct PackedWrites {
  /** DEFLATE only where the requester can read it. */
  1: required Compression compression
  2: required binary bytes
}

/** What tells a replica and a peer that do not know each other which of them joins the other. */
struct Standing {
  /** Writes up to this accept time are folded into the responder's base store; 0 if none are. */
  1: required i64 base
  /** From an origin it does not know, the responder takes writes only above this accept time. */
  2: required i64 floor
  /** The responder stamps nothing at or below this accept time any more. */
  3: required i64 clock
  /** How many members the responder knows, itself among them. */
  4: required i32 members
}

/** The next keys of a base store. It speaks for every key after `after` up to `upTo`. */
struct StorePage {
  /** Names the base store: the highest accept time that is folded into it. */
  1: required i64 time
  /** For each origin, the highest accept time that is folded into the base store. */
  2: required VersionVector vector
  /** The key the page comes after; absent if it is the first page. */
  3: optional string after
  /** The write each present key comes from, ascending by the key's UTF-8 bytes. */
  4: required PackedWrites entries
  /** The last key the page speaks for; absent if it speaks for all that are left. */
  5: optional string upTo
}

/** What a member says of itself; others pass it on. Of two, the one with the higher `clock` is newer. */
struct Attestation {
  1: required Origin origin
  /** The member stamps nothing at or below this accept time any more. */
  2: required i64 clock
  /** The member holds every write of every member up to this accept time, and always will; 0 if it cannot tell. */
  3: required i64 held
  /** Names the members it counted. */
  4: required i64 view
}

/** What a replica knows of the members beyond their writes. */
struct Report {
  1: required list<Attestation> attestations
  /** The origins that were retired. */
  2: required list<Origin> retired
}

/** The next writes the requester lacks. */
struct PullBatch {
  /** Who answers. */
  1: required Origin sender
  /** True if the batch goes on from `resume.received`, false if it starts from `seen`. */
  2: required bool resumed
  /** In stamp order; all of a batch, or nothing of it. */
  3: required PackedWrites writes
  /** The responder's `seen`, fixed in the same step as `writes`. */
  4: required VersionVector seen
  /** True if writes are left after these. */
  5: required bool more
  6: required Standing standing
  /** A part of the base store, which the requester lacks: there are no writes then, and more is left. */
  7: optional StorePage store
  /** About how many writes, and keys of the base store, are left after this batch; absent unless a transfer begins. */
  8: optional i64 left
  /** Set if it was asked for. */
  9: optional Report report
  /**
   * For each origin, up to where its writes were claimed before some of them, which read what they change, were accepted anew by
   * a replica that rejoined: a session that needs them is served by who covers this. Goes with `seen`.
   */
  10: optional VersionVector replaced
}

/** A replica tells a neighbour that it holds something new. */
struct NewsRequest {
  1: required ClusterTerms terms
  /** Who tells. */
  2: required Origin sender
  /** The id of the replica that is meant. */
  3: required string recipient
  /** The entries of the sender's `seen` that, as far as it knows, the recipient does not cover. */
  4: required VersionVector fresh
}

/** What replicas call on each other. */
service Replication {
  /** The next batch of writes the requester lacks. */
  PullBatch pull(1: PullRequest request) throws (1: Failure failure)
  /** Has the recipient pull from the sender, over its own link, if it lacks any of it. Answers before it has pulled. */
  Empty news(1: NewsRequest request) throws (1: Failure failure)
}

// --------------------------------------------------------------------------------- for operators and for the master

/** Links this replica to a peer, or moves the link to another address. */
struct LinkRequest {
  1: required string peer
  2: required string host
  3: required i32 port
  /** The peer's incarnation, where it is known. */
  4: optional i64 incarnation
}

/** Cuts the link to a peer: nothing is asked of it and nothing answered to it. Idempotent. */
struct UnlinkRequest {
  1: required string peer
}

/** Says that a replica will not return under its present incarnation, so that nobody waits for it any more. */
struct RetireRequest {
  1: required string id
}

/** An accept time that is further ahead of the replica's wall clock than it takes from others. */
struct Drift {
  /** Who stamped it. */
  1: required Origin origin
  /** By how many milliseconds it was ahead at the last pull. */
  2: required i64 aheadMs
}

/** How far a pull is. */
struct Progress {
  /** Writes, and keys of a base store, that were taken. */
  1: required i64 done
  /** About how many there are in all. */
  2: required i64 total
  /** How many were taken a second, since the pull began; rounded. */
  3: required i64 perSecond
}

/** A link as this replica sees it. */
struct LinkStatus {
  1: required string peer
  2: required string host
  3: required i32 port
  /** The code of the last pull's failure; absent if it succeeded or none was tried. */
  4: optional string lastError
  /** Set while the transfer from the peer waits for time to catch up. */
  5: optional Drift drift
  /** Set while a pull of more than one batch is under way. */
  6: optional Progress progress
}

/** What a replica says of itself. */
struct StatusReply {
  1: required Origin origin
  2: required ClusterTerms terms
  /** What it may claim to hold. */
  3: required VersionVector seen
  /** Live writes in the log. */
  4: required i64 writes
  /** Writes up to this accept time are folded into the base store and left the log; 0 if none are. */
  5: required i64 base
  /** Every member holds every write up to this accept time, as far as this replica knows; 0 if it cannot tell. */
  6: required i64 stable
  /** The members whose report keeps writes from being stable: those that hold least, or were not heard from. */
  7: required list<Origin> waitsFor
  /** The origins that were retired. */
  8: required list<Origin> retired
  9: required list<LinkStatus> links
  /** The merge procedures that writes here need and this replica has not: what rests on them waits. Absent: none. */
  10: optional list<string> lacks
}

/** Pulls until nothing is left, from several neighbours at once. */
struct StabilizeRequest {
  /** The neighbours to pull from; absent: all that are linked. */
  1: optional list<string> peers
  /** Answer after about this many milliseconds, finished or not. */
  2: required i32 budgetMs
  /** True to learn what the members attest, and then fold what is stable. */
  3: required bool compact
}

/** How the pull from one neighbour ended. */
struct PullOutcome {
  1: required string peer
  /** True if the neighbour had nothing left to give. */
  2: required bool done
  /** Set if it failed. */
  3: optional string errorCode
  4: optional string errorMessage
}

struct StabilizeReply {
  1: required list<PullOutcome> outcomes
  /** What the replica may claim to hold afterwards. */
  2: required VersionVector seen
}

/** A page of the store. */
struct StoreRequest {
  /** Keys after this one; absent: from the first. */
  1: optional string after
  /** At most so many entries, from 1 (more than 65,536 means 65,536); a page also ends at about 1 MiB. */
  2: required i32 entriesMax
}

struct StoreEntry {
  1: required string key
  2: required binary value
}

struct StoreReply {
  /** Ascending by the key's UTF-8 bytes. */
  1: required list<StoreEntry> entries
  /** True if entries are left after these. */
  2: required bool more
}

/** A page of the write log. */
struct LogRequest {
  /** Writes after this stamp; absent: from the first. */
  1: optional AcceptStamp after
  /**
   * At most so many writes, from 1 (more than 65,536 means 65,536); a page also ends at about 1 MiB. But it ends with all the
   * parts of a batch.
   */
  2: required i32 writesMax
}

/** A write with everything the log knows of it. */
struct LogEntry {
  1: required AcceptStamp stamp
  2: required string client
  3: required i64 clientTime
  4: required string key
  5: required Operation operation
  /** Set if the write was accepted anew by a replica that rejoined. */
  6: optional bool resubmitted
  /** Set if it is a part of a batch: the parts of one have one stamp. */
  7: optional bool part
}

struct LogReply {
  /** In the total order. */
  1: required list<LogEntry> entries
  /** True if writes are left after these. */
  2: required bool more
}

/** One step of the making of a bundle. It says all the replica needs, which keeps nothing between two steps. */
struct ExportRequest {
  /** What whoever takes the bundle must hold; empty: nothing. */
  1: required VersionVector since
  /** After the first part: `since` with what the parts so far hold, and the `seen` of the last. */
  2: optional Resume resume
  /** Set while parts of the base store come. */
  3: optional StoreCursor store
  4: required i32 writesMax
  /** Counted before the writes are packed. */
  5: required i32 bytesMax
  /** True if the caller can read Compression.DEFLATE. Absent: it cannot. */
  6: optional bool inflates
}

struct ExportReply {
  1: required ClusterTerms terms
  /** The next part of the bundle, with a report; it is the last if it says that nothing is left. */
  2: required PullBatch batch
}

/** Begins to give a bundle to a replica. */
struct ImportRequest {
  1: required ClusterTerms terms
  /** Who made the bundle. */
  2: required Origin sender
  /** What the replica must hold: `BundleHead.since`. */
  3: required VersionVector since
  /** What who made it could claim: `BundleEnd.seen`. */
  4: required VersionVector seen
}

/** The answer to the request that an import asked last: a batch, or why there is none. */
struct ImportBatch {
  1: required i64 number
  2: optional PullBatch batch
  3: optional Failure failure
}

struct ImportReply {
  /** Names the import. */
  1: required i64 number
  /** What the replica asks of the bundle, as of a peer; absent: it has taken all, and that is durable. */
  2: optional PullRequest request
}

/** The first block of a bundle (docs/PROTOCOL.md, "Bundles"). */
struct BundleHead {
  1: required ClusterTerms terms
  /** Who made it. */
  2: required Origin sender
  /** What whoever takes the bundle must hold. */
  3: required VersionVector since
}

/** Writes, in stamp order, that no part before it covers; or a part of the base store. */
struct BundlePart {
  1: required PackedWrites writes
  2: optional StorePage store
}

/** The last block of a bundle: what who made it could claim, and knew, when the last part was cut. */
struct BundleEnd {
  1: required VersionVector seen
  2: required Standing standing
  3: required Report report
  /** Writes, and keys of the base store, in all parts. */
  4: required i64 entries
  /** As of a PullBatch. */
  5: optional VersionVector replaced
}

/** What operators call. Bind it to a trusted network: it can cut links and end the replica. */
service Admin {
  StatusReply status(1: Empty request) throws (1: Failure failure)
  Empty link(1: LinkRequest request) throws (1: Failure failure)
  Empty unlink(1: UnlinkRequest request) throws (1: Failure failure)
  StabilizeReply stabilize(1: StabilizeRequest request) throws (1: Failure failure)
  StoreReply store(1: StoreRequest request) throws (1: Failure failure)
  LogReply log(1: LogRequest request) throws (1: Failure failure)
  /** Retires a replica's present incarnation. */
  Empty retire(1: RetireRequest request) throws (1: Failure failure)
  /** The next part of a bundle. */
  ExportReply exportBatch(1: ExportRequest request) throws (1: Failure failure)
  /** Has the replica take a bundle: it asks for parts as it would ask a peer, in its replies. */
  ImportReply beginImport(1: ImportRequest request) throws (1: Failure failure)
  /** Answers what it asked last. It gives up an import whose next part does not come within 30 seconds. */
  ImportReply importBatch(1: ImportBatch request) throws (1: Failure failure)
  /** Ends the replica in order, after it answered. */
  Empty shutdown(1: Empty request) throws (1: Failure failure)
}
