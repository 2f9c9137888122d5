import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../src/base/random.js';
import type { ChaosCluster } from './cluster.js';
import type { Tally } from './tally.js';

const PERIOD_MS = 250;
/** One in so many looks also has the replica fold, as an operator would. */
const COMPACT_ONE_IN = 4;
const COMPACT_MS = 1_000;

/** Looks at one replica after the other, as an operator does, and counts what it sees. */
export class Monitor {
  readonly #cluster: ChaosCluster;
  readonly #tally: Tally;
  readonly #random: Random;
  readonly #note: (line: string) => void;
  readonly #bases = new Map<string, number>();

  constructor(cluster: ChaosCluster, tally: Tally, random: Random, note: (line: string) => void) {
    this.#cluster = cluster;
    this.#tally = tally;
    this.#random = random;
    this.#note = note;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const id of this.#cluster.joined) {
        // It may be killed or paused at any moment.
        await this.look(id).catch(() => undefined);
      }
      await delay(PERIOD_MS);
    }
  }

  async look(id: string): Promise<void> {
    const replica = this.#cluster.replica(id);
    if (!replica.isRunning) return;
    if (this.#random.below(COMPACT_ONE_IN) === 0) await replica.compact(COMPACT_MS);
    const { base, writes } = await replica.status();
    if (base > (this.#bases.get(id) ?? 0)) this.#tally.folds += 1;
    this.#bases.set(id, base);
    this.#tally.logMax = Math.max(this.#tally.logMax, writes);
    if (!(await this.#cluster.noteIncarnation(id, 'rejoin'))) return;
    this.#tally.rejoins += 1;
    this.#note(`           ${id} has rejoined under a new incarnation`);
  }
}
