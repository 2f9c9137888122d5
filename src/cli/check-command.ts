import type { Command } from 'commander';
import { proceduresOption } from './option-values.js';

export interface CheckRequest {
  /** `-`: standard input. */
  readonly path: string;
  /** Modules of merge procedures. */
  readonly procedureFiles: readonly string[];
}

interface Options {
  readonly procedures: readonly string[];
}

export function addCheckCommand(program: Command, run: (request: CheckRequest) => Promise<void>): Command {
  return program
    .command('check')
    .summary('check a recorded history against all that Barista promises')
    .description(
      'Reads what clients did and what replicas showed, as JSON lines, and says what of it breaks a promise.\n' +
        '`barista sim --history FILE` records one; docs/HISTORY.md says how to record your own.',
    )
    .argument('<FILE>', 'the history; - for standard input')
    .addOption(proceduresOption())
    .addHelpText(
      'after',
      `
Prints a line for each violation (the first 20 of each check), then what each check looked at and found:
  violation CHECK: WHAT
  history READS reads, WRITES writes, STATES states
  check             looked at  violations
  ...
A check that looked at nothing has shown nothing: the history lacks what it needs. docs/GUARANTEES.md says what each holds.

Exit status:
  0  nothing is wrong
  1  something is wrong
  2  the history cannot be read

Examples:
  barista check history.jsonl
  zcat history.jsonl.gz | barista check -`,
    )
    .action((path: string, { procedures }: Options) => run({ path, procedureFiles: procedures }));
}
