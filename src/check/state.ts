import { type Claims, nameOrigin, type Origin, type Place } from './place.js';

/** What a replica showed in one step. */
export interface State {
  readonly at: number;
  readonly origin: Origin;
  readonly seen: Claims;
  readonly base: number;
  readonly stable: number;
  readonly log: readonly Place[];
  /** The present keys, ascending: where each has its value from. */
  readonly store: readonly Place[];
  /** And the values. */
  readonly values: readonly string[];
  readonly final: boolean;
}

export function describeState({ at, origin, final }: State): string {
  return `the ${final ? 'final ' : ''}state of ${nameOrigin(origin)} at ${at} ms`;
}
