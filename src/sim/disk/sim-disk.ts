import { type Random, seededRandom } from '../../base/random.js';
import { type KvOperation, kvOperationCodec } from '../../machine/kv.js';
import { DurableStorage } from '../../storage/durable.js';
import type { Checksum } from '../../storage/log-segment.js';
import { segmentName } from '../../storage/log-segment.js';
import { inspectLog, inspectTable, tableBeside } from '../../storage/repair.js';
import type { DiskFault } from '../plan.js';
import type { SimProcess } from '../process.js';
import type { Scheduler } from '../scheduler.js';
import { FaultyDirectory } from './faulty-directory.js';
import { MemoryTable } from './memory-table.js';

/** A sync, and a commit of the table, take up to so long on a disk that is not quick. */
const SYNC_MS_MAX = 4;
const COMMIT_MS_MAX = 40;

export interface SimDiskParts {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly checksum: Checksum;
  /** Told of each fault that took effect. */
  readonly onFault: (kind: string) => void;
  /** Told in the very call in which power is lost. */
  readonly onDown: () => void;
}

/** A machine's disk: the files of a data directory, and the table. What differs from disk to disk is drawn from its seed. */
export class SimDisk {
  readonly #parts: SimDiskParts;
  readonly #random: Random;
  readonly #directory: FaultyDirectory;
  readonly #table: MemoryTable;
  /** True: it answers before a call returns. */
  readonly #isQuick: boolean;
  readonly #options: { readonly checkpointLogBytes: number; readonly checkpointPart: number };
  readonly #logOptions: { readonly sectorBytes: number; readonly segmentBytesMax: number };
  #process: SimProcess | null = null;
  #slowMs = 0;
  /** Syncs that have not answered. */
  #syncing = 0;
  /** The commits that are to fail. */
  #commitFault: { nth: number; readonly lasting: boolean } | null = null;

