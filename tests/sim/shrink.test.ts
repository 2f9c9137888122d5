import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import type { Action, Plan } from '../../src/sim/plan.js';
import { withoutStrangers } from '../../src/sim/plan-names.js';
import { shrink } from '../../src/sim/shrink.js';
import { anyPlan, QUIET } from './plans.js';

const upTo =
  (max: number) =>
  (runs: number): boolean =>
    runs < max;
const RUNS = upTo(2000);

/** Five replicas, twenty clients, and much that has nothing to do with anything. */
function busyPlan(seed: number, count: number): Plan {
  const random = seededRandom(seed);
  const replicas = ['1', '2', '3', '4', '5'];
  const clients = Array.from({ length: 20 }, (_, i) => ({ id: `c${i}`, guarantees: ['read-your-writes'] as const }));
  const replica = (): string => String(1 + random.below(5));
  const action = (i: number): Action => {
    const client = `c${random.below(20)}`;
    const key = `k${random.below(10)}`;
    switch (random.below(8)) {
      case 0:
        return { kind: 'crash', replica: replica(), how: 'power' };
      case 1:
        return { kind: 'start', replica: replica() };
      case 2:
        return { kind: 'cut', from: replica(), to: replica() };
      case 3:
        return { kind: 'weather', weather: { loss: 0.1, duplication: 0.1, reordering: 0.1, delayMs: [1, 50] } };
      case 4:
        return { kind: 'mute', replica: replica(), forMs: 3456 };
      case 5:
        return { kind: 'get', client, key };
      default:
        return { kind: 'put', client, key, value: `v${i}` };
    }
  };
  const actions = Array.from({ length: count }, (_, i) => ({ at: i * 73 + 11, action: action(i) }));
  return { ...QUIET, replicas, clients, tieBreak: 'lower', maxDriftMs: 60_000, durationMs: count * 73 + 100, actions };
}

const puts = (plan: Plan, client: string): number =>
  plan.actions.filter(({ action }) => action.kind === 'put' && action.client === client).length;

describe('shrinking', () => {
  it('finds the few actions, clients and replicas that a failure needs', () => {
    /** A put of c7, later a power failure of 3, later a mute of 3 or 4. */
    const fails = ({ actions }: Plan): boolean => {
      const put = actions.findIndex(({ action }) => action.kind === 'put' && action.client === 'c7');
      const crash = actions.findIndex(
        ({ action }, i) => i > put && action.kind === 'crash' && action.replica === '3' && action.how === 'power',
      );
      return put >= 0 && actions.some(({ action }, i) => crash >= 0 && i > crash && action.kind === 'mute');
    };
    const plan = busyPlan(1, 2000);
    expect(fails(plan)).toBe(true);
    const shrunk = shrink(plan, fails, RUNS);
    expect(shrunk.finished).toBe(true);
    expect(shrunk.plan.actions.map(({ action }) => action.kind)).toEqual(['put', 'crash', 'mute']);
    expect(shrunk.plan.clients).toEqual([{ id: 'c7', guarantees: [] }]);
    expect(shrunk.plan.replicas.length).toBeLessThanOrEqual(2);
    expect(shrunk.plan).toMatchObject({ tieBreak: 'higher', clock: 'logical', maxDriftMs: null });
    expect(shrunk.plan.durationMs).toBeLessThanOrEqual(100);
    expect(shrunk.runs).toBeLessThan(300);
  });

  it('keeps what is needed together', () => {
    // As many puts of one client, and two clients that must be there.
    const fails = (plan: Plan): boolean =>
      puts(plan, 'c3') >= 5 && plan.clients.length >= 2 && plan.replicas.length >= 3;
    const { plan } = shrink(busyPlan(2, 1000), fails, RUNS);
    expect(plan.actions).toHaveLength(5);
    expect(plan.clients).toHaveLength(2);
    expect(plan.replicas).toHaveLength(3);
  });

  it('keeps times, weather and guarantees that a failure needs, and no more of them', () => {
    const fails = ({ actions, clients, durationMs, clock }: Plan): boolean =>
      clock === 'hybrid' &&
      durationMs >= 30_000 &&
      clients.some(({ id, guarantees }) => id === 'c1' && guarantees.length > 0) &&
      actions.some(({ at, action }) => at >= 20_000 && action.kind === 'weather' && action.weather.loss > 0);
    const { plan } = shrink(busyPlan(3, 1000), fails, RUNS);
    expect(plan.clients).toEqual([{ id: 'c1', guarantees: ['read-your-writes'] }]);
    expect(plan.actions.map(({ action }) => action)).toEqual([
      { kind: 'weather', weather: { loss: 0.1, duplication: 0, reordering: 0, delayMs: [1, 1] } },
    ]);
    expect(plan.durationMs).toBeLessThanOrEqual(35_000);
  });

  it('tries no more plans than it may, and none twice, and gives the smallest it found', () => {
    const tried = new Set<string>();
    let count = 0;
    const fails = (plan: Plan): boolean => {
      count += 1;
      tried.add(JSON.stringify(plan));
      return puts(plan, 'c3') > 0;
    };
    const plan = busyPlan(4, 500);
    const shrunk = shrink(plan, fails, upTo(10));
    expect(shrunk).toMatchObject({ runs: 10, finished: false });
    expect(count).toBe(10);
    expect(tried.size).toBe(10);
    expect(shrunk.plan.actions.length).toBeLessThan(plan.actions.length);
    expect(puts(shrunk.plan, 'c3')).toBeGreaterThan(0);
  });

  it('gives the same for the same', () => {
    const fails = (plan: Plan): boolean => puts(plan, 'c3') > 1 && plan.replicas.length > 1;
    expect(shrink(busyPlan(5, 500), fails, upTo(100))).toEqual(shrink(busyPlan(5, 500), fails, upTo(100)));
  });

  it('gives the plan back if nothing can be left out', () => {
    const plan = { ...QUIET, actions: [{ at: 10, action: { kind: 'start' as const, replica: '2' } }] };
    expect(shrink(plan, (other) => other === plan, RUNS).plan).toBe(plan);
  });

  it('only ever tries plans that fit together, and ends with one that fails', () => {
    fc.assert(
      fc.property(anyPlan, fc.nat(), (plan, salt) => {
        const fails = (other: Plan): boolean => other === plan || (JSON.stringify(other).length * 7 + salt) % 3 === 0;
        const tried: Plan[] = [];
        const shrunk = shrink(plan, (other) => tried.push(other) > 0 && fails(other), upTo(200));
        for (const other of tried) {
          expect(withoutStrangers(other)).toEqual(other);
          expect(other.replicas.length).toBeGreaterThan(0);
          expect(other.actions).toEqual(other.actions.toSorted((a, b) => a.at - b.at));
        }
        expect(fails(shrunk.plan)).toBe(true);
      }),
    );
  });
});
