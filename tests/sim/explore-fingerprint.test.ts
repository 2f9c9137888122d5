import { Session as Inspector } from 'node:inspector';
import { afterAll, expect, test } from 'vitest';
import { Replica } from '../../src/bayou/replica.js';
import { DEFAULT_GUARANTEES } from '../../src/bayou/session.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { Search } from '../../src/sim/explore/search.js';
import type { WorldOptions } from '../../src/sim/explore/world.js';

/*
 * The search takes replicas with equal fingerprints for one. So whatever a part of the core keeps must show in its
 * fingerprint. Here the private fields of replicas are read through the debugger: of two that came to one fingerprint on
 * different ways, all fields must be equal.
 */

/** Made from other fields when it is asked for. */
const DERIVED = new Set(['#view', '#inView', '#newest', '#viewName', '#madeFromSeen', '#madeFromRetired']);
/** What the storage holds is compared through its port. */
const NOT_OF_THE_CORE = new Set(['#storage', 'storage', '#machine', 'machine', '#order', 'order', 'rules', 'terms']);

const inspector = new Inspector();
inspector.connect();
afterAll(() => inspector.disconnect());

function post(method: string, parameters: object): Record<string, unknown> {
  let answer: object | undefined;
  inspector.post(method, parameters, (error: Error | null, result?: object) => {
    if (error !== null) throw error;
    answer = result;
  });
  if (answer === undefined) throw new Error(`${method} was not answered`);
  return answer as Record<string, unknown>;
}

const lent: { value?: unknown } = {};
Object.defineProperty(globalThis, '__lent', { value: lent });

/** The private fields of an object, by name. */
function privateFields(object: object): Map<string, unknown> {
  lent.value = object;
  const { result } = post('Runtime.evaluate', { expression: '__lent.value' }) as { result: { objectId: string } };
  const { privateProperties = [] } = post('Runtime.getProperties', {
    objectId: result.objectId,
    ownProperties: true,
  }) as {
    privateProperties?: { name: string; value?: { objectId?: string; value?: unknown; type: string } }[];
  };
  const fields = new Map<string, unknown>();
  for (const { name, value } of privateProperties) {
    if (value === undefined) continue;
    if (value.objectId === undefined) fields.set(name, value.type === 'undefined' ? undefined : value.value);
    else {
      const functionDeclaration = 'function (it) { __lent.value = it; }';
      post('Runtime.callFunctionOn', {
        functionDeclaration,
        objectId: result.objectId,
        arguments: [{ objectId: value.objectId }],
      });
      fields.set(name, lent.value);
    }
  }
  return fields;
}

/** All that an object holds, as a text. Parts that hold each other are written out once. */
function dump(value: unknown, met = new Set<object>()): string {
  if (typeof value === 'function') return 'function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof VersionVector) return `<${value}>`;
  if (value instanceof Map) return `{${[...value].map(([key, it]) => `${dump(key, met)}=${dump(it, met)}`).sort()}}`;
  if (value instanceof Set) return `{${[...value].map((it) => dump(it, met)).sort()}}`;
  if (Array.isArray(value)) return `[${value.map((it) => dump(it, met))}]`;
  if (met.has(value)) return 'met';
  met.add(value);
  const fields = [...Object.entries(value), ...privateFields(value)]
    .filter(([name]) => !DERIVED.has(name) && !NOT_OF_THE_CORE.has(name))
    .map(([name, field]) => `${name}:${dump(field, met)}`);
  return `{${fields.sort()}}`;
}

test('the debugger shows private fields', () => {
  class Holder {
    readonly #held: Map<string, number>;
    constructor(held: Map<string, number>) {
      this.#held = held;
    }
    get size(): number {
      return this.#held.size;
    }
  }
  expect(dump(new Holder(new Map([['a', 1]])))).toBe('{#held:{a=1}}');
});

interface Place {
  readonly received: VersionVector;
  readonly target: VersionVector | null;
}

/**
 * Of transfers, the fingerprint has what was received together with `seen`, and nothing of it before there is a target: that
 * is how it is used. Here each is brought into that form.
 */
function dumpReplica(replica: Replica<KvOperation, Uint8Array>): string {
  const seen = replica.seen();
  for (const field of privateFields(privateFields(replica).get('#transfers') as object).values()) {
    const places = (field instanceof Map ? [...field.values()] : [field]) as (Place | null)[];
    for (const place of places) {
      place?.received.merge(seen);
      if (place?.target === null) for (const [origin] of seen.entries()) place.received.forget(origin);
    }
  }
  return dump(replica);
}

type Scope = Parameters<Replica<KvOperation, Uint8Array>['fingerprint']>[0];

/** Compares replicas that came to one fingerprint on two ways: how many pairs, and the first that differs. */
function compare(
  replicaCount: number,
  pairsMax: number,
  cut: (fingerprint: string) => string,
): { pairs: number; differing: string[] } {
  class Cut extends Replica<KvOperation, Uint8Array> {
    override fingerprint(scope: Scope): string {
      return cut(super.fingerprint(scope));
    }
  }
  const opened: Cut[] = [];
  const put = { kind: 'put', key: 'k' } as const;
  const options: WorldOptions = {
    replicas: replicaCount,
    programs: [[put, put], [{ kind: 'delete', key: 'k' }]],
    guarantees: DEFAULT_GUARANTEES,
    // More than are ever had, so that each replica may still be restarted.
    faults: 99,
    faultKinds: ['cut', 'crash'],
    batch: 1,
    pulls: 2,
    reports: 0,
    lives: true,
    reduce: true,
    open: (config) => {
      const replica = new Cut(config);
      opened.push(replica);
      return replica;
    },
  };
  const search = new Search(options, {
    statesMax: 30_000,
    depthMax: 1_000,
    bytesMax: 1_000_000_000,
    violationsMax: 1,
  });
  while (!search.advance(1_000));
  const { replicas } = search.world;
  /** The replica that was opened last stands for the live one. */
  const last = (): string => dumpReplica(opened.at(-1) as Cut);
  const merges = Array.from({ length: replicas.size }, (_, state) => state).flatMap((state) =>
    replicas.mergesOf(state).map((merge) => ({ ...merge, state })),
  );
  const stride = Math.ceil(merges.length / pairsMax);
  const looked = merges.filter((_, i) => i % stride === 0);
  for (const { state, input, next } of looked) {
    opened.length = 0;
    replicas.live(state).step(input);
    const one = last();
    replicas.live(next);
    const other = last();
    if (one !== other) return { pairs: looked.length, differing: [one, other] };
  }
  return { pairs: looked.length, differing: [] };
}

test('replicas with equal fingerprints are equal in all that they keep', { timeout: 900_000 }, () => {
  const { pairs, differing } = compare(3, 400, (fingerprint) => fingerprint);
  expect(differing).toEqual([]);
  expect(pairs).toBeGreaterThan(100);
});

const CLOCK = / clock \d+/;
const TRANSFERS = /cut .* latest/;
const REACHED = / reached [^|]*/;
const LIVES = /\| [^|]*$/;

// What was reached, and the lives, say in small worlds as much as the clock and the transfers do: they go with them.
test.each([
  ['the clock', [CLOCK, REACHED, LIVES]],
  ['the transfers', [TRANSFERS, REACHED, LIVES]],
  ['what was reached', [REACHED]],
  ['the lives of others', [LIVES]],
])('a fingerprint without %s would be noticed', { timeout: 900_000 }, (_part, parts) => {
  const cut = (fingerprint: string): string => parts.reduce((left, part) => left.replace(part, ''), fingerprint);
  expect(compare(2, 4_000, cut).differing).toHaveLength(2);
});
