import { type ClientId, compareOrigins, type Origin } from '../base/ids.js';

/** Orders a write the same everywhere: by accept time, then by origin. The parts of a batch share one. */
export interface AcceptStamp {
  readonly origin: Origin;
  /** The origin's clock reading given to the write: strictly increasing per origin, from 1. */
  readonly acceptTime: number;
}

/** One operation as the log keeps it. (client, clientTime) names the operation once and for all, also across retries. */
export interface Write<Op> extends AcceptStamp {
  readonly client: ClientId;
  readonly clientTime: number;
  readonly key: string;
  readonly operation: Op;
  /**
   * Set if the operation was accepted anew by a replica that rejoined. It takes effect here, whether or not its first
   * stamp turns up somewhere after all: so a replica that has seen that and one that never will agree.
   */
  readonly resubmitted?: true;
  /**
   * Set if it is a part of a batch: writes on other keys may have the same stamp, client and client time. They come with it in
   * every transfer, and reads of several keys show all of them or none.
   */
  readonly part?: true;
}

/** The write with these marks. */
export function marked<Op>(write: Write<Op>, resubmitted: boolean, part: boolean): Write<Op> {
  return { ...write, ...(resubmitted ? { resubmitted } : {}), ...(part ? { part } : {}) };
}

/** The stamp of a write, without the write. */
export function stampOf({ origin, acceptTime }: AcceptStamp): AcceptStamp {
  return { origin, acceptTime };
}

export function hasSameStamp(a: AcceptStamp, b: AcceptStamp): boolean {
  return a.acceptTime === b.acceptTime && a.origin === b.origin;
}

/** True if both are parts of one batch, under one stamp. */
export function areOneBatch<Op>(a: Write<Op>, b: Write<Op>): boolean {
  const isPart = a.part === true && b.part === true && hasSameStamp(a, b);
  return isPart && a.client === b.client && a.clientTime === b.clientTime && a.resubmitted === b.resubmitted;
}

/** Names a write among all: parts of a batch have one stamp, and each a key of its own. */
export function nameWrite<Op>(write: Write<Op>): string {
  return `${nameStamp(write)} ${write.key}`;
}

/** Names an operation, or a batch, of whichever stamp. */
export function nameOperation<Op>({ client, clientTime }: Pick<Write<Op>, 'client' | 'clientTime'>): string {
  return `${clientTime} ${client}`;
}

/** A stamp in words. */
export function nameStamp({ origin, acceptTime }: AcceptStamp): string {
  return `${acceptTime}@${origin}`;
}

/** On equal accept times, which origin stands later in the order and so wins. The same in the whole cluster. */
export type TieBreak = 'higher' | 'lower';

export type StampOrder = (a: AcceptStamp, b: AcceptStamp) => number;

/** The total order of writes. */
export function stampOrder(tieBreak: TieBreak): StampOrder {
  const direction = tieBreak === 'higher' ? 1 : -1;
  return (a, b) => a.acceptTime - b.acceptTime || direction * compareOrigins(a.origin, b.origin);
}
