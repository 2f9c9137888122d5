import { READY_PROCEDURES } from './ready-procedures.js';

/** What a merge procedure is told; bytes as they stand in the store, not to be changed. */
export interface MergeCall {
  /** What the operation carries. */
  readonly value: Uint8Array;
  /** What its writer expected to be there; undefined if nothing, or if it expected nothing in particular. */
  readonly expected: Uint8Array | undefined;
  /** What is there; undefined if the key is absent. */
  readonly current: Uint8Array | undefined;
}

/**
 * What becomes of the key: undefined leaves it as it is. A function of the call and of nothing else, so that it gives the same
 * everywhere; never throws.
 */
export type Merge = (call: MergeCall) => Uint8Array | undefined;

/** `name@version`: lower-case letters, digits and hyphens, 1 to 64; a version from 1 to 999,999,999. */
const NAME = /^[a-z0-9][a-z0-9-]{0,63}@[1-9][0-9]{0,8}$/;

export function isProcedureName(text: string): boolean {
  return NAME.test(text);
}

/** The merge procedures that a replica knows, by `name@version`: the ready ones, and those of the program. */
export class Procedures {
  readonly #known = new Map<string, Merge>(READY_PROCEDURES);

  find(name: string): Merge | undefined {
    return this.#known.get(name);
  }

  /** False if there is one of that name already: what a name means never changes. */
  add(name: string, merge: Merge): boolean {
    if (this.#known.has(name)) return false;
    this.#known.set(name, merge);
    return true;
  }

  /** Ascending. */
  names(): readonly string[] {
    return [...this.#known.keys()].sort();
  }
}
