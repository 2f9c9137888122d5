import { describe, expect, test } from 'vitest';
import { Replica } from '../../src/bayou/replica.js';
import { DEFAULT_GUARANTEES, GUARANTEES, type Guarantee } from '../../src/bayou/session.js';
import { canonical } from '../../src/sim/explore/canonical.js';
import type { Line } from '../../src/sim/explore/client-states.js';
import type { OpenReplica } from '../../src/sim/explore/live-replica.js';
import { followPath } from '../../src/sim/explore/path.js';
import { Search, type SearchResult } from '../../src/sim/explore/search.js';
import type { WorldOptions } from '../../src/sim/explore/world.js';
import { MISTAKES } from './explore-mistakes.js';

const LIMITS = { statesMax: 5_000_000, depthMax: 1_000, bytesMax: 1_000_000_000, violationsMax: 1 };

function world(programs: readonly string[], changes: Partial<WorldOptions> = {}): WorldOptions {
  return {
    replicas: 3,
    programs: programs.map((text) => text.split(', ').map(lineOf)),
    guarantees: DEFAULT_GUARANTEES,
    faults: 0,
    faultKinds: ['cut', 'crash', 'lose'],
    batch: 1,
    pulls: 1,
    reports: 0,
    lives: false,
    reduce: true,
    ...changes,
  };
}

function lineOf(text: string): Line {
  const [kind, key] = text.split(' ') as [Line['kind'], string];
  return { kind, key };
}

function explore(options: WorldOptions, limits = LIMITS): Search {
  const search = new Search(options, limits);
  while (!search.advance(10_000));
  return search;
}

function resultOf(options: WorldOptions): SearchResult {
  return explore(options).result();
}

function expectSound(options: WorldOptions, states: number): void {
  const result = resultOf(options);
  expect(result.violations).toEqual([]);
  expect(result.complete).toBe(true);
  // A change of the protocol changes this; what must not be is a search that finds nothing to do.
  expect(result.states).toBeGreaterThan(states);
}

describe('every run of a small world keeps all promises', () => {
  test('three replicas, two clients, three writes', { timeout: 900_000 }, () => {
    expectSound(world(['put k, get k, put k', 'delete k, get k']), 100_000);
  });

  test('three replicas, a cut, a crash, or a request that is lost or late', { timeout: 900_000 }, () => {
    expectSound(world(['put k, put k'], { faults: 1 }), 10_000);
  });

  test('two replicas that pull from each other at the same time, a fault, larger batches', { timeout: 900_000 }, () => {
    expectSound(world(['put k, put k', 'put k'], { replicas: 2, faults: 1, pulls: 2, batch: 2 }), 5_000);
  });

  test('two replicas that watch for copies of each other', { timeout: 900_000 }, () => {
    expectSound(world(['put k, put k'], { replicas: 2, faults: 2, faultKinds: ['cut', 'crash'], lives: true }), 300);
  });

  test('two replicas that fold what is stable', { timeout: 900_000 }, () => {
    const options = world(['put k', 'delete k'], { replicas: 2, reports: 2, faults: 1, faultKinds: ['crash'] });
    const search = explore(options);
    const { replicas, ids } = search.world;
    let folded = 0;
    search.forEachState((state) => {
      if (ids.some((_, i) => replicas.facts(search.world.node(state[i] as number).replica).base > 0)) folded += 1;
    });
    expect(search.result()).toMatchObject({ complete: true, violations: [] });
    expect(folded).toBeGreaterThan(10);
  });

  test('all four guarantees, on two keys', { timeout: 900_000 }, () => {
    expectSound(world(['put a, put b', 'get b, put a'], { replicas: 2, guarantees: GUARANTEES }), 500);
  });
});

describe('a mistake is found, by a shortest run that shows it', () => {
  const worlds: Readonly<Record<keyof typeof MISTAKES, WorldOptions>> = {
    'target fixed at the start': world(['put k, put k', 'put k']),
    'resumes with any peer': world(['put k, put k', 'put k'], { faults: 1, faultKinds: ['cut'] }),
    'claims origin by origin': world(['put k, put k', 'put k']),
    'prunes before it may claim': world(['put k, put k', 'put k']),
    'stamps below the session': world(['put k, put k']),
    'ignores what a session needs': world(['put k']),
    'claims what was not sent': world(['put k, put k', 'put k'], { replicas: 2 }),
    'forgets its stamps': world(['put k'], { replicas: 2, faults: 1, faultKinds: ['crash'] }),
  };

  test.each(Object.entries(MISTAKES))('%s', { timeout: 900_000 }, (name, open) => {
    const options = { ...worlds[name as keyof typeof MISTAKES], open };
    const { violations } = resultOf(options);
    expect(violations).toHaveLength(1);
    // The same path shows it again; the sound replica does nothing wrong there.
    const [{ path, what }] = violations as [(typeof violations)[number]];
    const again = followPath(options, path);
    expect(again.possible).toBeNull();
    if (!what.startsWith('when all')) expect(again.wrong).toBe(what);
    const { open: _mistake, ...sound } = options;
    expect(followPath(sound, path).wrong).toBeNull();
  });

  test.each<readonly [Guarantee, readonly string[]]>([
    ['read-your-writes', ['put k']],
    ['monotonic-reads', ['put k', 'get k']],
    ['monotonic-writes', ['put a, put b']],
    ['writes-follow-reads', ['put a', 'get a, put b']],
  ])('a session that does not ask for %s does not get it', { timeout: 900_000 }, (guarantee, programs) => {
    const options = world(programs, { replicas: 2, promised: [guarantee] });
    expect(resultOf({ ...options, guarantees: [] }).violations).toHaveLength(1);
    expect(resultOf({ ...options, guarantees: [guarantee] }).violations).toEqual([]);
  });
});

