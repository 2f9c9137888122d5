import type { GrowthResult, OutageResult, ReportData, WeatherResult } from '../sim/report/experiments.js';
import { TOPOLOGY_NAMES, type TopologyName } from '../sim/report/topology.js';
import { formatDuration } from './sim-format.js';

/** Lines over one axis, for uPlot: `columns` are the x values and then those of each series; null where there is none. */
export interface Chart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly unit: 'ms' | 'bytes' | 'percent' | 'count' | 'minutes';
  readonly xUnit: 'minutes' | 'percent' | 'ms' | 'count';
  readonly isLog: boolean;
  readonly series: readonly string[];
  readonly columns: readonly (readonly (number | null)[])[];
}

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Section {
  readonly title: string;
  /** Paragraphs; what is measured, and what it comes to. */
  readonly text: readonly string[];
  readonly charts: readonly Chart[];
  readonly table: Table;
}

const MINUTE_MS = 60_000;
/** What the growth is drawn out to. */
const FAR = 10_000;

export function sectionsOf(data: ReportData): readonly Section[] {
  return [
    ...data.outages.map(outageSection),
    weatherSection(
      'When links lose messages',
      data.loss,
      'messages lost',
      ({ quality }) => 100 * quality.loss,
      'percent',
    ),
    weatherSection('When links are slow', data.delay, 'one way', ({ quality }) => quality.minMs, 'ms'),
    growthSection(data.growth),
  ];
}

function outageSection({ topology, replicas, what, outage }: OutageResult): Section {
  const { windows, caughtUpMs } = outage;
  const down = windows.filter(({ endMs }) => endMs > 0 && endMs <= 60 * MINUTE_MS);
  const before = windows.filter(({ endMs }) => endMs <= 0);
  const last = down.at(-1);
  const minutes = windows.map(({ endMs }) => endMs / MINUTE_MS);
  const columns = (of: (window: (typeof windows)[number]) => number): (number | null)[] =>
    windows.map((window) => finite(of(window)));
  const mean = (of: readonly (typeof windows)[number][], what: 'stale' | 'missing'): number =>
    of.reduce((sum, window) => sum + window[what], 0) / Math.max(1, of.length);
  const traffic = Math.max(...windows.map(({ bytesPerSecond }) => bytesPerSecond));
  return {
    title: `A link is down for an hour: ${topology} of ${replicas}, ${what}`,
    text: [
      'Every replica goes on serving, alone if it must. What clients notice is age, and ERR_DEP where a session has seen more ' +
        'than the replica that it came to.',
      `Reads that were not the newest: ${percent(mean(before, 'stale'))} before, ${percent(mean(down, 'stale'))} while the ` +
        `link was down${last === undefined ? '' : `; at its end the oldest hundredth of the reads was ${formatDuration(last.p99Ms)} behind`}. ` +
        `Operations that got ERR_DEP: ${percent(mean(before, 'missing'))} before, ${percent(mean(down, 'missing'))} while it was down.`,
      caughtUpMs === null
        ? 'The replicas did not catch up within the time that was watched.'
        : `Once the link was up every replica held all that was written until then after ${formatDuration(caughtUpMs)}; ` +
          `all links together carried at most ${bytes(traffic)} a second.`,
    ],
    charts: [
      {
        title: 'Reads that are not the newest, and operations with ERR_DEP',
        x: 'minutes since the link went down',
        y: 'part',
        unit: 'percent',
        xUnit: 'minutes',
        isLog: false,
        series: ['stale reads', 'ERR_DEP'],
        columns: [minutes, columns(({ stale }) => 100 * stale), columns(({ missing }) => 100 * missing)],
      },
      {
        title: 'How old what was read is',
        x: 'minutes since the link went down',
        y: 'age',
        unit: 'minutes',
        xUnit: 'minutes',
        isLog: false,
        series: ['median', 'oldest hundredth'],
        columns: [minutes, columns(({ medianMs }) => medianMs / MINUTE_MS), columns(({ p99Ms }) => p99Ms / MINUTE_MS)],
      },
      {
        title: 'Traffic between replicas',
        x: 'minutes since the link went down',
        y: 'bytes a second',
        unit: 'bytes',
        xUnit: 'minutes',
        isLog: false,
        series: ['all links'],
        columns: [minutes, columns(({ bytesPerSecond }) => bytesPerSecond)],
      },
    ],
    table: {
      head: ['minute', 'reads', 'stale', 'median age', 'oldest 1 %', 'ERR_DEP', 'bytes/s'],
      rows: windows
        .filter((_, i) => i % 5 === 4)
        .map((window) => [
          String(Math.round(window.endMs / MINUTE_MS)),
          count(window.reads),
          percent(window.stale),
          duration(window.medianMs),
          duration(window.p99Ms),
          percent(window.missing),
          bytes(window.bytesPerSecond),
        ]),
    },
  };
}

