import { hashText } from '../base/hash.js';
import { compareOrigins, type Origin, type ReplicaId, replicaIdOf } from '../base/ids.js';
import { ORIGINS_MAX } from '../base/limits.js';
import type { AcceptClock } from './clock.js';
import type { Attestation, Report } from './messages.js';
import type { VersionVector } from './version-vector.js';

/**
 * Who the members are, and what they hold. A member is the newest incarnation of a replica id that `seen` has an entry
 * of, unless it was retired. What each attests is taken over from a peer only together with all that the peer may claim,
 * so "the member stamps nothing up to here any more" always also means "and what it stamped up to here is held here".
 */
export class Membership {
  readonly #self: Origin;
  readonly #seen: VersionVector;
  readonly #retired: Set<Origin>;
  readonly #attestations = new Map<Origin, Attestation>();
  #view: readonly Origin[] = [];
  #inView: ReadonlySet<Origin> = new Set();
  /** Of each replica id, the newest incarnation that is known. */
  #newest = new Map<ReplicaId, Origin>();
  #viewName = 0;
  /** The sizes of `seen` and of the retired when the view was last made; neither ever loses an origin. */
  #madeFromSeen = -1;
  #madeFromRetired = -1;
  /** What this replica attested last. */
  #own: Attestation | null = null;

  #attested: number;

  /** `attested`: the highest clock this replica attested in an earlier life; 0 if none. */
  constructor(self: Origin, seen: VersionVector, retired: Iterable<Origin>, attested: number) {
    this.#self = self;
    this.#attested = attested;
    this.#seen = seen;
    this.#retired = new Set(retired);
  }

  /** The members as this replica knows them, by id. */
  view(): readonly Origin[] {
    if (this.#seen.size !== this.#madeFromSeen || this.#retired.size !== this.#madeFromRetired) {
      this.#madeFromSeen = this.#seen.size;
      this.#madeFromRetired = this.#retired.size;
      const newest = new Map<ReplicaId, Origin>([[replicaIdOf(this.#self), this.#self]]);
      for (const [origin] of this.#seen.entries()) {
        const id = replicaIdOf(origin);
        const known = newest.get(id);
        if (known === undefined || compareOrigins(known, origin) < 0) newest.set(id, origin);
      }
      this.#newest = newest;
      this.#view = [...newest.values()].filter((origin) => !this.#retired.has(origin)).sort(compareOrigins);
      this.#inView = new Set(this.#view);
      this.#viewName = hashText(this.#view.join(' '));
    }
    return this.#view;
  }

  /** True if this replica knows of no other member. */
  get alone(): boolean {
    const view = this.view();
    return view.length === 1 && view[0] === this.#self;
  }

  /** The highest clock this replica has attested: others may have folded what is older by the retry window. */
  get attested(): number {
    return this.#attested;
  }

  /** Promises to stamp nothing at or below `clock` any more. */
  promise(clock: number): void {
    this.#attested = Math.max(this.#attested, clock);
  }

  get retired(): readonly Origin[] {
    return [...this.#retired];
  }

  isRetired(origin: Origin): boolean {
    return this.#retired.has(origin);
  }

  isMember(origin: Origin): boolean {
    this.view();
    return this.#inView.has(origin);
  }

  /** A newer incarnation of the same replica id, if one is known. */
  successorOf(origin: Origin): Origin | null {
    this.view();
    const newest = this.#newest.get(replicaIdOf(origin)) ?? origin;
    return compareOrigins(newest, origin) > 0 ? newest : null;
  }

  /** True if the origin stamps no more: it was retired, or a newer incarnation of its replica id is known. */
  hasEnded(origin: Origin): boolean {
    return this.#retired.has(origin) || this.successorOf(origin) !== null;
  }

  /** True if that was not known. */
  retire(origin: Origin): boolean {
    if (this.#retired.has(origin)) return false;
    this.#retired.add(origin);
    return true;
  }

  /** This incarnation ends. What it attested binds the next one no more: that is another member. */
  leave(): void {
    this.#retired.add(this.#self);
    this.#attested = 0;
  }

  /**
   * The accept time up to which this replica holds every write of every member, and always will: each has attested, under
   * the same view, that it stamps nothing up to there any more.
   */
  held(clock: number): number {
    let held = clock;
    for (const member of this.view()) if (member !== this.#self) held = Math.min(held, this.#of(member)?.clock ?? 0);
    return held;
  }

  /** The accept time up to which every member holds every write, as far as this replica knows. */
  stable(clock: number): number {
    let stable = this.held(clock);
    for (const member of this.view()) if (member !== this.#self) stable = Math.min(stable, this.#of(member)?.held ?? 0);
    return stable;
  }

  /** The other members that attest to hold every write of every member up to `time`. */
  holding(time: number): readonly Origin[] {
    return this.view().filter((member) => member !== this.#self && (this.#of(member)?.held ?? 0) >= time);
  }

  /** The members that count the same members as this replica does, and so this replica among them. */
  vouchers(): readonly Origin[] {
    return this.view().filter((member) => this.#of(member) !== null);
  }

  /** The members that have not been heard from since the members were last changed; if all have, those that hold least. */
  waitsFor(): readonly Origin[] {
    const others = this.view().filter((member) => member !== this.#self);
    const unheard = others.filter((member) => this.#of(member) === null);
    if (unheard.length > 0) return unheard;
    const least = Math.min(...others.map((member) => this.#of(member)?.held ?? 0));
    return others.filter((member) => (this.#of(member)?.held ?? 0) === least);
  }

  /** What to tell a peer. Passes the clock up to what is attested, which must be durable before it is told. */
  report(clock: AcceptClock, now: number): Report {
    clock.advance(now);
    const held = this.held(clock.latest);
    const last = this.#own;
    this.view();
    // Of two attestations the one with the higher clock is the newer.
    if (last === null || ((last.held !== held || last.view !== this.#viewName) && last.clock === clock.latest)) {
      clock.observe(clock.latest + 1);
    }
    const own = { origin: this.#self, clock: clock.latest, held: this.held(clock.latest), view: this.#viewName };
    this.#own = own;
    this.promise(clock.latest);
    const others = this.view().flatMap((member) => this.#attestations.get(member) ?? []);
    return { attestations: [own, ...others], retired: this.retired };
  }

  /** Takes over what a peer reports, all of whose claims this replica may make by now. True if it retires someone. */
  adopt(report: Report): boolean {
    let changed = false;
    for (const origin of report.retired) {
      if (origin !== this.#self && this.#retired.size < ORIGINS_MAX) changed = this.retire(origin) || changed;
    }
    for (const attestation of report.attestations) {
      const { origin, clock } = attestation;
      if (origin === this.#self || !this.#seen.has(origin)) continue;
      if ((this.#attestations.get(origin)?.clock ?? -1) < clock) this.#attestations.set(origin, attestation);
    }
    return changed;
  }

  /** All that is kept here beside the members of `seen`, as a text: equal texts, equal answers ever after. */
  fingerprint(): string {
    const heard = [...this.#attestations.values(), this.#own].map((it) =>
      it === null ? 'none' : `${it.origin}:${it.clock}:${it.held}:${it.view}`,
    );
    return `${this.#attested} own ${heard.pop()} others ${heard.sort()} retired ${this.retired.toSorted()}`;
  }

  #of(member: Origin): Attestation | null {
    const attestation = this.#attestations.get(member);
    return attestation?.view === this.#viewName ? attestation : null;
  }
}
