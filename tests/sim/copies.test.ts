import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Action, Plan, PlannedAction } from '../../src/sim/plan.js';
import { type RunResult, runPlan } from '../../src/sim/run.js';

/** Three replicas with a client each, who writes every 300 ms for two minutes, beside what else happens. */
function run(...actions: readonly (readonly [at: number, action: Action])[]): RunResult {
  const replicas = ['r1', 'r2', 'r3'];
  const clients = replicas.map((_, i) => ({ id: `c${i + 1}`, guarantees: [], tries: 1 }));
  const planned: PlannedAction[] = clients.map(({ id: client }, i) => {
    return { at: 0, action: { kind: 'roam', client, replica: replicas[i] as string } };
  });
  for (let at = 300; at < 120_000; at += 300) {
    for (const { id: client } of clients) {
      planned.push({ at, action: { kind: 'put', client, key: 'k', value: `${client}.${at}` } });
    }
  }
  for (const [at, action] of actions) planned.push({ at, action });
  const plan: Plan = {
    seed: 1,
    replicas,
    clients,
    tieBreak: 'higher',
    clock: 'hybrid',
    retryWindowMs: 600_000,
    antiEntropyMs: 2_000,
    compactMs: 10_000,
    maxDriftMs: 60_000,
    durationMs: 120_000,
    actions: planned.sort((a, b) => a.at - b.at),
  };
  return runPlan(plan, { checksum: (bytes) => crc32(bytes) });
}

describe('a copy of a data directory', () => {
  test('that runs beside the original has that give no more stamps, and nobody else', () => {
    const { faults, failures, operations } = run([30_000, { kind: 'clone', replica: 'r2', forMs: 5_000 }]);
    expect(failures).toEqual([]);
    expect(faults.get('condemned')).toBe(1);
    expect(operations.failed).toBeGreaterThan(0);
    // The clients of the other two are served throughout.
    expect(operations.accepted).toBeGreaterThan(1_000);
  });

  test('that takes its place is not opened under the same incarnation', () => {
    const { faults, failures } = run(
      [20_000, { kind: 'backup', replica: 'r2' }],
      [40_000, { kind: 'crash', replica: 'r2', how: 'kill' }],
      [40_001, { kind: 'restore', replica: 'r2' }],
      [41_000, { kind: 'start', replica: 'r2' }],
    );
    expect(failures).toEqual([]);
    expect(faults.get('copy-noticed')).toBe(1);
    expect(faults.get('condemned')).toBeUndefined();
  });
});

describe('a replica is not taken for a copy', () => {
  const expectNone = ({ codes, failures }: RunResult): void => {
    expect(failures).toEqual([]);
    expect(codes.get('ERR_COPIED')).toBeUndefined();
  };

  test('when it is started again after its clock was set back', () => {
    expectNone(
      run(
        [0, { kind: 'clock', replica: 'r2', skewMs: 40_000 }],
        [1, { kind: 'crash', replica: 'r2', how: 'kill' }],
        [2, { kind: 'start', replica: 'r2' }],
        [20_000, { kind: 'clock', replica: 'r2', skewMs: 0 }],
        [30_000, { kind: 'crash', replica: 'r2', how: 'kill' }],
        [31_000, { kind: 'start', replica: 'r2' }],
      ),
    );
  });

  test('when its requests come late, after its own writes did', () => {
    for (const at of [30_000, 50_000, 70_000]) {
      expectNone(run([at, { kind: 'clog', from: 'r2', to: 'r1', forMs: 2_500 }]));
    }
  });

  test('when it is killed, or its machine loses power, in the middle of all that', () => {
    expectNone(
      run(
        ...[20_000, 40_000, 60_000, 80_000].flatMap((at, i) => [
          [at, { kind: 'crash', replica: 'r2', how: i % 2 === 0 ? 'kill' : 'power' }] as const,
          [at + 500, { kind: 'start', replica: 'r2' }] as const,
        ]),
      ),
    );
  });
});
