import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { sectionsOf } from '../../src/cli/report-figures.js';
import { pageOf } from '../../src/cli/report-page.js';
import { wireSize } from '../../src/cli/wire-size.js';
import type { ReportData } from '../../src/sim/report/experiments.js';
import type { FleetSpec } from '../../src/sim/report/fleet.js';
import { outage } from '../../src/sim/report/outage.js';
import { propagation } from '../../src/sim/report/propagation.js';
import { TOPOLOGIES, TOPOLOGY_NAMES, type TopologyName } from '../../src/sim/report/topology.js';
import { visit } from '../../src/sim/report/visitors.js';

const QUALITY = { minMs: 10, maxMs: 20, loss: 0 };

function spec(topology: TopologyName, replicas: number, quality = QUALITY): FleetSpec {
  const links = TOPOLOGIES[topology].links(replicas, seededRandom(1));
  return { replicas, links, quality, antiEntropyMs: 10_000, sizeOf: wireSize, seed: 1 };
}

describe('topologies', () => {
  test.each(TOPOLOGY_NAMES)('%s joins all replicas, and links none twice', (name) => {
    for (const n of [2, 3, 4, 5, 6, 9, 13, 50]) {
      const links = TOPOLOGIES[name].links(n, seededRandom(n));
      const groups = Array.from({ length: n }, (_, i) => i);
      for (const [a, b] of links) {
        const [from, to] = [groups[a] as number, groups[b] as number];
        groups.forEach((group, i) => {
          if (group === from) groups[i] = to;
        });
      }
      expect(new Set(groups).size, `${n}`).toBe(1);
      const names = links.map(([a, b]) => `${Math.min(a, b)} ${Math.max(a, b)}`);
      expect(new Set(names).size, `${n}`).toBe(names.length);
      expect(links.every(([a, b]) => a !== b && a >= 0 && b >= 0 && a < n && b < n)).toBe(true);
    }
  });
});

describe('how a write travels', () => {
  test('along a chain it takes as many steps as that has links', () => {
    const [short, long] = [5, 20].map((n) => propagation(spec('chain', n), 1, 60_000));
    // From the middle: news, a pull and its answer for each link, 10 to 20 ms each.
    expect(short?.allMs).toBeGreaterThanOrEqual(2 * 3 * 10);
    expect(short?.allMs).toBeLessThanOrEqual(2 * 3 * 20 + 10);
    expect(long?.allMs).toBeGreaterThanOrEqual(10 * 3 * 10);
    expect(long?.late).toBe(0);
  });

  test('each replica pulls it once: messages grow with replicas in a tree, with links in a mesh', () => {
    const messages = (name: TopologyName, n: number): number => propagation(spec(name, n), 3, 60_000).messages;
    expect(messages('tree', 40) / messages('tree', 10)).toBeLessThan(6);
    expect(messages('full', 40) / messages('full', 10)).toBeGreaterThan(8);
  });

  test('says which writes were not everywhere in time', () => {
    expect(propagation(spec('chain', 10, { ...QUALITY, loss: 1 }), 2, 30_000)).toMatchObject({ late: 2 });
  });
});

const VISITORS = { clients: 20, thinkMs: 1_000, keys: 10, writes: 0.3, roams: 0.05 };

describe('what clients see', () => {
  test('an outage makes reads stale and sessions wait, and ends', () => {
    const minute = 60_000;
    const times = { beforeMs: 2 * minute, downMs: 4 * minute, afterMs: 2 * minute, windowMs: minute };
    const { windows, caughtUpMs } = outage({
      fleet: spec('chain', 4),
      visitors: VISITORS,
      cut: [[1, 2]],
      watched: null,
      ...times,
    });
    const [before, down, after] = [windows.slice(0, 2), windows.slice(3, 6), windows.slice(-1)].map((part) => ({
      stale: Math.max(...part.map(({ stale }) => stale)),
      missing: Math.max(...part.map(({ missing }) => missing)),
      p99Ms: Math.max(...part.map(({ p99Ms }) => p99Ms)),
    }));
    expect(windows.length).toBe(8);
    expect(before?.stale).toBeLessThan(0.1);
    expect(down?.stale).toBeGreaterThan(0.2);
    expect(down?.missing).toBeGreaterThan(before?.missing as number);
    expect(down?.p99Ms).toBeGreaterThan(10 * (before?.p99Ms as number));
    expect(after?.stale).toBeLessThan(0.1);
    expect(caughtUpMs).toBeLessThan(30_000);
  });

  test('loss costs time and nothing else', () => {
    const [good, bad] = [0, 0.3].map((loss) => visit(spec('ring', 6, { ...QUALITY, loss }), VISITORS, 120_000));
    expect(bad?.stale).toBeGreaterThan(good?.stale as number);
    expect(propagation(spec('ring', 6, { ...QUALITY, loss: 0.3 }), 3, 600_000).late).toBe(0);
  });
});

describe('the page', () => {
  test('needs nothing else, has every figure, and no text ends its scripts', () => {
    const growth = {
      halfMs: 1,
      allMs: 2,
      messages: 3,
      bytes: 4,
      late: 0,
      links: 2,
      topology: 'ring',
      replicas: 3,
    } as const;
    const data: ReportData = { options: { seed: 1, largest: 3 }, outages: [], loss: [], delay: [], growth: [growth] };
    const page = pageOf('a </script> title', ['intro & more'], sectionsOf(data));
    expect(page).not.toMatch(/(src|href)="https?:/);
    expect(page).toContain('a &lt;/script&gt; title');
    expect(page.match(/<\/script>/g)).toHaveLength(3);
    const [, charts] = /id="charts">(.*?)<\/script>/s.exec(page) ?? [];
    expect((JSON.parse(charts ?? '') as unknown[]).length).toBe(sectionsOf(data).flatMap((it) => it.charts).length);
    expect(page).toContain(
      readFileSync(new URL('../../node_modules/uplot/dist/uPlot.iife.min.js', import.meta.url), 'utf8').slice(0, 200),
    );
  });
});
