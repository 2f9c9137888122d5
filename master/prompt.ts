import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { BaristaError } from '../src/base/errors.js';
import type { Cluster } from './cluster.js';
import type { Output } from './command.js';
import { commandNamed, describeCommands, restAt } from './commands.js';
import { complete, PROMPT_WORDS } from './completion.js';
import { Runner } from './runner.js';
import { lexLine } from './script.js';

export interface PromptOptions {
  readonly cluster: Cluster;
  readonly input: Readable;
  /** Where the prompt and what is typed are shown. */
  readonly screen: Writable;
  /** True if both are a terminal, with cursor and keys. */
  readonly terminal: boolean;
  readonly output: Output;
  readonly report: (error: BaristaError) => void;
  /** What was typed before, oldest first. */
  readonly history: readonly string[];
  /** Called with each line that is typed, to keep it. */
  readonly remember: (line: string) => void;
}

/** How many lines of history are kept. */
export const HISTORY_MAX = 1000;

const WELCOME = `Barista: commands run as in a script, Tab completes them, the arrow keys bring earlier ones back.
"help" lists the commands; "exit" or Ctrl-D leaves.
`;

/** Runs what is typed, a line at a time, until the user leaves. */
export function runPrompt(options: PromptOptions): Promise<void> {
  const { cluster, screen, output, report } = options;
  const runner = new Runner(cluster, output, (_line, error) => report(error));
  const readline = createInterface({
    input: options.input,
    output: screen,
    terminal: options.terminal,
    prompt: 'barista> ',
    history: options.history.toReversed(),
    historySize: HISTORY_MAX,
    removeHistoryDuplicates: false,
    completer: (line: string) => complete(line, cluster.ids()),
  });

  return new Promise((resolve, reject) => {
    // Lines may come faster than they run: pasted, or typed during a long command.
    let queue = Promise.resolve(true);
    let waiting = 0;
    let leaving = false;
    let interrupted = false;

    const runLine = async (line: string): Promise<boolean> => {
      const words = wordsOf(line, report);
      if (words[0] === 'help') explain(words[1], screen, report);
      else if (words[0] === 'exit' || words[0] === 'quit') return false;
      else if (words.length > 0) {
        const goesOn = await runner.run(0, line);
        await runner.settle();
        output.flush();
        return goesOn;
      }
      return true;
    };
    const leave = (): void => {
      leaving = true;
      readline.close();
      resolve();
    };

    readline.on('line', (line) => {
      interrupted = false;
      if (line.trim() !== '') options.remember(line);
      waiting++;
      queue = queue.then(async (goesOn) => {
        if (!goesOn) return false;
        if (!(await runLine(line))) {
          leave();
          return false;
        }
        if (--waiting === 0 && !leaving) readline.prompt();
        return true;
      });
      queue.catch(reject);
    });
    readline.on('SIGINT', () => {
      if (interrupted && readline.line === '') {
        screen.write('\n');
        leave();
        return;
      }
      interrupted = true;
      readline.write(null, { ctrl: true, name: 'e' });
      readline.write(null, { ctrl: true, name: 'u' });
      screen.write('\n(Ctrl-C again, or Ctrl-D, leaves)\n');
      if (waiting === 0) readline.prompt();
    });
    readline.on('close', () => {
      if (leaving) return;
      leaving = true;
      if (options.terminal) screen.write('\n');
      queue.then(() => resolve(), reject);
    });

    screen.write(WELCOME);
    readline.prompt();
  });
}

const HELP = `  help [COMMAND]  shows this, or one command
  exit, quit      leave

Words are separated by white space; "..." is a JSON string and '...' is literal, for words that hold spaces.
`;

/** The words of a line that has a command to run; none if it has none, which is reported if it should. */
function wordsOf(line: string, report: PromptOptions['report']): readonly string[] {
  try {
    const words = lexLine(line, restAt);
    const [name] = words;
    if (name !== undefined && !PROMPT_WORDS.includes(name)) commandNamed(name, PROMPT_WORDS);
    return words;
  } catch (thrown) {
    if (!(thrown instanceof BaristaError)) throw thrown;
    report(thrown);
    return [];
  }
}

function explain(name: string | undefined, screen: Writable, report: PromptOptions['report']): void {
  if (name === undefined || PROMPT_WORDS.includes(name)) {
    screen.write(`${describeCommands()}\n${HELP}`);
    return;
  }
  try {
    screen.write(`${describeCommands([commandNamed(name)])}\n`);
  } catch (thrown) {
    if (!(thrown instanceof BaristaError)) throw thrown;
    report(thrown);
  }
}
