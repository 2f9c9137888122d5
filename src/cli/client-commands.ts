import { type Command, Option } from 'commander';
import { OPERATION_FORMS } from '../../master/operation-words.js';
import { addBundleCommands } from './bundle-commands.js';
import { addCommand, addWriteCommand, onAction, PRINTING_HELP, type Run, SILENT_HELP } from './client-command.js';
import type { ValueOrigin } from './client-request.js';
import { addConflictCommands } from './conflict-commands.js';
import { change, id, type Peer, singlePeer, ttl } from './option-values.js';

const WRITES_HELP = `
Prints nothing. Each command is a session of its own: a replica that does not answer is given up for the next one, and
the write takes effect at most once; but to run the command again is another write.

It ends when the write is accepted: on the disk of the replica, if that has one. --replicated and --stable have it wait for
more; if that is not known in time it ends with ERR_TIMEOUT and status 1, and the write stands all the same.
`;

const TTL_HELP = `
A time to live begins when the write is accepted, and ends at every replica by the accept stamp; as exactly as their wall
clocks agree. What changes the value, like increment, leaves that as it is; another put ends it. With --clock logical it is a
number of accept times, as if each was a millisecond.
`;

const MERGE_HELP = `
Every replica has first-wins@1, keep-both@1, highest@1, lowest@1, json-merge-patch@1, add-to-list@1 and first-free-slot@1;
a server has others with --procedures. docs/GUARANTEES.md says what they do.
`;

const ORDER_HELP = `
It reads what stands before it in the order of all writes, so a write that comes late from elsewhere may change what it
finds. Where that is not of its kind, or the outcome would be out of bounds, it takes no effect; that is no failure.
`;

/** The commands that speak to running replicas. */
export function addClientCommands(program: Command, run: Run): void {
  addDataCommands(program, run);
  addChangeCommands(program, run);
  addConflictCommands(program, run);
  addOperatorCommands(program, run);
  addBundleCommands(program, run);
}

/** What a command writes that was given a word for a value. */
function valueOrigin(word: string): ValueOrigin {
  return word === '-' ? { kind: 'standard-input' } : { kind: 'word', text: word };
}

function expectationOf(
  options: Readonly<Record<string, unknown>>,
): { kind: 'value'; text: string } | { kind: 'absent' } | null {
  if (options['expectsAbsent'] === true) return { kind: 'absent' };
  const { expects } = options;
  return typeof expects === 'string' ? { kind: 'value', text: expects } : null;
}

/** The commands that change what they find. */
function addChangeCommands(program: Command, run: Run): void {
  const increment = addWriteCommand(program, 'increment')
    .summary('add to a number')
    .description('Adds to the decimal number that a key holds at a replica; a key that is absent counts as 0.')
    .argument('<KEY>', 'what to add to')
    .argument('[N]', 'a whole number', change, 1)
    .addHelpText('after', WRITES_HELP + ORDER_HELP + SILENT_HELP)
    .addHelpText('after', '\nExamples:\n  barista increment stock/espresso 12\n  barista increment stock/espresso -1');
  onAction<readonly [string, number]>(increment, 'first', run, ([key, by]) => ({ kind: 'increment', key, by }));

  const append = addWriteCommand(program, 'append')
    .summary('add to the end of a value')
    .description('Puts bytes after those of a value at a replica; a key that is absent counts as empty.')
    .argument('<KEY>', 'what to add to')
    .argument('<VALUE>', 'what is added; "-": the bytes of standard input, as they are')
    .addHelpText('after', WRITES_HELP + ORDER_HELP + SILENT_HELP)
    .addHelpText('after', "\nExample:\n  barista append table-4 ', one ristretto'");
  onAction(append, 'first', run, ([key = '', value = '']) => ({ kind: 'append', key, value: valueOrigin(value) }));

  const merge = addWriteCommand(program, 'merge')
    .summary('write a value, or have it merged with what is there')
    .description(
      'Writes a value where the key holds what is expected; else a merge procedure\n' +
        'makes one value of what is there and of this one, alike at every replica. With\n' +
        'nothing expected the procedure decides always.',
    )
    .argument('<KEY>', 'what to write to')
    .argument('<VALUE>', 'the value; "-": the bytes of standard input, as they are')
    .requiredOption('--with <procedure>', 'the merge procedure, like keep-both@1')
    .option('--expects <value>', 'what the key is expected to hold')
    .addOption(new Option('--expects-absent', 'the key is expected to be absent').conflicts('expects'))
    .addHelpText('after', MERGE_HELP + WRITES_HELP + ORDER_HELP + SILENT_HELP)
    .addHelpText(
      'after',
      `
Examples:
  barista merge table-4/bill 12.50 --with highest@1
  barista merge table-4 'window seat' --expects 'two espressos' --with keep-both@1
  barista merge room/atlas '{"who": "ana", "slots": ["mon-9", "mon-10"]}' --with first-free-slot@1`,
    );
  onAction(merge, 'first', run, ([key = '', value = ''], options) => ({
    kind: 'merge',
    key,
    value: valueOrigin(value),
    procedure: String(options['with']),
    expects: expectationOf(options),
  }));

  const setAdd = addWriteCommand(program, 'set-add')
    .summary('add a member to a set')
    .description(
      'Adds a member to the set that a key holds at a replica: a JSON array of strings, ascending, each once. A key that is\n' +
        'absent counts as the empty set.',
    )
    .argument('<KEY>', 'the set')
    .argument('<MEMBER>', 'what is added')
    .addHelpText('after', WRITES_HELP + ORDER_HELP + SILENT_HELP)
    .addHelpText('after', '\nExample:\n  barista set-add waiting table-4');
  onAction(setAdd, 'first', run, ([key = '', member = '']) => ({ kind: 'set-add', key, member }));

  const setRemove = addWriteCommand(program, 'set-remove')
    .summary('remove a member from a set')
    .description('Removes a member from the set that a key holds at a replica, whether it is there or not.')
    .argument('<KEY>', 'the set')
    .argument('<MEMBER>', 'what is removed')
    .addHelpText('after', WRITES_HELP + ORDER_HELP + SILENT_HELP)
    .addHelpText('after', '\nExample:\n  barista set-remove waiting table-4');
  onAction(setRemove, 'first', run, ([key = '', member = '']) => ({ kind: 'set-remove', key, member }));
}

