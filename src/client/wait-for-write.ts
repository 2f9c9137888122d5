import type { Address } from '../base/address.js';
import type { AcceptStamp } from '../bayou/write.js';
import { Deadline } from '../session/deadline.js';
import { waitUntil } from '../session/write-progress.js';
import { EndpointPool } from './endpoint-pool.js';

/** How far a write is to have come. */
export interface WriteGoal {
  /** So many replicas are known to hold it on disk; 0: it does not matter. */
  readonly replicas: number;
  /** Every member of the cluster is known to hold it. */
  readonly stable: boolean;
  /** How long that may take, in milliseconds, up to an hour. */
  readonly patienceMs: number;
}

/** Waits until the nearest of the replicas knows that a write has come so far. Rejects with ERR_TIMEOUT, which says how far it has. */
export async function waitForWrite(
  addresses: readonly Address[],
  attemptMs: number,
  stamp: AcceptStamp,
  { replicas, stable, patienceMs }: WriteGoal,
): Promise<void> {
  const pool = new EndpointPool({ addresses, cluster: null, attemptMs });
  try {
    const deadline = new Deadline(patienceMs, undefined);
    await pool.open(deadline);
    await waitUntil(pool, stamp, { holders: replicas, stable }, { timeoutMs: Math.ceil(deadline.leftMs) });
  } finally {
    pool.close();
  }
}
