import { describeOperation, describePlace, describeRead, mayBeWritten } from './operation.js';
import { namePlace } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';

/**
 * What is shown was written: every value comes from a write that a client sent, to that key, and that was not refused; and
 * was sent before it was read. (That a name or a stamp stands for one write only is found while the history is read.)
 */
export function checkOperations({ operations, keys, clients }: Recording, findings: Findings): void {
  for (const operation of operations) {
    const { outcome, places } = operation;
    if (outcome === null) {
      findings.violated('operations', () => `nobody sent ${describeOperation(operation)}, and a replica holds it`);
    } else if (!mayBeWritten(outcome) && places.length > 0) {
      findings.violated(
        'operations',
        () => `${describeOperation(operation)} is there, though it was refused (${outcome})`,
      );
    }
  }
  for (const { places } of keys.values()) {
    for (const place of places) {
      if (place.operation !== null || place.mayBe.length > 0 || place.change === 'total') continue;
      findings.violated('operations', () => `nobody wrote ${describePlace(place)}, and it was shown`);
    }
  }
  for (const { steps } of clients.values()) {
    for (const step of steps) {
      if (step.kind !== 'read' || step.found === null || step.end === null) continue;
      findings.looked('operations');
      const { found, end } = step;
      if (found.operation === null || found.operation.begin <= end) continue;
      findings.violated('operations', () => `${describeRead(step)}: ${namePlace(found)} was sent only later`);
    }
  }
}
