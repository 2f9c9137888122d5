import type { SimRequest } from './sim-request.js';
import { onInterrupt, SimScreen } from './sim-screen.js';
import { checkFile, checkFolder } from './sim-scripts.js';
import { searchSeeds } from './sim-search.js';
import { runSeed } from './sim-seed.js';
import { SimThread } from './sim-threads.js';

/** Does what `barista sim` was asked to do. The exit status; rejects with a coded error. */
export async function runSim(request: SimRequest): Promise<number> {
  if (request.kind === 'exhaustive') {
    const { runExhaustive } = await import('./explore-run.js');
    return runExhaustive(request, new SimScreen(process.stdout, process.stderr));
  }
  if (request.kind === 'report') {
    checkFile('report', request.file);
    const { runReport } = await import('./report-run.js');
    return runReport(request, new SimScreen(process.stdout, process.stderr));
  }
  checkFolder(request.keeping.out);
  if (request.kind === 'run' && request.historyFile !== null) checkFile('history', request.historyFile);
  const screen = new SimScreen(process.stdout, process.stderr);
  const threads = Array.from({ length: request.kind === 'run' ? 1 : request.jobs }, () => new SimThread());
  const stop = (): void => {
    for (const thread of threads) thread.stop();
  };
  onInterrupt(stop);
  try {
    if (request.kind === 'search') return await searchSeeds(request, threads, screen);
    const [thread] = threads;
    return thread === undefined ? 0 : await runSeed(request, thread, screen);
  } finally {
    stop();
    await screen.end();
  }
}
