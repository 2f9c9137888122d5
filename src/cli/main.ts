#!/usr/bin/env node
import { PIPE_CLOSED_STATUS } from './failure.js';
import { runProgram } from './program.js';

const status = await runProgram(
  process.argv.slice(2),
  {
    async master(request) {
      const { runMaster } = await import('./run-master.js');
      await runMaster(request);
    },
    async server(options) {
      const { startServer } = await import('../server/start.js');
      await startServer(options);
    },
    async repair(request) {
      const { runRepair } = await import('./repair-run.js');
      return runRepair(request);
    },
    async sim(request) {
      const { runSim } = await import('./sim-run.js');
      return runSim(request);
    },
    async check(request) {
      const { runCheck } = await import('./check-run.js');
      return runCheck(request);
    },
    async client(request) {
      const { runClient } = await import('./client-run.js');
      return runClient(request);
    },
  },
  {
    out: (text) => {
      // Who reads help may have seen enough of it.
      process.stdout.once('error', () => process.exit(PIPE_CLOSED_STATUS));
      process.stdout.write(text);
    },
    error: (text) => void process.stderr.write(text),
  },
);

// A replica that listens keeps the process alive. What failed may have left something open that would, too.
if (status !== 0) process.exit(status);
