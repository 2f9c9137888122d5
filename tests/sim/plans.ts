import fc from 'fast-check';
import { GUARANTEES } from '../../src/bayou/session.js';
import type { Action, DiskFault, Plan } from '../../src/sim/plan.js';
import { withoutStrangers } from '../../src/sim/plan-names.js';

/** A plan of two replicas and a client in which nothing happens. */
export const QUIET: Plan = {
  seed: 1,
  replicas: ['1', '2'],
  clients: [{ id: 'c1', guarantees: [] }],
  tieBreak: 'higher',
  clock: 'hybrid',
  retryWindowMs: 600_000,
  antiEntropyMs: 250,
  compactMs: 10_000,
  maxDriftMs: null,
  durationMs: 60_000,
  actions: [],
};

const ms = fc.nat(10_000_000);
const chance = fc.double({ min: 0, max: 1, noNaN: true }).map(Math.abs);
const id = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ids hold none
  .filter((text) => !/[\u0000-\u001f\u007f-\u009f]/.test(text));
const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 });

const diskFault: fc.Arbitrary<DiskFault> = fc.oneof(
  fc.record({
    kind: fc.constant('fail' as const),
    call: fc.constantFrom('append', 'sync', 'commit'),
    nth: fc.integer({ min: 1, max: 100 }),
    lasting: fc.boolean(),
  }),
  fc.record({
    kind: fc.constantFrom('power' as const, 'flip' as const),
    nth: fc.integer({ min: 1, max: 1_000_000_000 }),
  }),
  fc.record({ kind: fc.constantFrom('full' as const, 'mend' as const) }),
  fc.record({ kind: fc.constant('slow' as const), delayMs: ms }),
);

function actions(clients: readonly string[], replicas: readonly string[]): fc.Arbitrary<Action> {
  const client = fc.constantFrom(...clients);
  const replica = fc.constantFrom(...replicas);
  const ends = { from: replica, to: replica };
  const kind = <const K extends Action['kind']>(...kinds: readonly K[]): fc.Arbitrary<K> => fc.constantFrom(...kinds);
  return fc.oneof(
    fc.record({ kind: kind('put'), client, key, value: fc.string({ unit: 'grapheme', maxLength: 20 }) }),
    fc.record({ kind: kind('delete', 'get'), client, key }),
    fc.record({ kind: kind('roam'), client, replica }),
    fc.record({ kind: kind('cut', 'mend'), ...ends }),
    fc.record({ kind: kind('clog'), ...ends, forMs: ms }),
    fc.record({ kind: kind('mute', 'clone', 'lie'), replica, forMs: ms }),
    fc.record({
      kind: kind('weather'),
      weather: fc.record({ loss: chance, duplication: chance, reordering: chance, delayMs: fc.tuple(ms, ms) }),
    }),
    fc.record({ kind: kind('crash'), replica, how: fc.constantFrom('kill' as const, 'power' as const) }),
    fc.record({ kind: kind('start', 'pause', 'resume', 'wipe', 'backup', 'restore', 'join'), replica }),
    fc.record({ kind: kind('disk'), replica, fault: diskFault }),
    fc.record({ kind: kind('clock'), replica, skewMs: fc.integer() }),
    fc.record({ kind: kind('retire'), replica, at: replica }),
    fc.record({ kind: kind('version'), replica, protocol: fc.nat(9) }),
  );
}

/** Any plan that names nobody who is not there. */
export const anyPlan: fc.Arbitrary<Plan> = fc
  .uniqueArray(id, { minLength: 3, maxLength: 8 })
  .chain(([first = '', second = '', ...others]) => {
    const clients = [second, ...others.slice(2)];
    const replicas = [first, ...others.slice(0, 2)];
    const planned = fc.record({ at: ms, action: actions(clients, replicas) });
    const client = (of: string) =>
      fc.record(
        { id: fc.constant(of), guarantees: fc.subarray([...GUARANTEES]), tries: fc.integer({ min: 1, max: 9 }) },
        { requiredKeys: ['id', 'guarantees'] },
      );
    return fc.record(
      {
        seed: fc.nat(),
        // The last may join.
        replicas: fc.constantFrom(replicas, replicas.slice(0, Math.max(1, replicas.length - 1))),
        clients: fc.tuple(...clients.map(client)),
        links: fc.array(fc.tuple(fc.constantFrom(...replicas), fc.constantFrom(...replicas)), { maxLength: 3 }),
        tieBreak: fc.constantFrom('higher' as const, 'lower' as const),
        clock: fc.constantFrom('logical' as const, 'hybrid' as const),
        retryWindowMs: ms,
        antiEntropyMs: fc.integer({ min: 1, max: 100_000 }),
        compactMs: fc.integer({ min: 1, max: 100_000 }),
        maxDriftMs: fc.option(ms),
        durationMs: ms,
        actions: fc.array(planned, { maxLength: 30 }).map((all) => all.toSorted((a, b) => a.at - b.at)),
      },
      { noNullPrototype: true, requiredKeys: REQUIRED },
    );
  })
  .map(withoutStrangers);

const REQUIRED = Object.keys(QUIET) as (keyof typeof QUIET)[];
