import type { Cluster } from './cluster.js';
import { COMMANDS, findCommand } from './commands.js';

/** What the prompt understands beside the commands of a script. */
export const PROMPT_WORDS: readonly string[] = ['help', 'exit', 'quit'];

/** What may stand at the end of the line, and the part of it that is typed already, as node:readline wants them. */
export function complete(line: string, ids: ReturnType<Cluster['ids']>): [string[], string] {
  const words = line.trimStart().split(/\s+/);
  const typed = words.at(-1) ?? '';
  // A space after each, so that the next word can be typed at once.
  const hits = candidates(words, ids).map((word) => `${word} `);
  return [hits.filter((hit) => hit.startsWith(typed)), typed];
}

function candidates(words: readonly string[], ids: ReturnType<Cluster['ids']>): readonly string[] {
  const [name = ''] = words;
  const names = COMMANDS.map((command) => command.name);
  if (words.length === 1) return [...names, ...PROMPT_WORDS];
  if (name === 'help') return words.length === 2 ? names : [];
  switch (findCommand(name)?.parameters[words.length - 2]?.ids) {
    case 'servers':
      return ids.servers.map(asWord);
    case 'clients':
      return ids.clients.map(asWord);
    case 'all':
      return [...ids.servers, ...ids.clients].map(asWord);
    default:
      return [];
  }
}

/** As it must be typed: quoted if the lexer would read it as something else. */
function asWord(id: string): string {
  return /^["'#]|\s/.test(id) ? JSON.stringify(id) : id;
}
