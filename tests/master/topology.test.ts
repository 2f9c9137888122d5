import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Topology } from '../../master/topology.js';

function topologyOf(...links: readonly (readonly [string, string])[]): Topology {
  const topology = new Topology();
  for (const [a, b] of links) topology.link(a, b);
  return topology;
}

/** What each replica holds after the rounds, if each held only itself before. */
function play(topology: Topology): {
  readonly holdings: ReadonlyMap<string, ReadonlySet<string>>;
  readonly pulls: number;
} {
  const holdings = new Map(topology.ids.map((id) => [id, new Set([id])]));
  let pulls = 0;
  for (const round of topology.sweep()) {
    const before = new Map([...holdings].map(([id, held]) => [id, new Set(held)]));
    for (const [id, neighbours] of round) {
      for (const neighbour of neighbours) {
        expect(topology.linked(id, neighbour)).toBe(true);
        pulls += 1;
        for (const held of before.get(neighbour) ?? []) holdings.get(id)?.add(held);
      }
    }
  }
  return { holdings, pulls };
}

describe('a topology', () => {
  test('is symmetric, and cutting is idempotent', () => {
    const topology = topologyOf(['1', '2']);
    expect([topology.linked('1', '2'), topology.linked('2', '1')]).toEqual([true, true]);
    topology.unlink('2', '1');
    topology.unlink('1', '2');
    expect([topology.linked('1', '2'), topology.linked('2', '1')]).toEqual([false, false]);
  });

  test('falls into the parts that some of its ids make among themselves', () => {
    const topology = topologyOf(['1', '2'], ['2', '3'], ['3', '4'], ['5', '6']);
    const parts = topology.parts(['1', '2', '4', '5', '6', '7']).map((part) => part.ids);
    expect(parts).toEqual([['1', '2'], ['4'], ['5', '6'], ['7']]);
  });

  test('a chain of 50 takes 50 rounds', () => {
    const chain = new Topology();
    for (let i = 1; i < 50; i++) chain.link(`${i}`, `${i + 1}`);
    expect(chain.sweep()).toHaveLength(50);
  });

  test('a sweep brings everything everywhere, with two pulls a replica, whatever the topology', () => {
    const links = fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(links, (pairs) => {
        const topology = topologyOf(...pairs.filter(([a, b]) => a !== b).map(([a, b]) => [`${a}`, `${b}`] as const));
        for (const part of topology.parts(topology.ids)) {
          const { holdings, pulls } = play(part);
          for (const held of holdings.values()) expect([...held].sort()).toEqual([...part.ids].sort());
          expect(pulls).toBe(2 * (part.ids.length - 1));
        }
      }),
    );
  });
});
