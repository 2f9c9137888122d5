import { printable } from '../../master/format.js';
import { hashText } from '../base/hash.js';
import { formatCount } from './client-format.js';
import { addTotals, formatDuration, formatSummary, NO_TOTALS } from './sim-format.js';
import type { SimSearchRequest } from './sim-request.js';
import { INTERRUPTED_STATUS, type SimScreen } from './sim-screen.js';
import { writeScript } from './sim-scripts.js';
import { describeScript } from './sim-seed.js';
import type { SimResult } from './sim-task.js';
import type { SimRunner } from './sim-threads.js';

/** Runs seed after seed, one at a time on each runner, and keeps those that fail. The exit status. */
export async function searchSeeds(
  request: SimSearchRequest,
  runners: readonly SimRunner[],
  screen: SimScreen,
): Promise<number> {
  const search = new Search(request, screen);
  await Promise.all(runners.map((runner) => search.runOn(runner)));
  return search.sumUp();
}

class Search {
  readonly #request: SimSearchRequest;
  readonly #screen: SimScreen;
  readonly #began = performance.now();
  readonly #processorBegan = process.cpuUsage();
  #next: number;
  #totals = NO_TOTALS;
  #checkMs = 0;
  readonly #hashes = new Map<number, string>();
  readonly #failed: number[] = [];
  #stopped = false;

  constructor(request: SimSearchRequest, screen: SimScreen) {
    this.#request = request;
    this.#screen = screen;
    this.#next = request.firstSeed;
  }

  async runOn(runner: SimRunner): Promise<void> {
    const { world, keeping } = this.#request;
    for (let seed = this.#take(); seed !== null; seed = this.#take()) {
      const task = { seed, world, historyFile: null, shrinking: keeping.shrinking };
      const result = await runner.run(task, () => this.#screen.progress(() => this.#progress()));
      if (result === null) this.#stopped = true;
      else this.#ran(result);
    }
  }

  /** The exit status. */
  sumUp(): number {
    const ran = [...this.#hashes.keys()].sort((a, b) => a - b);
    const failed = this.#failed.sort((a, b) => a - b);
    const range = ran.length === 0 ? '' : ` from ${ran[0]} to ${ran.at(-1)}`;
    this.#screen.print(`seeds ${formatCount(ran.length)}${range}${this.#stopped ? ', stopped' : ''}`);
    this.#screen.print(`failed ${failed.length === 0 ? 'none' : failed.join(', ')}`);
    this.#screen.print(`hash ${hashOf(ran.map((seed) => `${seed} ${this.#hashes.get(seed)}`))}`);
    const { user, system } = process.cpuUsage(this.#processorBegan);
    const realMs = performance.now() - this.#began;
    for (const line of formatSummary(this.#totals, realMs, this.#checkMs, (user + system) / 1000))
      this.#screen.print(line);
    if (failed.length > 0) return 1;
    return this.#stopped ? INTERRUPTED_STATUS : 0;
  }

  #take(): number | null {
    const { firstSeed, seedsMax, minutesMax } = this.#request;
    const isOver =
      this.#stopped ||
      (seedsMax !== null && this.#next >= firstSeed + seedsMax) ||
      (minutesMax !== null && performance.now() - this.#began >= minutesMax * 60_000);
    return isOver ? null : this.#next++;
  }

  #ran({ seed, verdict, checkMs, failure }: SimResult): void {
    this.#checkMs += checkMs;
    this.#hashes.set(seed, verdict.hash);
    this.#totals = addTotals(this.#totals, verdict);
    this.#screen.progress(() => this.#progress());
    if (failure === null) return;
    this.#failed.push(seed);
    const { keeping, world } = this.#request;
    const { check, message } = failure.violation;
    this.#screen.print(printable(`seed ${seed} failed ${check}: ${message}`));
    this.#screen.print(describeScript(writeScript(keeping.out, seed, world, failure), failure.plan.actions.length));
  }

  #progress(): string {
    const { seedsMax } = this.#request;
    const of = seedsMax === null ? '' : ` of ${formatCount(seedsMax)}`;
    const realMs = performance.now() - this.#began;
    const speed = formatCount(this.#totals.virtualMs / realMs);
    return `${formatCount(this.#hashes.size)}${of} seeds, ${this.#failed.length} failed, ${formatDuration(this.#totals.virtualMs)} of virtual time in ${formatDuration(realMs)}, ${speed} times real time`;
  }
}

/** One hash for many, in their order. */
function hashOf(lines: readonly string[]): string {
  return hashText(lines.join('\n')).toString(16).padStart(14, '0');
}
