import type { Done } from '../base/outcome.js';
import type { BundleService } from '../bayou/ports.js';
import type { KvOperation } from '../machine/kv.js';
import type { Bundle } from './bundle.js';
import { BundlePeer } from './bundle-peer.js';

/** Who takes a bundle: a replica in this process, or one that is reached. */
export type BundleTarget = Pick<BundleService<KvOperation>, 'pullThrough'>;

/**
 * Has a replica take all that a bundle holds; answers when that is durable. One that was cut is gone on with by importing it
 * again, and to import what is there already changes nothing. Fails, before anything is taken, with the code of what keeps
 * the replica from it: another cluster, another clock, a bundle that goes on from what it lacks (ERR_BUNDLE_GAP).
 */
export function importBundle(target: BundleTarget, bundle: Bundle, done: Done<void>): void {
  const { terms, from, since } = bundle.head;
  target.pullThrough({ terms, from, since, seen: bundle.end.seen }, new BundlePeer(bundle), done);
}
