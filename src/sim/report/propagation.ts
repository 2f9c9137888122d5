import type { ClientId } from '../../base/ids.js';
import { Session } from '../../bayou/session.js';
import type { AcceptStamp } from '../../bayou/write.js';
import type { Driver } from '../../driver/driver.js';
import type { KvOperation } from '../../machine/kv.js';
import { Fleet, type FleetSpec, Spread } from './fleet.js';

/** How writes travel when nothing else happens: each is made once the one before it is everywhere. */
export interface Propagation {
  /** How long until every replica held a write, and until half of them did; the median over the writes. */
  readonly allMs: number;
  readonly halfMs: number;
  /** For each write: what was sent until it was everywhere, and for so long after it as a few messages take. */
  readonly messages: number;
  readonly bytes: number;
  /** How many writes were not everywhere in time; the figures are of the others. */
  readonly late: number;
}

const VALUE_BYTES = 100;
/** How often it is looked whether a write is everywhere. */
const STEP_MS = 10;
/** What still goes back and forth once a write is everywhere: news that is no news, and pulls that bring nothing. */
const AFTERMATH_MESSAGES = 6;

/** `patienceMs`: how long a write may take. */
export function propagation(spec: FleetSpec, writes: number, patienceMs: number): Propagation {
  const fleet = new Fleet(spec);
  const session = new Session<KvOperation>('writer' as ClientId);
  const all: number[] = [];
  const half: number[] = [];
  const messages: number[] = [];
  const bytes: number[] = [];
  for (let i = 0; i < writes; i++) {
    // Where a write begins decides how far it has to go: evenly spread, so that chance says little.
    const at = Math.floor(((i + 0.5) * spec.replicas) / writes);
    const before = fleet.network.traffic;
    const beganAt = fleet.now;
    const stamp = put(fleet.drivers[at] as Driver, session, `key-${i}`);
    const spread = new Spread(spec.replicas, stamp);
    spread.claimed(at, stamp.origin, stamp.acceptTime, beganAt);
    fleet.onClaim = (replica, origin, upTo) => spread.claimed(replica, origin, upTo, fleet.now);
    const deadline = beganAt + patienceMs;
    while (!spread.isDone && fleet.now < deadline) fleet.runUntil(Math.min(deadline, fleet.now + STEP_MS));
    if (!spread.isDone) continue;
    fleet.runUntil(fleet.now + AFTERMATH_MESSAGES * spec.quality.maxMs);
    const after = fleet.network.traffic;
    messages.push(after.messages - before.messages);
    bytes.push(after.bytes - before.bytes);
    all.push((spread.times.at(-1) as number) - beganAt);
    half.push((spread.times[spread.times.length >> 1] as number) - beganAt);
  }
  return {
    allMs: median(all),
    halfMs: median(half),
    messages: median(messages),
    bytes: median(bytes),
    late: writes - all.length,
  };
}

function put(driver: Driver, session: Session<KvOperation>, key: string): AcceptStamp {
  const stamps: AcceptStamp[] = [];
  driver.write(session.write(key, { kind: 'put', value: new Uint8Array(VALUE_BYTES) }), (outcome) => {
    if (outcome.ok && outcome.value.kind === 'accepted') stamps.push(outcome.value.stamp);
  });
  const [stamp] = stamps;
  // With storage in memory a write is answered at once.
  if (stamp === undefined) throw new Error('a write was refused');
  session.wrote(key, stamp, true);
  return stamp;
}

/** Not a number if there are none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which such a part of them is; not a number if there are none. */
export function quantile(values: readonly number[], part: number): number {
  if (values.length === 0) return Number.NaN;
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))] as number;
}
