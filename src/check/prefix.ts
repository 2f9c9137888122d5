import { countBefore } from '../base/search.js';
import { describePlace } from './operation.js';
import { covers, type Origin, type Place } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';
import type { Standing } from './standing.js';
import { describeState, type State } from './state.js';

/**
 * A replica holds every write that its vector covers (invariant 1), in its log or folded, unless a later write of the same
 * client on the same key, which it holds too, has replaced it; and it covers every write of its own.
 *
 * Looked at are the writes that a state covers and the one before it, of the same incarnation, did not, and those that left
 * the log between the two: so the work grows with what is new.
 */
export function checkPrefix(recording: Recording, standing: Standing, findings: Findings): void {
  const { origins, states } = recording;
  const runs = origins.all.map((origin) => {
    const places = [...origins.placesOf(origin).values()].flat().filter(({ operation }) => operation !== null);
    return places.sort((a, b) => a.time - b.time);
  });
  const previous = new Map<Origin, State>();
  for (const state of states) {
    const check = new StateCheck(state, recording.header.retryWindow, standing, findings);
    const before = previous.get(state.origin) ?? null;
    for (const [index, run] of runs.entries()) {
      const known = before?.seen[index] ?? 0;
      const covered = state.seen[index] ?? 0;
      if (covered <= known) continue;
      const from = countBefore(run.length, (at) => (run[at] as Place).time <= known);
      for (let at = from; at < run.length && (run[at] as Place).time <= covered; at++) check.holds(run[at] as Place);
    }
    for (const place of before?.log ?? []) if (covers(state.seen, place)) check.holds(place);
    check.coversOwn();
    previous.set(state.origin, state);
  }
}

class StateCheck {
  readonly #state: State;
  readonly #retryWindow: number;
  readonly #standing: Standing;
  readonly #findings: Findings;
  readonly #log: ReadonlySet<Place>;
  /** The log by keys; made when it is asked for. */
  #byKey: Map<string, Place[]> | null = null;

  constructor(state: State, retryWindow: number, standing: Standing, findings: Findings) {
    this.#state = state;
    this.#retryWindow = retryWindow;
    this.#standing = standing;
    this.#findings = findings;
    this.#log = new Set(state.log);
  }

  holds(place: Place): void {
    // Who rejoins takes its base store apart; what others stood over there is nowhere any more.
    if (this.#standing.isDeparted(place.origin)) return;
    this.#findings.looked('prefix');
    const { base } = this.#state;
    if (place.time <= base || this.#log.has(place) || this.#isReplaced(place) || this.#mayHaveYielded(place)) return;
    this.#findings.violated('prefix', () => {
      return `${describeState(this.#state)} covers ${describePlace(place)}, and holds neither it nor what replaces it`;
    });
  }

  coversOwn(): void {
    const { log, origin, seen } = this.#state;
    for (const place of log) {
      if (place.origin !== origin || covers(seen, place)) continue;
      this.#findings.violated('prefix', () => {
        return `${describeState(this.#state)} holds its own ${describePlace(place)}, and does not cover it`;
      });
    }
  }

  /** By a later operation of the client, or the same accepted anew, that stands after it. */
  #isReplaced(place: Place): boolean {
    const { operation } = place;
    return this.#onKey(place.key).some((other) => {
      if (other.operation === null || other.operation.client !== operation?.client) return false;
      const { clientTime } = other.operation;
      // What reads its key is there for itself, and so is what it reads.
      const isOverwritten = place.change === null && other.change === null && clientTime > operation.clientTime;
      const isLater = isOverwritten || (other.operation === operation && other.resubmitted === true);
      return isLater && this.#standing.order(place, other) < 0;
    });
  }

  /** A repeat leaves the log when what it yields to is folded. */
  #mayHaveYielded(place: Place): boolean {
    const { base } = this.#state;
    const { operation } = place;
    if (base === 0 || place.time - this.#retryWindow >= base) return false;
    return operation === null || operation.repeated || operation.accepted !== place;
  }

  #onKey(key: string): readonly Place[] {
    if (this.#byKey === null) {
      this.#byKey = new Map();
      for (const place of this.#state.log) {
        const places = this.#byKey.get(place.key);
        if (places === undefined) this.#byKey.set(place.key, [place]);
        else places.push(place);
      }
    }
    return this.#byKey.get(key) ?? [];
  }
}
