import { fileURLToPath } from 'node:url';

type Command = readonly [file: string, ...args: string[]];

export const MASTER_FIXTURE = fixture('master.mjs');

/** What stands before `server` on the command line of a real replica. */
export const BARISTA: Command = [
  process.execPath,
  fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url)),
];

type Misbehaviour =
  | 'dies-at-start'
  | 'fails'
  | 'says-nothing'
  | 'says-nonsense'
  | 'endless-line'
  | 'floods'
  | 'dies-later'
  | 'busy';

export function misbehaving(how: Misbehaviour): Command {
  return [process.execPath, fixture('misbehaving-replica.mjs'), how];
}

function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}
