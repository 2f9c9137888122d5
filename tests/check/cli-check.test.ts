import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import type { Header, HistoryEvent } from '../../src/check/history.js';
import { formatLine } from '../../src/check/json-lines.js';
import { CHECKS } from '../../src/check/report.js';
import { playHistory } from './played-history.js';

const CLI = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'barista-check-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check(words: readonly string[], input?: string | Uint8Array) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [CLI, 'check', ...words], {
    reject: false,
    timeout: 60_000,
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
  });
  return { status: exitCode, out: stdout, error: stderr };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function textOf(lines: readonly (Header | HistoryEvent)[]): string {
  return lines.map((line) => `${formatLine(line)}\n`).join('');
}

const { header, events } = playHistory({ seed: 2, steps: 100, clients: 2, keys: 2, membersChange: false });
const correct = [header, ...events];
const broken: readonly (Header | HistoryEvent)[] = [
  header,
  { type: 'session', client: 'c', guarantees: ['read-your-writes'] },
  {
    ...{ type: 'write', client: 'c', clientTime: 1, key: 'k\u0007', value: 'x', begin: 1, end: 2, replica: 'a' },
    ...{ outcome: 'accepted', stamp: [1, 'a', 1] },
  },
  { type: 'read', client: 'c', key: 'k\u0007', begin: 3, end: 4, replica: 'b', outcome: 'absent' },
];

describe('barista check', () => {
  test('says of a correct history what each check looked at, and ends with 0', async () => {
    const { status, out, error } = await check([file('correct.jsonl', textOf(correct))]);
    expect({ status, error }).toEqual({ status: 0, error: '' });
    const [history, head, ...rows] = out.split('\n');
    expect(history).toMatch(/^history [\d,]+ reads, [\d,]+ writes, [\d,]+ states$/);
    expect(head).toMatch(/^check +looked at +violations$/);
    expect(rows.map((row) => row.split(/ +/)[0])).toEqual(CHECKS);
    expect(rows.every((row) => row.endsWith(' 0'))).toBe(true);
  });

  test('prints each violation on a line, and ends with 1', async () => {
    const { status, out } = await check(['-'], textOf(broken));
    const [violation, history, ...rows] = out.split('\n');
    expect(status).toBe(1);
    expect(violation).toBe(
      'violation read-your-writes: the read of k\\u0007 by c, 3 to 4 ms, at b, which returned nothing: ' +
        'its client had written the put of k\\u0007 = "x" (c:1, stamped 1@a#1)',
    );
    expect(history).toBe('history 1 reads, 1 writes, 0 states');
    expect(rows.filter((row) => row.startsWith('read-your-writes '))).toEqual([
      expect.stringMatching(/^read-your-writes +1 +1$/),
    ]);
  });

  test('reads text that comes in any parts, and needs no line break at the end', async () => {
    const accents = textOf(broken).replaceAll('"x"', '"é€😀"');
    expect(await check(['-'], accents.trimEnd())).toMatchObject({ status: 1, error: '' });
  });

  test.each([
    ['an empty file', '', 'the history is empty: not even its header is there'],
    ['a line that was cut off', textOf(correct).slice(0, -20), /line \d+ is not JSON, or was cut off/],
    ['another file', 'a,b,c\n', 'line 1 is not JSON, or was cut off'],
    ['a history without its header', textOf([...events]), 'line 1 is not the header'],
    ['bytes that are not UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d, 0x0a), 'the history cannot be read'],
  ])('says what is wrong with %s, and ends with 2', async (_name, text, message) => {
    const { status, out, error } = await check(['-'], text);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(error).toContain('barista: ERR_HISTORY: ');
    expect(error).toMatch(message);
    expect(error).toContain('docs/HISTORY.md');
  });

  test('says that a file is not there, or none was named', async () => {
    expect(await check([join(folder, 'none.jsonl')])).toMatchObject({
      status: 2,
      error: expect.stringContaining('ERR_HISTORY: the history cannot be read: ENOENT'),
    });
    expect(await check([])).toMatchObject({ status: 2, error: expect.stringContaining('ERR_OPTION') });
  });
});
