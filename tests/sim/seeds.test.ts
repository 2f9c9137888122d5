import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { replay } from './replay.js';

const FOLDER = fileURLToPath(new URL('seeds', import.meta.url));

/* Runs that failed once, shrunk; their first comments say how. */
describe('a seed that failed once', () => {
  it.each(readdirSync(FOLDER).filter((name) => name.endsWith('.txt')))('is ok: %s', async (name) => {
    const { ok, output } = await replay(readFileSync(`${FOLDER}/${name}`, 'utf8'));
    expect({ ok, output }).toMatchObject({ ok: true });
  });
});
