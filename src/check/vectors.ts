import { countBefore } from '../base/search.js';
import type { ReadStep } from './operation.js';
import { describeRead } from './operation.js';
import { type Claims, nameOrigin, type Origin } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';
import { describeState, type State } from './state.js';

/** What a replica must claim from some time on. */
interface Acknowledged {
  readonly at: number;
  readonly time: number;
}

/**
 * What a replica claims to hold never goes back (invariant 2): neither from one state to the next of an incarnation, nor
 * behind what it has told a client that it accepted, nor in what it claims with a read. What a lost disk held is excepted.
 */
export function checkVectors(recording: Recording, findings: Findings): void {
  new VectorCheck(recording, findings).run();
}

class VectorCheck {
  readonly #recording: Recording;
  readonly #findings: Findings;
  /** By replica, as time goes. */
  readonly #states = new Map<string, State[]>();
  readonly #acknowledged = new Map<Origin, Acknowledged[]>();
  readonly #lost = new Map<Origin, number[]>();

  constructor(recording: Recording, findings: Findings) {
    this.#recording = recording;
    this.#findings = findings;
    for (const state of recording.states) push(this.#states, state.origin.replica, state);
    for (const states of this.#states.values()) states.sort((a, b) => a.at - b.at);
    for (const { accepted, acceptedAt } of recording.operations) {
      if (accepted !== null) push(this.#acknowledged, accepted.origin, { at: acceptedAt, time: accepted.time });
    }
    for (const list of this.#acknowledged.values()) this.#makeRunning(list);
    for (const { event, replica, incarnation, at } of recording.lives) {
      if (event === 'lost') push(this.#lost, recording.origins.at(replica, incarnation), at);
    }
  }

  run(): void {
    for (const states of this.#states.values()) {
      for (const [i, state] of states.entries()) {
        this.#checkOwn(state);
        const before = states[i - 1];
        if (before?.origin === state.origin && !this.#isLost(state.origin, before.at, state.at)) {
          this.#compare(state.seen, before, () => describeState(state));
        }
      }
    }
    for (const { steps } of this.#recording.clients.values()) {
      for (const step of steps) if (step.kind === 'read') this.#checkRead(step);
    }
  }

  /** What it acknowledged before, under this incarnation, it claims. */
  #checkOwn(state: State): void {
    const { origin, at, seen } = state;
    const acknowledged = this.#acknowledged.get(origin) ?? [];
    const last = acknowledged[countBefore(acknowledged.length, (i) => (acknowledged[i] as Acknowledged).at < at) - 1];
    if (last === undefined || this.#isLost(origin, Number.NEGATIVE_INFINITY, at)) return;
    this.#findings.looked('vectors');
    const claimed = seen[origin.index] ?? 0;
    if (claimed >= last.time) return;
    this.#findings.violated('vectors', () => {
      return `${describeState(state)} claims its own writes up to ${claimed}, and it had acknowledged one at ${last.time}`;
    });
  }

  /** Only between states of one incarnation, so that it is known who answered. */
  #checkRead(read: ReadStep): void {
    const { seen, replica, begin, end } = read;
    const states = replica === null || seen === null ? undefined : this.#states.get(replica);
    if (states === undefined || seen === null) return;
    const next = countBefore(states.length, (i) => (states[i] as State).at < begin);
    const before = states[next - 1];
    const after = states[next];
    if (before === undefined || after?.origin !== before.origin || after.at < (end ?? begin)) return;
    if (this.#isLost(before.origin, before.at, after.at)) return;
    this.#compare(seen, before, () => describeRead(read));
  }

  #compare(seen: Claims, before: State, describe: () => string): void {
    this.#findings.looked('vectors');
    const index = before.seen.findIndex((time, at) => time > (seen[at] ?? 0));
    if (index < 0) return;
    this.#findings.violated('vectors', () => {
      const name = nameOrigin(this.#recording.origins.all[index] as Origin);
      const [was, is] = [before.seen[index], seen[index] ?? 0];
      return `${describe()} claims ${name} up to ${is}, and ${describeState(before)} up to ${was}`;
    });
  }

  #isLost(origin: Origin, from: number, to: number): boolean {
    return this.#lost.get(origin)?.some((at) => at >= from && at <= to) === true;
  }

  #makeRunning(list: Acknowledged[]): void {
    list.sort((a, b) => a.at - b.at);
    for (let i = 1; i < list.length; i++) {
      const time = Math.max((list[i] as Acknowledged).time, (list[i - 1] as Acknowledged).time);
      list[i] = { at: (list[i] as Acknowledged).at, time };
    }
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
