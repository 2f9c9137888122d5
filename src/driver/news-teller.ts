import type { Origin } from '../base/ids.js';
import { ORIGINS_MAX } from '../base/limits.js';
import type { Done } from '../base/outcome.js';
import type { News } from '../bayou/messages.js';
import { VersionVector } from '../bayou/version-vector.js';

export interface NewsSteps {
  /** What to tell a peer that knows of `known`; null if nothing. */
  nextNews(known: VersionVector, done: Done<News | null>): void;
  send(news: News, done: Done<void>): void;
}

/**
 * Tells one neighbour what it may lack. At most one call is under way, and what happens meanwhile is told by the next,
 * so a burst of writes costs a few messages. After a call that failed nothing is told until the neighbour gives a sign
 * of life: the period of anti-entropy makes up for it.
 */
export class NewsTeller {
  readonly #steps: NewsSteps;
  /** Whose knowledge `#known` is; null until the neighbour has spoken. */
  #peer: Origin | null = null;
  /** What the neighbour holds, or was told of. */
  #known = new VersionVector();
  #telling = false;
  /** True if something has happened since the call under way was made. */
  #again = false;
  #silent = false;

  constructor(steps: NewsSteps) {
    this.#steps = steps;
  }

  /** The replica has, or may have, something new. */
  tell(): void {
    if (this.#silent) return;
    if (this.#telling) {
      this.#again = true;
      return;
    }
    this.#telling = true;
    this.#again = false;
    this.#steps.nextNews(this.#known, (next) => {
      if (!next.ok || next.value === null) return this.#end(next.ok);
      const news = next.value;
      this.#steps.send(news, (answer) => {
        if (answer.ok) this.#known.merge(news.fresh);
        this.#end(answer.ok);
      });
    });
  }

  /** The neighbour is there, and holds `vector` or was shown it. In a new incarnation it knows nothing of before. */
  heardFrom(peer: Origin, vector: VersionVector): void {
    if (this.#peer !== null && this.#peer !== peer) this.#known = new VersionVector();
    this.#peer = peer;
    // What is forgotten is told once more.
    if (this.#known.sizeWith(vector) > ORIGINS_MAX) this.#known = new VersionVector();
    this.#known.merge(vector);
    if (!this.#silent) return;
    this.#silent = false;
    this.tell();
  }

  #end(ok: boolean): void {
    this.#telling = false;
    if (!ok) this.#silent = true;
    else if (this.#again) this.tell();
  }
}
