import { BaristaError } from '../src/base/errors.js';

/** With 6262 the range is 6262-6280, the one cleanup-ports.sh looks at. */
const PORTS_MAX = 19;

/** The ports of a run that asked for fixed ones: the lowest that no replica of the run has, from the base upward. */
export class BasePorts {
  readonly #base: number;
  readonly #taken = new Set<number>();

  constructor(base: number) {
    this.#base = base;
  }

  /** A port that some other program holds is given out all the same: the replica that finds it in use says so. */
  take(): number {
    const last = Math.min(this.#base + PORTS_MAX - 1, 65_535);
    for (let port = this.#base; port <= last; port++) {
      if (this.#taken.has(port)) continue;
      this.#taken.add(port);
      return port;
    }
    throw new BaristaError(
      'ERR_PORT_IN_USE',
      `ports ${this.#base} to ${last} all belong to replicas of this run; more replicas need ports the system picks`,
    );
  }

  release(port: number): void {
    this.#taken.delete(port);
  }
}
