import type { ClientId } from '../../base/ids.js';
import type { Random } from '../../base/random.js';
import { Session } from '../../bayou/session.js';
import type { AcceptStamp } from '../../bayou/write.js';
import type { Driver } from '../../driver/driver.js';
import type { KvOperation } from '../../machine/kv.js';
import { Fleet, type FleetSpec, order } from './fleet.js';
import { quantile } from './propagation.js';

export interface VisitorsSpec {
  readonly clients: number;
  /** How long a client waits between two operations, on average. */
  readonly thinkMs: number;
  readonly keys: number;
  /** The part of the operations that write. */
  readonly writes: number;
  /** The chance that a client goes to another replica before an operation. */
  readonly roams: number;
}

/** What clients saw. */
export interface Sights {
  reads: number;
  writes: number;
  /** Reads that another write was accepted for, somewhere, which they did not show yet. */
  stale: number;
  /** Operations that a replica could not serve, since it lacks what their session needs (ERR_DEP). */
  missing: number;
  /** For each read: for how long what it showed had not been the newest; 0 if it was. */
  readonly stalenessMs: number[];
}

export function noSights(): Sights {
  return { reads: 0, writes: 0, stale: 0, missing: 0, stalenessMs: [] };
}

const VALUE_BYTES = 100;

interface Accepted {
  readonly stamp: AcceptStamp;
  readonly at: number;
}

/** Clients with sessions of the default guarantees, that read and write a few shared keys, and roam. */
export class Visitors {
  /** What they see is counted here. */
  sights = noSights();
  readonly #fleet: Fleet;
  readonly #spec: VisitorsSpec;
  readonly #random: Random;
  /** Of each key, in the order of the stamps. */
  readonly #accepted = new Map<string, Accepted[]>();
  /** Whose sights are counted: those who are at one of these replicas; null: all. */
  readonly #watched: ReadonlySet<number> | null;

  constructor(fleet: Fleet, spec: VisitorsSpec, watched: ReadonlySet<number> | null = null) {
    this.#fleet = fleet;
    this.#spec = spec;
    this.#random = fleet.random;
    this.#watched = watched;
    for (let i = 0; i < spec.clients; i++) {
      const session = new Session<KvOperation>(`client-${i}` as ClientId);
      this.#wait(session, i % fleet.drivers.length);
    }
  }

  #wait(session: Session<KvOperation>, at: number): void {
    this.#fleet.scheduler.after(this.#random.below(2 * this.#spec.thinkMs + 1), () => this.#act(session, at));
  }

  #act(session: Session<KvOperation>, before: number): void {
    const { roams, keys, writes } = this.#spec;
    const at = this.#falls(roams) ? this.#random.below(this.#fleet.drivers.length) : before;
    const key = `key-${this.#random.below(keys)}`;
    const driver = this.#fleet.drivers[at] as Driver;
    const isWatched = this.#watched?.has(at) ?? true;
    const sights = isWatched ? this.sights : noSights();
    if (this.#falls(writes)) this.#write(driver, session, key, sights);
    else this.#read(driver, session, key, sights);
    this.#wait(session, at);
  }

  #write(driver: Driver, session: Session<KvOperation>, key: string, sights: Sights): void {
    sights.writes += 1;
    driver.write(session.write(key, { kind: 'put', value: new Uint8Array(VALUE_BYTES) }), (outcome) => {
      if (!outcome.ok) throw outcome.error;
      if (outcome.value.kind === 'missing') {
        sights.missing += 1;
        return;
      }
      const { stamp } = outcome.value;
      session.wrote(key, stamp, true);
      const accepted = this.#accepted.get(key) ?? [];
      this.#accepted.set(key, accepted);
      let place = accepted.length;
      while (place > 0 && order((accepted[place - 1] as Accepted).stamp, stamp) > 0) place -= 1;
      accepted.splice(place, 0, { stamp, at: this.#fleet.now });
    });
  }

  #read(driver: Driver, session: Session<KvOperation>, key: string, sights: Sights): void {
    sights.reads += 1;
    driver.read(session.read(key), (outcome) => {
      if (!outcome.ok) throw outcome.error;
      const reply = outcome.value;
      if (reply.kind === 'missing') {
        sights.missing += 1;
        return;
      }
      if (reply.kind === 'found') session.found(key, reply.stamp, undefined, reply.basis);
      const staleness = this.#stalenessOf(key, reply.kind === 'found' ? reply.stamp : null);
      if (staleness > 0) sights.stale += 1;
      sights.stalenessMs.push(staleness);
    });
  }

  #stalenessOf(key: string, shown: AcceptStamp | null): number {
    const accepted = this.#accepted.get(key) ?? [];
    let newer = accepted.length;
    while (newer > 0 && (shown === null || order((accepted[newer - 1] as Accepted).stamp, shown) > 0)) newer -= 1;
    // Stamps follow the wall clock, so the first that is newer was also accepted first.
    const first = accepted[newer];
    return first === undefined ? 0 : this.#fleet.now - first.at;
  }

  #falls(chance: number): boolean {
    return this.#random.below(1_000_000) < chance * 1_000_000;
  }
}

export interface Visited {
  /** Parts of the reads, and of all operations. */
  readonly stale: number;
  readonly missing: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly bytesPerWrite: number;
}

/** What clients see during so much time, when nothing changes. */
export function visit(spec: FleetSpec, visitors: VisitorsSpec, durationMs: number): Visited {
  const fleet = new Fleet(spec);
  const clients = new Visitors(fleet, visitors);
  // Until every key is there.
  fleet.runUntil(fleet.now + durationMs / 4);
  clients.sights = noSights();
  const { bytes } = fleet.network.traffic;
  fleet.runUntil(fleet.now + durationMs);
  const { reads, writes, stale, missing, stalenessMs } = clients.sights;
  return {
    stale: stale / Math.max(1, reads),
    missing: missing / Math.max(1, reads + writes),
    medianMs: quantile(stalenessMs, 0.5),
    p99Ms: quantile(stalenessMs, 0.99),
    bytesPerWrite: (fleet.network.traffic.bytes - bytes) / Math.max(1, writes),
  };
}
