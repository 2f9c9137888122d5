import type { Origin } from '../base/ids.js';
import type { Write } from '../bayou/write.js';
import type { Entry } from './entry.js';
import { EntryArena } from './entry-arena.js';
import { behindTime, compareRunPlaces, type RunPlace } from './run-place.js';
import { SortedKeys } from './sorted-keys.js';
import { SortedMap } from './sorted-map.js';

/**
 * Stands in the place of an origin for the bases that expire: their run is by when they do. No origin's name, which would say its
 * incarnation.
 */
export const EXPIRING = 'expiring' as Origin;

/** Instead of a write: its key's entry has it. */
export const IN_ENTRY = 'in entry';

/** One origin's changes in a layer. */
export class LayerRun<Op> {
  /**
   * By accept time and key. Null: the write that what is below the layer has there is gone; `IN_ENTRY`: there is one, which its
   * key's entry has.
   */
  readonly writes = new SortedMap<RunPlace, Write<Op> | typeof IN_ENTRY | null>(compareRunPlaces);
  /** The names of the places where a write here stands in the place of one below. */
  readonly #replacing = new Set<string>();
  /** True if what is below may have some of these writes already. */
  isOverPart: boolean;

  constructor(isOverPart: boolean) {
    this.isOverPart = isOverPart;
  }

  insert({ acceptTime, key }: RunPlace, write: Write<Op> | typeof IN_ENTRY): void {
    // Not the write itself: its value must not be kept when it is gone.
    const place = { acceptTime, key };
    if (this.writes.get(place) === null) this.#replacing.add(nameOf(place));
    this.writes.set(place, write);
  }

  remove(place: RunPlace): void {
    const write = this.writes.get(place);
    const isBelow = write === undefined || (this.#replacing.size > 0 && this.#replacing.delete(nameOf(place)));
    if (isBelow || this.isOverPart) this.writes.set({ acceptTime: place.acceptTime, key: place.key }, null);
    else if (write !== null) this.writes.delete(place);
  }

  /** Makes the changes of the layer above in this one. */
  absorb(above: LayerRun<Op>): void {
    for (const [place, write] of above.writes.entries()) {
      if (write === null) {
        this.remove(place);
      } else {
        const isReplacing = above.#replacing.size > 0 && above.#replacing.has(nameOf(place));
        if (isReplacing && this.writes.get(place) === undefined) this.#replacing.add(nameOf(place));
        this.insert(place, write);
      }
    }
  }

  /** How many writes above `after`, up to `upTo`, this adds to what is below it; less than 0 if it takes some away. */
  added(after: number, upTo: number): number {
    let added = 0;
    const cursor = this.writes.cursor(behindTime(after));
    for (let place = cursor.key(); place !== undefined && place.acceptTime <= upTo; place = cursor.key()) {
      if (cursor.take() === null) added -= 1;
      else if (this.#replacing.size === 0 || !this.#replacing.has(nameOf(place))) added += 1;
    }
    return added;
  }
}

function nameOf({ acceptTime, key }: RunPlace): string {
  return `${acceptTime} ${key}`;
}

/** What changed since a checkpoint: whole entries by key, and what came and went of each origin. */
export class Layer<Op> {
  /** An empty entry: there is nothing for the key any more. A number: `encoded` has it, of one write that was not changed since. */
  readonly entries = new Map<string, Entry<Op> | number>();
  readonly encoded = new EntryArena();
  readonly runs = new Map<Origin, LayerRun<Op>>();
  /** How long what was copied from the table is there. */
  copiedBytes = 0;
  #isOverPart: boolean;
  readonly #sortedKeys = new SortedKeys(this.entries);

  /** `isOverPart`: what is below has a part of it already. */
  constructor(isOverPart = false) {
    this.#isOverPart = isOverPart;
  }

  setEntry(key: string, entry: Entry<Op> | number): void {
    if (this.entries.has(key)) this.entries.set(key, entry);
    else this.addEntry(key, entry);
  }

  /** There is none for the key yet. */
  addEntry(key: string, entry: Entry<Op> | number): void {
    this.#sortedKeys.add(key);
    this.entries.set(key, entry);
  }

  /** The changes of this origin. */
  run(origin: Origin): LayerRun<Op> {
    let run = this.runs.get(origin);
    if (run === undefined) {
      run = new LayerRun(this.#isOverPart);
      this.runs.set(origin, run);
    }
    return run;
  }

  /** A part of it was put into what is below. */
  storedInPart(): void {
    this.#isOverPart = true;
    for (const run of this.runs.values()) run.isOverPart = true;
  }

  /** Makes the changes of the layer above in this one. */
  absorb(above: Layer<Op>): void {
    this.copiedBytes += above.copiedBytes;
    const moved = this.encoded.absorb(above.encoded);
    for (const [key, entry] of above.entries) this.setEntry(key, typeof entry === 'number' ? entry + moved : entry);
    for (const [origin, run] of above.runs) this.run(origin).absorb(run);
  }

  /** The changed keys, ascending, after `after`. */
  keys(after?: string): Generator<string> {
    return this.#sortedKeys.after(after);
  }

  /** The changed keys beyond `after`, or all; from the last on if it is `reverse`. */
  keysBeyond(after: string | null, reverse: boolean): Generator<string> {
    return this.#sortedKeys.beyond(after, reverse);
  }
}
