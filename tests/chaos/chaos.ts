import { setMaxListeners } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Run } from '../../master/run.js';
import { messageOf } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { acceptTimeSpan } from '../../src/bayou/clock.js';
import type { HistoryEvent } from '../../src/check/history.js';
import { stateOf } from '../sessions/replica-state.js';
import { ChaosCluster } from './cluster.js';
import { launcherForReadOnly, mountSmallDisk, type SmallDisk, whyNoFileLimit } from './disks.js';
import { Faults } from './faults.js';
import { HistoryFile } from './history-file.js';
import { judge } from './judge.js';
import { clientIds, Load } from './load.js';
import { Monitor } from './monitor.js';
import { ChaosReplica } from './replica.js';
import { drawSchedule } from './schedule.js';
import { Tally } from './tally.js';
import { withNames } from './values.js';

export interface ChaosOptions {
  readonly seed: number;
  /** How long clients write while things go wrong. */
  readonly seconds: number;
  /** How many operations a client does in a second, about. */
  readonly rate: number;
  /** True to keep the files also if nothing was found. */
  readonly keep: boolean;
  readonly print: (line: string) => void;
}

const REPLICAS = ['a', 'b', 'c', 'd', 'e'];
/** Joins when the others have folded something; in each phase anew, with an empty disk. */
const LATECOMER = 'e';
/** The one whose disk is small. */
const ON_SMALL_DISK = 'b';
const SMALL_DISK = 'small-disk';
const CLIENTS = 20;
const RETRY_WINDOW_MS = 6_000;
const ANTI_ENTROPY_MS = 200;
/** After so much load the faults stop, and the replicas must agree; then it goes on. */
const PHASE_SECONDS = 120;

/** What the system lets go wrong with disks. */
interface Offers {
  readonly smallDisk: SmallDisk | null;
  readonly fileLimit: boolean;
  /** What replicas are started through; null if their folders cannot be made read-only. */
  readonly launcher: readonly string[] | null;
}

/** All that a run holds while it goes on. */
interface Scene {
  readonly options: ChaosOptions;
  readonly offers: Offers;
  readonly tally: Tally;
  readonly now: () => number;
  readonly history: HistoryFile;
  readonly record: (event: HistoryEvent) => void;
  readonly cluster: ChaosCluster;
  readonly load: Load;
  readonly monitor: Monitor;
}

/**
 * Runs real replicas and clients through all that a seed has in store for them, then has a history of it judged. What was
 * found is in the tally; then the files are kept, in a folder that is printed.
 */
export async function runChaos(options: ChaosOptions): Promise<Tally> {
  const { seed, seconds, print } = options;
  const folder = mkdtempSync(join(tmpdir(), `barista-chaos-${seed}-`));
  print(`chaos: seed ${seed}, ${seconds} s, files in ${folder}`);
  const tally = new Tally();
  const run = Run.open({ basePort: null, warn: print });
  const offers = takeOffers(join(folder, SMALL_DISK), print);
  try {
    const history = new HistoryFile(join(folder, 'history.jsonl'), {
      type: 'history',
      version: 1,
      tieBreak: 'higher',
      retryWindow: acceptTimeSpan('hybrid', RETRY_WINDOW_MS),
    });
    const cluster = await openCluster(options, offers, run, folder, history, tally);
    try {
      await play(sceneOf(options, offers, tally, history, cluster));
    } catch (thrown) {
      tally.violations.push(messageOf(thrown));
    } finally {
      await cluster.close();
    }
    history.close();
    tally.violations.push(...judge(history.history(), print));
    // What is on the small disk goes with it.
    if (isKept(options, tally) && offers.smallDisk !== null) {
      cpSync(offers.smallDisk.path, join(folder, `copy-of-${SMALL_DISK}`), { recursive: true });
    }
  } finally {
    await run.close();
    offers.smallDisk?.unmount();
  }
  for (const line of tally.lines()) print(line);
  if (isKept(options, tally))
    print(`history: ${join(folder, 'history.jsonl')}; logs and data of the replicas beside it`);
  else rmSync(folder, { recursive: true });
  return tally;
}

function isKept({ keep }: ChaosOptions, { violations }: Tally): boolean {
  return keep || violations.length > 0;
}

function takeOffers(smallDiskPath: string, print: (line: string) => void): Offers {
  const smallDisk = mountSmallDisk(smallDiskPath);
  const noFileLimit = whyNoFileLimit();
  const launcher = launcherForReadOnly();
  if (typeof smallDisk === 'string') print(`no full disk: ${smallDisk}`);
  if (noFileLimit !== null) print(`no limited files: ${noFileLimit}`);
  if (typeof launcher === 'string') print(`no read-only folders: ${launcher}`);
  return {
    smallDisk: typeof smallDisk === 'string' ? null : smallDisk,
    fileLimit: noFileLimit === null,
    launcher: typeof launcher === 'string' ? null : launcher,
  };
}

