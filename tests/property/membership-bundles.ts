import { replicaIdOf } from '../../src/base/ids.js';
import type { Random } from '../../src/base/random.js';
import { type PullBatch, type PullRequest, type Refused, refused } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { Bundle } from '../../src/bundle/bundle.js';
import { BundlePeer } from '../../src/bundle/bundle-peer.js';
import { exportBundle, type Made } from '../../src/bundle/export.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { sourceOf } from '../bundle/bare-replica.js';
import { good, MemorySink, now, opened } from '../bundle/memory.js';
import type { Node } from './membership-node.js';

/** Bundles that lie about; older ones are lost. */
const KEPT_MAX = 8;

interface Lying {
  readonly bundle: Bundle;
  /** One for all who take it: each may be anywhere in it. */
  readonly peer: BundlePeer;
}

/** The bundles of a history: made while things go on, taken whenever, by anyone, again and in parts. */
export class Bundles {
  readonly #random: Random;
  readonly #lying: Lying[] = [];
  made = 0;
  taken = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Makes one of what `node` has, part by part, with `meanwhile` before each; in vain if it dies. */
  make(node: Node, since: VersionVector, at: () => number, keeps: () => boolean, meanwhile: () => void): void {
    const source = sourceOf(() => node.replica, at, meanwhile, keeps);
    const sink = new MemorySink();
    const writesMax = 1 + this.#random.below(4);
    const outcome = now<Made>((done) =>
      exportBundle(
        { exportBatch: (request, reply) => source.exportBatch({ ...request, writesMax }, reply) },
        sink,
        since,
        done,
      ),
    );
    if (!outcome.ok) return;
    const bundle = good(opened(sink.bytes));
    this.#lying.push({ bundle, peer: new BundlePeer(bundle) });
    if (this.#lying.length > KEPT_MAX) this.#lying.splice(this.#random.below(KEPT_MAX), 1);
    this.made += 1;
  }

  /** What a bundle may go on from: nothing, what someone holds, or where another ended. */
  since(nodes: readonly Node[]): VersionVector {
    const holders = [
      ...nodes.map(({ replica }) => replica.seen()),
      ...this.#lying.map(({ bundle }) => bundle.end.seen),
    ];
    if (this.#random.below(2) === 0) return new VersionVector();
    return holders[this.#random.below(holders.length)]?.clone() ?? new VersionVector();
  }

  /** A bundle of the peer that `node` may take, if there is one: the last or any. */
  wayFrom(peer: Node, node: Node, which: 'last' | 'any'): BundlePeer | null {
    const fitting = this.#lying.filter(({ bundle: { head, end } }) => {
      const offer = { terms: head.terms, from: head.from, to: node.id, fresh: end.seen };
      if (replicaIdOf(head.from) !== peer.id || !node.replica.seen().dominates(head.since)) return false;
      return node.replica.refusalOf(offer) === null;
    });
    const at = which === 'last' ? fitting.length - 1 : this.#random.below(Math.max(fitting.length, 1));
    const found = fitting[at]?.peer ?? null;
    if (found !== null) this.taken += 1;
    return found;
  }
}

/** What a bundle answers; or why its maker would not. */
export function answerOf(way: BundlePeer, request: PullRequest): PullBatch<KvOperation> | Refused {
  const outcome = now<PullBatch<KvOperation>>((done) => way.pull(request, 1_000, done));
  return outcome.ok ? outcome.value : refused(outcome.error.code, outcome.error.message);
}
