import type { Done } from '../base/outcome.js';
import type { BundleConnection, SessionConnection } from '../bayou/ports.js';
import type { KvOperation } from '../machine/kv.js';
import type { Deadline } from './deadline.js';

export type Connection = SessionConnection<KvOperation, Uint8Array> & BundleConnection<KvOperation>;

/** One request, as it is made of whichever replica. Answers within `timeoutMs`. */
export type Ask<T> = (connection: Connection, timeoutMs: number, done: Done<T>) => void;

/** A replica that several requests go to, as the route knows it; null until one has answered. */
export interface Pin {
  to: object | null;
}

/** What a route does with one request. */
export interface AskOptions<T> {
  /** What it is, for messages: "get". */
  readonly what: string;
  readonly deadline: Deadline;
  /** How much longer than other requests this one may take, since it waits at the replica, in milliseconds. */
  readonly waitsMs?: number;
  /** Holds the requests that share it to the replica that answers the first of them. */
  readonly pin?: Pin;
  /** True for a write: it is not sent again beyond the retry window of the cluster. */
  readonly isWrite?: boolean;
  /** True for a watch: these are counted by themselves, since they wait. */
  readonly isWatch?: boolean;
  /** False for an answer that another replica may better. Absent: the first answer is taken. */
  readonly isEnough?: (reply: T) => boolean;
}

/**
 * Where the requests of sessions go: to the replica in this process, or to one of several over the wire. A request may be
 * made more than once, of the same or of another replica; a write carries what makes it take effect once.
 */
export interface Route {
  /** Whose replicas these are. */
  readonly cluster: string;
  /** The first answer that is enough; if there is none, one that is not; if no replica answers, rejects. */
  ask<T>(ask: Ask<T>, options: AskOptions<T>): Promise<T>;
}
