import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Address } from '../src/base/address.js';
import type { BaristaError } from '../src/base/errors.js';
import type { ReplicaId } from '../src/base/ids.js';
import { type Done, promised } from '../src/base/outcome.js';
import { ReplicaConnection } from '../src/rpc/client.js';
import type { ClusterOptions } from './cluster.js';
import { ReplicaProcess } from './replica-process.js';
import { Run } from './run.js';
import type { Admin, ClientLine, ReplicaHandle, World } from './world.js';

/** Real processes on this machine that speak Thrift over loopback. */
export class ProcessWorld implements World {
  readonly #options: ClusterOptions;
  readonly #run: Run;
  readonly #dataDir: string | null;
  readonly #report: (error: BaristaError) => void;
  readonly #processes = new Set<ReplicaProcess>();

  readonly keepsData: boolean;
  readonly simulation = null;

  /** `report` is told what goes wrong between two commands. */
  constructor(options: ClusterOptions, report: (error: BaristaError) => void, warn: (message: string) => void) {
    this.#options = options;
    this.#report = report;
    this.keepsData = options.dataDir !== null;
    this.#run = Run.open({ basePort: options.basePort, warn });
    this.#dataDir = options.dataDir === null ? null : join(resolve(options.dataDir), this.#run.id);
  }

  startReplica(id: ReplicaId, incarnation: number, onDeath: (error: BaristaError) => void): ReplicaHandle {
    const { tieBreak, clock, retryWindowMs, maxDriftMs, antiEntropyMs, procedureFiles = [] } = this.#options;
    // Ids may hold what a file name may not.
    const folder = `${Buffer.from(id).toString('hex')}.${incarnation}`;
    const dataDir = this.#dataDir === null ? null : join(this.#dataDir, folder);
    const onUnexpectedExit = (error: BaristaError): void => {
      this.#report(error);
      onDeath(error);
    };
    const replica = ReplicaProcess.start({
      run: this.#run,
      id,
      incarnation,
      tieBreak,
      clock,
      retryWindowMs,
      maxDriftMs,
      dataDir,
      antiEntropyMs,
      procedureFiles,
      onUnexpectedExit,
    });
    this.#processes.add(replica);
    void replica.exited.then(() => this.#processes.delete(replica));
    return new ProcessHandle(replica);
  }

  answer<T>(call: (done: Done<T>) => void): Promise<T> {
    return promised(call);
  }

  async sleep(ms: number): Promise<void> {
    await delay(ms);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#processes].map((replica) => replica.kill()));
    await this.#run.close();
  }
}

class ProcessHandle implements ReplicaHandle {
  readonly ready: Promise<Address>;
  readonly #process: ReplicaProcess;
  #address: Address | null = null;
  #admin: ReplicaConnection | null = null;

  constructor(replica: ReplicaProcess) {
    this.#process = replica;
    this.ready = replica.ready.then((address) => {
      this.#address = address;
      return address;
    });
    this.ready.catch(() => {});
  }

  get admin(): Admin {
    this.#admin ??= this.#connect();
    return this.#admin;
  }

  connectClient(): ClientLine {
    return this.#connect();
  }

  pause(): Promise<void> {
    return this.#process.pause();
  }

  async resume(): Promise<void> {
    this.#process.resume();
  }

  async kill(): Promise<void> {
    this.#admin?.close();
    await this.#process.kill();
  }

  #connect(): ReplicaConnection {
    if (this.#address === null) throw new RangeError('a replica is reached only once it is ready');
    return new ReplicaConnection({ address: this.#address });
  }
}
