import type { Origin } from '../base/ids.js';
import { type PullRequest, type Refused, refused } from './messages.js';
import type { VersionVector } from './version-vector.js';

interface Life {
  readonly number: number;
  /** Up to which accept time it claimed its own writes when it last asked. */
  readonly claimed: number;
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

  /** All that is kept here, as a text: equal texts, equal answers ever after. */
  fingerprint(): string {
    const lives = [...this.#lives].map(([origin, { number, claimed }]) => `${origin}:${number}:${claimed}`);
    return `${lives.sort()} ${this.#copied}`;
  }

  /** Looks at a peer's request, `seen` being this replica's own vector; why it is not to be answered, or null. */
  check({ from, life, seen: theirs }: PullRequest, seen: VersionVector): Refused | null {
    if (!seen.has(from)) return null;
    const known = this.#lives.get(from);
    if (known !== undefined && life < known.number) {
      return refused('ERR_COPIED', `another process has spoken for ${from} since this one was started`);
    }
    // What it claimed, not what is held here of it by now: of two requests that were sent before a write of its own, the
    // second may arrive after that write did over another connection.
    const claimed = theirs.get(from);
    if (known?.number === life && claimed < known.claimed) {
      const message = `${from} claims its own writes up to ${claimed}, but claimed them up to ${known.claimed} before`;
      return refused('ERR_COPIED', message);
    }
    this.#lives.set(from, { number: life, claimed });
    return null;
  }
}
