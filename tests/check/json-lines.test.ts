import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkHistory } from '../../src/check/check.js';
import type { History } from '../../src/check/history.js';
import { formatLine, parseHistory } from '../../src/check/json-lines.js';
import { playHistory } from './played-history.js';

const HEADER = '{"type":"history","version":1,"tieBreak":"higher","retryWindow":600000}';
const WRITE = {
  type: 'write',
  client: 'c',
  key: 'k',
  begin: 1,
  end: 2,
  replica: 'a',
  clientTime: 1,
  value: 'x',
  outcome: 'accepted',
  stamp: [1, 'a', 1],
};
const READ = { type: 'read', client: 'c', key: 'k', begin: 1, end: 2, replica: 'a', outcome: 'absent' };
const STATE = {
  type: 'state',
  at: 3,
  replica: 'a',
  incarnation: 1,
  seen: [[1, 'a', 1]],
  received: [],
  base: 0,
  stable: 0,
  log: [{ stamp: [1, 'a', 1], client: 'c', clientTime: 1, key: 'k', value: null }],
  store: [['k', 'x', [1, 'a', 1]]],
  final: true,
};

/** What is said of the second line. */
function wrong(line: object | string): string {
  const text = typeof line === 'string' ? line : JSON.stringify(line);
  try {
    return `taken: ${[...parseHistory([HEADER, text]).events].length}`;
  } catch (thrown) {
    expect(thrown).toMatchObject({ name: 'BaristaError', code: 'ERR_HISTORY' });
    return (thrown as Error).message;
  }
}

describe('a history as JSON lines', () => {
  test('is read as it was written', () => {
    const spec = { seed: 4, steps: 200, clients: 3, keys: 3, membersChange: true };
    const { header, events }: History = playHistory(spec);
    const lines = [header, ...events].map(formatLine);
    const read = parseHistory(lines);
    expect(read.header).toEqual(header);
    expect([...read.events]).toEqual(events);
  });

  test('is as docs/HISTORY.md shows one', () => {
    const text = readFileSync(new URL('../../docs/HISTORY.md', import.meta.url), 'utf8');
    const example = /```json\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
    const report = checkHistory(parseHistory(example.split('\n')));
    expect(report).toMatchObject({ ok: true, reads: 2, writes: 1, states: 1 });
  });

  test('may have blank lines', () => {
    const lines = ['', HEADER, ' ', JSON.stringify(WRITE), ''];
    expect([...parseHistory(lines).events]).toEqual([WRITE]);
  });

  test('begins with its header', () => {
    const parse =
      (...lines: string[]) =>
      () =>
        parseHistory(lines);
    expect(parse()).toThrow('the history is empty');
    expect(parse('', ' ')).toThrow('the history is empty');
    expect(parse(JSON.stringify(WRITE))).toThrow('line 1 is not the header');
    expect(parse(HEADER.replace('"version":1', '"version":2'))).toThrow('line 1 (history): version is not 1');
    expect(wrong(HEADER)).toBe('line 2 is another header: one history a file');
  });

  test('is read line by line, so that an error comes where it stands', () => {
    const { events } = parseHistory([HEADER, JSON.stringify(WRITE), '{"type":"wri']);
    const all = events[Symbol.iterator]();
    expect(all.next().value).toEqual(WRITE);
    expect(() => all.next()).toThrow(/^line 3 is not JSON, or was cut off: /);
  });

  test('takes what docs/HISTORY.md describes', () => {
    for (const line of [WRITE, READ, STATE]) expect(wrong(line)).toBe('taken: 1');
    expect(wrong({ ...WRITE, repeated: true })).toBe('taken: 1');
    expect(wrong({ ...WRITE, outcome: 'unknown', end: null, replica: null, stamp: undefined })).toBe('taken: 1');
    expect(wrong({ ...READ, outcome: 'failed', code: 'ERR_CONN', end: null })).toBe('taken: 1');
    expect(wrong({ type: 'life', at: 1, replica: 'a', incarnation: 1, event: 'lost' })).toBe('taken: 1');
    expect(wrong({ type: 'session', client: 'c', guarantees: ['monotonic-reads'] })).toBe('taken: 1');
  });

  test.each([
    ['[]', 'line 2 is not an object'],
    ['{"type":"wrote"}', 'line 2 is of no known type: "wrote"'],
    ['{"type":"toString"}', 'line 2 is of no known type: "toString"'],
    [{ ...WRITE, extra: 1 }, 'line 2 (write): there is no field "extra"'],
    ['{"type":"life","__proto__":{}}', 'line 2 (life): there is no field "__proto__"'],
    [{ ...WRITE, client: '' }, 'line 2 (write): client is not a text that is not empty'],
    [{ ...WRITE, key: undefined }, 'line 2 (write): key is missing'],
    [{ ...WRITE, clientTime: 1.5 }, 'line 2 (write): clientTime is not a whole number from 0 to 9007199254740991'],
    [{ ...WRITE, stamp: [1, 'a'] }, 'line 2 (write): stamp is not a stamp: [accept time, replica, incarnation]'],
    [{ ...WRITE, stamp: undefined }, 'line 2 (write): stamp is missing, as outcome is "accepted"'],
    [{ ...WRITE, outcome: 'unknown' }, 'line 2 (write): stamp is out of place, as outcome is "unknown"'],
    [{ ...WRITE, end: 0 }, 'line 2 (write): end is before begin'],
    [{ ...WRITE, end: null }, 'line 2 (write): it was answered (accepted), so end is not null'],
    [{ ...WRITE, repeated: false }, 'line 2 (write): repeated is not true, or left out'],
    [{ ...READ, outcome: 'found', value: 'x' }, 'line 2 (read): stamp is missing, as outcome is "found"'],
    [{ ...READ, value: 'x' }, 'line 2 (read): value is out of place, as outcome is "absent"'],
    [{ ...READ, seen: [[-1, 'a', 1]] }, 'line 2 (read): seen is not a vector: a list of stamps'],
    [{ ...STATE, log: [{ stamp: [1, 'a', 1] }] }, 'line 2 (state): log is not a list of writes'],
    [
      { ...STATE, store: [['k', null, [1, 'a', 1]]] },
      'line 2 (state): store is not a list of entries: [key, value, stamp]',
    ],
    [{ ...STATE, final: 'yes' }, 'line 2 (state): final is not true or false'],
    [{ type: 'session', client: 'c', guarantees: ['all'] }, 'line 2 (session): guarantees is not a list of guarantees'],
    [
      { type: 'life', at: 1, replica: 'a', incarnation: 1, event: 'gone' },
      'line 2 (life): event is not one of start, end, retired, lost',
    ],
  ])('refuses %j', (line, message) => {
    expect(wrong(line)).toBe(message);
  });
});
