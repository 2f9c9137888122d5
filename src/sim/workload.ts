import type { Random } from '../base/random.js';
import type { PlannedAction } from './plan.js';

/** How long a client thinks between two operations, on average. */
const THINK_MS = 2_880;

export interface WorkloadParts {
  readonly random: Random;
  readonly ids: readonly string[];
  readonly clients: readonly string[];
  readonly durationMs: number;
}

/**
 * What clients do: they write and read a few hot keys and many cold ones, each value only once, and move from replica to
 * replica, now and then.
 */
export function drawWorkload({ random, ids, clients, durationMs }: WorkloadParts): PlannedAction[] {
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)] as T;
  const hot = pick([1, 3, 10]);
  const cold = pick([20, 200, 2_000]);
  const hotShare = pick([30, 70, 95]);
  const readShare = pick([30, 60, 85]);
  const deleteShare = pick([3, 15]);
  const roamShare = pick([0, 3, 20]);
  const bytes = pick([0, 0, 40, 300]);
  const actions: PlannedAction[] = [];
  for (const client of clients) {
    actions.push({ at: 0, action: { kind: 'roam', client, replica: pick(ids) } });
    let count = 0;
    for (let at = thinkMs(random); at < durationMs; at += thinkMs(random)) {
      if (random.below(100) < roamShare) actions.push({ at, action: { kind: 'roam', client, replica: pick(ids) } });
      const key = random.below(100) < hotShare ? `h${random.below(hot)}` : `k${random.below(cold)}`;
      if (random.below(100) < readShare) actions.push({ at, action: { kind: 'get', client, key } });
      else if (random.below(100) < deleteShare) actions.push({ at, action: { kind: 'delete', client, key } });
      else {
        count += 1;
        const value = `${client}.${count}${'.'.repeat(bytes === 0 ? 0 : random.below(bytes))}`;
        actions.push({ at, action: { kind: 'put', client, key, value } });
      }
    }
  }
  return actions;
}

/** Mostly short, now and then long: the mean of a few draws of different length. */
function thinkMs(random: Random): number {
  const scale = [1, 1, 2, 4][random.below(4)] as number;
  return 1 + random.below(scale * THINK_MS);
}
