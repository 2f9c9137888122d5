import { crc32 } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { succeed } from '../../src/base/outcome.js';
import { Replica } from '../../src/bayou/replica.js';
import { FAULT_NAMES, type FaultName } from '../../src/sim/faults.js';
import { type GenerateOptions, generatePlan } from '../../src/sim/generate.js';
import type { Plan } from '../../src/sim/plan.js';
import { type RunResult, runPlan } from '../../src/sim/run.js';
import { judge, type Verdict } from '../../src/sim/verdict.js';
import { DurableStorage } from '../../src/storage/durable.js';

const PORTS = { checksum: (bytes: Uint8Array): number => crc32(bytes) };
const SHORT: GenerateOptions = { replicas: 3, clients: 5, hours: 0.03, faults: 'all' };

const FIRST_SEED = Number(process.env['BARISTA_FIRST_SEED'] ?? 1);
const SEEDS = Number(process.env['BARISTA_SIM_SEEDS'] ?? 150);

function run(seed: number, options: Partial<GenerateOptions> = {}): RunResult {
  return runPlan(generatePlan(seed, { ...SHORT, ...options }), PORTS);
}

function verdictOf(seed: number, options: Partial<GenerateOptions> = {}): Verdict {
  return judge(generatePlan(seed, { ...SHORT, ...options }), PORTS);
}

/** Runs seeds, from 1 on, until one is found wrong; what was found. */
function search(seeds: number, options: Partial<GenerateOptions>): string | null {
  for (let seed = 1; seed <= seeds; seed++) {
    const [first] = verdictOf(seed, options).violations;
    if (first !== undefined) return `${first.check}: ${first.message}`;
  }
  return null;
}

describe('a run', () => {
  test('of a seed is the same each time, to the last event', () => {
    for (const seed of [1, 2, 3]) expect(run(seed)).toEqual(run(seed));
  });

  test('of another seed is another', () => {
    const hashes = Array.from({ length: 20 }, (_, seed) => run(seed).hash);
    expect(new Set(hashes).size).toBe(20);
  });

  test('is told by its plan alone, also by one that was written down and read again', () => {
    const plan = generatePlan(7, SHORT);
    const again = JSON.parse(JSON.stringify(plan)) as Plan;
    expect(runPlan(again, PORTS).hash).toBe(runPlan(plan, PORTS).hash);
  });

  test('without faults has all that clients ask for done, on the first try', () => {
    const { operations, faults, codes, failures, rounds } = run(1, { faults: 'none', replicas: 5, clients: 10 });
    expect(failures).toEqual([]);
    expect([...faults, ...codes]).toEqual([]);
    expect(operations).toMatchObject({ failed: 0, unknown: 0 });
    expect(operations.accepted + operations.found).toBeGreaterThan(100);
    expect(rounds).toBe(1);
  });

  test('tells its history, and how far it is', () => {
    const types = new Map<string, number>();
    const minutes: number[] = [];
    const sink = ({ type }: { readonly type: string }): void => void types.set(type, (types.get(type) ?? 0) + 1);
    const plan = generatePlan(1, { ...SHORT, hours: 0.1 });
    const { operations } = runPlan(plan, { ...PORTS, sink, onMinute: (ms) => minutes.push(ms) });
    const { accepted, found, absent, missing, failed, unknown } = operations;
    expect((types.get('write') ?? 0) + (types.get('read') ?? 0)).toBe(
      accepted + found + absent + missing + failed + unknown,
    );
    expect(types.get('session')).toBe(5);
    expect(types.get('state')).toBeGreaterThanOrEqual(3);
    expect(minutes).toHaveLength(6);
  });
});

