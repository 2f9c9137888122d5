import { type ClientId, compareOrigins, type Origin } from '../base/ids.js';

/** Orders a write the same everywhere: by accept time, then by origin. */
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
