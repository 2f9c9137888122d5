import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../src/base/errors.js';
import type { ChaosCluster } from './cluster.js';
import { type SmallDisk, setWritable } from './disks.js';
import type { Conditions } from './pipe.js';
import { DIRECTIONS, type FaultyProxy } from './proxy.js';
import { describeFault, type Fault } from './schedule.js';

interface FaultParts {
  readonly cluster: ChaosCluster;
  readonly smallDisk: SmallDisk | null;
  readonly note: (line: string) => void;
  /** Told of what must not happen. */
  readonly violation: (message: string) => void;
  readonly done: (fault: Fault) => void;
}

/** Has faults happen, each for its time and then undone; all that are under way are undone when `signal` says so. */
export class Faults {
  readonly #parts: FaultParts;
  readonly #signal: AbortSignal;
  /** Of each replica, the last fault: a start may take longer than there was room for between two of them. */
  readonly #lastOf = new Map<string, Promise<void>>();

  constructor(parts: FaultParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  /** Done when the last one is undone. */
  async run(schedule: readonly Fault[]): Promise<void> {
    const began = performance.now();
    const underWay = new Set<Promise<void>>();
    const at = (): number => Math.round(performance.now() - began);
    for (const fault of schedule) {
      await this.#wait(began + fault.at - performance.now());
      if (this.#signal.aborted) break;
      const happening = this.#inTurn(fault, at).finally(() => underWay.delete(happening));
      underWay.add(happening);
    }
    await this.#wait(Number.MAX_SAFE_INTEGER);
    await Promise.all(underWay);
  }

  #inTurn(fault: Fault, at: () => number): Promise<void> {
    if (!('replica' in fault)) return this.#happen(fault, at());
    const before = this.#lastOf.get(fault.replica) ?? Promise.resolve();
    const happening = before.then(async () => {
      if (!this.#signal.aborted) await this.#happen(fault, at());
    });
    this.#lastOf.set(fault.replica, happening);
    return happening;
  }

  async #happen(fault: Fault, at: number): Promise<void> {
    const { note, violation, done } = this.#parts;
    note(`${(at / 1_000).toFixed(1).padStart(7)} s  ${describeFault(fault)}`);
    try {
      await this.#doAndUndo(fault);
      done(fault);
    } catch (thrown) {
      violation(`${describeFault(fault)}: ${messageOf(thrown)}`);
    }
  }

  async #doAndUndo(fault: Fault): Promise<void> {
    const { cluster } = this.#parts;
    if ('link' in fault) {
      const proxy = cluster.proxies.get(fault.link);
      if (proxy !== undefined) await this.#ofLink(fault, proxy);
      return;
    }
    if (fault.kind === 'partition') return this.#block(cluster.between(fault.side), fault.ms);
    if (fault.kind === 'join') return cluster.start(fault.replica);
    if (cluster.joined.includes(fault.replica)) await this.#ofReplica(fault);
  }

  async #ofLink(fault: Extract<Fault, { link: string }>, proxy: FaultyProxy): Promise<void> {
    switch (fault.kind) {
      case 'cut':
        return this.#block([proxy], fault.ms);
      case 'cut-in-frame':
        proxy.set(fault.direction, { cutsInFrame: true });
        await this.#wait(fault.ms);
        return proxy.clear();
      case 'half-open':
        proxy.set(fault.direction, { swallows: true });
        await this.#wait(fault.ms);
        return proxy.clear();
      case 'delay':
        return this.#conditions(proxy, { delayMs: fault.delayMs }, fault.ms);
      case 'throttle':
        return this.#conditions(proxy, { bytesPerSecond: fault.bytesPerSecond }, fault.ms);
      case 'split':
      case 'coalesce':
        return this.#conditions(proxy, { chunks: fault.kind }, fault.ms);
    }
  }

  async #ofReplica(fault: Extract<Fault, { replica: string }>): Promise<void> {
    const { cluster, smallDisk } = this.#parts;
    const { ms } = fault;
    const replica = cluster.replica(fault.replica);
    switch (fault.kind) {
      case 'kill':
        await cluster.kill(replica.id);
        await this.#wait(ms);
        return cluster.start(replica.id);
      case 'pause':
        await replica.pause();
        await this.#wait(ms);
        return replica.resume();
      case 'clock':
        replica.stepClock(fault.stepMs);
        await this.#wait(ms);
        return replica.stepClock(0);
      case 'full-disk':
        smallDisk?.fill();
        return this.#badDisk(fault, () => smallDisk?.empty());
      case 'file-limit':
        replica.limitFiles(fault.bytes);
        await this.#wait(ms);
        return replica.limitFiles(null);
      case 'read-only':
        setWritable(replica.dataDir, false);
        return this.#badDisk(fault, () => setWritable(replica.dataDir, true));
      case 'retire':
        return this.#retire(fault.replica, fault.killed, ms);
      case 'join':
        return;
    }
  }

  /** A start on such a disk may be refused, with a reason; it may not break anything. */
  async #badDisk(fault: Extract<Fault, { kind: 'full-disk' | 'read-only' }>, mend: () => void): Promise<void> {
    const { cluster } = this.#parts;
    const { replica: id, killed, ms } = fault;
    try {
      if (killed) {
        await cluster.kill(id);
        await cluster.start(id).catch((thrown) => {
          if (!messageOf(thrown).includes('ERR_STORAGE')) throw thrown;
        });
      }
      await this.#wait(ms);
    } finally {
      mend();
      if (!cluster.replica(id).isRunning) await cluster.start(id);
    }
  }

  /** Both ways the replica holds what nobody else does, and returns without having heard that it was retired. */
  async #retire(id: string, killed: boolean, ms: number): Promise<void> {
    const { cluster } = this.#parts;
    const links = cluster.between([id]);
    if (killed) await cluster.kill(id);
    else for (const link of links) link.block();
    try {
      await this.#wait(ms / 2);
      await cluster.retire(id);
      await this.#wait(ms / 2);
    } finally {
      if (killed) await cluster.start(id);
      else for (const link of links) link.unblock();
    }
  }

  async #conditions(proxy: FaultyProxy, conditions: Partial<Conditions>, ms: number): Promise<void> {
    for (const direction of DIRECTIONS) proxy.set(direction, conditions);
    await this.#wait(ms);
    proxy.clear();
  }

  async #block(links: readonly FaultyProxy[], ms: number): Promise<void> {
    for (const link of links) link.block();
    await this.#wait(ms);
    for (const link of links) link.unblock();
  }

  /** Until then, or until all is over. */
  async #wait(ms: number): Promise<void> {
    if (ms <= 0) return;
    await delay(Math.min(ms, 2 ** 31 - 1), undefined, { signal: this.#signal }).catch(() => undefined);
  }
}
