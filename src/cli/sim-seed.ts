import { printable } from '../../master/format.js';
import { describeViolation } from '../../master/simulation.js';
import { formatCount } from './client-format.js';
import { formatDuration, formatSummary } from './sim-format.js';
import type { SimRunRequest } from './sim-request.js';
import { INTERRUPTED_STATUS, type SimScreen } from './sim-screen.js';
import { writeScript } from './sim-scripts.js';
import type { SimNote } from './sim-task.js';
import type { SimRunner } from './sim-threads.js';

const HOUR_MS = 3_600_000;

/** Runs one seed, and says what happened. The exit status. */
export async function runSeed(request: SimRunRequest, runner: SimRunner, screen: SimScreen): Promise<number> {
  const { seed, world, historyFile, keeping } = request;
  let last = '';
  const hear = (note: SimNote): void => {
    last = describeNote(note, world.hours * HOUR_MS);
    screen.progress(() => `seed ${seed}: ${last}`);
  };
  const result = await runner.run({ seed, world, historyFile, shrinking: keeping.shrinking }, hear);
  if (result === null) {
    screen.print(`seed ${seed} stopped${last === '' ? '' : ` at ${last}`}`);
    return INTERRUPTED_STATUS;
  }
  const { verdict, realMs, checkMs, failure } = result;
  screen.print(`seed ${seed} ${failure === null ? 'ok' : 'failed'}`);
  screen.print(`hash ${verdict.hash}`);
  for (const line of formatSummary(verdict, realMs, checkMs, null)) screen.print(line);
  screen.print(`agreement ${verdict.rounds === null ? 'none' : `after ${verdict.rounds} rounds`}`);
  for (const violation of verdict.violations) screen.print(printable(describeViolation(violation)));
  if (failure === null) return 0;
  screen.print(describeScript(writeScript(keeping.out, seed, world, failure), failure.plan.actions.length));
  return 1;
}

function describeNote(note: SimNote, durationMs: number): string {
  if (note.kind === 'shrinking') return `failed; ${formatCount(note.actions)} actions after ${note.runs} runs`;
  return `${formatDuration(note.virtualMs)} of ${formatDuration(durationMs)}`;
}

export function describeScript(path: string, actions: number): string {
  return printable(`script ${path}: ${formatCount(actions)} actions`);
}
