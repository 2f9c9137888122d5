import { BaristaError } from '../src/base/errors.js';
import { compareOrigins } from '../src/base/ids.js';
import { actionRestAt } from '../src/sim/script.js';
import { CLIENT, type Command, define, KEY, type Output, type Parameter } from './command.js';
import { formatClock, formatEntry, formatGet, formatMember, formatWrite, printable, quoted } from './format.js';
import { didYouMean } from './nearest.js';
import { describeVerdict } from './simulation.js';
import { WRITE_COMMANDS } from './write-commands.js';

/** A line for each item, at the pace of who reads them. */
async function printEach<T>(items: AsyncIterable<T>, format: (item: T) => string, output: Output): Promise<void> {
  for await (const item of items) {
    output.print(format(item));
    const slow = output.drained();
    if (slow !== undefined) await slow;
  }
}

const SERVER: Parameter = { name: 'SERVER', ids: 'servers' };
const NEW_SERVER: Parameter = { name: 'SERVER', ids: 'none' };
const NEW_CLIENT: Parameter = { name: 'CLIENT', ids: 'none' };
const ID: Parameter = { name: 'ID', ids: 'all' };
const MS: Parameter = { name: 'MS', ids: 'none' };
const SETTING: Parameter = { name: 'SETTING', ids: 'none' };
const ACTION: Parameter = { name: 'ACTION', ids: 'none' };

/** The longest delay a timer takes, about 25 days. */
const SLEEP_MS_MAX = 2 ** 31 - 1;

/** All commands, in the order help shows them. */
export const COMMANDS: readonly Command[] = [
  define({
    name: 'joinServer',
    parameters: [NEW_SERVER],
    help: 'starts a replica and links it both ways with every live replica',
    pace: 'overlaps',
    async run(cluster, [server]) {
      await cluster.joinServer(server);
      return 'ran';
    },
  }),
  define({
    name: 'killServer',
    parameters: [SERVER],
    help: 'kills a replica at once; its id may join again, as a new incarnation with an empty store',
    async run(cluster, [server]) {
      await cluster.killServer(server);
      return 'ran';
    },
  }),
  define({
    name: 'restartServer',
    parameters: [NEW_SERVER],
    help: 'brings a killed replica back with its store and links it as joinServer does; needs --data-dir',
    pace: 'overlaps',
    async run(cluster, [server]) {
      await cluster.restartServer(server);
      return 'ran';
    },
  }),
  define({
    name: 'joinClient',
    parameters: [NEW_CLIENT, SERVER],
    help: 'starts a client linked to one replica',
    pace: 'overlaps',
    async run(cluster, [client, server]) {
      await cluster.joinClient(client, server);
      return 'ran';
    },
  }),
  define({
    name: 'breakConnection',
    parameters: [ID, ID],
    help: 'cuts the link between two replicas, or a client and a replica, both ways',
    async run(cluster, [a, b]) {
      await cluster.breakConnection(a, b);
      return 'ran';
    },
  }),
  define({
    name: 'createConnection',
    parameters: [ID, ID],
    help: 'makes or restores that link',
    async run(cluster, [a, b]) {
      await cluster.createConnection(a, b);
      return 'ran';
    },
  }),
  define({
    name: 'stabilize',
    parameters: [],
    help: 'returns when all replicas of each connected part of the network hold the same writes',
    pace: 'long',
    async run(cluster) {
      await cluster.stabilize();
      return 'ran';
    },
  }),
  define({
    name: 'compact',
    parameters: [],
    help: 'likewise, and folds what they all hold, and no client may send again, into the store: it leaves the log',
    pace: 'long',
    async run(cluster) {
      await cluster.compact();
      return 'ran';
    },
  }),
  define({
    name: 'retireServer',
    parameters: [SERVER],
    help: 'has nobody wait for a replica any more; one that runs rejoins by itself, as its next incarnation',
    async run(cluster, [server]) {
      await cluster.retireServer(server);
      return 'ran';
    },
  }),
  ...WRITE_COMMANDS,
  define({
    name: 'get',
    parameters: [CLIENT, KEY],
    help: 'reads as the client',
    prints:
      'KEY:VALUE; or KEY:ERR_KEY: there is none; KEY:ERR_DEP: no replica has what the session needs; KEY:ERR_CONN: none answers',
    async run(cluster, [client, key], output) {
      const result = await cluster.get(client, key);
      output.print(formatGet(key, result));
      return result.kind === 'ERR_CONN' ? 'failed' : 'ran';
    },
  }),
  define({
    name: 'printStore',
    parameters: [SERVER],
    help: 'shows the store of a replica',
    prints: 'KEY:VALUE a line, ascending by key',
    async run(cluster, [server], output) {
      await printEach(cluster.store(server), ({ key, value }) => formatEntry(key, value), output);
      return 'ran';
    },
  }),
  define({
    name: 'printLog',
    parameters: [SERVER],
    help: 'shows the write log of a replica in its total order',
    prints:
      'TIME@SERVER#INCARNATION CLIENT:CLIENT_TIME put KEY:VALUE a line, or ... delete KEY, increment KEY:NUMBER, and so on',
    async run(cluster, [server], output) {
      await printEach(cluster.log(server), formatWrite, output);
      return 'ran';
    },
  }),
  define({
    name: 'printClock',
    parameters: [SERVER],
    help: 'shows the version vector of a replica',
    prints: 'SERVER#INCARNATION:TIME a line, by id; 0 for a member without a write',
    async run(cluster, [server], output) {
      for (const line of formatClock(await cluster.clock(server))) output.print(line);
      return 'ran';
    },
  }),
  define({
    name: 'printMembers',
    parameters: [SERVER],
    help: 'shows the members a replica knows',
    prints: 'SERVER#INCARNATION a line, by id',
    async run(cluster, [server], output) {
      const members = await cluster.members(server);
      for (const member of [...members].sort(compareOrigins)) output.print(formatMember(member));
      return 'ran';
    },
  }),
  define({
    name: 'pause',
    parameters: [SERVER],
    help: 'hangs a replica: it keeps its state and answers nothing',
    async run(cluster, [server]) {
      await cluster.pause(server);
      return 'ran';
    },
  }),
  define({
    name: 'resume',
    parameters: [SERVER],
    help: 'lets it go on',
    async run(cluster, [server]) {
      await cluster.resume(server);
      return 'ran';
    },
  }),
  define({
    name: 'simulate',
    parameters: [SETTING],
    repeats: true,
    help: 'says of a simulation, apart from the cluster, what it is like; only with --world simulated, as the next two',
    async run(cluster, settings) {
      cluster.simulation().set(settings);
      return 'ran';
    },
  }),
  define({
    name: 'at',
    parameters: [MS, ACTION],
    repeats: true,
    restAt: ([, , kind = '']) => actionRestAt(kind, 2),
    help: 'says what is done in it, and when',
    async run(cluster, [ms, ...action]) {
      cluster.simulation().add(ms, action);
      return 'ran';
    },
  }),
  define({
    name: 'check',
    parameters: [],
    help: 'runs the simulation to its end, checks what it did, and forgets it',
    prints: 'ok and a hash of all that happened, or what is wrong, a line each',
    pace: 'long',
    async run(cluster, _, output) {
      const verdict = cluster.simulation().check();
      for (const line of describeVerdict(verdict)) output.print(printable(line));
      return verdict.violations.length === 0 ? 'ran' : 'failed';
    },
  }),
  define({
    name: 'sleep',
    parameters: [MS],
    help: 'waits that many milliseconds',
    pace: 'long',
    async run(cluster, [ms]) {
      await cluster.sleep(milliseconds(ms));
      return 'ran';
    },
  }),
  define({
    name: 'done',
    parameters: [],
    help: 'ends the script; what follows is not read',
    async run() {
      return 'ends';
    },
  }),
];

