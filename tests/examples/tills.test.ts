import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';

/* The tills of examples/ and their hub, each in a process of its own, over the package as it is built. */

const PROGRAM = fileURLToPath(new URL('../../examples/tills/till.js', import.meta.url));
const PATIENCE_MS = 60_000;

let folder: string;
const tills = new Set<Till>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barista-tills-'));
});

afterEach(async () => {
  for (const till of tills) await till.kill();
  tills.clear();
  rmSync(folder, { recursive: true, force: true });
});

class Till {
  readonly address: string;
  readonly #process: ReturnType<typeof spawnTill>;
  readonly #lines: AsyncIterator<string>;

  private constructor(address: string, process: ReturnType<typeof spawnTill>, lines: Interface) {
    this.address = address;
    this.#process = process;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  static async start(name: string, listen: string, ...peers: readonly string[]): Promise<Till> {
    const process = spawnTill(name, listen, peers);
    const lines = createInterface({ input: process.stdout });
    const [first] = (await once(lines, 'line')) as [string];
    const till = new Till(first.replace(`${name} at `, ''), process, lines);
    tills.add(till);
    return till;
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
    tills.delete(this);
    this.#process.kill('SIGKILL');
    await this.#process;
  }

  async end(): Promise<number | undefined> {
    tills.delete(this);
    this.#process.stdin.end();
    return (await this.#process).exitCode;
  }
}

function spawnTill(name: string, listen: string, peers: readonly string[]) {
  const links = peers.flatMap((peer) => ['--peer', peer]);
  const words = [PROGRAM, join(folder, name), '--listen', listen, ...links];
  return execa(process.execPath, words, { reject: false, stdin: 'pipe', stderr: 'inherit' });
}

test('tills that sell apart from each other come to one stock', { timeout: 240_000 }, async () => {
  const hub = await Till.start('hub', '0');
  const first = await Till.start('till-1', '0', hub.address);
  const second = await Till.start('till-2', '0', hub.address);
  await hub.do('restock espresso 10');
  for (const till of [first, second]) await till.until('stock', ['espresso 10']);
  await hub.kill();

  expect(await first.do('sell espresso 2')).toEqual([expect.stringMatching(/^order \w+-1: 2 espresso$/)]);
  await second.do('sell espresso 3');
  await second.do('sell espresso 1');
  expect(await first.do('stock')).toEqual(['espresso 8']);
  expect(await second.do('stock')).toEqual(['espresso 6']);
  // A till that was switched off in the middle of the day.
  await first.kill();
  const again = await Till.start('till-1', first.address, hub.address);
  expect(await again.do('stock')).toEqual(['espresso 8']);

  const back = await Till.start('hub', hub.address);
  for (const till of [back, again, second]) {
    await till.until('stock', ['espresso 4']);
    await till.until('orders', ['till-1 2', 'till-2 4']);
  }
  await again.do('sell espresso 1');
  expect(await again.do('safe')).toEqual(['safe']);
  for (const till of [back, again, second]) expect(await till.end()).toBe(0);
});

test('what it does not understand it says, and goes on', { timeout: 60_000 }, async () => {
  const till = await Till.start('till', '0');
  expect(await till.do('sell espresso')).toEqual([expect.stringMatching(/^\? restock ITEM COUNT/)]);
  expect(await till.do('sell espresso none')).toEqual(['? none is no count']);
  expect(await till.do('stock')).toEqual([]);
  expect(await till.end()).toBe(0);
});
