import { sameBytes } from '../base/bytes.js';
import { BaristaError } from '../base/errors.js';
import { bytesOf, textOf } from '../base/text.js';
import type { Merges } from '../check/merge.js';
import { type Merge, Procedures } from '../machine/procedures.js';

/** Values that clients of a simulated world write with a merge procedure. */
export interface MergeSamples {
  /** `name@version`. */
  readonly procedure: string;
  readonly values: readonly string[];
}

/** How often the other copy of a procedure is run: not each time, so that what one remembers is not what the other does. */
const COPY_RUNS_EACH = 3;

/**
 * Each procedure, run twice, and now and then a copy of it that was loaded apart: where they differ it is no function of the conflict
 * alone, and ERR_PROCEDURE is thrown.
 */
export class TriedProcedures extends Procedures {
  readonly #copies = new Map<string, Merge>();
  #runs = 0;

  /** Adds a copy of a procedure that shares nothing with it. */
  addCopy(name: string, merge: Merge): void {
    this.#copies.set(name, merge);
  }

  override find(name: string): Merge | undefined {
    const merge = super.find(name);
    if (merge === undefined) return undefined;
    return (call) => {
      const first = merge(call);
      const copy = ++this.#runs % COPY_RUNS_EACH === 0 ? this.#copies.get(name) : undefined;
      if (sameBytes(first, merge(call)) && (copy === undefined || sameBytes(first, copy(call)))) return first;
      throw new BaristaError('ERR_PROCEDURE', `${name} made of the same conflict once this and once that`);
    };
  }
}

/** The procedures, as the checks of a history ask them. */
export function mergesOf(procedures: Procedures): Merges {
  return (name) => {
    const merge = procedures.find(name);
    if (merge === undefined) return undefined;
    return ({ value, expected, current }) => {
      const bytes = (text: string | undefined) => (text === undefined ? undefined : bytesOf(text));
      const merged = merge({ value: bytesOf(value), expected: bytes(expected), current: bytes(current) });
      return merged === undefined ? undefined : (textOf(merged) ?? undefined);
    };
  };
}
