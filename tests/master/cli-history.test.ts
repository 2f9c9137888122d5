import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { History, historyFile } from '../../src/cli/history.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barista-history-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the history of the prompt', () => {
  it('is kept for the next prompt, for nobody else to read', () => {
    const file = join(folder, 'state', 'barista', 'history');
    const history = new History(file);
    history.add('get c k');
    history.add('put c k v');
    expect(new History(file).lines).toEqual(['get c k', 'put c k v']);
    expect(statSync(file).mode & 0o077).toBe(0);
  });

  it('keeps the last thousand lines', () => {
    const file = join(folder, 'history');
    writeFileSync(file, Array.from({ length: 1500 }, (_, i) => `get c ${i}\n`).join(''));
    const { lines } = new History(file);
    expect([lines.length, lines.at(0), lines.at(-1)]).toEqual([1000, 'get c 500', 'get c 1499']);
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(1001);
  });

  it('that cannot be kept is not in the way', () => {
    writeFileSync(join(folder, 'file'), '');
    for (const file of [join(folder, 'file', 'barista', 'history'), '/proc/nowhere/barista/history', folder]) {
      const history = new History(file);
      history.add('get c k');
      expect(history.lines).toEqual([]);
    }
  });

  it('stands where XDG says, unless it says a relative path', () => {
    const usual = join(homedir(), '.local', 'state', 'barista', 'history');
    expect(historyFile({ XDG_STATE_HOME: '/state' })).toBe('/state/barista/history');
    expect(historyFile({ XDG_STATE_HOME: 'state' })).toBe(usual);
    expect(historyFile({})).toBe(usual);
  });
});
