import type { BaristaError } from '../src/base/errors.js';
import { COMPACT_PERIOD_MS } from '../src/base/limits.js';
import { PROTOCOL_VERSION } from '../src/bayou/messages.js';
import { DEFAULT_SETTINGS } from '../src/driver/settings.js';
import type { Cluster, ClusterOptions } from './cluster.js';
import { LinkedCluster } from './linked-cluster.js';
import { SimulatedWorld } from './simulated-world.js';
import { triedProcedures } from './tried-procedures.js';

export type WorldName = 'processes' | 'simulated';

/** Told what goes wrong beside the commands: a replica that died, a record that could not be written. */
export interface Bystander {
  report(error: BaristaError): void;
  warn(message: string): void;
}

/** Opens an empty cluster; whoever opened it closes it. */
export async function openCluster(world: WorldName, options: ClusterOptions, bystander: Bystander): Promise<Cluster> {
  const { guarantees, timeoutMs, tieBreak, clock, retryWindowMs, maxDriftMs, antiEntropyMs, dataDir } = options;
  if (world === 'processes') {
    const { ProcessWorld } = await import('./process-world.js');
    return new LinkedCluster(
      new ProcessWorld(
        options,
        (error) => bystander.report(error),
        (message) => bystander.warn(message),
      ),
      guarantees,
      timeoutMs,
    );
  }
  const terms = { protocol: PROTOCOL_VERSION, cluster: 'simulated', tieBreak, clock, retryWindowMs };
  const settings = {
    ...DEFAULT_SETTINGS,
    antiEntropyMs,
    compactMs: antiEntropyMs === null ? null : COMPACT_PERIOD_MS,
  };
  const { procedures } = await triedProcedures(options.procedureFiles ?? []);
  const simulated = new SimulatedWorld({ terms, maxDriftMs, settings, procedures }, dataDir !== null);
  return new LinkedCluster(simulated, guarantees, timeoutMs);
}
