import { BaristaError } from '../base/errors.js';
import { hashText } from '../base/hash.js';
import { incarnationOf, type Origin, originOf, type ReplicaId, replicaIdOf } from '../base/ids.js';
import { DEFAULT_LIMITS, ORIGINS_MAX } from '../base/limits.js';
import { VersionVector } from '../bayou/version-vector.js';
import type { Kind } from './sealed.js';
import type { ByteReader, ByteWriter } from './token-bytes.js';

/* What the cursors of watches and of conflicts have in common. */

/** Of what a cursor is: it is good for no other. */
export interface CursorScope {
  readonly cluster: string;
  readonly prefix: string;
}

/** What was told, of a target that covers it. */
export interface Position {
  readonly told: VersionVector;
  readonly target: VersionVector;
}

/** The version, and the hashes of the cluster and of the prefix. */
export function writeScope(bytes: ByteWriter, version: number, { cluster, prefix }: CursorScope): void {
  bytes.number(version);
  bytes.number(hashText(cluster));
  bytes.number(hashText(prefix));
}

/** Throws ERR_TOKEN for what is of another version, of another cluster or of another prefix. */
export function readScope(bytes: ByteReader, kind: Kind, version: number, { cluster, prefix }: CursorScope): void {
  const wrong = (what: string): BaristaError => new BaristaError('ERR_TOKEN', `the ${kind} is of ${what}`);
  const its = bytes.number();
  if (its !== version) throw wrong(`version ${its}, not ${version}`);
  if (bytes.number() !== hashText(cluster)) throw wrong(`another cluster than ${JSON.stringify(cluster)}`);
  if (bytes.number() !== hashText(prefix)) throw wrong(`another prefix than ${JSON.stringify(prefix)}`);
}

/**
 * The highest accept time of the target; each origin of the target, how far its time is below that, and, unless all was told, how
 * far what was told is below its time.
 */
export function writePosition(bytes: ByteWriter, { told, target }: Position, isTold: boolean): void {
  const highest = target.highestTime();
  bytes.number(highest);
  bytes.number(target.size);
  for (const [origin, time] of target.sorted()) {
    writeOrigin(bytes, origin);
    bytes.number(highest - time);
    if (!isTold) bytes.number(time - told.get(origin));
  }
}

/** Throws a RangeError for what cannot be. */
export function readPosition(bytes: ByteReader, isTold: boolean): Position {
  const highest = bytes.number();
  const target = new VersionVector();
  const told = new VersionVector();
  bytes.list(ORIGINS_MAX, () => {
    const origin = readOrigin(bytes);
    const time = highest - bytes.number();
    const toldTime = isTold ? time : time - bytes.number();
    if (toldTime < 0 || target.has(origin)) throw new RangeError('a time that cannot be');
    target.raise(origin, time);
    told.raise(origin, toldTime);
  });
  return { told, target };
}

export function writeOrigin(bytes: ByteWriter, origin: Origin): void {
  bytes.text(replicaIdOf(origin));
  bytes.number(incarnationOf(origin));
}

export function readOrigin(bytes: ByteReader): Origin {
  return originOf(bytes.text(DEFAULT_LIMITS.idBytesMax) as ReplicaId, bytes.number());
}
