import { BaristaError } from '../src/base/errors.js';
import type { Cluster } from './cluster.js';
import type { Command, Output } from './command.js';
import { argumentsOf, commandNamed, restAt } from './commands.js';
import { lexLine } from './script.js';

/** A line of a script, numbered from 1; `refused` if its bytes are no text. */
export type ScriptLine =
  | { readonly kind: 'text'; readonly number: number; readonly text: string }
  | { readonly kind: 'refused'; readonly number: number; readonly error: BaristaError };

/**
 * A script as it arrives. Taking is apart from waiting, so that the runner knows when it is about to wait, and shows
 * all results before it does: whoever writes the script may be waiting for them.
 */
export interface ScriptSource {
  /** The next line, if it is at hand. */
  take(): ScriptLine | null;
  /** Waits for more; false when the script has ended. */
  more(): Promise<boolean>;
}

/** 0: all commands ran. 1: one failed. 2: one is not known. */
export type ExitStatus = 0 | 1 | 2;

/** Called once for each line that could not be run, in the order of the lines. */
export type Report = (line: number, error: BaristaError) => void;

// Each may be a process that starts: enough to overlap, not so many that they starve each other.
const JOINS_IN_FLIGHT_MAX = 32;

/** Runs lines against a cluster, each finished before the next begins; only joins overlap with each other. */
export class Runner {
  readonly #cluster: Cluster;
  readonly #output: Output;
  readonly #report: Report;
  #status: ExitStatus = 0;
  /** The joins that were started since the last `settle`; resolves when each has ended and its failure is reported. */
  #joins: Promise<void> = Promise.resolve();
  #joining = 0;

  constructor(cluster: Cluster, output: Output, report: Report) {
    this.#cluster = cluster;
    this.#output = output;
    this.#report = report;
  }

  /** The worst of what ran so far. */
  get status(): ExitStatus {
    return this.#status;
  }

  /**
   * Runs one line; false if the script ends with it. Rejects only on a mistake of our own: what is wrong with the line
   * or the cluster is reported, and the script may go on.
   */
  async run(number: number, text: string): Promise<boolean> {
    let command: Command;
    let args: readonly string[];
    try {
      const words = lexLine(text, restAt);
      const [name] = words;
      if (name === undefined) return true;
      command = commandNamed(name);
      args = argumentsOf(command, words);
    } catch (thrown) {
      await this.settle();
      this.#fail(number, thrown);
      return true;
    }
    if (command.pace === 'overlaps') {
      if (this.#joining >= JOINS_IN_FLIGHT_MAX) await this.settle();
      this.#start(number, command, args);
      return true;
    }
    if (this.#joining > 0) await this.settle();
    if (command.pace === 'long') this.#output.flush();
    try {
      const ended = await command.run(this.#cluster, args, this.#output);
      if (ended === 'ends') return false;
      if (ended === 'failed') this.#worsen(1);
    } catch (thrown) {
      this.#fail(number, thrown);
    }
    const slow = this.#output.drained();
    if (slow !== undefined) await slow;
    return true;
  }

  /** Reports a line that cannot be run. */
  async refuse(number: number, error: BaristaError): Promise<void> {
    await this.settle();
    this.#fail(number, error);
  }

  /** Waits for the joins that were started. */
  async settle(): Promise<void> {
    await this.#joins;
    this.#joining = 0;
  }

  #start(number: number, command: Command, args: readonly string[]): void {
    this.#joining++;
    // Its failure is noted as it happens, and reported in its turn.
    const failure = command.run(this.#cluster, args, this.#output).then(
      () => null,
      (thrown: unknown) => ({ thrown }),
    );
    this.#joins = this.#joins.then(async () => {
      const failed = await failure;
      if (failed !== null) this.#fail(number, failed.thrown);
    });
  }

  #fail(number: number, thrown: unknown): void {
    if (!(thrown instanceof BaristaError)) throw thrown;
    this.#worsen(thrown.code === 'ERR_UNKNOWN_COMMAND' ? 2 : 1);
    this.#report(number, thrown);
  }

  #worsen(status: ExitStatus): void {
    if (status > this.#status) this.#status = status;
  }
}

/** Runs a script to its end, or to `done`. */
export async function runScript(source: ScriptSource, runner: Runner, output: Output): Promise<ExitStatus> {
  for (;;) {
    const line = source.take();
    if (line === null) {
      output.flush();
      if (!(await source.more())) break;
    } else if (line.kind === 'refused') {
      await runner.refuse(line.number, line.error);
    } else if (!(await runner.run(line.number, line.text))) {
      break;
    }
  }
  await runner.settle();
  output.flush();
  return runner.status;
}