  /** `from`: what is on it; absent: nothing. */
  constructor(parts: SimDiskParts, from?: { readonly directory: FaultyDirectory; readonly table: MemoryTable }) {
    this.#parts = parts;
    const random = seededRandom(parts.seed);
    this.#random = random;
    const pick = (values: readonly number[]): number => values[random.below(values.length)] as number;
    const sectorBytes = pick([64, 512]);
    this.#isQuick = random.below(3) === 0;
    this.#options = { checkpointLogBytes: pick([4_000, 30_000, 300_000]), checkpointPart: pick([2, 50, 2_048]) };
    this.#logOptions = { sectorBytes, segmentBytesMax: pick([4_000, 40_000, 400_000]) };
    this.#directory = new FaultyDirectory(random.below(1_000_000_000), {
      sectorBytes,
      answers: (call, answer) => this.#answer(call, answer),
      onDown: () => {
        parts.onFault('power-in-call');
        parts.onDown();
      },
    });
    for (const name of from?.directory.names() ?? []) {
      this.#directory.store(name, from?.directory.contents(name) ?? new Uint8Array());
    }
    this.#table = from?.table.copy() ?? new MemoryTable();
    this.#table.holdCommits = !this.#isQuick;
    this.#table.onHeld = () => this.#later(1 + this.#random.below(COMMIT_MS_MAX), () => this.#endCommit());
  }

  /** True once power was lost in a call, until `end`. */
  get isDown(): boolean {
    return this.#directory.isDown;
  }

  /** True while bytes are on their way to it. */
  get isSyncing(): boolean {
    return this.#syncing > 0;
  }

  /** Opens what is stored for a process: the disk's answers are steps of it. */
  open(process: SimProcess): DurableStorage<KvOperation> {
    this.#process = process;
    const { checksum } = this.#parts;
    return new DurableStorage({
      directory: this.#directory,
      table: this.#table,
      codec: kvOperationCodec,
      checksum,
      ...this.#options,
      logOptions: this.#logOptions,
      onCheckpointFailure: () => this.#parts.onFault('checkpoint-failure'),
    });
  }

  /** The process that used it has ended, or the machine has lost power. */
  end(how: 'kill' | 'power'): void {
    this.#process = null;
    this.#syncing = 0;
    if (this.#random.below(2) === 0) this.#table.held.shift()?.();
    this.#table.crash();
    if (how === 'kill') this.#directory.kill();
    else this.#directory.crash();
  }

  /** What is on it now, on a disk of its own. */
  copy(seed: number): SimDisk {
    return new SimDisk({ ...this.#parts, seed }, { directory: this.#directory, table: this.#table });
  }

  do(fault: DiskFault): void {
    if (fault.kind === 'power') this.#directory.crashAt(fault.nth);
    else if (fault.kind === 'slow') this.#slowMs = fault.delayMs;
    else if (fault.kind === 'full') this.#directory.capacityBytes = this.#directory.usedBytes;
    else if (fault.kind === 'flip') this.#flip(fault.nth);
    else if (fault.kind === 'mend') this.mend();
    else if (fault.call === 'commit') this.#commitFault = { nth: fault.nth, lasting: fault.lasting };
    else this.#directory.failAt(fault.call, fault.nth, fault.lasting);
  }

  mend(): void {
    this.#directory.heal();
    this.#slowMs = 0;
    this.#commitFault = null;
  }

  /**
   * What `barista repair --apply` does: what stands before the first damage is kept. False if nothing is damaged, or
   * nothing can be kept.
   */
  repair(): boolean {
    // Faults that wait for the process that is not there are not for the one that repairs.
    this.#directory.kill();
    const stored = {
      directory: this.#directory,
      table: this.#table,
      codec: kvOperationCodec,
      checksum: this.#parts.checksum,
    };
    const table = inspectTable(stored);
    if (table.kind === 'damaged') throw new Error(`the table was never damaged, but: ${table.what}`);
    const log = inspectLog(stored, table.segment);
    const { damage, segments } = log;
    if (damage === null || tableBeside(table, log).kind === 'damaged') return false;
    for (const { segment, name } of segments) if (segment > damage.segment) this.#directory.remove(name);
    const found = segments.find(({ segment }) => segment === damage.segment);
    const isFirst = segments.every(({ segment }) => segment >= damage.segment);
    if (found === undefined && (!isFirst || damage.segment === 1)) return true;
    const name = segmentName(damage.segment);
    const bytes = found === undefined ? new Uint8Array() : this.#directory.contents(name);
    this.#directory.store(name, bytes.subarray(0, found?.soundBytes ?? 0));
    return true;
  }

  #answer(call: 'append' | 'sync', answer: () => void): void {
    if (this.#slowMs > 0) this.#parts.onFault('slow');
    else if (this.#isQuick || call === 'append') return answer();
    this.#syncing += 1;
    this.#later(1 + this.#random.below(this.#slowMs > 0 ? this.#slowMs : SYNC_MS_MAX), () => {
      this.#syncing -= 1;
      answer();
    });
  }

  #later(delayMs: number, step: () => void): void {
    const process = this.#process;
    this.#parts.scheduler.after(delayMs, () => process?.run(step));
  }

  #endCommit(): void {
    const fault = this.#commitFault;
    if (fault !== null) fault.nth -= 1;
    const fails = fault !== null && (fault.nth === 0 || (fault.nth < 0 && fault.lasting));
    this.#table.failCommits = fails || Number.isFinite(this.#directory.capacityBytes);
    this.#table.held.shift()?.();
  }

  #flip(nth: number): void {
    const files = this.#directory.names().map((name) => [name, this.#directory.contents(name).length] as const);
    let offset = nth % Math.max(1, this.#directory.usedBytes);
    for (const [name, length] of files) {
      if (offset < length) return this.#directory.flipBit(name, offset, nth % 8);
      offset -= length;
    }
  }
}
