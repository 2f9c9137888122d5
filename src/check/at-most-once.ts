import { describePlace, describeRead, type Operation } from './operation.js';
import { type Claims, covers, namePlace, type Place } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';
import { describeState } from './state.js';

/**
 * An operation takes effect at most once (invariant 7): who claims to hold it under a lower stamp does not show it under a
 * higher one, within the retry window; unless that is where a replica that rejoined accepted it anew.
 */
export function checkAtMostOnce({ states, clients, keys, header, order }: Recording, findings: Findings): void {
  /** True if a later operation of the client on the key stands before it, so that it took no effect there. */
  const isOvertaken = ({ client, clientTime, key }: Operation, place: Place): boolean =>
    keys
      .get(key)
      ?.operations.some(
        (later) =>
          later.client === client &&
          later.clientTime > clientTime &&
          later.places.some((stamped) => order(stamped, place) < 0),
      ) === true;
  const check = (place: Place, seen: Claims, describe: () => string): void => {
    const { operation } = place;
    if (operation === null || operation.places.length < 2) return;
    findings.looked('at-most-once');
    if (place.resubmitted !== false) return;
    const first = operation.places.find(
      (other) => other.time < place.time && place.time - other.time < header.retryWindow && covers(seen, other),
    );
    if (first === undefined || isOvertaken(operation, first)) return;
    findings.violated('at-most-once', () => {
      return `${describe()} shows ${describePlace(place)}, though it took effect at ${namePlace(first)}`;
    });
  };
  for (const state of states) {
    for (const place of state.store) check(place, state.seen, () => describeState(state));
  }
  for (const { steps } of clients.values()) {
    for (const step of steps) {
      if (step.kind !== 'read' || step.found === null || step.seen === null) continue;
      check(step.found, step.seen, () => describeRead(step));
    }
  }
}
