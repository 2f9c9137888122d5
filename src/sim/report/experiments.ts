import { seededRandom } from '../../base/random.js';
import type { FleetSpec } from './fleet.js';
import type { LinkQuality, SizeOf } from './link-network.js';
import { type Outage, outage } from './outage.js';
import { type Propagation, propagation } from './propagation.js';
import { type Links, SITE_REPLICAS, TOPOLOGIES, TOPOLOGY_NAMES, type TopologyName } from './topology.js';
import { type Visited, type VisitorsSpec, visit } from './visitors.js';

export interface ReportOptions {
  readonly seed: number;
  /** How many replicas the largest fleet has, 3 at least. */
  readonly largest: number;
  readonly sizeOf: SizeOf;
  /** Told of each step, before it is made. */
  readonly onStep: (done: number, total: number, what: string) => void;
}

export interface OutageResult {
  readonly topology: TopologyName;
  readonly replicas: number;
  readonly what: string;
  readonly roams: number;
  readonly outage: Outage;
}

export interface GrowthResult extends Propagation {
  readonly topology: TopologyName;
  readonly replicas: number;
  readonly links: number;
}

export interface WeatherResult extends Visited {
  readonly topology: TopologyName;
  readonly replicas: number;
  readonly quality: LinkQuality;
  readonly propagation: Propagation;
}

export interface ReportData {
  readonly options: Pick<ReportOptions, 'seed' | 'largest'>;
  readonly outages: readonly OutageResult[];
  readonly loss: readonly WeatherResult[];
  readonly delay: readonly WeatherResult[];
  readonly growth: readonly GrowthResult[];
}

export const ANTI_ENTROPY_MS = 10_000;
export const LAN: LinkQuality = { minMs: 1, maxMs: 5, loss: 0 };
export const WAN: LinkQuality = { minMs: 20, maxMs: 60, loss: 0 };

const MINUTE_MS = 60_000;
export const OUTAGE = { beforeMs: 10 * MINUTE_MS, downMs: 60 * MINUTE_MS, afterMs: 10 * MINUTE_MS } as const;
export const WINDOW_MS = 2 * MINUTE_MS;
const OUTAGE_REPLICAS = 13;
const WEATHER_REPLICAS = 13;
export const LOSSES: readonly number[] = [0, 0.01, 0.05, 0.1, 0.2, 0.4];
export const DELAYS_MS: readonly number[] = [1, 10, 100, 500, 1_000];
export const SIZES: readonly number[] = [3, 10, 30, 100, 300, 1_000];
/** In a full mesh everybody tells everybody: beyond this it is left out. */
export const FULL_MESH_MAX = 300;
export const VISITORS: VisitorsSpec = { clients: 52, thinkMs: 4_000, keys: 100, writes: 0.1, roams: 0.02 };
const WEATHER_MS = 5 * MINUTE_MS;
const WRITES = 5;
const PATIENCE_MS = 60 * MINUTE_MS;

interface Step {
  readonly what: string;
  run(): void;
}

/** Runs every experiment: what a link that is down for an hour does, links that get worse, and fleets that grow. */
export function runExperiments(options: ReportOptions): ReportData {
  const outages: OutageResult[] = [];
  const loss: WeatherResult[] = [];
  const delay: WeatherResult[] = [];
  const growth: GrowthResult[] = [];
  const steps: Step[] = [
    ...outageSteps(options, (result) => outages.push(result)),
    ...LOSSES.flatMap((part) => weatherSteps(options, { ...WAN, loss: part }, (result) => loss.push(result))),
    ...DELAYS_MS.flatMap((ms) =>
      weatherSteps(options, { minMs: ms, maxMs: 2 * ms, loss: 0 }, (result) => delay.push(result)),
    ),
    ...growthSteps(options, (result) => growth.push(result)),
  ];
  for (const [i, step] of steps.entries()) {
    options.onStep(i, steps.length, step.what);
    step.run();
  }
  const { seed, largest } = options;
  return { options: { seed, largest }, outages, loss, delay, growth };
}

function outageSteps(options: ReportOptions, done: (result: OutageResult) => void): Step[] {
  const site = Array.from({ length: SITE_REPLICAS }, (_, i) => 1 + i);
  const cases: readonly (readonly [TopologyName, string, Links, readonly number[] | null])[] = [
    ['edge', 'the link of one site to the hub; the clients of that site', [[0, 1]], site],
    ['edge', 'the same; the clients of all others', [[0, 1]], others(site)],
    ['chain', 'the link in the middle; all clients', [[5, 6]], null],
    ['ring', 'one link; all clients', [[5, 6]], null],
    ['full', 'one link; all clients', [[5, 6]], null],
  ];
  return cases.map(([topology, what, cut, watched]) => ({
    what: `an outage in ${topology}: ${what}`,
    run: () => {
      const fleet = fleetSpec(options, topology, OUTAGE_REPLICAS, WAN);
      const { roams } = VISITORS;
      const times = { ...OUTAGE, windowMs: WINDOW_MS };
      const result = outage({ fleet, visitors: VISITORS, cut, watched, ...times });
      done({ topology, replicas: OUTAGE_REPLICAS, what, roams, outage: result });
    },
  }));
}

function others(than: readonly number[]): number[] {
  return Array.from({ length: OUTAGE_REPLICAS }, (_, i) => i).filter((i) => !than.includes(i));
}

function weatherSteps(options: ReportOptions, quality: LinkQuality, done: (result: WeatherResult) => void): Step[] {
  return TOPOLOGY_NAMES.map((topology) => ({
    what: `${topology} with ${100 * quality.loss} % loss, ${quality.minMs} to ${quality.maxMs} ms`,
    run: () => {
      const fleet = fleetSpec(options, topology, WEATHER_REPLICAS, quality);
      const visited = visit(fleet, VISITORS, WEATHER_MS);
      const spread = propagation(fleet, 2 * WRITES, PATIENCE_MS);
      done({ topology, replicas: WEATHER_REPLICAS, quality, ...visited, propagation: spread });
    },
  }));
}

function growthSteps(options: ReportOptions, done: (result: GrowthResult) => void): Step[] {
  return SIZES.filter((size) => size <= options.largest).flatMap((replicas) =>
    TOPOLOGY_NAMES.filter((name) => name !== 'full' || replicas <= FULL_MESH_MAX).map((topology) => ({
      what: `${topology} of ${replicas}`,
      run: () => {
        const fleet = fleetSpec(options, topology, replicas, LAN);
        const spread = propagation(fleet, replicas < 1_000 ? WRITES : 3, PATIENCE_MS);
        done({ topology, replicas, links: fleet.links.length, ...spread });
      },
    })),
  );
}

function fleetSpec(
  { seed, sizeOf }: ReportOptions,
  topology: TopologyName,
  replicas: number,
  quality: LinkQuality,
): FleetSpec {
  const links = TOPOLOGIES[topology].links(replicas, seededRandom(seed));
  return { replicas, links, quality, antiEntropyMs: ANTI_ENTROPY_MS, sizeOf, seed };
}
