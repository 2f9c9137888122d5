import { BaristaError, messageOf } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { isProcedureName, type Merge, type Procedures } from '../machine/procedures.js';
import { utf8, type ValueCodec } from './value-codec.js';

/** Steps that one run of a procedure may spend. */
const STEPS_MAX = 1_000_000;

/** What a merge procedure is told. */
export interface Conflict<V> {
  /** The value that the write carries. */
  readonly value: V;
  /** What its writer expected to be there: `undefined` for an absent key, or if it expected nothing in particular. */
  readonly expected: V | undefined;
  /** What is there, where the write stands: `undefined` if the key is absent. */
  readonly current: V | undefined;
  /**
   * For loops: counts so many steps (default: 1), and ends the procedure when it has spent a million, so that it takes no effect;
   * at every replica in the same place.
   */
  spend(steps?: number): void;
}

/**
 * What becomes of a key where a write's check fails: the merge procedure of Bayou (Terry et al., SOSP 1995, section 4.3), of one key.
 *
 * Every replica runs it, where the write stands in the order and again whenever a write comes that stands before it. So it must be
 * a function of the conflict and of nothing else: no clock, no random numbers, no state. `barista sim --procedures` tries that.
 */
export interface MergeProcedure<V = string> {
  /** 1 to 64 lower-case letters, digits and hyphens. */
  readonly name: string;
  /** From 1. What a name and version mean never changes: a procedure that does something else takes another version. */
  readonly version: number;
  /** How the values it reads stand in the store. Default: utf8. Where one cannot be read the write takes no effect. */
  readonly codec?: ValueCodec<V>;
  /**
   * The new value; `undefined` leaves the key as it is. One that throws leaves it as it is, too, and so does a value that the codec
   * refuses or that is longer than 1 MiB.
   */
  merge(conflict: Conflict<V>): V | undefined;
  /** Values that `barista sim --procedures` has clients write. */
  readonly samples?: readonly V[];
}

/** A procedure of values of any kind. */
// biome-ignore lint/suspicious/noExplicitAny: what is under V is the codec's own affair
export type AnyProcedure = MergeProcedure<any>;

/** The merge procedures that a replica knows. */
export interface ProcedureRegistry {
  /**
   * Registers a procedure; what waited for it goes on. Throws ERR_OPTION for what is no procedure, and for a name and version
   * that are taken.
   */
  register<V = string>(procedure: MergeProcedure<V>): void;
  /** As `name@version`, ascending; those that every replica has among them. */
  names(): readonly string[];
}

/** The procedures of a program, over those of the replica. */
export class ProgramProcedures implements ProcedureRegistry {
  readonly #procedures: Procedures;
  readonly #log: Log;

  constructor(procedures: Procedures, log: Log) {
    this.#procedures = procedures;
    this.#log = log;
  }

  register<V = string>(procedure: MergeProcedure<V>): void {
    const name = nameOfProcedure(procedure);
    let hasThrown = false;
    const onThrow = (thrown: unknown): void => {
      if (!hasThrown) this.#log.warn({ procedure: name, error: messageOf(thrown) }, 'merge procedure threw');
      hasThrown = true;
    };
    if (!this.#procedures.add(name, mergeOf(procedure, onThrow))) {
      throw new BaristaError(
        'ERR_OPTION',
        `there is a merge procedure ${name} already: another one takes another version`,
      );
    }
  }

  names(): readonly string[] {
    return this.#procedures.names();
  }
}

/** `name@version`; ERR_OPTION if it is no procedure. */
export function nameOfProcedure<V>(procedure: MergeProcedure<V>): string {
  const { name, version, merge } = procedure ?? {};
  const full = `${name}@${version}`;
  if (typeof name === 'string' && Number.isInteger(version) && isProcedureName(full) && typeof merge === 'function') {
    return full;
  }
  throw new BaristaError(
    'ERR_OPTION',
    `${full} is no merge procedure: it has a name of 1 to 64 lower-case letters, digits and hyphens, a version from 1, and a function merge`,
  );
}

/** The procedure as the store has it: over bytes, and never throwing. `onThrow` is told what it threw. */
export function mergeOf<V>(procedure: MergeProcedure<V>, onThrow: (thrown: unknown) => void): Merge {
  // With no codec, V is string: that is its default.
  const codec = procedure.codec ?? (utf8 as unknown as ValueCodec<V>);
  return ({ value, expected, current }) => {
    let left = STEPS_MAX;
    const spend = (steps = 1): void => {
      left -= Math.max(0, steps);
      if (left < 0) throw new RangeError(`it spent more than ${STEPS_MAX} steps`);
    };
    const decoded = (bytes: Uint8Array | undefined): V | undefined =>
      bytes === undefined ? undefined : codec.decode(bytes);
    try {
      const merged = procedure.merge({
        value: codec.decode(value),
        expected: decoded(expected),
        current: decoded(current),
        spend,
      });
      return merged === undefined ? undefined : codec.encode(merged);
    } catch (thrown) {
      onThrow(thrown);
      return undefined;
    }
  };
}
