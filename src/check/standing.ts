import { countBefore } from '../base/search.js';
import { mayBeWritten, type Operation } from './operation.js';
import type { Origin, Place, PlaceOrder } from './place.js';
import type { Recording } from './recording.js';

/** The deletes of a key, in the order in which they were sent. */
interface Deletes {
  readonly begins: readonly number[];
  /** Of the first n deletes, the last place that any has; null if any may stand anywhere. */
  readonly last: readonly (Place | null)[];
}

/**
 * Where operations stand, as far as it is certain. One that was sent again may have stamps that never turned up, and takes
 * effect at the lowest; one that a replica accepted anew when it rejoined may have been folded under a stamp that nobody saw.
 * So what is wrong must be so whichever of its stamps one takes.
 */
export class Standing {
  readonly order: PlaceOrder;
  /** The highest accept time that any state claims. */
  readonly latest: number;
  readonly #recording: Recording;
  readonly #departed = new Set<Origin>();
  /** True if there are operations that read their key: of those a replica that rejoins claims no more under their first stamps. */
  readonly #hasChanges: boolean;
  readonly #deletes = new Map<string, Deletes>();

  constructor(recording: Recording) {
    this.order = recording.order;
    this.#recording = recording;
    const { origins, lives, keys, states } = recording;
    this.latest = states.reduce((latest, { seen }) => Math.max(latest, ...seen), 0);
    this.#hasChanges = [...keys.values()].some(({ isChanged }) => isChanged);
    for (const origin of origins.all) if (origins.laterOf(origin).next().done !== true) this.#departed.add(origin);
    for (const { event, replica, incarnation } of lives) {
      if (event === 'retired') this.#departed.add(origins.at(replica, incarnation));
    }
  }

  /** True if the replica may have rejoined under a later incarnation, and accepted anew what it had written under this one. */
  isDeparted(origin: Origin): boolean {
    return this.#departed.has(origin);
  }

  /** How many origins have departed. */
  get departures(): number {
    return this.#departed.size;
  }

  /**
   * True if nothing can be held against who does not claim what has these stamps: one may have been given up for another that
   * nobody saw, and with it what came after it of its origin. Replicas answer for those all the same (`replaced`).
   */
  mayBeGivenUp(places: readonly Place[]): boolean {
    return this.#hasChanges && places.some(({ origin }) => this.isDeparted(origin));
  }

  /** True if `shown` stands before `operation`, whichever of the stamps it may have that takes effect at. */
  isBefore(shown: Place, operation: Operation): boolean {
    const { places, repeated, after } = operation;
    if (shown.operation === operation || shown.mayBe.includes(operation) || places.length === 0) return false;
    for (const place of places) if (this.order(shown, place) >= 0) return false;
    return !repeated || (after !== null && this.order(shown, after) <= 0);
  }

  /** True if `shown` stands before all of a batch, whichever of the stamps it may have that was accepted at first. */
  isBeforeAll(shown: Place, batch: readonly Operation[]): boolean {
    if (batch.some((part) => shown.operation === part || shown.mayBe.includes(part))) return false;
    const places = batch.flatMap((part) => part.places);
    if (places.length === 0 || places.some((place) => this.order(shown, place) >= 0)) return false;
    const [first] = batch;
    const isSure = first !== undefined && batch.every(({ accepted, repeated }) => accepted !== null && !repeated);
    if (isSure) return true;
    return first?.after != null && this.order(shown, first.after) <= 0;
  }

  /** True if `shown` stands before what was shown as `place`. */
  isBeforePlace(shown: Place, place: Place): boolean {
    if (shown === place) return false;
    if (place.operation !== null) return this.isBefore(shown, place.operation);
    if (place.mayBe.length > 0) return place.mayBe.every((operation) => this.isBefore(shown, operation));
    return this.order(shown, place) < 0;
  }

  /** True if a delete that was sent by the time `by` may stand after the put `operation`. */
  mayBeDeleted(operation: Operation, by: number): boolean {
    const deletes = this.#deletesOf(operation.key);
    const count = countBefore(deletes.begins.length, (at) => (deletes.begins[at] as number) <= by);
    if (count === 0) return false;
    const last = deletes.last[count - 1] as Place | null;
    return last === null || !this.isBefore(last, operation);
  }

  /** As `mayBeDeleted`, of what was shown as `place`. */
  mayPlaceBeDeleted(place: Place, by: number): boolean {
    if (place.operation !== null) return this.mayBeDeleted(place.operation, by);
    return place.mayBe.length === 0 || place.mayBe.some((operation) => this.mayBeDeleted(operation, by));
  }

  #deletesOf(key: string): Deletes {
    let deletes = this.#deletes.get(key);
    if (deletes === undefined) {
      deletes = this.#collectDeletes(key);
      this.#deletes.set(key, deletes);
    }
    return deletes;
  }

  #collectDeletes(key: string): Deletes {
    const operations = this.#recording.keys.get(key)?.operations ?? [];
    const sent = operations.filter(({ value, outcome }) => value === null && mayBeWritten(outcome));
    sent.sort((a, b) => a.begin - b.begin);
    const last: (Place | null)[] = [];
    let latest: Place | null | undefined;
    for (const operation of sent) {
      if (this.#mayStandAnywhere(operation)) latest = null;
      for (const place of latest === null ? [] : operation.places) {
        if (latest === undefined || this.order(latest as Place, place) < 0) latest = place;
      }
      last.push(latest ?? null);
    }
    return { begins: sent.map(({ begin }) => begin), last };
  }

  #mayStandAnywhere({ places, repeated }: Operation): boolean {
    return repeated || places.length === 0 || places.some(({ origin }) => this.isDeparted(origin));
  }
}
