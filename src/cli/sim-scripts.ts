import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { printable } from '../../master/format.js';
import { describeViolation } from '../../master/simulation.js';
import { BaristaError, messageOf } from '../base/errors.js';
import { writePlan } from '../sim/script.js';
import { formatCount } from './client-format.js';
import type { SimWorld } from './sim-request.js';
import type { SimFailure } from './sim-task.js';

/** What failed may speak of long values. */
const COMMENT_CHARS_MAX = 1000;

/** Refuses a folder that cannot be written to, or made, before anything is run. */
export function checkFolder(folder: string): void {
  let nearest = resolve(folder);
  while (!existsSync(nearest)) nearest = dirname(nearest);
  refusing(`scripts cannot be written to ${folder}`, () => accessSync(`${nearest}/.`, constants.W_OK));
}

/** Refuses a file that cannot be written, before anything is run. */
export function checkFile(what: string, path: string): void {
  refusing(`the ${what} cannot be written to ${path}`, () => closeSync(openSync(path, 'w')));
}

function refusing(what: string, attempt: () => void): void {
  try {
    attempt();
  } catch (thrown) {
    throw new BaristaError('ERR_OPTION', `${what}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

/** Writes the script of a seed that failed; its path. */
export function writeScript(folder: string, seed: number, world: SimWorld, failure: SimFailure): string {
  const { violation, plan, actionsBefore, runs } = failure;
  const path = join(folder, `seed-${seed}-${violation.check}.txt`);
  const comments = [
    commandLine(seed, world),
    describeViolation(violation),
    `shrunk from ${formatCount(actionsBefore)} actions to ${formatCount(plan.actions.length)} in ${formatCount(runs)} runs`,
  ];
  const lines = [...comments.map((comment) => `# ${shortened(printable(comment))}`), ...writePlan(plan)];
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, `${lines.join('\n')}\n`);
  } catch (thrown) {
    throw outputError(`the script of seed ${seed} cannot be written`, thrown);
  }
  return path;
}

function shortened(comment: string): string {
  return comment.length > COMMENT_CHARS_MAX ? `${comment.slice(0, COMMENT_CHARS_MAX)}…` : comment;
}

/** What was typed, or might have been, to see this seed. */
function commandLine(seed: number, { replicas, clients, hours, faults, procedureFiles }: SimWorld): string {
  const named = typeof faults === 'string' ? faults : faults.join(',');
  const merging = procedureFiles.map((path) => ` --procedures ${path}`).join('');
  return `barista sim --seed ${seed} --replicas ${replicas} --clients ${clients} --hours ${hours} --faults ${named}${merging}`;
}

export function outputError(what: string, thrown: unknown): BaristaError {
  return new BaristaError('ERR_OUTPUT', `${what}: ${messageOf(thrown)}`, { cause: thrown });
}