function addBatch(program: Command, run: Run): void {
  const batch = addWriteCommand(program, 'batch')
    .summary('write several keys at once')
    .description(
      'Writes several keys at a replica as one atomic write: whoever reads them in one state sees all of it or nothing.',
    )
    .argument('[OPERATION...]', 'what is written; without any, each line of standard input is one')
    .addHelpText(
      'after',
      `
An operation is written as in a script of barista master, without its client:
  ${OPERATION_FORMS.map(({ usage }) => usage).join('\n  ')}
Values and members are the rest of the line; words with spaces, and values that begin or end with one, stand in quotes: a
JSON string in "", anything in ''. Blank lines, and lines that begin with #, are passed over. A batch writes 1 to 128 keys, each
once, and takes at most 1 MiB.
${WRITES_HELP}${SILENT_HELP}
Examples:
  barista batch 'put order/7 two espressos' 'increment stock/espresso -2' --at 127.0.0.1:7070
  barista batch --replicated 2 < order.txt`,
    );
  onAction<readonly [readonly string[]]>(batch, 'first', run, ([operations]) => ({ kind: 'batch', operations }));
}

function addDataCommands(program: Command, run: Run): void {
  const put = addWriteCommand(program, 'put')
    .summary('write a value')
    .description('Writes the value of a key at a replica.')
    .argument('<KEY>', 'what to write to')
    .argument('<VALUE>', 'its value; "-": the bytes of standard input, as they are')
    .option('--if-absent', 'only where the key is absent: it takes no effect elsewhere, and that is no failure')
    .option('--ttl <duration>', 'how long it stays, like 90s or 24h; default: until something else is written', ttl)
    .addHelpText('after', TTL_HELP + WRITES_HELP + SILENT_HELP)
    .addHelpText(
      'after',
      `
Examples:
  barista put table-4 'two espressos' --at 127.0.0.1:7070
  barista put lock/till ana --if-absent --ttl 30s
  barista put photo - --at 127.0.0.1:7070 < photo.jpg
  barista put --at 127.0.0.1:7070 -- -key -value`,
    );
  onAction(put, 'first', run, ([key = '', value = ''], options) => ({
    kind: 'put',
    key,
    value: valueOrigin(value),
    ifAbsent: options['ifAbsent'] === true,
    ttlMs: typeof options['ttl'] === 'number' ? options['ttl'] : null,
  }));

  const get = addCommand(program, 'get', 'first')
    .summary('read a value')
    .description('Reads the value of a key at a replica, and prints it with a line end after it.')
    .argument('<KEY>', 'what to read')
    .option('--raw', 'print the bytes of the value and nothing else')
    .addHelpText(
      'after',
      `
A terminal is shown control characters as \\u001b, and a value that is not UTF-8 as 0x and hexadecimal digits. Files and
pipes are given the value as it is, and the line end; with --raw without it.

Each command is a session of its own: two reads at two replicas may see the second further behind than the first.

A key that the replica does not have is ERR_KEY on standard error, and status 1.
${PRINTING_HELP}
Examples:
  barista get table-4 --at 127.0.0.1:7070
  barista get photo --raw --at 127.0.0.1:7070 > photo.jpg
  BARISTA_AT=127.0.0.1:7070,127.0.0.1:7071 barista get table-4`,
    );
  onAction(get, 'first', run, ([key = ''], options) => ({ kind: 'get', key, raw: options['raw'] === true }));

  const remove = addWriteCommand(program, 'delete')
    .summary('delete a key')
    .description('Deletes a key at a replica, whether it is there or not.')
    .argument('<KEY>', 'what to delete')
    .addHelpText('after', WRITES_HELP + SILENT_HELP)
    .addHelpText('after', '\nExample:\n  barista delete table-4 --at 127.0.0.1:7070');
  onAction(remove, 'first', run, ([key = '']) => ({ kind: 'delete', key }));
  addBatch(program, run);
  addWatch(program, run);
}

