import { describeOperation, type Operation } from './operation.js';
import { covers, nameOrigin, type Origin, type Place } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';
import type { Standing } from './standing.js';
import { describeState, type State } from './state.js';

/**
 * Nothing that was acknowledged is lost, while one disk that holds it survives (invariant 2): each final state covers it, or
 * a later write of the same client on the same key; what only a lost disk held is excepted.
 */
export function checkDurability(recording: Recording, standing: Standing, findings: Findings): void {
  const finals = recording.states.filter(({ final }) => final);
  for (const state of finals) new FinalCheck(recording, standing, findings, finals, state).run();
}

class FinalCheck {
  readonly #recording: Recording;
  readonly #standing: Standing;
  readonly #findings: Findings;
  readonly #finals: ReadonlySet<Origin>;
  readonly #state: State;
  readonly #log: ReadonlySet<Place>;

  constructor(recording: Recording, standing: Standing, findings: Findings, finals: readonly State[], state: State) {
    this.#recording = recording;
    this.#standing = standing;
    this.#findings = findings;
    this.#finals = new Set(finals.map(({ origin }) => origin));
    this.#state = state;
    this.#log = new Set(state.log);
  }

  run(): void {
    for (const { operations } of this.#recording.keys.values()) {
      /** The last operation of each client on the key that is there. */
      const there = new Map<string, number>();
      for (const operation of operations) {
        const { client, clientTime, places } = operation;
        if (operation.change !== null || (there.get(client.id) ?? -1) >= clientTime) continue;
        if (this.#isThere(places)) there.set(client.id, clientTime);
      }
      for (const operation of operations) {
        const { accepted, client, clientTime } = operation;
        if (accepted === null || operation.acceptedAt >= this.#state.at) continue;
        this.#findings.looked('durability');
        // One that reads its key is replaced by no other.
        const isThere = operation.change === null ? (there.get(client.id) ?? -1) >= clientTime : false;
        if (isThere || this.#isThere(operation.places) || this.#mayBeGone(operation, accepted)) continue;
        this.#findings.violated('durability', () => {
          return `${describeOperation(operation)} was acknowledged at ${operation.acceptedAt} ms, and ${describeState(this.#state)} lacks it`;
        });
      }
    }
  }

  #isThere(places: readonly Place[]): boolean {
    return places.some((place) => this.#log.has(place) || covers(this.#state.seen, place));
  }

  /** True if nobody who held it is left, or it was accepted anew and then folded, under a stamp that nobody saw. */
  #mayBeGone(operation: Operation, accepted: Place): boolean {
    const holders = this.#recording.states.filter(
      ({ origin, seen }) => origin !== accepted.origin && covers(seen, accepted),
    );
    if (holders.some(({ origin, at }) => this.#isLeft(origin, at))) return false;
    if (!this.#isLeft(accepted.origin, operation.acceptedAt)) {
      if (!this.#standing.isDeparted(accepted.origin) || this.#isLost(accepted.origin, operation.acceptedAt))
        return true;
      return this.#mayBeFolded(operation);
    }
    return false;
  }

  /** True if the disk that held something at the time `since` is there at the end, under the same incarnation. */
  #isLeft(origin: Origin, since: number): boolean {
    return this.#finals.has(origin) && !this.#isLost(origin, since);
  }

  #isLost(origin: Origin, since: number): boolean {
    const name = nameOrigin(origin);
    return this.#recording.lives.some((life) => life.event === 'lost' && life.at >= since && nameOrigin(life) === name);
  }

  #mayBeFolded(operation: Operation): boolean {
    // What was accepted anew and folded is in the value, which tells no more of it.
    if (operation.change !== null) return true;
    const shown = this.#state.store.find(({ key }) => key === operation.key);
    if (shown === undefined) return operation.value === null || this.#standing.mayBeDeleted(operation, this.#state.at);
    return !this.#standing.isBefore(shown, operation);
  }
}
