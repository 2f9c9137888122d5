import { effective, fold, isUnknown } from './fold.js';
import type { Merges } from './merge.js';
import { describeRead, mayBeWritten, type Operation, quoted, type ReadStep } from './operation.js';
import { type Claims, covers, type Place } from './place.js';
import type { KeyRecord, Recording } from './recording.js';
import type { Findings } from './report.js';
import type { Standing } from './standing.js';
import { describeState, type State } from './state.js';

/**
 * Each operation that reads its key counts once, where it stands (invariants 6 and 7): a state shows of a key what all writes
 * that it holds come to. Where it is known of each whether it was written, and under which stamp, that is one value; where it
 * is not, numbers that are only added to still have bounds.
 */
export function checkChanges(recording: Recording, standing: Standing, findings: Findings): void {
  for (const [key, record] of recording.keys) {
    if (!record.isChanged) continue;
    const check = new KeyCheck(key, record, recording, standing, findings);
    for (const state of recording.states) check.checkState(state);
    for (const { steps } of recording.clients.values()) {
      for (const step of steps) if (step.kind === 'read' && step.key === key) check.checkRead(step);
    }
  }
}

class KeyCheck {
  readonly #key: string;
  readonly #record: KeyRecord;
  readonly #retryWindow: number;
  readonly #merges: Merges;
  readonly #standing: Standing;
  readonly #findings: Findings;
  /** In order; null if it is not known of each operation where it stands. */
  readonly #places: readonly Place[] | null;
  /** True if all that is done to the key is that numbers above 0 are added. */
  readonly #isCounter: boolean;

  constructor(key: string, record: KeyRecord, recording: Recording, standing: Standing, findings: Findings) {
    this.#key = key;
    this.#record = record;
    this.#retryWindow = recording.header.retryWindow;
    this.#merges = recording.merges;
    this.#standing = standing;
    this.#findings = findings;
    const { operations, places } = record;
    const isKnown = places.every(({ operation }) => operation !== null) && !isUnknown(operations, recording.merges);
    const sent = operations.filter(({ outcome }) => mayBeWritten(outcome));
    this.#places = isKnown && sent.every((it) => this.#isSure(it)) ? [...places].sort(recording.order) : null;
    this.#isCounter =
      places.every(({ change }) => change !== 'total') &&
      operations.every(({ change, value }) => change === 'increment' && Number(value) > 0);
  }

  checkState(state: State): void {
    const at = state.store.findIndex(({ key }) => key === this.#key);
    const shown = at < 0 ? null : (state.values[at] ?? null);
    const log = new Set(state.log);
    const holds = (place: Place): boolean => covers(state.seen, place) || log.has(place);
    const describe = (): string => describeState(state);
    if (this.#places !== null) {
      this.#findings.looked('changes');
      const { value } = fold(effective(this.#places.filter(holds), this.#retryWindow), this.#merges);
      if (value !== shown) this.#tell(describe, shown, value === null ? 'nothing' : quoted(value));
    } else if (this.#isCounter) {
      this.#checkBounds(shown, holds, describe);
    }
  }

  /** Of what a replica holds beyond its claims a read tells nothing, so that there may be more. */
  checkRead(read: ReadStep): void {
    if (read.seen === null || !this.#isCounter) return;
    const { least } = this.#bounds((place) => covers(read.seen as Claims, place));
    this.#findings.looked('changes');
    if (Number(read.value ?? 0) < least) this.#tell(() => describeRead(read), read.value, `${least} at least`);
  }

  #checkBounds(shown: string | null, holds: (place: Place) => boolean, describe: () => string): void {
    const { least, most } = this.#bounds(holds);
    this.#findings.looked('changes');
    const number = Number(shown ?? 0);
    if (number < least || number > most) this.#tell(describe, shown, `${least} to ${most}`);
  }

  #bounds(holds: (place: Place) => boolean): { readonly least: number; readonly most: number } {
    let [least, most] = [0, 0];
    for (const operation of this.#record.operations) {
      const { places, value } = operation;
      const by = Number(value);
      if (places.some(holds)) {
        least += by;
        most += by * (this.#isOnce(operation) ? 1 : places.length);
        // Accepted anew so long after, it counts again, under a stamp that need not have been seen.
        if (this.#isOutlived(operation)) most += by * this.#standing.departures;
      } else if (mayBeWritten(operation.outcome) && !this.#isSure(operation)) {
        // Somebody may have accepted it under a stamp that nobody saw.
        most += by;
      }
    }
    return { least, most };
  }

  /** False if some of its stamps are too far apart to be told for one operation. */
  #isOnce({ places }: Operation): boolean {
    const times = places.map(({ time }) => time);
    return Math.max(...times) - Math.min(...times) < this.#retryWindow;
  }

  /** True if a replica that rejoined may have accepted it anew after the retry window. */
  #isOutlived({ places }: Operation): boolean {
    if (!places.some(({ origin }) => this.#standing.isDeparted(origin))) return false;
    return places.some(({ time }) => this.#standing.latest - time >= this.#retryWindow);
  }

  /** True if it was written, under one stamp, and will never have another. */
  #isSure({ outcome, repeated, places }: Operation): boolean {
    const [place] = places;
    if (outcome !== 'accepted' || repeated || place === undefined || places.length > 1) return false;
    return !this.#standing.isDeparted(place.origin);
  }

  #tell(describe: () => string, shown: string | null, expected: string): void {
    this.#findings.violated('changes', () => {
      const has = shown === null ? `no ${this.#key}` : `${this.#key} = ${quoted(shown)}`;
      return `${describe()} shows ${has}, and what it holds comes to ${expected}`;
    });
  }
}
