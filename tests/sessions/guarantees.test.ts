import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkHistory } from '../../src/check/check.js';
import { CIRCUMSTANCES, REPLICAS } from './circumstances.js';
import { SessionCluster } from './cluster.js';
import { asIfAsked, type Play, runCourse } from './course.js';
import { SCENARIOS } from './scenarios.js';

/*
 * Each guarantee, and all four together, over real replicas on disk: the scenario that breaks a store without it, in each
 * circumstance, for one client after the other and for many at once. Without the guarantee the anomaly must show, or the
 * scenario would prove nothing; with it there is ERR_DEP, or what is right.
 */

const CASES = CIRCUMSTANCES.flatMap((circumstance) => [
  { ...circumstance, circumstance, clients: 'one client', copies: 1 },
  { ...circumstance, circumstance, clients: 'many clients', copies: 3 },
]);

describe.each(CASES)('$name, $clients', ({ circumstance, copies }) => {
  let dataDir: string;
  let cluster: SessionCluster;
  let plays: readonly Play[];

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'barista-sessions-'));
    const { antiEntropyMs } = circumstance;
    cluster = await SessionCluster.open({ dataDir, antiEntropyMs, retryWindowMs: 10, timeoutMs: 10_000 }, REPLICAS);
    plays = await runCourse(cluster, circumstance, SCENARIOS, copies);
  });

  afterAll(async () => {
    await cluster.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  test.each(SCENARIOS)('$name', (scenario) => {
    const ofThis = plays.filter((play) => play.scenario === scenario);
    for (const { guarantees, apart, met, cast } of ofThis) {
      expect(apart, `apart: ${cast.session.id}`).toBe(guarantees === scenario.guarantees ? 'refused' : 'anomaly');
      expect([...new Set(met)], `met: ${cast.session.id}`).toEqual(['right']);
    }
    expect(ofThis).toHaveLength((1 + scenario.without.length) * circumstance.elsewhere.length * copies);
  });

  test('its history passes every checker, and would not if those without had been promised more', () => {
    const { header, events } = cluster;
    expect(checkHistory({ header, events }).violations).toEqual([]);
    for (const scenario of SCENARIOS) {
      const without = plays.filter((play) => play.scenario === scenario && play.guarantees !== scenario.guarantees);
      const { checks } = checkHistory({ header, events: asIfAsked(events, without) });
      const violated = checks.filter(({ violations }) => violations > 0).map(({ check }) => check);
      const [about = ''] = scenario.name.split(':');
      expect(
        violated.filter((check) => check.startsWith(about)),
        `${about} of ${violated}`,
      ).not.toEqual([]);
    }
  });
});