function addWatch(program: Command, run: Run): void {
  const watch = addCommand(program, 'watch', 'nearest')
    .summary('print what changes')
    .description('Prints each change to keys that begin so, as it comes to a replica, until it is ended.')
    .argument('[PREFIX]', 'which keys; every key without it', '')
    .option('--from <where>', '"now"; "start": all that is there first; or a cursor that --json printed', 'now')
    .option('--json', 'a line of JSON for each change')
    .addHelpText(
      'after',
      `
Prints for each change what is under its key now: KEY:VALUE, or KEY:ERR_KEY if nothing is. That something expires is no change. A value that is not UTF-8 is printed
as 0x and hexadecimal digits, control characters as \\n, \\u001b, ... A change is told once. If the replica does not answer, the
watch goes on at the next one that holds what was told, or when it is back; after a minute in vain it ends.

With --json the first line is {"cursor": string}: where the watch began. Then for each change:
  {"key": string, "value": string | null, "time": number, "id": string, "incarnation": number, "client": string,
   "stands": boolean, "standing": {"time": number, "id": string, "incarnation": number}, "reordered": boolean,
   "lost": string | null, "expires": number | null, "cursor": string}
  value      what is under the key now; null: nothing
  expires    the accept time from which on that is gone, which is not told; null: it stays
  time, id, incarnation, client
             the write that is told of, and who wrote
  stands     false if it lost to one that stands after it: "standing", which the value comes from
  reordered  true if it came late, and stands before a write on its key that was told already
  lost       what it set, if it does not stand
  cursor     goes on behind this change with --from, here or at another replica, without a gap or a repeat
${PRINTING_HELP}
Examples:
  barista watch table- --at 127.0.0.1:7070
  barista watch --json --from start --at 127.0.0.1:7070 --at 127.0.0.1:7071`,
    );
  onAction(watch, 'nearest', run, ([prefix = ''], options) => ({
    kind: 'watch',
    prefix,
    from: String(options['from']),
    json: options['json'] === true,
  }));
}

