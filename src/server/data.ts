import { BaristaError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { ClockKind } from '../bayou/messages.js';
import type { ReplicaStorage } from '../bayou/ports.js';
import type { TieBreak } from '../bayou/write.js';
import { type KvOperation, kvOperationCodec } from '../machine/kv.js';
import { MemoryStorage } from '../storage/memory.js';
import { systemClock } from './system.js';

/** Whose data, and where. */
export interface DataOptions {
  readonly id: string;
  readonly cluster: string;
  readonly tieBreak: TieBreak;
  readonly clock: ClockKind;
  readonly retryWindowMs: number;
  /** Null: the wall clock in milliseconds, so that a replica that starts anew is another incarnation. */
  readonly incarnation: number | null;
  /** True to open its data under a new incarnation; then that may be a copy, or an older state. */
  readonly newIncarnation: boolean;
  /** Where the replica keeps its data; null: in memory, which does not outlive the process. */
  readonly dataDir: string | null;
}

/** What a replica in this process keeps, and which of its lives this is. */
export interface Data {
  readonly storage: ReplicaStorage<KvOperation>;
  incarnation(): number;
  /** A number for this process, higher than that of any before it that had the data. */
  beginLife(now: number): number;
  /** Gives up the incarnation for another. Durable when it returns. */
  renew(incarnation: number): void;
  close(done: () => void): void;
}

export async function openData(options: DataOptions, log: Log): Promise<Data> {
  const incarnation = options.incarnation ?? systemClock.now();
  return options.dataDir === null ? dataInMemory(incarnation) : dataOnDisk(options, options.dataDir, incarnation, log);
}

function dataInMemory(first: number): Data {
  let incarnation = first;
  return {
    storage: new MemoryStorage<KvOperation>(kvOperationCodec),
    incarnation: () => incarnation,
    beginLife: (now) => now,
    renew: (next) => {
      incarnation = next;
    },
    close: (done) => done(),
  };
}

async function dataOnDisk(options: DataOptions, path: string, newIncarnation: number, log: Log): Promise<Data> {
  // Loaded only by who wants it.
  const { DataDirectory } = await import('../storage/node/data-directory.js');
  const { id, cluster, tieBreak, clock, retryWindowMs } = options;
  const directory = DataDirectory.open(
    path,
    { id, cluster, tieBreak, clock, retryWindowMs },
    newIncarnation,
    kvOperationCodec,
    (error) => log.warn({ code: error.code }, error.message),
    options.newIncarnation,
  );
  // Who made the directory under an incarnation need not know of those that it took by itself since.
  const known = [directory.incarnation, directory.founded];
  if (options.incarnation !== null && !known.includes(options.incarnation)) {
    const message = `${path} holds incarnation ${directory.incarnation}, not ${options.incarnation}`;
    await new Promise<void>((resolve) => directory.close(() => resolve()));
    throw new BaristaError('ERR_IDENTITY', message);
  }
  return {
    storage: directory.storage,
    incarnation: () => directory.incarnation,
    beginLife: (now) => directory.beginLife(now),
    renew: (next) => directory.renew(next),
    close: (done) => directory.close(() => done()),
  };
}
