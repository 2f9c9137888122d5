import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Nothing here is about speed; a loaded machine may need this long. */
const PATIENCE_MS = 60_000;

/** Waits until `holds`, and fails naming `what` if it never does. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const limit = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > limit) throw new Error(`never happened: ${what}`);
    await delay(20);
  }
}

/** The processes that have the text on their command line. Ended ones that nobody has taken note of do not count. */
export function processesWith(text: string): readonly number[] {
  return commandLines()
    .filter(({ args }) => args.includes(text))
    .map(({ pid }) => pid);
}

export function isRunning(pid: number): boolean {
  return commandLines().some((line) => line.pid === pid && line.args !== '');
}

function commandLines(): readonly { readonly pid: number; readonly args: string }[] {
  if (process.platform !== 'linux') {
    const table = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' });
    return table.split('\n').map((line) => {
      const [pid = '', ...args] = line.trim().split(' ');
      return { pid: Number(pid), args: args.join(' ') };
    });
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), args: commandLineOf(name) }));
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
