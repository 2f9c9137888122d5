import { compareKeys } from '../base/ids.js';
import { SortedMap } from './sorted-map.js';

const UNSORTED_MIN = 1_024;

/**
 * The keys of a map in their order. Those that came are put in their places when the order is next asked for, each by
 * search, and those that went are passed over: neither a change nor a look costs a pass over all.
 */
export class SortedKeys {
  readonly #map: ReadonlyMap<string, unknown>;
  #sorted = new SortedMap<string, null>(compareKeys);
  /** New to the map, or were when they came. */
  #unsorted: string[] = [];

  constructor(map: ReadonlyMap<string, unknown>) {
    this.#map = map;
  }

  /** `key` has come into the map. */
  add(key: string): void {
    this.#unsorted.push(key);
    // Keys that came and went while nobody asked.
    if (this.#unsorted.length > UNSORTED_MIN + 2 * this.#map.size) this.#startAnew();
  }

  /** Those after `after`, all if it is not given. Stays valid while keys come and go; may leave out what comes. */
  *after(after: string | undefined): Generator<string, undefined> {
    this.#sort();
    const cursor = this.#sorted.cursor(after);
    for (let key = cursor.key(); key !== undefined; key = cursor.key()) {
      cursor.take();
      if (this.#map.has(key)) yield key;
    }
    return undefined;
  }

  /** Those after `after`, or from the last on those before it; all if it is null. Used up before keys come and go. */
  *beyond(after: string | null, reverse: boolean): Generator<string, undefined> {
    if (!reverse) return yield* this.after(after ?? undefined);
    this.#sort();
    for (const key of this.#sorted.keysDown(after ?? undefined)) if (this.#map.has(key)) yield key;
    return undefined;
  }

  #sort(): void {
    if (this.#sorted.size > UNSORTED_MIN + 2 * this.#map.size) this.#startAnew();
    // In order they all go to the end of an empty map.
    if (this.#sorted.size === 0) this.#unsorted.sort(compareKeys);
    for (const key of this.#unsorted) this.#sorted.set(key, null);
    this.#unsorted = [];
  }

  #startAnew(): void {
    this.#sorted = new SortedMap(compareKeys);
    this.#unsorted = [...this.#map.keys()];
  }
}