/** What is counted where a fault takes effect, and which codes show that it was noticed; by its name. */
const EFFECTS: Readonly<Record<FaultName, readonly string[]>> = {
  loss: ['loss'],
  duplication: ['duplication'],
  reordering: ['reordering'],
  delay: ['ERR_TIMEOUT'],
  clog: ['clog'],
  'partition-symmetric': ['cut', 'ERR_TIMEOUT'],
  'partition-asymmetric': ['cut', 'ERR_TIMEOUT'],
  'partition-bridge': ['cut', 'ERR_TIMEOUT'],
  'half-open': ['cut', 'ERR_TIMEOUT'],
  'connection-break': ['connection-break', 'ERR_CONN'],
  mute: ['mute', 'ERR_TIMEOUT'],
  hang: ['pause'],
  pause: ['pause'],
  crash: ['crash', 'ERR_CONN'],
  power: ['power'],
  'power-in-call': ['power-in-call'],
  'fail-append': ['disk-fail', 'ERR_STORAGE'],
  'fail-sync': ['disk-fail', 'ERR_STORAGE'],
  'fail-commit': ['checkpoint-failure'],
  'disk-full': ['disk-full', 'ERR_STORAGE'],
  'disk-slow': ['slow'],
  'bit-flip': ['damage-noticed', 'repair', 'wiped-for-damage', 'ERR_CORRUPT'],
  wipe: ['wipe'],
  restore: ['restore', 'copy-noticed', 'ERR_COPIED'],
  clone: ['clone', 'condemned', 'ERR_COPIED'],
  upgrade: ['ERR_VERSION_MISMATCH'],
  'clock-skew': ['clock'],
  'clock-back': ['clock'],
  'clock-future': ['clock', 'ERR_CLOCK_DRIFT'],
  join: ['join'],
  retire: ['retire', 'rejoin'],
  lie: ['lie', 'lie-in-asking', 'ERR_PROTOCOL', 'ERR_FORGED_STAMPS'],
};

describe('a fault', () => {
  test.each(FAULT_NAMES)('%s takes effect, and does no harm', (name) => {
    const expected = new Set(EFFECTS[name]);
    for (let seed = 1; seed <= 60 && expected.size > 0; seed++) {
      // Now and then there must be enough to write for a checkpoint, or to wait for.
      const options = { ...SHORT, faults: [name], clients: 8, hours: 0.05 };
      const { failures, faults, codes, rounds } = run(seed, options);
      expect(failures).toEqual([]);
      expect(rounds).not.toBeNull();
      for (const [effect] of [...faults, ...codes]) expected.delete(effect);
    }
    expect([...expected]).toEqual([]);
  });
});

describe('the search', () => {
  test(`finds nothing wrong in ${SEEDS} short runs with all faults`, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      expect({ seed, violations: verdictOf(seed).violations }).toEqual({ seed, violations: [] });
    }
  }, 600_000);

  afterEach(() => vi.restoreAllMocks());

  test('finds a storage that says a write is durable before it is', () => {
    vi.spyOn(DurableStorage.prototype, 'flush').mockImplementation((done) => done(succeed(undefined)));
    expect(search(20, { faults: ['crash', 'power'] })).not.toBeNull();
  });

  test('finds a storage that loses one write in fifty', () => {
    const insert = DurableStorage.prototype.insert;
    let count = 0;
    vi.spyOn(DurableStorage.prototype, 'insert').mockImplementation(function (
      this: DurableStorage<unknown>,
      write,
      at,
    ) {
      count += 1;
      if (count % 50 > 0) insert.call(this, write, at);
    });
    expect(search(20, { faults: 'none' })).not.toBeNull();
  });

  test('finds a replica that reads whatever the session needs', () => {
    const read = Replica.prototype.read;
    vi.spyOn(Replica.prototype, 'read').mockImplementation(function (this: Replica<unknown, unknown>, request) {
      return read.call(this, { ...request, needs: null }, 0);
    });
    expect(search(60, { faults: ['partition-symmetric', 'crash'], clients: 8 })).toMatch(/reads|writes/);
  });

  test('finds a replica that claims what it was not sent', () => {
    const serve = Replica.prototype.serve;
    vi.spyOn(Replica.prototype, 'serve').mockImplementation(function (this: Replica<unknown, unknown>, request, now) {
      const batch = serve.call(this, request, now);
      return 'kind' in batch || batch.writes.length < 2 ? batch : { ...batch, writes: batch.writes.slice(1) };
    });
    expect(search(20, { faults: 'all' })).not.toBeNull();
  });
});
