import type { Origin } from '../base/ids.js';
import { type PullRequest, type Refused, refused } from './messages.js';
import type { VersionVector } from './version-vector.js';

interface Life {
  readonly number: number;
  /** The accept time of the origin up to which its writes were held here when it last asked. */
  readonly held: number;
}

/**
 * Notices replicas that run on a copy of a data directory, or on an older state of it: two processes that take turns under
 * one origin, and one that claims less of its own writes than it gave away before.
 */
export class LifeWatch {
  readonly #lives = new Map<Origin, Life>();
  #copied: string | null = null;

  /** Why this replica must give no more stamps: a peer holds stamps of it that it does not know of. Null if it may. */
  get copied(): string | null {
    return this.#copied;
  }

  condemn(why: string): void {
    this.#copied ??= why;
  }

  /** Looks at a peer's request, `seen` being this replica's own vector; why it is not to be answered, or null. */
  check({ from, life, seen: theirs }: PullRequest, seen: VersionVector): Refused | null {
    if (!seen.has(from)) return null;
    const known = this.#lives.get(from);
    if (known !== undefined && life < known.number) {
      return refused('ERR_COPIED', `another process has spoken for ${from} since this one was started`);
    }
    // A request may have left before a write that is held here by now, but not before what was held at the last one.
    if (known?.number === life && theirs.get(from) < known.held) {
      const message = `${from} claims its own writes up to ${theirs.get(from)}, but gave some up to ${known.held} before`;
      return refused('ERR_COPIED', message);
    }
    this.#lives.set(from, { number: life, held: seen.get(from) });
    return null;
  }
}
