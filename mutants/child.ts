import { type ChildProcess, spawn } from 'node:child_process';

export interface Ended {
  /** Null if it was ended by a signal, or ran into its time limit. */
  readonly status: number | null;
  readonly timedOut: boolean;
  readonly seconds: number;
  /** The end of what it said on both streams. */
  readonly output: string;
}

const OUTPUT_MAX = 200_000;

const running = new Set<ChildProcess>();

/** Runs a command in a process group of its own, which is ended whole at the time limit. */
export function run(command: string, args: readonly string[], cwd: string, secondsMax: number): Promise<Ended> {
  const begun = performance.now();
  const child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  let timedOut = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_MAX);
    });
  }
  const limit = setTimeout(() => {
    timedOut = true;
    end(child);
  }, secondsMax * 1_000);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(limit);
      running.delete(child);
      // What it began and left behind.
      end(child);
      resolve({ status: timedOut ? null : status, timedOut, seconds: (performance.now() - begun) / 1_000, output });
    });
  });
}

export function endAll(): void {
  for (const child of running) end(child);
}

function end({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // All of the group have ended.
  }
}
