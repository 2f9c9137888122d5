import { promised } from '../base/outcome.js';
import { isVectorText, readVector } from '../bayou/vector-text.js';
import { VersionVector } from '../bayou/version-vector.js';
import type { Bundle } from '../bundle/bundle.js';
import type { Made } from '../bundle/export.js';
import { exportBundleTo, importBundleFrom, inspectBundleIn } from '../bundle/file.js';
import { ReachedReplica } from '../bundle/reached-replica.js';
import type { ReplicaConnection } from '../rpc/client.js';

/** Makes a bundle of what a replica holds; the lines to show. */
export async function makeBundle(
  replica: ReplicaConnection,
  timeoutMs: number,
  path: string,
  since: string | null,
): Promise<readonly string[]> {
  const vector = await vectorIn(since);
  const source = new ReachedReplica(replica, timeoutMs);
  const { from, entries, bytes } = await promised<Made>((done) => exportBundleTo(path, source, vector, done));
  return [`from ${from}`, `entries ${entries}`, `bytes ${bytes}`];
}

/** Has a replica take a bundle; the lines to show. */
export async function takeBundle(
  replica: ReplicaConnection,
  timeoutMs: number,
  path: string,
): Promise<readonly string[]> {
  const target = new ReachedReplica(replica, timeoutMs);
  const { head, end } = await promised<Bundle>((done) => importBundleFrom(path, target, done));
  return [`from ${head.from}`, `entries ${end.entries}`];
}

/** A vector in words, or what the bundle of that name ended with. */
async function vectorIn(since: string | null): Promise<VersionVector> {
  if (since === null) return new VersionVector();
  if (isVectorText(since)) return readVector(since);
  return (await promised<Bundle>((done) => inspectBundleIn(since, done))).end.seen;
}
