import { compareIds } from '../base/ids.js';
import type { ChangeName } from './history.js';
import type { Operation } from './operation.js';

/** Who gave stamps: a replica in one incarnation. */
export interface Origin {
  readonly replica: string;
  readonly incarnation: number;
  /** Where vectors have its entry. */
  readonly index: number;
}

/** A stamp that turned up in the history, and so a place in the total order. */
export interface Place {
  readonly origin: Origin;
  readonly time: number;
  readonly key: string;
  /** Null: a delete. What reads and stores alone have shown of it, until a log or a client tells what stands there. */
  value: string | null;
  /** Null: a put or a delete, as far as is known. */
  change: ChangeName | 'total' | null;
  /** True if only reads and stores have shown it. */
  isShown: boolean;
  /** Another value than `value` that was shown of it; null if none was. */
  other: string | null;
  /** What stands there; null if nothing told whose it is. */
  operation: Operation | null;
  /** What may stand there, if nothing told whose it is. */
  mayBe: readonly Operation[];
  /** How logs have it: as accepted from a client, or accepted anew by a replica that rejoined. Null if none has shown it. */
  resubmitted: boolean | null;
}

export type PlaceOrder = (a: Place, b: Place) => number;

/** The total order: by accept time, then by replica id, shortest first, then by incarnation. */
export function placeOrder(tieBreak: 'higher' | 'lower'): PlaceOrder {
  const direction = tieBreak === 'higher' ? 1 : -1;
  return (a, b) => a.time - b.time || direction * compareOrigins(a.origin, b.origin);
}

export function compareOrigins(a: Origin, b: Origin): number {
  return compareIds(a.replica, b.replica) || a.incarnation - b.incarnation;
}

/** By the index of each origin, its highest accept time; 0, or nothing, if there is none. */
export type Claims = readonly number[];

export function covers(claims: Claims, { origin, time }: Place): boolean {
  return (claims[origin.index] ?? 0) >= time;
}

export function nameOrigin({ replica, incarnation }: Pick<Origin, 'replica' | 'incarnation'>): string {
  return `${replica}#${incarnation}`;
}

export function namePlace(place: Place): string {
  return `${place.time}@${nameOrigin(place.origin)}`;
}
