import type { Origin } from '../base/ids.js';
import { RunMerge } from './batch.js';
import { type Refused, refused } from './messages.js';
import { VersionVector } from './version-vector.js';
import type { AcceptStamp } from './write.js';
import type { WriteLog } from './write-log.js';

const LOST = refused('ERR_FOLDED', 'what was told is lost with the replica that told it, or was accepted anew');

/**
 * How who asks again and again goes through what a replica claims, from a cursor that he keeps: what of it can be gone on with
 * here, and the writes beyond it. The replica keeps nothing of it.
 */
export class LogWalk<Op, Value> {
  readonly #log: WriteLog<Op, Value>;
  readonly #isGone: (origin: Origin) => boolean;

  /** `isGone`: true if no member known here will claim more of the origin: it has ended, and all were heard from since. */
  constructor(log: WriteLog<Op, Value>, isGone: (origin: Origin) => boolean) {
    this.#log = log;
    this.#isGone = isGone;
  }

  /** Why nobody goes on here who was told of what `target` covers; null if he can. */
  lacking(target: VersionVector): { readonly kind: 'missing'; readonly missing: VersionVector } | Refused | null {
    const missing = this.#log.seen.missing(target);
    if (missing === null) return null;
    return this.#isInVain(missing) ? LOST : { kind: 'missing', missing };
  }

  /** What is claimed, as far as it stands at or before the stamp. */
  behind(stamp: AcceptStamp): VersionVector {
    const told = new VersionVector();
    for (const [origin, time] of this.#log.seen.entries()) {
      const isBefore = this.#log.order({ origin, acceptTime: stamp.acceptTime }, stamp) <= 0;
      told.raise(origin, Math.min(time, isBefore ? stamp.acceptTime : stamp.acceptTime - 1));
    }
    return told;
  }

  /** The writes that `target` covers, which is claimed, and `told` does not, in stamp order. */
  beyond(told: VersionVector, target: VersionVector): RunMerge<Op> {
    const merge = new RunMerge<Op>(this.#log.order);
    for (const [origin, time] of target.entries()) {
      const known = told.get(origin);
      if (known < time) merge.add(this.#log.storage.run(origin, known, time));
    }
    return merge;
  }

  /** It cannot be gone on with: some of what was to be told of is in the base store. */
  folded(what: string): Refused {
    const { baseTime } = this.#log;
    return refused('ERR_FOLDED', `${what} was folded, up to ${baseTime}: what was deleted there has left no trace`);
  }

  /**
   * True if what is missing was told by replicas that have lost it, and by nobody else. To go on without it would not do: of two
   * groups that meet later one may have it after all.
   */
  #isInVain(missing: VersionVector): boolean {
    for (const [origin] of missing.entries()) if (!this.#isGone(origin)) return false;
    return true;
  }
}
