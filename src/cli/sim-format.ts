import type { Counts, Verdict } from '../sim/verdict.js';
import { formatCount } from './client-format.js';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

/**
 * What a run, or many together, did: a fact a line, its name first. `barista sim --help` documents it. `processorMs`: the
 * processor time it took, of all cores together; null if it is not known.
 */
export function formatSummary(
  { virtualMs, operations, faults, checked }: Totals,
  realMs: number,
  checkMs: number,
  processorMs: number | null,
): readonly string[] {
  const done = sum(operations);
  const perCore = processorMs === null ? '' : `, ${formatCount((done / processorMs) * MINUTE_MS)} a minute of one core`;
  return [
    `time ${formatDuration(virtualMs)} in ${formatDuration(realMs)}, ${formatCount(virtualMs / realMs)} times real time; checks took ${formatDuration(checkMs)}`,
    `operations ${formatCount(done)}, ${formatCount((done / realMs) * MINUTE_MS)} a minute${perCore}: ${formatCounts(operations)}`,
    `faults ${formatCount(sum(faults))}: ${formatCounts(mostFirst(faults))}`,
    `checked ${formatCounts(checked)}`,
  ];
}

export type Totals = Pick<Verdict, 'virtualMs' | 'operations' | 'faults' | 'checked'>;

export function addTotals(a: Totals, b: Totals): Totals {
  return {
    virtualMs: a.virtualMs + b.virtualMs,
    operations: addCounts(a.operations, b.operations),
    faults: addCounts(a.faults, b.faults),
    checked: addCounts(a.checked, b.checked),
  };
}

export const NO_TOTALS: Totals = { virtualMs: 0, operations: {}, faults: {}, checked: {} };

function addCounts(a: Counts, b: Counts): Counts {
  const sums: Record<string, number> = { ...a };
  for (const [name, count] of Object.entries(b)) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}

function sum(counts: Counts): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

/** The same, whatever came first. */
function mostFirst(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}

/** `put 1,200, get 800`; `none` if there are none. */
function formatCounts(counts: Counts): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return some.length === 0 ? 'none' : some.map(([name, count]) => `${name} ${formatCount(count)}`).join(', ');
}

/** `1.5 s`, `12 min`, `3 h`, `2.1 years`. */
export function formatDuration(ms: number): string {
  if (ms < MINUTE_MS) return `${rounded(ms / 1000)} s`;
  if (ms < HOUR_MS) return `${rounded(ms / MINUTE_MS)} min`;
  return ms < YEAR_MS ? `${rounded(ms / HOUR_MS)} h` : `${rounded(ms / YEAR_MS)} years`;
}

function rounded(number: number): string {
  return String(Math.round(number * 100) / 100);
}
