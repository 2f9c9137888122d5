import { areOneBatch, describeOperation, describePlace } from './operation.js';
import { namePlace, type Place } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';
import { describeState } from './state.js';

/**
 * What a client has read or written before a write has a smaller stamp than the write (invariant 4); and logs are in the
 * order of the stamps.
 */
export function checkOrder({ operations, states, order }: Recording, findings: Findings): void {
  for (const operation of operations) {
    const { after, places } = operation;
    if (after === null) continue;
    for (const place of places) {
      // What is accepted anew stands after more, never after less.
      if (place.resubmitted === true) continue;
      findings.looked('order');
      if (order(after, place) < 0) continue;
      findings.violated('order', () => {
        return `${describeOperation(operation)} does not stand after what its client knew before: ${describePlace(after)}`;
      });
    }
  }
  for (const state of states) {
    findings.looked('order', state.log.length);
    for (let i = 1; i < state.log.length; i++) {
      const [before, place] = [state.log[i - 1] as Place, state.log[i] as Place];
      if (order(before, place) < 0 || areParts(before, place)) continue;
      findings.violated('order', () => `${describeState(state)} has ${namePlace(before)} before ${namePlace(place)}`);
    }
  }
}

/** True if both are parts of one batch, under one stamp. */
function areParts(a: Place, b: Place): boolean {
  if (a.operation === null || b.operation === null || a.key === b.key) return false;
  return a.time === b.time && a.origin === b.origin && areOneBatch(a.operation, b.operation);
}
