import type { GuaranteeName } from './history.js';
import {
  type Client,
  describeOperation,
  describePlace,
  describeRead,
  type Operation,
  type ReadStep,
} from './operation.js';
import { covers, type Place } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';
import type { Standing } from './standing.js';

/** What a session's reads of a key must show. */
interface Needs {
  /** The session's last write. */
  own: Operation | null;
  /** Those since that read the key: all of them count. */
  changes: Operation[];
  /** True if the session has read the key since, and asks for that instead. */
  isOwnReplaced: boolean;
  /** The last that it read. */
  found: Place | null;
  isFoundReplaced: boolean;
}

/**
 * Read-your-writes and monotonic-reads (Terry et al., PDIS 1994, under these names), for the sessions that asked for
 * them, per key: a read returns nothing that stands before the session's last write of the key (or what it read of it
 * last), and, in the set form, comes from a replica that claims to hold that write.
 */
export function checkReadGuarantees({ clients }: Recording, standing: Standing, findings: Findings): void {
  for (const client of clients.values()) {
    const { guarantees } = client;
    if (!guarantees.has('read-your-writes') && !guarantees.has('monotonic-reads')) continue;
    new SessionCheck(client, standing, findings).run();
  }
}

class SessionCheck {
  readonly #client: Client;
  readonly #standing: Standing;
  readonly #findings: Findings;
  readonly #needs = new Map<string, Needs>();

  constructor(client: Client, standing: Standing, findings: Findings) {
    this.#client = client;
    this.#standing = standing;
    this.#findings = findings;
  }

  run(): void {
    for (const step of this.#client.steps) {
      if (step.kind === 'read') {
        this.#check(step);
        this.#read(step);
      } else if (step.accepted !== null) this.#wrote(step.operation);
    }
  }

  #wrote(operation: Operation): void {
    const needs = this.#needsOf(operation.key);
    if (needs.own !== null && needs.own.clientTime > operation.clientTime) return;
    if (operation.change !== null) {
      needs.changes.push(operation);
      return;
    }
    needs.changes = [];
    needs.own = operation;
    needs.isOwnReplaced = false;
    if (this.#asks('read-your-writes')) needs.isFoundReplaced = true;
  }

  #read({ key, found }: ReadStep): void {
    if (found === null) return;
    const needs = this.#needsOf(key);
    if (needs.found === null || !this.#standing.isBeforePlace(found, needs.found)) needs.found = found;
    needs.isFoundReplaced = false;
    // A value that was read adds to what the key needs, unless one write has set it.
    if (!this.#asks('monotonic-reads') || isChange(found)) return;
    needs.isOwnReplaced = true;
    needs.changes = [];
  }

  #check(read: ReadStep): void {
    const { own, changes, found, isOwnReplaced, isFoundReplaced } = this.#needsOf(read.key);
    if (this.#asks('read-your-writes')) for (const change of changes) this.#checkHeld(read, change);
    if (own !== null && this.#asks('read-your-writes')) {
      this.#findings.looked('read-your-writes');
      if (this.#isOlderThan(read, own)) {
        const wrote = `its client had written ${describeOperation(own)}`;
        this.#findings.violated('read-your-writes', () => `${describeRead(read)}: ${wrote}`);
      }
      if (!isOwnReplaced) this.#checkHeld(read, own);
    }
    if (found === null || !this.#asks('monotonic-reads')) return;
    this.#findings.looked('monotonic-reads');
    // Where an operation that reads the key took effect it may take none once a write has come before it.
    if (!isChange(found) && this.#isOlderThanRead(read, found)) {
      this.#findings.violated('monotonic-reads', () => {
        return `${describeRead(read)}: its client had read ${describePlace(found)}`;
      });
    }
    if (read.seen === null || isFoundReplaced) return;
    this.#findings.looked('monotonic-reads-set');
    const isHeld = this.#holds(read.seen, found.operation ?? { places: [found] });
    if (isHeld || found.mayBe.length > 0) return;
    this.#findings.violated('monotonic-reads-set', () => {
      return `${describeRead(read)}: the replica does not claim ${describePlace(found)}, which its client had read`;
    });
  }

  #checkHeld(read: ReadStep, own: Operation): void {
    if (read.seen === null) return;
    this.#findings.looked('read-your-writes-set');
    if (this.#holds(read.seen, own)) return;
    const lacks = `the replica does not claim ${describeOperation(own)}, which its client had written`;
    this.#findings.violated('read-your-writes-set', () => `${describeRead(read)}: ${lacks}`);
  }

  #isOlderThan(read: ReadStep, own: Operation): boolean {
    if (read.found !== null) return this.#standing.isBefore(read.found, own);
    return own.value !== null && !this.#standing.mayBeDeleted(own, read.end ?? read.begin);
  }

  #isOlderThanRead(read: ReadStep, found: Place): boolean {
    if (read.found !== null) return this.#standing.isBeforePlace(read.found, found);
    return !this.#standing.mayPlaceBeDeleted(found, read.end ?? read.begin);
  }

  #holds(seen: readonly number[], { places }: Pick<Operation, 'places'>): boolean {
    return places.some((place) => covers(seen, place)) || this.#standing.mayBeGivenUp(places);
  }

  #asks(guarantee: GuaranteeName): boolean {
    return this.#client.guarantees.has(guarantee);
  }

  #needsOf(key: string): Needs {
    let needs = this.#needs.get(key);
    if (needs === undefined) {
      needs = { own: null, changes: [], isOwnReplaced: false, found: null, isFoundReplaced: false };
      this.#needs.set(key, needs);
    }
    return needs;
  }
}

/** True if the value there may be what several writes came to. */
function isChange({ operation, change, mayBe }: Place): boolean {
  return change !== null || (operation === null && mayBe.some((other) => other.change !== null));
}
