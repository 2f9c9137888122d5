import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, expect } from 'vitest';

const PATIENCE_MS = 60_000;

/** A program of examples/ with a replica in its process, which answers each line with some of its own, and then a full stop. */
class Conversation {
  static readonly #open = new Set<Conversation>();
  readonly address: string;
  readonly #process: ReturnType<typeof spawn>;
  readonly #lines: AsyncIterator<string>;

  private constructor(address: string, process: ReturnType<typeof spawn>, lines: Interface) {
    this.address = address;
    this.#process = process;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** `words`: where it keeps its data, and then its options. Ended by `killAll` at the latest. */
  static async begin(program: string, ...words: readonly string[]): Promise<Conversation> {
    const process = spawn(program, words);
    const lines = createInterface({ input: process.stdout });
    const [first] = (await once(lines, 'line')) as [string];
    const begun = new Conversation(first.replace(/^.* at /, ''), process, lines);
    Conversation.#open.add(begun);
    return begun;
  }

  static async killAll(): Promise<void> {
    for (const open of Conversation.#open) await open.kill();
  }

  /** What it says to a line. */
  async do(line: string): Promise<string[]> {
    this.#process.stdin.write(`${line}\n`);
    const said: string[] = [];
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error(`it ended: ${said}`);
      if (value === '.') return said;
      said.push(value);
    }
  }

  /** Asks until it says so. */
  async until(line: string, expected: readonly string[]): Promise<void> {
    await expect.poll(() => this.do(line), { timeout: PATIENCE_MS }).toEqual(expected);
  }

  async kill(): Promise<void> {
    Conversation.#open.delete(this);
    this.#process.kill('SIGKILL');
    await this.#process;
  }

  async end(): Promise<number | undefined> {
    Conversation.#open.delete(this);
    this.#process.stdin.end();
    return (await this.#process).exitCode;
  }
}

/**
 * Begins conversations with a program of examples/, each under a name of its own in a folder that every test has for itself.
 * What is left of them after the test is killed, and the folder removed.
 */
export function conversationsWith(program: string) {
  const path = fileURLToPath(new URL(`../../examples/${program}`, import.meta.url));
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'barista-example-'));
  });
  afterEach(async () => {
    await Conversation.killAll();
    rmSync(folder, { recursive: true, force: true });
  });
  return (name: string, listen: string, ...peers: readonly string[]): Promise<Conversation> => {
    const links = peers.flatMap((peer) => ['--peer', peer]);
    return Conversation.begin(path, join(folder, name), '--listen', listen, ...links);
  };
}

function spawn(program: string, words: readonly string[]) {
  return execa(process.execPath, [program, ...words], { reject: false, stdin: 'pipe', stderr: 'inherit' });
}
