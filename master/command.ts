import { assert } from '../src/base/assert.js';
import type { Cluster } from './cluster.js';

/** Where results go, a line at a time. */
export interface Output {
  print(line: string): void;
  /** Undefined, unless the reader is slow: then what must be waited for before more is printed. */
  drained(): Promise<void> | undefined;
  /** Shows now what was printed so far. */
  flush(): void;
}

export interface Parameter {
  readonly name: string;
  /** Which ids may stand here, for completion. */
  readonly ids: 'servers' | 'clients' | 'all' | 'none';
}

/** `failed`: the command printed a result that counts as a failure. `ends`: the script ends here. */
export type Ended = 'ran' | 'failed' | 'ends';

export interface Command {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** The last parameter stands for one word or more. */
  readonly repeats: boolean;
  /** For the first words of a line, the place of the one that takes the rest of it, spaces included; -1 if none does. */
  restAt(words: readonly string[]): number;
  readonly help: string;
  /** Null if it prints nothing. */
  readonly prints: string | null;
  /**
   * `overlaps`: started without waiting; the next command that does not overlap waits for it. `long`: may take any
   * time, so that what was printed before is shown first.
   */
  readonly pace: 'overlaps' | 'quick' | 'long';
  /** `args` are as many as `parameters`; at least as many if the last repeats. */
  run(cluster: Cluster, args: readonly string[], output: Output): Promise<Ended>;
}

type Args<P extends readonly Parameter[]> = readonly [...{ readonly [K in keyof P]: string }, ...string[]];

interface Definition<P extends readonly Parameter[]> {
  readonly name: string;
  readonly parameters: P;
  readonly repeats?: true;
  readonly restAt?: Command['restAt'];
  readonly help: string;
  readonly prints?: string;
  readonly pace?: Command['pace'];
  run(cluster: Cluster, args: Args<P>, output: Output): Promise<Ended>;
}

/** Lets `run` take its words as a tuple, one for each parameter. */
export function define<const P extends readonly Parameter[]>(definition: Definition<P>): Command {
  const { name, parameters, repeats = false, restAt = () => -1, help, prints = null, pace = 'quick' } = definition;
  return {
    name,
    parameters,
    repeats,
    restAt,
    help,
    prints,
    pace,
    run(cluster, args, output) {
      const fits = repeats ? args.length >= parameters.length : args.length === parameters.length;
      assert(fits, `${name} was given ${args.length} words`);
      return definition.run(cluster, args as unknown as Args<P>, output);
    },
  };
}

export const CLIENT: Parameter = { name: 'CLIENT', ids: 'clients' };
export const KEY: Parameter = { name: 'KEY', ids: 'none' };
