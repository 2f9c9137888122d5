import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 60_000;

/**
 * Every master of the tests keeps its run record in a folder of this test run, and a record is removed when no replica
 * of its run is left: so at the end the folder must be empty, or something outlived its master.
 */
export default function setup(): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'barista-tests-'));
  process.env['XDG_RUNTIME_DIR'] = folder;
  const records = (): string[] =>
    readdirSync(folder)
      .filter((runs) => existsSync(join(folder, runs)))
      .flatMap((runs) => readdirSync(join(folder, runs)).map((record) => join(folder, runs, record)));

  return async () => {
    // A watchdog may still be at it.
    for (let waited = 0; records().length > 0 && waited < PATIENCE_MS; waited += 100) await delay(100);
    const left = records();
    if (left.length > 0) throw new Error(`replica processes were left behind; their records: ${left.join(', ')}`);
    rmSync(folder, { recursive: true });
  };
}
