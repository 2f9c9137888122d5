import { compareKeys, type Origin, type ReplicaId, replicaIdOf } from '../base/ids.js';
import { BATCH_BYTES_MAX, BATCH_PARTS_MAX, ORIGINS_MAX } from '../base/limits.js';
import type { Membership } from './membership.js';
import {
  type ClusterTerms,
  type News,
  type PullBatch,
  type PullRequest,
  type Refused,
  refused,
  type StorePage,
} from './messages.js';
import type { VersionVector } from './version-vector.js';
import { type AcceptStamp, areOneBatch, hasSameStamp, type Write } from './write.js';
import type { WriteLog } from './write-log.js';

/** What a write takes beside its key and operation, in the count of `WriteLog.bytesOf`. */
const PART_BYTES_MAX = 32;

/** Why a peer's request, or news, is not answered; null if it may be. */
export function checkRequest(
  request: PullRequest | News,
  self: Origin,
  terms: ClusterTerms,
  seen: VersionVector,
  members: Membership,
): Refused | null {
  const id = replicaIdOf(self);
  const differing = checkTerms(request.terms, terms);
  if (differing !== null) return differing;
  if (request.to !== id) return refused('ERR_IDENTITY', `this is replica ${id}, not ${request.to}`);
  if (request.from === self) return refused('ERR_IDENTITY', `the requester says it is ${self}, which is this replica`);
  if (members.isRetired(request.from)) {
    return refused('ERR_RETIRED', `${request.from} was retired, and may have writes that nobody has received`);
  }
  const successor = members.successorOf(request.from);
  if (successor !== null) {
    return refused('ERR_IDENTITY', `${request.from} asks, but a newer incarnation is known: ${successor}`);
  }
  for (const claim of claimsOf(request)) {
    const many = checkSize(request.from, claim.size);
    if (many !== null) return many;
    const forged = checkOwnStamps(request.from, claim, self, seen);
    if (forged !== null) return forged;
  }
  return null;
}

function claimsOf(request: PullRequest | News): readonly VersionVector[] {
  if ('fresh' in request) return [request.fresh];
  const { seen, resume } = request;
  return resume === null ? [seen] : [seen, resume.received, resume.target];
}

function checkTerms(theirs: ClusterTerms, ours: ClusterTerms): Refused | null {
  if (theirs.protocol !== ours.protocol) {
    return refused(
      'ERR_VERSION_MISMATCH',
      `this replica speaks protocol ${ours.protocol}, the requester ${theirs.protocol}`,
    );
  }
  if (theirs.cluster !== ours.cluster) {
    return refused(
      'ERR_CLUSTER_MISMATCH',
      `this replica is of cluster "${ours.cluster}", the requester of "${theirs.cluster}"`,
    );
  }
  if (theirs.tieBreak !== ours.tieBreak) {
    return refused(
      'ERR_TIE_BREAK_MISMATCH',
      `this replica breaks ties ${ours.tieBreak}, the requester ${theirs.tieBreak}`,
    );
  }
  if (theirs.clock !== ours.clock) {
    return refused('ERR_CLOCK_MISMATCH', `this replica's clock is ${ours.clock}, the requester's ${theirs.clock}`);
  }
  if (theirs.retryWindowMs !== ours.retryWindowMs) {
    return refused(
      'ERR_RETRY_WINDOW_MISMATCH',
      `this replica's retry window is ${ours.retryWindowMs} ms, the requester's ${theirs.retryWindowMs} ms`,
    );
  }
  return null;
}

/** A vector that has grown beyond what a message holds could never be told again. */
function checkSize(peer: Origin, size: number): Refused | null {
  if (size <= ORIGINS_MAX) return null;
  return refused('ERR_OVERLOADED', `${peer} knows of ${size} origins, where ${ORIGINS_MAX} are allowed`);
}

function checkOwnStamps(peer: Origin, claim: VersionVector, self: Origin, seen: VersionVector): Refused | null {
  const given = seen.get(self);
  const claimed = claim.get(self);
  if (claimed <= given) return null;
  return refused(
    'ERR_FORGED_STAMPS',
    `${peer} claims writes of ${self} up to ${claimed}, but ${self} has given stamps up to ${given}`,
  );
}

/**
 * Why a batch cannot be used; null if it can. What the order and the vectors of a batch promise is what `received` and
 * `seen` rest on, so a peer's word is not taken for it.
 */
