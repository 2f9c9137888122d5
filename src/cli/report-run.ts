import { writeFileSync } from 'node:fs';
import { toBaristaError } from '../base/errors.js';
import { ANTI_ENTROPY_MS, OUTAGE, runExperiments, VISITORS, WAN } from '../sim/report/experiments.js';
import { TOPOLOGIES, TOPOLOGY_NAMES } from '../sim/report/topology.js';
import { sectionsOf } from './report-figures.js';
import { pageOf } from './report-page.js';
import { formatDuration } from './sim-format.js';
import type { SimScreen } from './sim-screen.js';
import { wireSize } from './wire-size.js';

/** What `barista sim --report` was asked to do. */
export interface ReportRequest {
  readonly kind: 'report';
  readonly file: string;
  readonly seed: number;
  /** How many replicas the largest fleet has. */
  readonly largest: number;
}

/** Runs the experiments of the report and writes it. The exit status. */
export function runReport({ file, seed, largest }: ReportRequest, screen: SimScreen): number {
  const startedAt = performance.now();
  const data = runExperiments({
    seed,
    largest,
    sizeOf: wireSize,
    onStep: (done, total, what) => screen.progress(() => `${done + 1} of ${total}: ${what}`),
  });
  try {
    writeFileSync(file, pageOf('What a network does to Barista', introOf(seed, largest), sectionsOf(data)));
  } catch (thrown) {
    throw toBaristaError(thrown, 'ERR_OUTPUT');
  }
  screen.print(`report ${file} in ${formatDuration(performance.now() - startedAt)}`);
  return 0;
}

function introOf(seed: number, largest: number): readonly string[] {
  const { clients, thinkMs, keys, writes, roams } = VISITORS;
  return [
    `Simulated, with the real replicas on virtual time (seed ${seed}, up to ${largest.toLocaleString('en')} replicas; ` +
      `barista sim --report FILE --seed ${seed} --largest ${largest} gives the same figures). Replicas exchange writes as ` +
      `soon as there are some, and every ${formatDuration(ANTI_ENTROPY_MS)} in any case. Messages are counted as long as ` +
      'they are on the wire. Where it is not said otherwise, links take ' +
      `${WAN.minMs} to ${WAN.maxMs} ms one way. A link that is down is down for ${formatDuration(OUTAGE.downMs)}.`,
    `Clients: ${clients}, each with read-your-writes and monotonic-reads, an operation every ${formatDuration(thinkMs)} on ` +
      `average, on ${keys} shared keys, ${100 * writes} % of them writes; before one in ${Math.round(1 / roams)} a client ` +
      'goes to another replica, drawn from all.',
    `Topologies: ${TOPOLOGY_NAMES.map((name) => `${name}: ${TOPOLOGIES[name].about}`).join('. ')}.`,
  ];
}
