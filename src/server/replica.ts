import { checkId } from '../base/checks.js';
import { toBaristaError } from '../base/errors.js';
import { type Origin, originOf, type ReplicaId } from '../base/ids.js';
import { COMPACT_PERIOD_MS } from '../base/limits.js';
import type { Log } from '../base/log.js';
import { type Done, fail, promised, succeed } from '../base/outcome.js';
import { PROTOCOL_VERSION } from '../bayou/messages.js';
import { Replica } from '../bayou/replica.js';
import { Driver } from '../driver/driver.js';
import { DEFAULT_SETTINGS } from '../driver/settings.js';
import { kvMachineWith } from '../machine/kv.js';
import type { Procedures } from '../machine/procedures.js';
import { ReplicaConnection } from '../rpc/client.js';
import { type Listener, listen } from '../rpc/server.js';
import { type DataOptions, openData } from './data.js';
import { systemClock, systemTimers } from './system.js';

export interface ReplicaOptions extends DataOptions {
  /** With the hybrid clock, how far ahead of the wall clock a write may be that is taken from others; null: any. */
  readonly maxDriftMs: number | null;
  readonly antiEntropyMs: number | null;
  /** Where to listen, port 0: one the system picks; null: nowhere. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  /** True if whoever starts it counts its incarnations, and leaves the next one to the replica. */
  readonly countsIncarnations: boolean;
  /** Which merge procedures it knows; more may come. */
  readonly procedures: Procedures;
  readonly log: Log;
  /** Told when somebody asked the replica to end, over the wire. */
  readonly onShutdown: () => void;
}

/** A replica in this process. */
export interface RunningReplica {
  readonly driver: Driver;
  readonly listener: Listener | null;
  origin(): Origin;
  /** Ends it in order: links, connections, data. Answers when nothing of it is left. */
  close(done: () => void): void;
}

/** Opens a replica's data, and serves it where it is to listen. Rejects with nothing of it left. */
export async function startReplica(options: ReplicaOptions): Promise<RunningReplica> {
  for (const id of [options.id, options.cluster]) {
    const wrong = checkId(id);
    if (wrong !== null) throw wrong;
  }
  const { log, cluster, tieBreak, clock, retryWindowMs, maxDriftMs, antiEntropyMs } = options;
  const data = await openData(options, log);
  const { storage } = data;
  const terms = { protocol: PROTOCOL_VERSION, cluster, tieBreak, clock, retryWindowMs };
  const origin = (): Origin => originOf(options.id as ReplicaId, data.incarnation());
  const machine = kvMachineWith(options.procedures);
  const life = data.beginLife(systemClock.now());
  const reincarnate = (done: Done<void>): void => {
    const before = data.incarnation();
    const next = options.countsIncarnations ? before + 1 : Math.max(systemClock.now(), before + 1);
    try {
      data.renew(next);
    } catch (thrown) {
      return done(fail(toBaristaError(thrown, 'ERR_STORAGE')));
    }
    done(succeed(undefined));
  };
  const driver = new Driver({
    openReplica: () => new Replica({ origin: origin(), life, terms, machine, storage, maxDriftMs }),
    reincarnate,
    storage,
    dialer: { dial: (_peer, address) => new ReplicaConnection({ address }) },
    clock: systemClock,
    timers: systemTimers,
    log,
    settings: { ...DEFAULT_SETTINGS, antiEntropyMs, compactMs: antiEntropyMs === null ? null : COMPACT_PERIOD_MS },
    onShutdown: options.onShutdown,
  });
  let listener: Listener | null = null;
  const close = (done: () => void): void => {
    driver.close();
    const closeData = (): void => data.close(done);
    if (listener === null) closeData();
    else listener.close(closeData);
  };
  try {
    if (options.listen !== null) {
      const { host, port } = options.listen;
      listener = await promised<Listener>((done) => listen({ host, port, service: driver, log }, done));
    }
  } catch (thrown) {
    await new Promise<void>((resolve) => close(resolve));
    throw thrown;
  }
  return { driver, listener, origin, close };
}
