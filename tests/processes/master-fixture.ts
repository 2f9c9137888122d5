import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { MASTER_FIXTURE } from './fixture-commands.js';
import { processesWith } from './process-table.js';
import type { TestRun } from './test-run.js';

export interface MasterOptions {
  readonly replicas: number;
  /** How many of them are paused. */
  readonly paused?: number;
  readonly survivesInterrupt?: boolean;
  readonly basePort?: number;
  /** What is run in place of the real replica. */
  readonly command?: readonly string[];
}

interface MasterFixture {
  readonly pid: number;
  readonly runId: string;
  readonly replicas: readonly number[];
  /** Resolves with what ended it. */
  readonly exited: Promise<NodeJS.Signals | number | null>;
  /** Resolves when it has printed the next line. */
  nextLine(): Promise<string>;
}

/** Starts a master in a process group of its own, as a terminal would. What is left of its run ends with the test. */
export async function startMaster(current: TestRun, options: MasterOptions): Promise<MasterFixture> {
  const settings = { paused: 0, survivesInterrupt: false, basePort: null, ...options };
  const master = spawn(process.execPath, [MASTER_FIXTURE, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const exited = new Promise<NodeJS.Signals | number | null>((resolve) => {
    master.on('exit', (code, signal) => resolve(signal ?? code));
  });
  current.finally(async () => {
    master.kill('SIGKILL');
    await exited;
  });
  const lines = createInterface(master.stdout)[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => (await lines.next()).value ?? '';
  const { runId, pids } = JSON.parse(await nextLine()) as { runId: string; pids: number[] };
  current.finally(() => killAll(processesWith(runId)));
  return { pid: master.pid ?? 0, runId, replicas: pids, exited, nextLine };
}

export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}
