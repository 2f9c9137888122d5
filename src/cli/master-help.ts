import { describeCommands } from '../../master/commands.js';

/** What `barista master --help` says after the options. */
export function masterHelp(): string {
  return `
Commands, and what they print on standard output ("->"):
${describeCommands()}

Servers and clients share one space of ids. An accept time is the clock of the replica that took a write; an
incarnation tells the lives of one id apart. A value that is not UTF-8 is printed as 0x and hexadecimal digits;
control characters in keys and values are printed as \\n, \\t, \\u001b, ..., so that one item is one line.

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
  1  a command failed: an unknown id, a wrong number of words, a replica that cannot be reached (get: ERR_CONN)
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