const BY_NAME: ReadonlyMap<string, Command> = new Map(COMMANDS.map((command) => [command.name, command]));

export function findCommand(name: string): Command | undefined {
  return BY_NAME.get(name);
}

/** The command of that name; refuses one it does not know, naming the nearest. */
export function commandNamed(name: string, alsoKnown: readonly string[] = []): Command {
  const command = BY_NAME.get(name);
  if (command !== undefined) return command;
  const known = [...BY_NAME.keys(), ...alsoKnown];
  throw new BaristaError('ERR_UNKNOWN_COMMAND', `there is no command ${quoted(name)}${didYouMean(name, known)}`);
}

/** For the first words of a line, the place of the one that keeps the rest of it, for the lexer; -1 if none does. */
export function restAt(words: readonly string[]): number {
  const [name = ''] = words;
  return BY_NAME.get(name)?.restAt(words) ?? -1;
}

/** The words after the command's name; refuses a wrong number of them. */
export function argumentsOf(command: Command, words: readonly string[]): readonly string[] {
  const args = words.slice(1);
  const expected = command.parameters.length;
  if (args.length === expected || (command.repeats && args.length > expected)) return args;
  const takes = `${command.repeats ? 'at least ' : ''}${count(expected)}`;
  throw new BaristaError('ERR_SYNTAX', `${command.name} takes ${takes}, not ${args.length}: ${hint(command, args)}`);
}

function hint(command: Command, args: readonly string[]): string {
  const usage = usageOf(command);
  const missing = args.length + 1;
  if (missing === command.parameters.length && command.restAt([command.name, ...args]) === missing)
    return `${usage} ("" is the empty value)`;
  const tooMany = args.length > command.parameters.length && command.parameters.length > 0;
  return tooMany ? `${usage} (quote a word that holds spaces: "a b")` : usage;
}

function count(words: number): string {
  if (words === 0) return 'no words';
  return words === 1 ? '1 word' : `${words} words`;
}

/** `get CLIENT KEY`. */
export function usageOf(command: Command): string {
  const words = command.parameters.map(({ name }, i) => {
    const twins = command.parameters.filter((other) => other.name === name).length > 1;
    return twins ? `${name}${i + 1}` : name;
  });
  return [command.name, ...words, ...(command.repeats ? ['...'] : [])].join(' ');
}

const HELP_WIDTH = 100;

/** What each command does and prints, for help. */
export function describeCommands(commands: readonly Command[] = COMMANDS): string {
  const column = Math.max(...COMMANDS.map((command) => usageOf(command).length)) + 4;
  return commands
    .flatMap((command) => {
      const does = wrap(command.help, HELP_WIDTH - column);
      const prints = command.prints === null ? [] : wrap(`-> ${command.prints}`, HELP_WIDTH - column);
      return [...does, ...prints].map((text, i) => `${(i === 0 ? `  ${usageOf(command)}` : '').padEnd(column)}${text}`);
    })
    .join('\n');
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function milliseconds(text: string): number {
  const ms = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (ms <= SLEEP_MS_MAX) return ms;
  throw new BaristaError(
    'ERR_SYNTAX',
    `sleep takes a whole number of milliseconds up to ${SLEEP_MS_MAX}, not ${quoted(text)}`,
  );
}
