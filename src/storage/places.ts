import { assert } from '../base/assert.js';
import type { Origin } from '../base/ids.js';

/** The numbers that stand for origins on disk: from 0, in the order in which the origins came. */
export class Places {
  readonly #origins: Origin[] = [];
  readonly #places = new Map<Origin, number>();

  constructor(origins: Iterable<Origin> = []) {
    for (const origin of origins) this.add(origin);
  }

  get origins(): readonly Origin[] {
    return this.#origins;
  }

  /** Undefined if the origin has none yet. */
  find(origin: Origin): number | undefined {
    return this.#places.get(origin);
  }

  add(origin: Origin): void {
    assert(!this.#places.has(origin), `${origin} has a place`);
    this.#places.set(origin, this.#origins.push(origin) - 1);
  }

  placeOf(origin: Origin): number {
    const place = this.#places.get(origin);
    if (place === undefined) assert(false, `${origin} has no place`);
    return place;
  }

  /** Throws a RangeError for a number that stands for none. */
  originAt(place: number): Origin {
    const origin = this.#origins[place];
    if (origin === undefined) throw new RangeError(`no origin has place ${place}`);
    return origin;
  }
}
