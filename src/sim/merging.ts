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

/** The ready procedures, with values that have them agree and disagree. */
export const READY_SAMPLES: readonly MergeSamples[] = [
  { procedure: 'first-wins@1', values: ['red', 'green', 'blue'] },
  { procedure: 'keep-both@1', values: ['red', 'green', 'blue'] },
  { procedure: 'highest@1', values: ['1', '2', '3', '-1', '2.5'] },
  { procedure: 'lowest@1', values: ['1', '2', '3', '-1', 'none'] },
  { procedure: 'json-merge-patch@1', values: ['{"a":1}', '{"a":null}', '{"b":{"c":2}}', '{"b":{"d":[3]}}'] },
  { procedure: 'add-to-list@1', values: ['1', '"two"', '{"three":3}'] },
  {
    procedure: 'first-free-slot@1',
    values: [
      '{"who":"ana","slots":["mon","tue"]}',
      '{"who":"ben","slots":["mon","wed"]}',
      '{"who":"eva","slots":["tue"]}',
    ],
  },
];

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
      if (isSame(first, merge(call)) && (copy === undefined || isSame(first, copy(call)))) return first;
      throw new BaristaError('ERR_PROCEDURE', `${name} made of the same conflict once this and once that`);
    };
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameBytes(a, b);
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
