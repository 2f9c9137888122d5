import { checkAtMostOnce } from './at-most-once.js';
import { checkAtomicity } from './atomicity.js';
import { checkCausal } from './causal.js';
import { checkChanges } from './changes.js';
import { checkConvergence } from './convergence.js';
import { checkDurability } from './durability.js';
import type { Header, History, HistoryEvent } from './history.js';
import type { Merges } from './merge.js';
import { checkOperations } from './operations.js';
import { checkOracle, checkTombstones } from './oracle.js';
import { checkOrder } from './order.js';
import { checkPrefix } from './prefix.js';
import { checkReadGuarantees } from './read-guarantees.js';
import { Recording } from './recording.js';
import { type CheckReport, Findings } from './report.js';
import { Standing } from './standing.js';
import { checkStore } from './store.js';
import { checkVectors } from './vectors.js';
import { checkWriteGuarantees } from './write-guarantees.js';

const NONE: Merges = () => undefined;

/**
 * Says whether a recorded history keeps what Barista promises. It knows nothing of the cluster but the history, and shares
 * no code with it: what the order is, what a vector covers and what replaces what is said here once more.
 *
 * A correct history has no violations; where a history cannot tell, nothing is held against it.
 */
export function checkHistory({ header, events }: History, merges: Merges = NONE): CheckReport {
  const checker = new HistoryChecker(header, merges);
  for (const event of events) checker.take(event);
  return checker.report();
}

/** Checks a history that comes event by event. */
export class HistoryChecker {
  readonly #findings = new Findings();
  readonly #recording: Recording;

  /** `merges`: where what merge procedures do is looked up; what needs another is not checked. */
  constructor(header: Header, merges: Merges = NONE) {
    this.#recording = new Recording(header, this.#findings, merges);
  }

  take(event: HistoryEvent): void {
    this.#recording.take(event);
  }

  /** When there are no more events; once. */
  report(): CheckReport {
    const findings = this.#findings;
    const recording = this.#recording;
    recording.end();
    const standing = new Standing(recording);
    checkOperations(recording, findings);
    checkOrder(recording, findings);
    checkVectors(recording, findings);
    checkPrefix(recording, standing, findings);
    checkStore(recording, findings);
    checkOracle(recording, standing, findings);
    checkChanges(recording, standing, findings);
    checkAtMostOnce(recording, findings);
    checkTombstones(recording, findings);
    checkDurability(recording, standing, findings);
    checkConvergence(recording, findings);
    checkReadGuarantees(recording, standing, findings);
    checkWriteGuarantees(recording, standing, findings);
    checkCausal(recording, standing, findings);
    checkAtomicity(recording, standing, findings);
    const { reads, writes, states } = recording;
    const checks = findings.summaries;
    const ok = checks.every(({ violations }) => violations === 0);
    return { ok, reads, writes, states: states.length, checks, violations: findings.violations };
  }
}
