import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { HISTORY_MAX } from '../../master/prompt.js';

/** Where the prompt's history is kept, by the XDG base directory specification: relative paths there are ignored. */
export function historyFile(environment: Readonly<Record<string, string | undefined>>): string {
  const state = environment.XDG_STATE_HOME ?? '';
  return join(isAbsolute(state) ? state : join(homedir(), '.local', 'state'), 'barista', 'history');
}

/**
 * What was typed at earlier prompts. A history that cannot be read or kept must not be in the way of a prompt, so no
 * failure shows.
 */
export class History {
  readonly #file: string;
  /** Oldest first. */
  readonly lines: readonly string[];

  constructor(file: string) {
    this.#file = file;
    const all =
      attempt(() =>
        readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line !== ''),
      ) ?? [];
    this.lines = all.slice(-HISTORY_MAX);
    // Lines are appended as they are typed, by several prompts perhaps; the file is cut when the next one opens.
    if (all.length > this.lines.length) attempt(() => writeFileSync(file, `${this.lines.join('\n')}\n`));
  }

  add(line: string): void {
    // What is typed may be private: nobody else may read it.
    const append = (): boolean => {
      appendFileSync(this.#file, `${line}\n`, { mode: 0o600 });
      return true;
    };
    if (attempt(append) === true) return;
    for (const folder of foldersTo(this.#file)) attempt(() => mkdirSync(folder, { mode: 0o700 }));
    attempt(append);
  }
}

/** Outermost first. Made one by one: node's recursive mkdir never returns where a folder cannot hold another (/proc). */
function foldersTo(file: string): readonly string[] {
  const folder = dirname(file);
  return folder === file ? [] : [...foldersTo(folder), folder];
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
