import { compareOrigins, type Origin } from '../base/ids.js';

/** What every vector begins with that begins empty; never changed. */
const NO_TIMES = new Map<Origin, number>();

/**
 * For each origin, the highest accept time known of it (Terry et al., SOSP 1995, section 4). An origin at time 0 is
 * known as a member and has no writes yet.
 */
export class VersionVector {
  #times: Map<Origin, number>;
  /** True if another vector may have the same times: they are copied before this one changes. */
  #isShared: boolean;

  constructor(entries?: Iterable<readonly [Origin, number]>) {
    this.#times = entries === undefined ? NO_TIMES : new Map(entries);
    this.#isShared = entries === undefined;
  }

  get size(): number {
    return this.#times.size;
  }

  /** The accept time of `origin`, 0 if it is not known. */
  get(origin: Origin): number {
    return this.#times.get(origin) ?? 0;
  }

  has(origin: Origin): boolean {
    return this.#times.has(origin);
  }

  covers(origin: Origin, time: number): boolean {
    return this.get(origin) >= time;
  }

  dominates(other: VersionVector): boolean {
    if (other.#times === this.#times) return true;
    for (const [origin, time] of other.#times) if (!this.covers(origin, time)) return false;
    return true;
  }

  equals(other: VersionVector): boolean {
    if (other.#times === this.#times) return true;
    if (other.size !== this.size) return false;
    for (const [origin, time] of other.#times) if (this.#times.get(origin) !== time) return false;
    return true;
  }

  /** Raises the entry of `origin`; an entry never goes back. True if that changed anything. */
  raise(origin: Origin, time: number): boolean {
    const old = this.#times.get(origin);
    if (old !== undefined && old >= time) return false;
    this.#own().set(origin, time);
    return true;
  }

  /** Lowers the entry of `origin`, if there is a higher one. True if there was. */
  lower(origin: Origin, time: number): boolean {
    if (this.get(origin) <= time) return false;
    this.#own().set(origin, time);
    return true;
  }

  /** Drops the entry of `origin`. */
  forget(origin: Origin): void {
    if (this.#times.has(origin)) this.#own().delete(origin);
  }

  merge(other: VersionVector): void {
    if (other.#times === this.#times) return;
    for (const [origin, time] of other.#times) this.raise(origin, time);
  }

  /** A vector that begins as this one, and changes apart from it. Until one of them does they share what they hold. */
  clone(): VersionVector {
    const copy = new VersionVector();
    copy.#times = this.#times;
    this.#isShared = true;
    return copy;
  }

  /** The times, of which no other vector knows. */
  #own(): Map<Origin, number> {
    if (this.#isShared) {
      this.#times = new Map(this.#times);
      this.#isShared = false;
    }
    return this.#times;
  }

  /** What of `other`, as far as it is not beyond `limit`, this vector does not cover; null if nothing. */
  missing(other: VersionVector, limit = Number.POSITIVE_INFINITY): VersionVector | null {
    if (other.#times === this.#times) return null;
    let lacking: VersionVector | null = null;
    for (const [origin, time] of other.#times) {
      if (time > limit || this.covers(origin, time)) continue;
      lacking ??= new VersionVector();
      lacking.raise(origin, time);
    }
    return lacking;
  }

  /** How many origins this vector would have together with `others`. */
  sizeWith(others: VersionVector): number {
    let size = this.size;
    for (const origin of others.#times.keys()) if (!this.has(origin)) size += 1;
    return size;
  }

  /** The highest accept time of any origin, among those up to `limit`; 0 if there is none. */
  highestTime(limit = Number.POSITIVE_INFINITY): number {
    let highest = 0;
    for (const time of this.#times.values()) if (time > highest && time <= limit) highest = time;
    return highest;
  }

  /** In no particular order; the order of insertion. */
  entries(): IterableIterator<[Origin, number]> {
    return this.#times.entries();
  }

  /** By replica id, then by incarnation. */
  sorted(): [Origin, number][] {
    return [...this.#times].sort(([a], [b]) => compareOrigins(a, b));
  }

  toString(): string {
    return this.sorted()
      .map(([origin, time]) => `${origin}:${time}`)
      .join(' ');
  }
}
