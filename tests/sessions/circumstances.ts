import type { SessionCluster } from './cluster.js';

export const HOME = 'a';
export const REPLICAS: readonly string[] = [HOME, 'b', 'c'];

/** What befalls the replicas while sessions go from one to another. */
export interface Circumstance {
  readonly name: string;
  /** The period of anti-entropy; null: replicas exchange writes only when told to. */
  readonly antiEntropyMs: number | null;
  /** Where the sessions go that were at home. */
  readonly elsewhere: readonly string[];
  /** All know the same; from here on the others are not to hear of what happens at home. */
  part(cluster: SessionCluster): Promise<void>;
  /** It happened, and the sessions are about to go. */
  leave(cluster: SessionCluster): Promise<void>;
  /** All may hear of it again. */
  meet(cluster: SessionCluster): Promise<void>;
}

const NOTHING = async (): Promise<void> => {};
const NEWCOMER = 'd';
const OTHERS = REPLICAS.filter((id) => id !== HOME);

async function restart(cluster: SessionCluster, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => cluster.killServer(id)));
  await Promise.all(ids.map((id) => cluster.restartServer(id)));
}

export const CIRCUMSTANCES: readonly Circumstance[] = [
  {
    name: 'roaming between replicas',
    antiEntropyMs: null,
    elsewhere: OTHERS,
    part: NOTHING,
    leave: NOTHING,
    meet: NOTHING,
  },
  {
    name: 'through a partition of replicas that exchange all the time',
    antiEntropyMs: 50,
    elsewhere: OTHERS,
    part: async (cluster) => {
      for (const other of OTHERS) await cluster.breakConnection(HOME, other);
    },
    leave: NOTHING,
    meet: async (cluster) => {
      for (const other of OTHERS) await cluster.createConnection(HOME, other);
    },
  },
  {
    name: 'when the replica that has it is killed, and comes back later',
    antiEntropyMs: null,
    elsewhere: OTHERS,
    part: NOTHING,
    leave: (cluster) => cluster.killServer(HOME),
    meet: (cluster) => cluster.restartServer(HOME),
  },
  {
    name: 'when every replica is killed and restarted from its disk',
    antiEntropyMs: null,
    elsewhere: OTHERS,
    part: NOTHING,
    leave: (cluster) => restart(cluster, REPLICAS),
    meet: NOTHING,
  },
  {
    name: 'when what was before is folded into the base store',
    antiEntropyMs: null,
    elsewhere: OTHERS,
    part: (cluster) => cluster.fold(...REPLICAS),
    leave: NOTHING,
    meet: NOTHING,
  },
  {
    name: 'when all of it is folded into the base store, and a newcomer has none of it',
    antiEntropyMs: null,
    elsewhere: [NEWCOMER],
    part: NOTHING,
    leave: async (cluster) => {
      await cluster.fold(...REPLICAS);
      await cluster.joinServer(NEWCOMER);
    },
    meet: NOTHING,
  },
];