async function openCluster(
  { seed, print }: ChaosOptions,
  { smallDisk, launcher }: Offers,
  run: Run,
  folder: string,
  history: HistoryFile,
  tally: Tally,
): Promise<ChaosCluster> {
  const replicas = REPLICAS.map((id) => {
    const disk = id === ON_SMALL_DISK && smallDisk !== null ? smallDisk.path : folder;
    const dataDir = join(disk, `data-${id}`);
    mkdirSync(dataDir, { mode: 0o700 });
    return new ChaosReplica({
      run,
      id,
      dataDir,
      folder,
      launcher: launcher ?? [],
      retryWindowMs: RETRY_WINDOW_MS,
      antiEntropyMs: ANTI_ENTROPY_MS,
      onDeath: (message) => {
        print(message);
        tally.violations.push(message);
      },
    });
  });
  const parts = {
    replicas,
    random: seededRandom(seed ^ 0x5eed),
    now: () => performance.now(),
    record: (event: HistoryEvent) => history.record(event),
    onCutInFrame: () => {
      tally.cutInFrame += 1;
    },
  };
  return ChaosCluster.open(parts, clientIds(CLIENTS));
}

function sceneOf(
  options: ChaosOptions,
  offers: Offers,
  tally: Tally,
  history: HistoryFile,
  cluster: ChaosCluster,
): Scene {
  const { seed, rate } = options;
  const now = (): number => Math.round(performance.now() * 1_000) / 1_000;
  const record = (event: HistoryEvent): void => history.record(withNames(event));
  const ended = tally.ended.bind(tally);
  const load = new Load(cluster, { seed, clients: CLIENTS, rate, now, record, ended });
  const monitor = new Monitor(cluster, tally, seededRandom(seed ^ 0x100c), options.print);
  return { options, offers, tally, now, history, record, cluster, load, monitor };
}

async function play(scene: Scene): Promise<void> {
  const { cluster, tally, options } = scene;
  await Promise.all(REPLICAS.filter((id) => id !== LATECOMER).map((id) => cluster.start(id)));
  await cluster.linkAll();
  try {
    for (let left = options.seconds, phase = 0; left > 0; left -= PHASE_SECONDS, phase++) {
      const seconds = Math.min(left, PHASE_SECONDS);
      if (phase > 0) await cluster.remove(LATECOMER);
      const quietSince = await playPhase(scene, phase, seconds);
      await calm(scene, quietSince, left <= PHASE_SECONDS);
    }
  } finally {
    scene.load.close();
    for (const replica of cluster.replicas.values()) tally.starts += replica.starts;
  }
}

/** Resolves with when the faults were called off. */
async function playPhase(
  { options, offers, cluster, load, monitor, tally }: Scene,
  phase: number,
  seconds: number,
): Promise<number> {
  const { seed, print } = options;
  const schedule = drawSchedule(seed * 1_000 + phase, seconds * 1_000, {
    replicas: REPLICAS,
    latecomer: LATECOMER,
    smallDisk: offers.smallDisk === null ? null : ON_SMALL_DISK,
    fileLimit: offers.fileLimit,
    readOnly: offers.launcher !== null,
    links: cluster.links(REPLICAS),
    clientLinks: cluster.links(clientIds(CLIENTS)),
  });
  const ending = new AbortController();
  setMaxListeners(0, ending.signal);
  const faults = new Faults(
    {
      cluster,
      smallDisk: offers.smallDisk,
      note: print,
      violation: (message) => tally.violations.push(message),
      done: (fault) => tally.done(fault),
    },
    ending.signal,
  );
  const underWay = [faults.run(schedule), load.run(ending.signal), monitor.run(ending.signal)];
  let quietSince = 0;
  try {
    await Promise.race([delay(seconds * 1_000), Promise.all(underWay)]);
  } finally {
    ending.abort();
    quietSince = performance.now();
    // Whatever a fault has begun is undone before anything else is.
    await Promise.allSettled(underWay);
  }
  await Promise.all(underWay);
  return quietSince;
}

/** No faults and no load: all must come to agree, and whatever a client knows of be there for it everywhere. */
async function calm(scene: Scene, quietSince: number, isLast: boolean): Promise<void> {
  const { options, cluster, load, monitor, tally, now, record } = scene;
  await cluster.linkAll();
  await cluster.converge();
  const ms = performance.now() - quietSince;
  tally.converged(ms);
  options.print(`converged ${(ms / 1_000).toFixed(1)} s after the last fault, restarts and all`);
  const dump = async (final: boolean): Promise<void> => {
    for (const id of cluster.joined) {
      const line = cluster.replica(id).connect();
      record(await stateOf(line, { now, final }));
      line.close();
    }
  };
  await dump(false);
  tally.violations.push(...(await load.readAll()));
  if (!isLast) return;
  await cluster.foldAll();
  for (const id of cluster.joined) await monitor.look(id);
  options.print('all writes have left the logs');
  await dump(true);
}
