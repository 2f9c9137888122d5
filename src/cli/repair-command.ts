import type { Command } from 'commander';

export interface RepairRequest {
  readonly path: string;
  readonly apply: boolean;
}

export function addRepairCommand(program: Command, run: (request: RepairRequest) => Promise<void>): Command {
  return program
    .command('repair')
    .summary('check the data directory of a replica, or make a damaged one usable')
    .description(
      'Checks the data directory of a replica that does not run, and changes nothing.\n' +
        'With --apply a damaged one is made usable again.',
    )
    .argument('<DIR>', 'what the server was given as --data-dir')
    .option('--apply', 'keep what stands before the first damage, and set the rest aside')
    .addHelpText(
      'after',
      `
Prints a fact a line:
  replica ID#INCARNATION
  table KEYS keys, WRITES writes    or "table damaged: WHY"
  segment NAME BYTES bytes          a line for each of the log; "SOUND of BYTES bytes": what --apply keeps of it
  damage FILE, offset OFFSET: WHY   the first in the log
and with --apply, if there was damage:
  aside FILE                        a line for each that was set aside, whole; nothing is removed
  renewed ID#INCARNATION            as what the replica goes on

What was acknowledged and stands after the damage may be gone from this replica; so it goes on under a new incarnation,
and fetches from its peers what they hold.

If the table is damaged it is set aside whole. The log holds only what came after it; so unless the log goes back to the
very beginning, the replica starts empty, and has again what its peers hold. The table has no checksums: damage within a
value is not found.

Exit status:
  0  sound
  1  damaged; with --apply: it was, and can be used again
  2  it cannot be checked or repaired: a replica uses it, it is no data directory, or replica.json is damaged

Examples:
  barista repair /var/lib/barista
  barista repair /var/lib/barista --apply`,
    )
    .action(async (path: string, options: { readonly apply?: true }) => {
      await run({ path, apply: options.apply === true });
    });
}
