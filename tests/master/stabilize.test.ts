import { expect, test } from 'vitest';
import { type PullFrom, stabilizePart } from '../../master/stabilize.js';
import { Topology } from '../../master/topology.js';
import { BaristaError } from '../../src/base/errors.js';
import type { Origin, ReplicaId } from '../../src/base/ids.js';
import { VersionVector } from '../../src/bayou/version-vector.js';

/** Replicas that hold a vector each; the links and replicas named do not answer. */
function network(ids: readonly string[], deadLinks: readonly string[], deadReplicas: readonly string[] = []) {
  const vectors = new Map(ids.map((id) => [id, new VersionVector([[`${id}#1` as Origin, 1]])]));
  const pullFrom: PullFrom = async (replica, neighbours) => {
    if (deadReplicas.includes(replica)) throw new BaristaError('ERR_TIMEOUT', 'no answer');
    const own = vectors.get(replica) as VersionVector;
    const outcomes = neighbours.map((peer) => {
      const dead = deadReplicas.includes(peer) || deadLinks.includes(`${replica}-${peer}`);
      if (!dead) own.merge(vectors.get(peer) as VersionVector);
      const error = dead ? ({ code: 'ERR_CONN', message: 'nobody there' } as const) : null;
      return { peer: peer as ReplicaId, done: !dead, error };
    });
    return { outcomes, seen: own.clone() };
  };
  return { vectors, pullFrom };
}

function ring(ids: readonly string[]): Topology {
  const topology = new Topology();
  for (const [i, id] of ids.entries()) topology.link(id, ids[(i + 1) % ids.length] as string);
  return topology;
}

const IDS = ['1', '2', '3', '4', '5', '6'];

test('every replica of a part ends with the same vector', async () => {
  const { vectors, pullFrom } = network(IDS, []);
  await stabilizePart(ring(IDS), pullFrom);
  for (const vector of vectors.values())
    expect(vector.sorted().map(([origin]) => origin)).toEqual(IDS.map((id) => `${id}#1`));
});

test('a link that fails is named, and keeps nobody apart whom another way connects', async () => {
  for (const dead of IDS.map((id, i) => `${id}-${IDS[(i + 1) % 6]}`)) {
    const { vectors, pullFrom } = network(IDS, [dead, dead.split('-').reverse().join('-')]);
    await stabilizePart(ring(IDS), pullFrom).catch((error: BaristaError) => {
      expect(error).toMatchObject({ code: 'ERR_CONN', message: expect.stringMatching(/could not pull from/) });
    });
    for (const vector of vectors.values()) expect(vector.size).toBe(6);
  }
});

test('a replica that hangs is named, and the others reach their fixpoint without it', async () => {
  for (const hanging of IDS) {
    const { vectors, pullFrom } = network(IDS, [], [hanging]);
    await expect(stabilizePart(ring(IDS), pullFrom)).rejects.toThrow(BaristaError);
    for (const [id, vector] of vectors) if (id !== hanging) expect(vector.size).toBe(5);
  }
});

test('a replica that learns that it was retired is asked again, and once only', async () => {
  for (const times of [1, 2]) {
    const { vectors, pullFrom } = network(IDS, []);
    let left = times;
    const retiring: PullFrom = async (replica, neighbours) => {
      if (replica !== '4' || left === 0) return pullFrom(replica, neighbours);
      left -= 1;
      const error = { code: 'ERR_RETIRED', message: '4#1 was retired' } as const;
      const outcomes = neighbours.map((peer) => ({ peer: peer as ReplicaId, done: false, error }));
      return { outcomes, seen: (vectors.get(replica) as VersionVector).clone() };
    };
    const stabilized = stabilizePart(ring(IDS), retiring);
    if (times === 1) await stabilized;
    else await expect(stabilized).rejects.toMatchObject({ code: 'ERR_RETIRED' });
    for (const [id, vector] of vectors) if (times === 1 || id !== '4') expect(vector.size).toBe(6);
  }
});