function weatherSection(
  title: string,
  results: readonly WeatherResult[],
  x: string,
  xOf: (result: WeatherResult) => number,
  xUnit: 'percent' | 'ms',
): Section {
  const xs = [...new Set(results.map(xOf))];
  const columns = (of: (result: WeatherResult) => number): (number | null)[][] => [
    xs,
    ...TOPOLOGY_NAMES.map((name) =>
      xs.map((at) => {
        const found = results.find((result) => result.topology === name && xOf(result) === at);
        return found === undefined ? null : finite(of(found));
      }),
    ),
  ];
  const chart = (title: string, unit: Chart['unit'], of: (result: WeatherResult) => number, isLog = false): Chart => ({
    title,
    x,
    y: unit,
    unit,
    xUnit,
    isLog,
    series: TOPOLOGY_NAMES,
    columns: columns(of),
  });
  const replicas = results[0]?.replicas ?? 0;
  return {
    title,
    text: [
      `${replicas} replicas; clients that roam read and write a few shared keys. A message that is lost costs the exchange ` +
        'it is part of: news is told again with the next write, a pull is tried again after its time-out or at the next ' +
        'interval. Nothing is lost but time.',
    ],
    charts: [
      chart('Until a write is everywhere (median)', 'ms', ({ propagation }) => propagation.allMs, true),
      chart('Reads that are not the newest', 'percent', ({ stale }) => 100 * stale),
      chart('Operations with ERR_DEP', 'percent', ({ missing }) => 100 * missing),
      chart('Sent between replicas for each write', 'bytes', ({ bytesPerWrite }) => bytesPerWrite),
    ],
    table: {
      head: ['topology', x, 'everywhere', 'stale reads', 'oldest 1 %', 'ERR_DEP', 'bytes a write'],
      rows: results.map((result) => [
        result.topology,
        xUnit === 'percent' ? `${xOf(result)} %` : `${xOf(result)} to ${2 * xOf(result)} ms`,
        duration(result.propagation.allMs),
        percent(result.stale),
        duration(result.p99Ms),
        percent(result.missing),
        bytes(result.bytesPerWrite),
      ]),
    },
  };
}

function growthSection(results: readonly GrowthResult[]): Section {
  const sizes = [...new Set(results.map(({ replicas }) => replicas))];
  const of = (topology: TopologyName): readonly GrowthResult[] => results.filter((it) => it.topology === topology);
  const chart = (title: string, unit: Chart['unit'], value: (result: GrowthResult) => number): Chart => ({
    title,
    x: 'replicas',
    y: unit,
    unit,
    xUnit: 'count',
    isLog: true,
    series: TOPOLOGY_NAMES,
    columns: [
      sizes,
      ...TOPOLOGY_NAMES.map((name) =>
        sizes.map((size) => {
          const found = of(name).find(({ replicas }) => replicas === size);
          return found === undefined ? null : finite(value(found));
        }),
      ),
    ],
  });
  const far = TOPOLOGY_NAMES.map((name) => [
    name,
    ...[
      [(it: GrowthResult) => it.allMs, duration] as const,
      [(it: GrowthResult) => it.messages, count] as const,
      [(it: GrowthResult) => it.bytes, bytes] as const,
    ].map(([value, format]) => format(drawnOut(of(name), value))),
  ]);
  return {
    title: 'When there are more replicas',
    text: [
      'One write, made when nothing else happens, on links of 1 to 5 ms: how long until every replica holds it, and what ' +
        'was sent for it. Each replica pulls a write once, whatever the topology; what grows is how often it is told of, ' +
        'and the vector that every exchange carries: an entry for each replica that ever was a member.',
      `Drawn out from the two largest sizes to ${count(FAR)} replicas: ${far
        .map(([name, all, messages, sent]) => `${name} ${all}, ${messages} messages, ${sent} a write`)
        .join(
          '; ',
        )}. Of these, only the messages between neighbours are work at one replica; the vector is what to watch: ` +
        'at that size a few hundred kilobytes for each exchange, so members that do not come back should be retired.',
    ],
    charts: [
      chart('Until a write is everywhere', 'ms', ({ allMs }) => allMs),
      chart('Messages for a write', 'count', ({ messages }) => messages),
      chart('Bytes for a write', 'bytes', ({ bytes: sent }) => sent),
    ],
    table: {
      head: ['topology', 'replicas', 'links', 'half hold it', 'all hold it', 'messages', 'bytes', 'bytes a replica'],
      rows: results.map((it) => [
        it.topology,
        count(it.replicas),
        count(it.links),
        duration(it.halfMs),
        duration(it.allMs),
        count(it.messages),
        bytes(it.bytes),
        bytes(it.bytes / it.replicas),
      ]),
    },
  };
}

/** The power law through the last two sizes, at a size beyond them. */
function drawnOut(results: readonly GrowthResult[], value: (result: GrowthResult) => number): number {
  const [a, b] = results.slice(-2);
  if (a === undefined || b === undefined) return Number.NaN;
  const power = Math.log(value(b) / value(a)) / Math.log(b.replicas / a.replicas);
  return value(b) * (FAR / b.replicas) ** power;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function duration(ms: number): string {
  if (Number.isNaN(ms)) return 'not in time';
  return ms < 1_000 ? `${Math.round(ms)} ms` : formatDuration(ms);
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}

function count(value: number): string {
  return Number.isNaN(value) ? '' : Math.round(value).toLocaleString('en');
}

function bytes(value: number): string {
  if (Number.isNaN(value)) return '';
  if (value < 1_000) return `${Math.round(value)} B`;
  if (value < 1e6) return `${(value / 1e3).toFixed(1)} kB`;
  return `${(value / 1e6).toFixed(1)} MB`;
}
