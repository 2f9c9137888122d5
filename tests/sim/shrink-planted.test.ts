import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { describeViolation } from '../../master/simulation.js';
import { mergingOf } from '../../src/cli/sim-merging.js';
import type { SimWorld } from '../../src/cli/sim-request.js';
import { writeScript } from '../../src/cli/sim-scripts.js';
import { runTask, type SimResult } from '../../src/cli/sim-task.js';
import { generatePlan } from '../../src/sim/generate.js';
import { judge } from '../../src/sim/verdict.js';
import { plantForgetfulSession, plantHastyStorage } from './planted.js';
import { replay } from './replay.js';

afterEach(() => vi.restoreAllMocks());

const SEEDS_MAX = 20;

/** The first seed that fails, shrunk. */
async function firstFailure(world: SimWorld): Promise<SimResult & { readonly failure: object }> {
  const tools = { merging: await mergingOf([]), makePlan: generatePlan, judge, now: () => 0, tell: () => undefined };
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const task = { seed, world, historyFile: null, shrinking: { runsMax: 1000, minutesMax: 1 } };
    const result = runTask(task, tools);
    if (result.failure !== null) return { ...result, failure: result.failure };
  }
  throw new Error('no seed failed');
}

describe('a bug planted into the real code', () => {
  it.each([
    {
      bug: 'sessions ask for nothing',
      plant: plantForgetfulSession,
      checks: /^read-your-writes|^monotonic-reads/,
      actionsMax: 10,
    },
    { bug: 'writes are acknowledged before they are on disk', plant: plantHastyStorage, checks: /./, actionsMax: 8 },
  ])('is found, shrunk, and replayed from the script: $bug', async ({ plant, checks, actionsMax }) => {
    const world = { ...plant(), procedureFiles: [] };
    const { seed, failure } = await firstFailure(world);
    expect(failure.violation.check).toMatch(checks);
    expect(failure.plan.actions.length).toBeLessThanOrEqual(actionsMax);
    expect(failure.plan.clients.length).toBeLessThanOrEqual(2);

    const folder = mkdtempSync(join(tmpdir(), 'barista-sim-'));
    try {
      const script = readFileSync(writeScript(folder, seed, world, failure), 'utf8');
      expect(script).toContain(`# barista sim --seed ${seed} --replicas 3 --clients 4 --hours ${world.hours} --faults`);
      const again = await replay(script);
      expect(again.output).toContain(describeViolation(failure.violation));
      vi.restoreAllMocks();
      expect(await replay(script)).toMatchObject({ ok: true });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
