import { describeCommands } from '../../master/commands.js';
import type { Action, DiskFault, Plan } from '../sim/plan.js';
import { ACTION_USAGES, FAULT_USAGES, SETTING_USAGES } from '../sim/script.js';

/** What `barista master --help` says after the options. */
export function masterHelp(): string {
  return `
Commands, and what they print on standard output ("->"):
${describeCommands()}

Servers and clients share one space of ids. An accept time is the clock of the replica that took a write; an
incarnation tells the lives of one id apart. A value that is not UTF-8 is printed as 0x and hexadecimal digits;
control characters in keys and values are printed as \\n, \\t, \\u001b, ..., so that one item is one line.

Simulations (with --world simulated):
  simulate, at and check plan a world of its own, run it from its beginning on virtual time, and check what happened:
  that nothing acknowledged is lost, that replicas agree, that sessions see what they may. \`barista sim\` writes such
  scripts of runs that failed. Settings may stand in several lines, and have defaults. Actions stand in the order of
  their times, which are milliseconds since the world began; one that cannot be done as things are is left out.
  Settings:
${listed(SETTING_USAGES, SETTING_MEANINGS)}
  Actions:
${listed(ACTION_USAGES, ACTION_MEANINGS)}
  What happens to the disk; NTH counts its calls from that time on, 1 is the next:
${listed(FAULT_USAGES, FAULT_MEANINGS)}

Lines:
  One command a line; blank lines, and what follows a "#" at the beginning of a word, are skipped. Words are separated
  by any white space. A word that begins with a double quote is a JSON string, "a key\\twith a tab"; one that begins
  with a single quote is literal up to the next, 'a key'. The value of put is the rest of the line, trimmed and kept
  as it is, "#" and quotes included; if it is one quoted word and nothing else it is unquoted, so "" is the empty
  value and "  x " keeps its spaces. A line is UTF-8 and has at most 2 MiB.

  Commands run in order, each finished before the next begins; only joins overlap with each other. A command that
  fails is reported on standard error with its line, and the script goes on. Results are shown before more of the
  script is awaited, so a program may write a command, and read its answer before it writes the next.

Exit status:
  0  all commands ran; ERR_KEY and ERR_DEP are answers, not failures
  1  a command failed: an unknown id, a wrong number of words, a replica that cannot be reached (get: ERR_CONN), a check
     that found something wrong
  2  a command or an option is not known, or the script cannot be read
  128 and the signal's number, if a signal ended it: 129 hang-up, 130 Ctrl-C, 141 nobody reads the results, 143 ended

Environment:
  XDG_STATE_HOME  the prompt keeps its history in $XDG_STATE_HOME/barista/history (default: ~/.local/state)

Examples:
  barista master examples/roaming-client.txt
  barista master --world simulated --tie-break lower script.txt
  echo 'joinServer s1' | barista master
`;
}

const SETTING_MEANINGS: Readonly<Record<Exclude<keyof Plan, 'replicas' | 'clients' | 'actions'>, string>> &
  Readonly<Record<string, string>> = {
  seed: 'what the network, the disks and the timers draw from',
  tieBreak: 'which id stands later on equal accept times',
  clock: 'what accept times are',
  retryWindowMs: 'for how long a client may send an operation again',
  antiEntropyMs: 'how often replicas exchange writes',
  compactMs: 'how often they fold what all hold',
  maxDriftMs: 'how far ahead a replica lets another be',
  durationMs: 'when all faults end, and the replicas must agree',
  replica: 'one that is there from the beginning',
  client: 'with the guarantees of its session, commas between, or none',
  tries: 'how many replicas it asks at most, one after the other',
  links: 'only those that follow; without it each replica with each',
  link: 'between two replicas, also of one that joins',
};

const ACTION_MEANINGS: Readonly<Record<Action['kind'], string>> = {
  put: 'the value is the rest of the line, as in put',
  delete: '',
  increment: '',
  append: '',
  setAdd: '',
  setRemove: '',
  putIfAbsent: '',
  batch: 'puts the value under all of the keys at once',
  getMany: 'reads them in one state',
  merge: 'as mergeFrom; "anything" leaves it to the procedure; the value is the rest of the line',
  get: '',
  roam: 'the client asks this replica first from now on',
  cut: 'messages one way are lost; the other way is another cut',
  mend: 'they arrive again',
  clog: 'messages one way wait so long, and come all at once',
  mute: 'what it answers goes nowhere for so long',
  weather: 'of the whole network: chances from 0 to 1 for each message, and its delay',
  crash: 'the process ends; with power also what its disk had not stored',
  start: 'the process runs again',
  pause: 'whatever comes waits',
  resume: 'it goes on',
  disk: 'see below',
  wipe: 'while it is down: it comes back empty, as a new incarnation',
  backup: 'keeps a copy of its data',
  restore: 'while it is down: puts the copy back',
  clone: 'a second process runs on a copy of its data for so long',
  clock: 'its wall clock is ahead by so much',
  join: 'a replica that was not there begins',
  retire: 'AT is asked to have nobody wait for it any more',
  version: 'the protocol it speaks from its next start on',
  lie: 'what it says to its peers is not so, for so long',
};

const FAULT_MEANINGS: Readonly<Record<DiskFault['kind'], string>> = {
  fail: 'that call fails, once or ever after',
  power: 'the machine loses power in that call',
  full: 'until it is mended',
  slow: 'each call takes so long, until it is mended',
  flip: 'while it is down: a bit of a file changes, which NTH picks',
  mend: '',
};

const USAGE_WIDTH = 36;

function listed(usages: readonly string[], meanings: Readonly<Record<string, string>>): string {
  const lines = usages.map((usage) => {
    const meaning = meanings[usage.split(' ', 1)[0] ?? ''] ?? '';
    const gap = usage.length < USAGE_WIDTH ? usage.padEnd(USAGE_WIDTH) : `${usage}  `;
    return `    ${gap}${meaning}`.trimEnd();
  });
  return lines.join('\n');
}