function addOperatorCommands(program: Command, run: Run): void {
  const status = addCommand(program, 'status', 'each')
    .summary('show what a replica is, holds and is linked with')
    .description('Shows what replicas are, hold and are linked with.')
    .option('--json', 'a line of JSON for each replica')
    .addHelpText(
      'after',
      `
Prints a fact a line, its name first; several replicas have a blank line between them:
  replica ID#INCARNATION
  cluster NAME
  protocol VERSION
  tie-break higher, or lower
  clock logical, or hybrid
  retry-window DURATION           for how long a client may send an operation again
  writes NUMBER                   live ones in its log
  base TIME                       writes up to here are folded into its store, and left the log; 0: none are
  stable TIME                     every member holds all writes up to here, as far as it knows; 0: it cannot tell
  waits-for ID#INCARNATION        a line for each member whose report keeps writes from being stable
  retired ID#INCARNATION          a line for each that nobody waits for any more
  lacks NAME@VERSION              a line for each merge procedure that writes here wait for: see --procedures
  seen ID#INCARNATION:TIME        a line for each member: the last of its writes that the replica knows
  link ID=HOST:PORT CODE          a line for each link: why the last pull from there failed, or "-"
  progress ID DONE of TOTAL writes, NUMBER/s
                                  for each pull of several batches that is under way
  drift ID ID#INCARNATION MS      for each pull that waits: from where, whose clock is ahead, and by how much

With --json:
  {"id": string, "incarnation": number, "cluster": string, "protocol": number, "tieBreak": "higher" | "lower",
   "clock": "logical" | "hybrid", "retryWindowMs": number, "writes": number, "base": number, "stable": number,
   "waitsFor": [{"id": string, "incarnation": number}], "retired": [{"id": string, "incarnation": number}],
   "lacks": [string],
   "seen": [{"id": string, "incarnation": number, "time": number}],
   "links": [{"id": string, "host": string, "port": number, "lastError": string | null,
              "drift": {"id": string, "incarnation": number, "aheadMs": number} | null,
              "progress": {"done": number, "total": number, "perSecond": number} | null}]}
${PRINTING_HELP}
Examples:
  barista status --at 127.0.0.1:7070 --at 127.0.0.1:7071
  barista status --json --at 127.0.0.1:7070`,
    );
  onAction(status, 'each', run, (_words, options) => ({ kind: 'status', json: options['json'] === true }));

  const link = addCommand(program, 'link', 'one')
    .summary('link a replica with another')
    .description(
      'Has a replica exchange writes with another from now on, or under another address than before.\n' +
        'Do the same at the other one: a replica gives nothing to one it is not linked with.',
    )
    .argument('<ID=HOST:PORT>', 'the other replica', singlePeer)
    .addHelpText(
      'after',
      `${SILENT_HELP}
Examples:
  barista link hub=127.0.0.1:7071 --at 127.0.0.1:7070
  barista link till-7=127.0.0.1:7070 --at 127.0.0.1:7071`,
    );
  onAction<readonly [Peer]>(link, 'one', run, ([peer]) => ({ kind: 'link', peer }));

  const unlink = addCommand(program, 'unlink', 'one')
    .summary('cut the link of a replica with another')
    .description('Has a replica exchange no more writes with another. No failure if it did not.')
    .argument('<ID>', 'the other replica', id)
    .addHelpText('after', `${SILENT_HELP}\nExample:\n  barista unlink hub --at 127.0.0.1:7070`);
  onAction(unlink, 'one', run, ([peer = '']) => ({ kind: 'unlink', peer }));

  const retire = addCommand(program, 'retire', 'one')
    .summary('have nobody wait for a replica that will not return')
    .description(
      'Says at a replica that another will not return, so that nobody waits for it any more: what only it had not been\n' +
        'heard to hold leaves the logs of the others. Every replica comes to know of it.',
    )
    .argument('<ID>', 'the replica that is gone', id)
    .addHelpText(
      'after',
      `
One that returns all the same rejoins by itself, under a new incarnation: it takes over what the others have, and submits
again what nobody had received.
${SILENT_HELP}
Example:
  barista retire till-7 --at 127.0.0.1:7070`,
    );
  onAction<readonly [string]>(retire, 'one', run, ([id]) => ({ kind: 'retire', id }));

  const compact = addCommand(program, 'compact', 'one')
    .summary('shorten the log of a replica')
    .description(
      'Has a replica pull from all it is linked with, learn what each member holds, and fold what all do into its store.',
    )
    .addHelpText(
      'after',
      `
Replicas do this by themselves as time goes; what a client may still send again stays in the log (--retry-window of the
server), and so does what a member was not heard to hold: "barista status" says who is waited for. Prints two lines:
  base BEFORE AFTER     writes up to this accept time are folded into the store
  writes BEFORE AFTER   live ones in the log
${PRINTING_HELP}
Example:
  barista compact --at 127.0.0.1:7070`,
    );
  onAction(compact, 'one', run, () => ({ kind: 'compact' }));

  const store = addCommand(program, 'store', 'one')
    .summary('print the store of a replica')
    .description('Prints the store of a replica as it is meanwhile: KEY:VALUE a line, ascending by key.')
    .addHelpText(
      'after',
      `
A value that is not UTF-8 is printed as 0x and hexadecimal digits, control characters as \\n, \\u001b, ...
${PRINTING_HELP}
Example:
  barista store --at 127.0.0.1:7070 | grep ^table-`,
    );
  onAction(store, 'one', run, () => ({ kind: 'store' }));

  const log = addCommand(program, 'log', 'one')
    .summary('print the write log of a replica')
    .description(
      'Prints the write log of a replica as it is meanwhile, in its total order, a line each:\n' +
        'TIME@ID#INCARNATION CLIENT:CLIENT_TIME put KEY:VALUE, or ... delete KEY, increment KEY:NUMBER, append KEY:VALUE,\n' +
        'setAdd KEY:MEMBER, setRemove KEY:MEMBER, putIfAbsent KEY:VALUE, put KEY:VALUE for 90000ms, merge KEY:VALUE with PROCEDURE, or total KEY:VALUE',
    )
    .addHelpText('after', `${PRINTING_HELP}\nExample:\n  barista log --at 127.0.0.1:7070 | tail`);
  onAction(log, 'one', run, () => ({ kind: 'log' }));
}
