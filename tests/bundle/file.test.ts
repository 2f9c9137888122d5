import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { promised, succeed } from '../../src/base/outcome.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { Bundle } from '../../src/bundle/bundle.js';
import type { BundleSource, Made } from '../../src/bundle/export.js';
import { exportBundleTo, importBundleFrom, inspectBundleIn } from '../../src/bundle/file.js';
import type { BundleTarget } from '../../src/bundle/import.js';
import { World } from '../driver/world.js';
import { made } from './memory.js';

const folder = mkdtempSync(join(tmpdir(), 'barista-bundle-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const world = new World();
const a = world.start('a');
world.put(a, 'k');
const source = a.replica.driver.bundles;
const path = join(folder, 'bundle');

const exported = (to: string, from: BundleSource = source): Promise<Made> =>
  promised((done) => exportBundleTo(to, from, new VersionVector(), done));
const imported = (from: string, target: BundleTarget): Promise<Bundle> =>
  promised((done) => importBundleFrom(from, target, done));

describe('a bundle in a file', () => {
  test('is what a bundle in memory is', async () => {
    const { bytes } = await exported(path);
    expect(bytes).toBe(readFileSync(path).length);
    expect(bytes).toBe(made(source).bytes.length);
    const { end } = await promised<Bundle>((done) => inspectBundleIn(path, done));
    expect(end).toMatchObject({ entries: 1 });
  });

  test('is given to who takes it', async () => {
    const offers: string[] = [];
    await imported(path, {
      pullThrough: ({ from, seen }, _way, done) => {
        offers.push(`${from} ${seen}`);
        done(succeed(undefined));
      },
    });
    expect(offers).toEqual([expect.stringMatching(/^a#1 a#1:\d+$/)]);
  });

  test('stands there only when it is whole; the one before stays till then', async () => {
    const before = readFileSync(path);
    let asked = 0;
    const failing: BundleSource = {
      exportBatch: (request, done) => {
        asked += 1;
        source.exportBatch(request, (reply) => {
          if (!reply.ok || asked > 1) return done({ ok: false, error: new Error('gone') as never });
          const { terms, batch } = reply.value;
          done(succeed({ terms, batch: { ...batch, more: true } }));
        });
      },
    };
    await expect(exported(path, failing)).rejects.toThrow('gone');
    expect([asked, readdirSync(folder)]).toEqual([2, ['bundle']]);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('that cannot be written says so', async () => {
    await expect(exported(join(folder, 'absent', 'bundle'))).rejects.toMatchObject({ code: 'ERR_OUTPUT' });
    await expect(exported(folder)).rejects.toMatchObject({ code: 'ERR_OUTPUT' });
    expect(readdirSync(join(folder, '..')).filter((name) => name.endsWith('.unfinished'))).toEqual([]);
  });

  test('that cannot be read, or is none, says so before anybody is offered it', async () => {
    const never: BundleTarget = { pullThrough: () => expect.fail('it was offered') };
    const cut = join(folder, 'cut');
    writeFileSync(cut, readFileSync(path));
    truncateSync(cut, 60);
    for (const wrong of [join(folder, 'absent'), folder, cut]) {
      await expect(imported(wrong, never)).rejects.toMatchObject({ code: 'ERR_BUNDLE' });
    }
  });
});
