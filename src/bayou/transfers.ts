import type { ReplicaId } from '../base/ids.js';
import type { Resume } from './messages.js';
import type { VersionVector } from './version-vector.js';

interface Transfer {
  /** Everything at or below is held here, or replaced by what is held here or still to come under `target`. */
  readonly received: VersionVector;
  /** The `seen` of the last reply; null before the first. */
  readonly target: VersionVector | null;
  /** True if what comes next was too far ahead of the wall clock. */
  readonly waits: boolean;
}

/**
 * Where each pull of this replica stands. A transfer is chained to the vector its last reply carried: it goes on with
 * any peer whose `seen` dominates that target, which the peer decides, since only it knows its vector.
 */
export class Transfers {
  readonly #active = new Map<ReplicaId, Transfer>();
  /** The last transfer that was cut, for the next peer to go on with. */
  #interrupted: Resume | null;
  /** Where the transfer stands that moved last, for who comes back after a restart. */
  #latest: Resume | null;

  /** `resume`: a transfer that was under way when the replica was last running; null if none was. */
  constructor(resume: Resume | null) {
    this.#interrupted = resume;
    this.#latest = resume;
  }

  get latest(): Resume | null {
    return this.#latest;
  }

  /** How far each transfer has come that is under way, or was cut. */
  get received(): readonly VersionVector[] {
    const active = [...this.#active.values()].map(({ received }) => received);
    return [...active, ...[this.#interrupted, this.#latest].flatMap((cut) => cut?.received ?? [])];
  }

  /** What the next request to `peer` says of the transfer; null if it starts from `seen`. */
  resume(peer: ReplicaId, seen: VersionVector): Resume | null {
    const active = this.#active.get(peer);
    const from = active ?? this.#interrupted;
    const waits = active?.waits === true;
    if (from === null || from.target === null) {
      this.#active.set(peer, { received: seen, target: null, waits });
      return null;
    }
    const received = from.received.clone();
    received.merge(seen);
    this.#active.set(peer, { received, target: from.target, waits });
    return { received, target: from.target };
  }

  /** A batch is integrated; the transfer's `received` is now `received`, its target the reply's `seen`. */
  advance(peer: ReplicaId, received: VersionVector, target: VersionVector): void {
    this.#active.set(peer, { received, target, waits: false });
    this.#latest = { received, target };
  }

  /** As `advance`, but the next write the peer has to give cannot be taken yet. */
  wait(peer: ReplicaId, received: VersionVector, target: VersionVector): void {
    this.#active.set(peer, { received, target, waits: true });
  }

  /** True if a request went out to the peer, and no transfer was forgotten since. */
  isUnderWay(peer: ReplicaId): boolean {
    return this.#active.has(peer);
  }

  /** Forgets where the transfer from the peer stands. */
  forget(peer: ReplicaId): void {
    this.#active.delete(peer);
  }

  waits(peer: ReplicaId): boolean {
    return this.#active.get(peer)?.waits === true;
  }

  /** The last reply left nothing: `seen` now dominates `target`. */
  finish(peer: ReplicaId, seen: VersionVector): void {
    this.#active.delete(peer);
    if (this.#interrupted !== null && seen.dominates(this.#interrupted.target)) this.#interrupted = null;
    if (this.#latest !== null && seen.dominates(this.#latest.target)) this.#latest = null;
  }

  /** All that is kept here, as a text: equal texts, equal answers ever after. `restarts`: with what only a restart reads. */
  fingerprint(seen: VersionVector, restarts: boolean): string {
    // Who goes on with a transfer adds `seen` to what was received; before there is a target nobody looks at that.
    const place = (it: Omit<Transfer, 'waits'> | null): string => {
      if (it?.target == null) return 'none';
      const received = it.received.clone();
      received.merge(seen);
      return `${received} to ${it.target}`;
    };
    const active = [...this.#active].map(([peer, it]) => `${peer} ${place(it)} ${it.waits}`);
    return `${active.sort()} cut ${place(this.#interrupted)} latest ${place(restarts ? this.#latest : null)}`;
  }

  /** Forgets where all transfers stand: some of what they brought is gone. */
  reset(): void {
    this.#active.clear();
    this.#interrupted = null;
    this.#latest = null;
  }

  /**
   * The peer did not answer, or answered what cannot be used. A transfer that waits stays with its peer: others lack
   * what it waits for, and so could not go on with it.
   */
  interrupt(peer: ReplicaId): void {
    const transfer = this.#active.get(peer);
    if (transfer?.waits === true) return;
    this.#active.delete(peer);
    if (transfer?.target != null) this.#interrupted = { received: transfer.received, target: transfer.target };
  }
}
