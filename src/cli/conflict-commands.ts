import type { Command } from 'commander';
import type { AcceptStamp } from '../bayou/write.js';
import { addCommand, addWriteCommand, onAction, PRINTING_HELP, type Run, SILENT_HELP } from './client-command.js';
import { stamp } from './option-values.js';

/** The commands that tell what became of writes. */
export function addConflictCommands(program: Command, run: Run): void {
  const history = addCommand(program, 'history', 'nearest')
    .summary('print the writes on a key, and what became of each')
    .description('Prints the writes on a key that a replica still holds, in the order of all writes.')
    .argument('<KEY>', 'whose writes')
    .option('--json', 'a line of JSON for each write')
    .addHelpText(
      'after',
      `
A line for each write, its operation as "barista log" has it:
  TIME@ID#INCARNATION CLIENT OPERATION KEY:VALUE; STAGE; FATE
and before them, if some were folded into the store and left the log, one for what they came to, with "base" for the stage.
  STAGE  received, but not claimed yet; accepted; or stable: every member is known to hold it
  FATE   stands
         overwritten by TIME@ID#INCARNATION CLIENT
         expired
         no effect: repeat (of a write that took effect), outdated (by a later write of its client), anew (as it was accepted
         then), met (what it would bring about is so), or inapplicable (to what it finds); and by which write that is so
         unknown: it takes a merge procedure that the replica has not
Not among them are writes that their own client overwrote, unless something stood between; nor what was folded.

With --json:
  {"key": string, "time": number, "id": string, "incarnation": number, "client": string,
   "operation": string, "value" | "by" | "member": string | number | null,   (and of a merge what it expects, and the procedure; of what
   has a time to live that, "ttlMs", and the accept time at which it "expires")
   "stage": "base" | "received" | "accepted" | "stable", "resubmitted": boolean,
   "fate": "stands" | "overwritten" | "expired" | "repeat" | "outdated" | "anew" | "met" | "inapplicable" | "unknown",
   "to": {"time": number, "id": string, "incarnation": number, "client": string} | null}
${PRINTING_HELP}
Example:
  barista history table-4 --at 127.0.0.1:7070`,
    );
  onAction(history, 'nearest', run, ([key = ''], options) => ({
    kind: 'history',
    key,
    json: options['json'] === true,
  }));

  const conflicts = addCommand(program, 'conflicts', 'nearest')
    .summary('print which writes lost, and to which')
    .description('Prints the writes that lost to others, to keys that begin so, as a replica has them in its log.')
    .argument('[PREFIX]', 'which keys; every key without it', '')
    .option('--since <where>', '"start": all there are; "now"; a stamp; or a cursor that --json printed', 'start')
    .option('--json', 'a line of JSON for each conflict, and one with the cursor')
    .addHelpText(
      'after',
      `
A line for each write that lost:
  TIME@ID#INCARNATION CLIENT OPERATION KEY:VALUE; RULE; concurrent: yes, no or unknown
  RULE        overwritten by TIME@ID#INCARNATION CLIENT      a put or a delete of another client
              inapplicable to what TIME@ID#INCARNATION CLIENT left
                                                             say, an increment of what is no number
  concurrent  yes: the replica that accepted the later of the two did not claim the other; no: it had accepted it itself;
              unknown: it cannot be told (docs/GUARANTEES.md, "Conflicts")
"barista restore KEY TIME@ID#INCARNATION" puts back what was lost.

Since a cursor each loss is printed once, here or at another replica that holds what was printed. What was folded is not there to
be told of: since a cursor that was left for so long it ends with ERR_FOLDED. Since a stamp come those of what stands after it.

With --json, and at the end {"cursor": string}:
  {"key": string, "time": number, "id": string, "incarnation": number, "client": string,
   "operation": string, "value" | "by" | "member": string | number | null, "rule": "overwritten" | "inapplicable",
   "winner": {"time": number, "id": string, "incarnation": number, "client": string} | null,
   "concurrent": "yes" | "no" | "unknown", "cursor": string}
${PRINTING_HELP}
Examples:
  barista conflicts table- --at 127.0.0.1:7070
  barista conflicts --json --since "$cursor" --at 127.0.0.1:7070 --at 127.0.0.1:7071`,
    );
  onAction(conflicts, 'nearest', run, ([prefix = ''], options) => ({
    kind: 'conflicts',
    prefix,
    since: String(options['since']),
    json: options['json'] === true,
  }));

  const restore = addWriteCommand(program, 'restore', 'nearest')
    .summary('put back what was lost')
    .description(
      'Writes anew what an earlier write on a key would have done, and was lost: as "history" and "conflicts" print it.',
    )
    .argument('<KEY>', 'whose write')
    .argument('<TIME@ID#INCARNATION>', 'which write', stamp)
    .addHelpText(
      'after',
      `
What sets a value is put, whatever it was conditional on; what changes one is made again, unless it still counts. If the log has it
no more the command ends with ERR_GONE. Prints nothing.
${SILENT_HELP}
Example:
  barista restore table-4 3546816153600000@till-7#1 --at 127.0.0.1:7070`,
    );
  onAction<readonly [string, AcceptStamp]>(restore, 'nearest', run, ([key, stamp]) => ({
    kind: 'restore',
    key,
    stamp,
  }));
}