export function checkBatch<Op, Value>(
  batch: PullBatch<Op>,
  peer: ReplicaId,
  request: PullRequest,
  base: VersionVector,
  self: Origin,
  log: Pick<WriteLog<Op, Value>, 'seen' | 'order' | 'bytesOf'>,
): Refused | null {
  const { seen, order } = log;
  if (replicaIdOf(batch.from) !== peer) return refused('ERR_IDENTITY', `${batch.from} answers where ${peer} was asked`);
  const forged = checkOwnStamps(batch.from, batch.seen, self, seen);
  if (forged !== null) return forged;
  const many =
    checkSize(batch.from, seen.sizeWith(batch.seen)) ??
    checkSize(batch.from, batch.report?.retired.length ?? 0) ??
    checkSize(batch.from, batch.replaced?.size ?? 0);
  if (many !== null) return many;
  const broken = (what: string): Refused => refused('ERR_PROTOCOL', `the batch from ${batch.from} ${what}`);
  if (batch.resumed && request.resume === null) return broken('goes on with a transfer that was not named');
  if (batch.resumed && request.resume !== null && !batch.seen.dominates(request.resume.target)) {
    return broken('goes on with a transfer its vector does not dominate');
  }
  if (batch.store !== null && (batch.writes.length > 0 || !batch.more)) {
    return broken('holds writes beside a part of the base store, or says that nothing comes after it');
  }
  if (batch.store !== null) {
    const page = checkPage(batch.store, broken);
    if (page !== null) return page;
    if (!batch.seen.dominates(batch.store.vector)) return broken('holds a base store that its vector does not cover');
  }
  if (batch.more && batch.writes.length === 0 && batch.store === null)
    return broken('is empty but says that more is left');
  let previous: Write<Op> | null = null;
  for (const write of batch.writes) {
    // One that was accepted after the request left may come back: the peer had it from here meanwhile.
    if (write.origin === self && !seen.covers(self, write.acceptTime)) {
      return refused(
        'ERR_FORGED_STAMPS',
        `${batch.from} sends a write of ${self} that it never gave: ${write.acceptTime}`,
      );
    }
    if (previous !== null && order(previous, write) >= 0 && !hasSameStamp(previous, write)) {
      return broken('is not in stamp order');
    }
    if (base.covers(write.origin, write.acceptTime)) return broken('holds a write that was not asked for');
    if (!batch.seen.covers(write.origin, write.acceptTime)) return broken('holds a write its vector does not cover');
    previous = write;
  }
  return checkStamps(batch.writes, log, broken);
}

/** Several writes of one stamp must be the parts of a batch as a replica would have taken it. */
function checkStamps<Op, Value>(
  writes: readonly Write<Op>[],
  log: Pick<WriteLog<Op, Value>, 'bytesOf'>,
  broken: (what: string) => Refused,
): Refused | null {
  let parts = 1;
  let bytes = 0;
  for (let i = 1; i < writes.length; i++) {
    const [previous, write] = [writes[i - 1] as Write<Op>, writes[i] as Write<Op>];
    if (!hasSameStamp(previous, write)) {
      parts = 1;
      continue;
    }
    if (!areOneBatch(previous, write)) return broken('holds two writes under one stamp that are no parts of a batch');
    if (compareKeys(previous.key, write.key) >= 0) return broken('holds parts of a batch that are not in order');
    if (parts === 1) bytes = log.bytesOf(previous);
    parts += 1;
    bytes += log.bytesOf(write);
    if (parts > BATCH_PARTS_MAX || bytes > BATCH_BYTES_MAX + parts * PART_BYTES_MAX) {
      return broken('holds a batch that is larger than there may be');
    }
  }
  return null;
}

function checkPage<Op>(page: StorePage<Op>, broken: (what: string) => Refused): Refused | null {
  let previous = page.after;
  for (const { key, origin, acceptTime } of page.entries) {
    if (previous !== null && compareKeys(previous, key) >= 0) return broken('holds keys that are not in order');
    if (page.upTo !== null && compareKeys(key, page.upTo) > 0) return broken('holds a key beyond its end');
    if (acceptTime > page.time || !page.vector.covers(origin, acceptTime)) {
      return broken('holds a write that its base store does not cover');
    }
    previous = key;
  }
  if (page.upTo !== null && page.after !== null && compareKeys(page.upTo, page.after) <= 0) {
    return broken('holds a part of the base store that does not get on');
  }
  return null;
}

/**
 * The first stamp of a batch that is beyond `limit` and not held here already; null if there is none. Beside the writes
 * it is also the vector that would be claimed when nothing is left.
 */
export function firstAhead<Op>(batch: PullBatch<Op>, seen: VersionVector, limit: number): AcceptStamp | null {
  for (const write of batch.writes) {
    if (write.acceptTime > limit && !seen.covers(write.origin, write.acceptTime)) return write;
  }
  if (batch.more) return null;
  for (const [origin, acceptTime] of batch.seen.entries()) {
    if (acceptTime > limit && !seen.covers(origin, acceptTime)) return { origin, acceptTime };
  }
  return null;
}
