import type { Command } from 'commander';
import { addCommand, onAction, PRINTING_HELP, type Run } from './client-command.js';

/** A part may be a mebibyte, and wait for a disk. */
const TIMEOUT: readonly [number, string] = [30_000, '30s'];

/** The commands that make and take bundles: anti-entropy by file. */
export function addBundleCommands(program: Command, run: Run): void {
  const make = addCommand(program, 'export', 'one', TIMEOUT)
    .summary('write what a replica holds to a file')
    .description('Writes what a replica holds to a file, a bundle, for other replicas of its cluster to import.')
    .argument('<FILE>', 'the bundle to write; one of that name is replaced, when the new one is whole')
    .option(
      '--since <FILE|VECTOR>',
      'leave out what who imports it holds: what an earlier bundle ended with, or "ID#INCARNATION:TIME ..." as status has it',
    )
    .addHelpText(
      'after',
      `
Without --since any replica of the cluster can import it, also one that is new. Prints three lines:
  from ID#INCARNATION     the replica that made it
  entries NUMBER          writes, and keys of the base store
  bytes NUMBER            the size of the file
${PRINTING_HELP}
Examples:
  barista export /media/stick/all --at 127.0.0.1:7070
  barista export /media/stick/tuesday --since /media/stick/monday --at 127.0.0.1:7070
  barista export till-7 --since 'hub#1:1723000 till-7#1:1722000' --at 127.0.0.1:7070`,
    );
  onAction(make, 'one', run, ([path = ''], { since }) => ({
    kind: 'export',
    path,
    since: typeof since === 'string' ? since : null,
  }));

  const take = addCommand(program, 'import', 'one', TIMEOUT)
    .summary('have a replica take what a bundle holds')
    .description('Has a replica take what a bundle holds, as it would from the replica that made it.')
    .argument('<FILE>', 'the bundle')
    .addHelpText(
      'after',
      `
The bundle is read from end to end first: of one that is damaged, cut off or of another cluster, nothing is taken. To import
one again changes nothing; one whose import was cut is gone on with. Prints two lines:
  from ID#INCARNATION     the replica that made it
  entries NUMBER          writes, and keys of the base store, in it
${PRINTING_HELP}
Example:
  barista import /media/stick/all --at 127.0.0.1:7071`,
    );
  onAction(take, 'one', run, ([path = '']) => ({ kind: 'import', path }));
}