describe('the search leaves nothing out', () => {
  /** What can be seen of a state from outside: what replicas show, what is under way, what clients know. */
  function views(options: WorldOptions, depthMax: number): Set<string> {
    const search = explore(options, { ...LIMITS, depthMax });
    expect(search.result().violations).toEqual([]);
    const { world: at } = search;
    const seen = new Set<string>();
    search.forEachState((state) => {
      const nodes = at.ids.map((_, i) => at.node(state[i] as number));
      const rest = at.rest(state[at.ids.length] as number);
      const shown = nodes.map(({ replica, pulls }) => {
        const { facts, messages } = {
          facts: at.replicas.facts(replica),
          messages: pulls.map((pull) => (pull === 0 ? null : at.pull(pull - 1))),
        };
        return canonical([
          facts.seen,
          facts.log,
          facts.base,
          [...facts.shown],
          messages.map((it) => it && [it.request, it.batch]),
        ]);
      });
      const clients = rest.clients.map((client) => {
        const { events: _events, ...known } = at.clients.at(client);
        return canonical({ ...known, last: [...known.last], reads: [...known.reads] });
      });
      seen.add([...shown, ...clients, canonical(at.ledgers.at(rest.ledger)), rest.faults].join('\n'));
    });
    return seen;
  }

  /** A replica of which no two states are taken for one, unless the same was done with it in the same order. */
  const remembersAll: OpenReplica = (config) => {
    const replica = new Replica(config);
    const done = (histories.get(config.storage) ?? []).concat('opened');
    histories.set(config.storage, done);
    return new Proxy(replica, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name === 'fingerprint') return () => done.join(' ');
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (CHANGING.has(String(name))) done.push(`${String(name)} ${canonical(args)}`);
          return value.apply(target, args) as unknown;
        };
      },
    });
  };
  const CHANGING = new Set(['meet', 'accept', 'serve', 'nextPull', 'integrate', 'interrupted', 'compact']);
  const histories = new WeakMap<object, string[]>();

  test.each<readonly [string, WorldOptions, number]>([
    ['a cut or a crash', world(['put k, put k'], { replicas: 2, faults: 1, faultKinds: ['cut', 'crash'] }), 4],
    ['a late request', world(['put k, put k'], { replicas: 2, faults: 1, faultKinds: ['lose'] }), 4],
    ['two clients', world(['put k, get k', 'delete k'], { replicas: 2 }), 4],
    ['three replicas', world(['put k, put k']), 3],
  ])('states taken for one have one future: %s', { timeout: 900_000 }, (_what, options, depth) => {
    const taken = views(options, depth);
    const kept = views({ ...options, open: remembersAll }, depth);
    expect(taken).toEqual(kept);
    expect(taken.size).toBeGreaterThan(100);
  });

  test.each<readonly [string, WorldOptions]>([
    ['faults', world(['put k, put k'], { replicas: 2, faults: 1, pulls: 2 })],
    ['clients', world(['put k, get k', 'delete k'], { replicas: 2, pulls: 2 })],
    ['three replicas', world(['put k, put k'])],
  ])('orders that are left out show nothing new: %s', { timeout: 900_000 }, (_what, options) => {
    const parts = (reduce: boolean): readonly ReadonlySet<string>[] => {
      const search = explore({ ...options, reduce });
      expect(search.result()).toMatchObject({ complete: true, violations: [] });
      const { world: at } = search;
      const ledgers = new Set<string>();
      const clients = new Set<string>();
      const replicas = new Set<string>();
      search.forEachState((state) => {
        const rest = at.rest(state[at.ids.length] as number);
        const ledger = canonical(at.ledgers.at(rest.ledger));
        ledgers.add(ledger);
        for (const client of rest.clients) clients.add(canonical([...at.clients.at(client).last]));
        for (const [i, id] of at.ids.entries()) {
          const { seen, log } = at.replicas.facts(at.node(state[i] as number).replica);
          replicas.add(`${id} ${canonical([seen, log])} ${ledger} ${rest.faults}`);
        }
      });
      return [ledgers, clients, replicas];
    };
    expect(parts(true)).toEqual(parts(false));
  });
});
