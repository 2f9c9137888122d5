import { expect, test } from 'vitest';
import { makeValue, nameOf, withNames } from './values.js';

test('a value goes into a history by its name, and one that came back damaged as it is', () => {
  for (const bytes of [0, 1, 25, 26, 27, 20_000]) {
    const value = makeValue('c1.7', bytes);
    expect(nameOf(value)).toBe('c1.7');
    expect(nameOf(`${value}a`)).toContain('damaged');
    if (bytes > 0) expect(nameOf(value.slice(0, -1))).toContain('damaged');
  }
  const read = { type: 'read', client: 'c', key: 'k', begin: 0, end: 1, replica: 'a', outcome: 'found' } as const;
  expect(withNames({ ...read, value: makeValue('c1.7', 9) })).toEqual({ ...read, value: 'c1.7' });
});
