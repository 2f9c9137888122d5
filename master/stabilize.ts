import { BaristaError, type ErrorCode } from '../src/base/errors.js';
import type { StabilizeReply } from '../src/bayou/admin-messages.js';
import type { VersionVector } from '../src/bayou/version-vector.js';
import type { Topology } from './topology.js';

/** Has a replica pull from neighbours until each has nothing left. Rejects if the replica itself cannot be asked. */
export type PullFrom = (replica: string, neighbours: readonly string[]) => Promise<StabilizeReply>;

interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Brings a connected part of the network to its fixpoint: every replica's `seen` the same, and so its writes. A sweep
 * does it when all answer. A link that fails is left out of the next one, so that one that hangs keeps nobody else
 * apart; what failed is told at the end. A replica that learns that it was retired rejoins by itself, and is asked again.
 */
export async function stabilizePart(part: Topology, pullFrom: PullFrom): Promise<void> {
  const failures: Failure[] = [];
  const rejoining = new Set<string>();
  let unsettled = [part];
  while (unsettled.length > 0) {
    const rest = await Promise.all(unsettled.map((smaller) => sweepOnce(smaller, pullFrom, failures, rejoining)));
    unsettled = rest.flat();
  }
  const [first] = failures;
  if (first === undefined) return;
  const others = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  throw new BaristaError(first.code, `${first.message}${others}`);
}

/** One sweep of a part; returns the parts that still have to be swept. */
async function sweepOnce(
  part: Topology,
  pullFrom: PullFrom,
  failures: Failure[],
  rejoining: Set<string>,
): Promise<readonly Topology[]> {
  const ids = part.ids;
  const vectors = new Map<string, VersionVector>();
  let cut = false;
  const fail = (failure: Failure): void => {
    cut = true;
    failures.push(failure);
  };
  for (const round of part.sweep()) {
    const pulls = [...round].map(async ([replica, neighbours]) => {
      try {
        const { outcomes, seen } = await pullFrom(replica, neighbours);
        vectors.set(replica, seen);
        for (const { peer, error } of outcomes) {
          if (error === null) continue;
          if (error.code === 'ERR_RETIRED' && !rejoining.has(replica)) {
            rejoining.add(replica);
            cut = true;
            continue;
          }
          part.unlink(replica, peer);
          fail({
            code: error.code,
            message: `replica ${replica} could not pull from replica ${peer}: ${error.message}`,
          });
        }
      } catch (error) {
        if (!(error instanceof BaristaError)) throw error;
        part.remove(replica);
        fail({ code: error.code, message: `replica ${replica} could not be asked to pull: ${error.message}` });
      }
    });
    await Promise.all(pulls);
    if (cut) return part.parts(part.ids);
  }
  const [first, ...others] = ids.map((id) => vectors.get(id));
  return others.every((vector) => vector !== undefined && first?.equals(vector) === true) ? [] : [part];
}
