import type { ClusterOptions } from '../../master/cluster.js';
import type { Output } from '../../master/command.js';
import { openCluster } from '../../master/open-cluster.js';
import { Runner } from '../../master/runner.js';
import type { Guarantee } from '../../src/bayou/session.js';

export interface ScriptRun {
  readonly output: readonly string[];
  /** `line: code`. */
  readonly problems: readonly string[];
}

const OPTIONS: ClusterOptions = {
  tieBreak: 'higher',
  clock: 'logical',
  retryWindowMs: 600_000,
  guarantees: ['read-your-writes', 'monotonic-reads'] satisfies Guarantee[],
  maxDriftMs: 60_000,
  antiEntropyMs: null,
  timeoutMs: 2_000,
  basePort: null,
  dataDir: null,
};

/** Runs script lines in the simulated world, as the master does. */
export async function runSimulated(
  lines: readonly string[],
  options: Partial<ClusterOptions> = {},
): Promise<ScriptRun> {
  const bystander = { report: (error: Error) => fail(error), warn: (message: string) => fail(new Error(message)) };
  const cluster = await openCluster('simulated', { ...OPTIONS, ...options }, bystander);
  const output: string[] = [];
  const problems: string[] = [];
  const sink: Output = { print: (line) => output.push(line), drained: () => undefined, flush: () => undefined };
  const runner = new Runner(cluster, sink, (line, error) => problems.push(`${line}: ${error.code}`));
  for (const [i, line] of lines.entries()) if (!(await runner.run(i + 1, line))) break;
  await runner.settle();
  await cluster.close();
  return { output, problems };
}

function fail(error: Error): never {
  throw error;
}
