import type { Random } from '../../base/random.js';

/** Which replicas, numbered from 0, are linked. */
export type Links = readonly (readonly [number, number])[];

/** So many replicas are at an edge site, its gateway among them. */
export const SITE_REPLICAS = 4;
/** To how many others each replica of a random topology is linked, about. */
const RANDOM_DEGREE = 4;

/** Every one of them joins all replicas. */
export const TOPOLOGIES = {
  full: {
    about: 'each replica with each other one',
    links: (n: number): Links => pairs(n, (a, b) => a < b),
  },
  ring: {
    about: 'each with the next, and the last with the first',
    links: (n: number): Links => [...chain(n), ...(n > 2 ? [[n - 1, 0] as const] : [])],
  },
  chain: {
    about: 'each with the next',
    links: (n: number): Links => chain(n),
  },
  star: {
    about: 'all with the first',
    links: (n: number): Links => range(1, n).map((i) => [0, i] as const),
  },
  tree: {
    about: 'each with two below it',
    links: (n: number): Links => range(1, n).map((i) => [(i - 1) >> 1, i] as const),
  },
  random: {
    about: `each with about ${RANDOM_DEGREE} others, drawn at random`,
    links: randomLinks,
  },
  edge: {
    about: `a hub, and sites of ${SITE_REPLICAS} that are linked with each other, and with the hub through the first of them`,
    links: (n: number): Links =>
      range(1, n).flatMap((i) => {
        const gateway = i - ((i - 1) % SITE_REPLICAS);
        return gateway === i ? [[0, i] as const] : range(gateway, i).map((other) => [other, i] as const);
      }),
  },
} as const satisfies Record<string, { about: string; links: (n: number, random: Random) => Links }>;

export type TopologyName = keyof typeof TOPOLOGIES;

export const TOPOLOGY_NAMES = Object.keys(TOPOLOGIES) as readonly TopologyName[];

function chain(n: number): Links {
  return range(1, n).map((i) => [i - 1, i] as const);
}

/** A tree drawn at random, so that all are joined, and then as many links again. */
function randomLinks(n: number, random: Random): Links {
  const links = new Map<string, readonly [number, number]>();
  const add = (a: number, b: number): void => {
    if (a !== b) links.set(`${Math.min(a, b)} ${Math.max(a, b)}`, [Math.min(a, b), Math.max(a, b)]);
  };
  for (let i = 1; i < n; i++) add(random.below(i), i);
  for (let more = ((RANDOM_DEGREE - 2) * n) / 2; more > 0; more--) add(random.below(n), random.below(n));
  return [...links.values()];
}

function pairs(n: number, keep: (a: number, b: number) => boolean): Links {
  return range(0, n).flatMap((a) =>
    range(0, n)
      .filter((b) => keep(a, b))
      .map((b) => [a, b] as const),
  );
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
