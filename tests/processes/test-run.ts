import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import { ReplicaProcess, type ReplicaSpec } from '../../master/replica-process.js';
import { Run } from '../../master/run.js';

export interface TestRun {
  /** Where the run records of this test are. */
  readonly directory: string;
  open(basePort?: number | null): Run;
  start(run: Run, spec?: Partial<ReplicaSpec>): ReplicaProcess;
  /** Has `end` called when the test is over, however it went. */
  finally(end: () => unknown): void;
}

/** Gives each test a directory for records of its own, and ends all that the test started. */
export function useTestRun(): TestRun {
  let directory = '';
  let endings: (() => unknown)[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'barista-test-'));
    // Both, so that cleanup-ports.sh finds no other run's records either.
    vi.stubEnv('XDG_RUNTIME_DIR', directory);
    vi.stubEnv('TMPDIR', directory);
  });

  afterEach(async () => {
    // The last started ends first: replicas before their run.
    for (const end of endings.reverse()) await end();
    endings = [];
    vi.unstubAllEnvs();
    rmSync(directory, { recursive: true, force: true });
  });

  return {
    get directory() {
      return directory;
    },
    open(basePort = null) {
      const run = Run.open({
        basePort,
        warn: (message) => {
          throw new Error(message);
        },
      });
      endings.push(() => run.close());
      return run;
    },
    start(run, spec = {}) {
      const replica = ReplicaProcess.start({
        run,
        id: '1',
        incarnation: 1,
        tieBreak: 'higher',
        clock: 'logical',
        retryWindowMs: 600_000,
        maxDriftMs: 60_000,
        dataDir: null,
        antiEntropyMs: null,
        ...spec,
      });
      endings.push(() => replica.kill());
      return replica;
    },
    finally(end) {
      endings.push(end);
    },
  };
}
