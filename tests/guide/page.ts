import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../docs/guide/', import.meta.url));

/** A page of the guide as a program: its blocks of code, one after the other. */
export interface Page {
  readonly name: string;
  readonly program: string;
  /** The lines it is to print. */
  readonly prints: readonly string[];
}

export function readPage(name: string): Page {
  const text = readFileSync(`${FOLDER}${name}.md`, 'utf8');
  const program = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code).join('\n');
  const prints = [...program.matchAll(/\/\/ → (.*)$/gm)].map(([, line]) => line as string);
  return { name, program, prints };
}

export const PAGES: readonly Page[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.md') && file !== 'README.md')
  .map((file) => readPage(file.slice(0, -'.md'.length)));
