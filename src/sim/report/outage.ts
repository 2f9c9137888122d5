import type { Status } from '../../bayou/admin-messages.js';
import { VersionVector } from '../../bayou/version-vector.js';
import { Fleet, type FleetSpec } from './fleet.js';
import { quantile } from './propagation.js';
import { noSights, Visitors, type VisitorsSpec } from './visitors.js';

export interface OutageSpec {
  readonly fleet: FleetSpec;
  readonly visitors: VisitorsSpec;
  /** The links that go down. */
  readonly cut: readonly (readonly [number, number])[];
  /** The replicas whose clients are watched; null: all. */
  readonly watched: readonly number[] | null;
  readonly beforeMs: number;
  readonly downMs: number;
  readonly afterMs: number;
  readonly windowMs: number;
}

/** What was seen, and sent, during a part of the time. */
export interface Window {
  /** When it ended, from the moment that the link went down; negative before. */
  readonly endMs: number;
  readonly reads: number;
  readonly writes: number;
  /** Parts of the reads, and of all operations. */
  readonly stale: number;
  readonly missing: number;
  /** Half of the reads, and all but a hundredth, showed what had not been the newest for no longer than this. */
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly bytesPerSecond: number;
}

export interface Outage {
  readonly windows: readonly Window[];
  /** From the moment that the link was up again until every replica held all that was accepted until then. */
  readonly caughtUpMs: number | null;
}

const LOOK_MS = 50;

/** A link goes down, and comes back, while clients go on. */
export function outage({ fleet: spec, visitors, cut, watched, ...times }: OutageSpec): Outage {
  const fleet = new Fleet(spec);
  const clients = new Visitors(fleet, visitors, watched === null ? null : new Set(watched));
  const downAt = fleet.now + times.beforeMs;
  const upAt = downAt + times.downMs;
  const windows: Window[] = [];
  const watchUntil = (end: number): void => {
    while (fleet.now < end) {
      const { bytes } = fleet.network.traffic;
      clients.sights = noSights();
      fleet.runUntil(Math.min(end, fleet.now + times.windowMs));
      const { reads, writes, stale, missing, stalenessMs } = clients.sights;
      windows.push({
        endMs: fleet.now - downAt,
        reads,
        writes,
        stale: stale / Math.max(1, reads),
        missing: missing / Math.max(1, reads + writes),
        medianMs: quantile(stalenessMs, 0.5),
        p99Ms: quantile(stalenessMs, 0.99),
        bytesPerSecond: ((fleet.network.traffic.bytes - bytes) / times.windowMs) * 1_000,
      });
    }
  };
  const setDown = (isDown: boolean): void => {
    for (const [a, b] of cut) fleet.network.setDown(a, b, isDown);
  };
  watchUntil(downAt);
  setDown(true);
  watchUntil(upAt);
  setDown(false);
  const due = new VersionVector();
  for (const seen of vectorsOf(fleet)) due.merge(seen);
  let caughtUpMs: number | null = null;
  const look = (): void => {
    if (vectorsOf(fleet).every((seen) => seen.dominates(due))) caughtUpMs = fleet.now - upAt;
    else fleet.scheduler.after(LOOK_MS, look);
  };
  look();
  watchUntil(upAt + times.afterMs);
  return { windows, caughtUpMs };
}

function vectorsOf(fleet: Fleet): VersionVector[] {
  return fleet.drivers.map((driver) => {
    const statuses: Status[] = [];
    driver.status((outcome) => {
      if (outcome.ok) statuses.push(outcome.value);
    });
    return (statuses[0] as Status).seen;
  });
}
