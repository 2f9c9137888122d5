/*
 * A recorded history: what clients asked and were answered, and what replicas showed, as an observer wrote it down. One
 * JSON object a line: first the header, then events in the order in which they ended. docs/HISTORY.md describes it for
 * others.
 */

/** (accept time, replica id, incarnation). */
export type Stamp = readonly [acceptTime: number, replica: string, incarnation: number];

/** For each origin, its highest accept time. */
export type Vector = readonly Stamp[];

export interface Header {
  readonly type: 'history';
  readonly version: 1;
  readonly tieBreak: 'higher' | 'lower';
  /** In accept times. */
  readonly retryWindow: number;
}

export type GuaranteeName = 'read-your-writes' | 'monotonic-reads' | 'writes-follow-reads' | 'monotonic-writes';

/** A session begins. Before the first operation of its client; a client has one session. */
export interface SessionEvent {
  readonly type: 'session';
  readonly client: string;
  readonly guarantees: readonly GuaranteeName[];
}

interface OperationEvent {
  readonly client: string;
  readonly key: string;
  /** Milliseconds of the observer's clock. A client's operations do not overlap; `end` is null if it was never answered. */
  readonly begin: number;
  readonly end: number | null;
  /** The replica that answered; null if none did. */
  readonly replica: string | null;
  /** The code, if `outcome` is `failed` or `unknown`. */
  readonly code?: string;
}

/** An operation that reads the value which stands where it does. */
export type ChangeName = 'increment' | 'append' | 'setAdd' | 'setRemove' | 'putIfAbsent' | 'merge';

export interface WriteEvent extends OperationEvent {
  readonly type: 'write';
  readonly clientTime: number;
  /** The value that is put; null: a delete. */
  readonly value: string | null;
  /**
   * Set if it is neither: `value` is then the number, the text, the member or the value that the operation carries; of a merge it
   * is JSON, `{"procedure": "highest@1", "value": "7", "expects": "5"}`: without `expects` nothing is expected, null is an absent key.
   */
  readonly change?: ChangeName;
  /**
   * `missing`: ERR_DEP, nothing was written. `failed`: refused, nothing was written. `unknown`: it may have been accepted.
   */
  readonly outcome: 'accepted' | 'missing' | 'failed' | 'unknown';
  /** Set if it was accepted. */
  readonly stamp?: Stamp;
  /**
   * Set if it was sent again, here or elsewhere, after a try that was not answered: more than one replica may have accepted
   * it, each under a stamp of its own.
   */
  readonly repeated?: true;
  /** Set if it is a part of a batch: those with one client and client time, one after the other, are one write of several keys. */
  readonly part?: true;
}

export interface ReadEvent extends OperationEvent {
  readonly type: 'read';
  readonly outcome: 'found' | 'absent' | 'missing' | 'failed';
  /** Set if it was found. */
  readonly value?: string;
  /** The stamp of the write that was found. */
  readonly stamp?: Stamp;
  /**
   * What the replica claimed to hold in the step that answered, where the observer could tell. Left out while the replica
   * takes over what it missed: its claims have gaps then.
   */
  readonly seen?: Vector;
  /** Reads of one client with the same number, one after the other, are one read of several keys, all of one state. */
  readonly together?: number;
}

/** A write as a replica's log, or its base store, shows it. */
export interface LoggedWrite {
  readonly stamp: Stamp;
  readonly client: string;
  readonly clientTime: number;
  readonly key: string;
  /** Null: a delete. */
  readonly value: string | null;
  /**
   * As of a `WriteEvent`; or `total`: it stands for operations that were folded, has the name of the last of them, and sets
   * `value`.
   */
  readonly change?: ChangeName | 'total';
  /** Set if it was accepted anew by a replica that rejoined. */
  readonly resubmitted?: true;
  /** Set if it is a part of a batch. */
  readonly part?: true;
}

/**
 * All that one replica showed in one step, with nothing left to flush: a crash could take back what was. Not while it takes
 * over what it missed, since its claims have gaps then.
 */
export interface StateEvent {
  readonly type: 'state';
  readonly at: number;
  readonly replica: string;
  readonly incarnation: number;
  readonly seen: Vector;
  /** What an unfinished transfer has brought; several may be under way. */
  readonly received: readonly Vector[];
  /** Writes up to this accept time are folded; 0 if none are. */
  readonly base: number;
  /** Every member holds every write up to this accept time, as far as the replica knows; 0 if it cannot tell. */
  readonly stable: number;
  /** The live log, in the total order. */
  readonly log: readonly LoggedWrite[];
  /** The present keys, ascending, with the stamp of the write that set each. */
  readonly store: readonly (readonly [key: string, value: string, stamp: Stamp])[];
  /** True once the faults are over, and the replicas were given the time to agree, and to fold what they can. */
  readonly final: boolean;
}

/** A process began or ended, or something was done to a replica. */
export interface LifeEvent {
  readonly type: 'life';
  readonly at: number;
  readonly replica: string;
  readonly incarnation: number;
  /** `lost`: its disk was wiped, or put back to an earlier state: what only it held may be gone. */
  readonly event: 'start' | 'end' | 'retired' | 'lost';
}

export type HistoryEvent = SessionEvent | WriteEvent | ReadEvent | StateEvent | LifeEvent;

export interface History {
  readonly header: Header;
  readonly events: Iterable<HistoryEvent>;
}
