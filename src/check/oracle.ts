import { countBefore } from '../base/search.js';
import { describePlace, describeRead, mayBeWritten, type Operation, type ReadStep } from './operation.js';
import { type Claims, namePlace, type Place } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';
import type { Standing } from './standing.js';
import { describeState, type State } from './state.js';

/** What a replica showed of a key, and what it claimed to hold then. */
interface Shown {
  readonly key: string;
  /** Null: the key was absent. */
  readonly place: Place | null;
  readonly seen: Claims;
  readonly at: number;
  describe(): string;
}

/**
 * Pruned, truncated, resumed or restarted: what is shown of a key is the fold of every write that the replica claims to
 * hold (invariant 6). So nothing it claims may stand after what it shows. A value that stands before a delete it claims has
 * come back to life (invariant 8).
 */
export function checkOracle(recording: Recording, standing: Standing, findings: Findings): void {
  const oracle = new Oracle(recording, standing, findings);
  for (const state of recording.states) oracle.checkState(state);
  for (const { steps } of recording.clients.values()) {
    for (const step of steps) if (step.kind === 'read') oracle.checkRead(step);
  }
}

/** What the replica claims, and does not show. */
interface Wrong {
  put: Place | null;
  deleted: Place | null;
}

class Oracle {
  readonly #recording: Recording;
  readonly #standing: Standing;
  readonly #findings: Findings;
  /** The stamps on each key, of each origin, by accept time. */
  readonly #runs = new Map<string, readonly (readonly Place[])[]>();
  /** The keys that were ever deleted. */
  readonly #deleted = new Set<string>();

  constructor(recording: Recording, standing: Standing, findings: Findings) {
    this.#recording = recording;
    this.#standing = standing;
    this.#findings = findings;
    for (const [key, { places }] of recording.keys) {
      const runs = new Map<number, Place[]>();
      for (const place of places) {
        const run = runs.get(place.origin.index);
        if (run === undefined) runs.set(place.origin.index, [place]);
        else run.push(place);
      }
      for (const run of runs.values()) run.sort((a, b) => a.time - b.time);
      if (places.some(({ value }) => value === null)) this.#deleted.add(key);
      this.#runs.set(key, [...runs.values()]);
    }
  }

  checkState(state: State): void {
    const store = new Map(state.store.map((place) => [place.key, place]));
    const { seen, at } = state;
    for (const key of this.#runs.keys()) {
      const describe = () => describeState(state);
      this.#check({ key, place: store.get(key) ?? null, seen, at, describe });
    }
  }

  checkRead(read: ReadStep): void {
    const { key, found: place, seen, begin, end } = read;
    if (seen === null) return;
    this.#check({ key, place, seen, at: end ?? begin, describe: () => describeRead(read) });
  }

  #check(shown: Shown): void {
    // `changes` looks at what operations come to that read the key.
    if (this.#recording.keys.get(shown.key)?.isChanged === true) return;
    this.#findings.looked('oracle');
    if (this.#deleted.has(shown.key)) this.#findings.looked('deletes');
    const wrong: Wrong = { put: null, deleted: null };
    for (const run of this.#runs.get(shown.key) ?? []) {
      const index = run[0]?.origin.index ?? 0;
      const claimed = shown.seen[index] ?? 0;
      const count = countBefore(run.length, (at) => (run[at] as Place).time <= claimed);
      if (shown.place === null) wrong.put ??= this.#notDeleted(run, count, shown);
      else this.#findAfter(run, count, shown.place, wrong);
    }
    const tell = (place: Place) => (): string => {
      const what = shown.place === null ? `no ${shown.key}` : describePlace(shown.place);
      return `${shown.describe()} shows ${what}, and claims to hold ${describePlace(place)}`;
    };
    if (wrong.put !== null) this.#findings.violated('oracle', tell(wrong.put));
    if (wrong.deleted !== null) this.#findings.violated('deletes', tell(wrong.deleted));
  }

  /** Of the first `count` stamps of the run, those that stand after `shown` and take effect. */
  #findAfter(run: readonly Place[], count: number, shown: Place, wrong: Wrong): void {
    for (let at = count - 1; at >= 0; at--) {
      const place = run[at] as Place;
      if (this.#standing.order(place, shown) <= 0) return;
      const { operation } = place;
      if (operation === null || !this.#isSure(operation) || !this.#standing.isBefore(shown, operation)) continue;
      if (operation.value !== null) wrong.put ??= place;
      else if (!this.#mayBeForgotten(operation)) wrong.deleted ??= place;
      if (wrong.put !== null && wrong.deleted !== null) return;
    }
  }

  /** The last stamp of the run, if it is one of a put that no delete can have come after. */
  #notDeleted(run: readonly Place[], count: number, { at }: Shown): Place | null {
    const place = run[count - 1];
    const operation = place?.operation ?? null;
    if (place === undefined || operation === null || operation.value === null || !this.#isSure(operation)) return null;
    return this.#standing.mayBeDeleted(operation, at) ? null : place;
  }

  /** True if nothing can keep it from taking effect but what stands after it. */
  #isSure(operation: Operation): boolean {
    if (operation.accepted !== null) return true;
    // Its client went on without an answer: what it did next may stand before it, and then it yields to that.
    const { operations } = this.#recording.keys.get(operation.key) ?? { operations: [] };
    return !operations.some(
      (other) =>
        other.client === operation.client && other.clientTime > operation.clientTime && mayBeWritten(other.outcome),
    );
  }

  /** A group that let go of a delete before it met another one does not know it any more. */
  #mayBeForgotten({ places }: Operation): boolean {
    return places.some(({ origin }) => this.#standing.isDeparted(origin));
  }
}

/** A tombstone that has been stable for long enough is freed, in the end (invariant 8). */
export function checkTombstones({ states, header }: Recording, findings: Findings): void {
  for (const state of states) {
    if (!state.final || state.stable === 0) continue;
    // Folding lags by two windows, and comes at intervals: what one more has passed since is late.
    const limit = state.stable - 3 * header.retryWindow;
    for (const place of state.log) {
      if (place.value !== null || place.change !== null) continue;
      findings.looked('deletes');
      if (place.time > limit) continue;
      findings.violated('deletes', () => {
        return `${describeState(state)} still has the tombstone ${namePlace(place)} of ${place.key}, and all is stable up to ${state.stable}`;
      });
    }
  }
}
