import { crc32 } from 'node:zlib';
import { incarnationOf, type Origin, originOf, type ReplicaId, replicaIdOf } from '../../src/base/ids.js';
import type { Random } from '../../src/base/random.js';
import type { ClusterTerms, PullBatch, PullRequest } from '../../src/bayou/messages.js';
import type { ReplicaStorage } from '../../src/bayou/ports.js';
import { Replica } from '../../src/bayou/replica.js';
import type { Write } from '../../src/bayou/write.js';
import type { BundlePeer } from '../../src/bundle/bundle-peer.js';
import { type KvOperation, kvMachineWith, kvOperationCodec } from '../../src/machine/kv.js';
import { type Merge, Procedures } from '../../src/machine/procedures.js';
import { FaultyDirectory, PowerLoss } from '../../src/sim/disk/faulty-directory.js';
import { MemoryTable } from '../../src/sim/disk/memory-table.js';
import { DurableStorage } from '../../src/storage/durable.js';
import { MemoryStorage } from '../../src/storage/memory.js';

/** A merge procedure that replicas come to have at different times. */
export const LATE_PROCEDURE = 'late@1';

/** What it does depends on all that is there. */
const late: Merge = ({ value, current }) => new Uint8Array([...(current ?? []).slice(-20), ...value]);

/** Small, so that small files have many. */
const SECTOR_BYTES = 64;

export interface Pull {
  /** A bundle of the peer that answers; absent: the peer does. */
  readonly way?: BundlePeer;
  readonly request: PullRequest;
  /** Null until the peer has answered. */
  readonly batch: PullBatch<KvOperation> | null;
}

/** A disk whose machine can lose power. */
export class Disk {
  readonly #random: Random;
  readonly #directory: FaultyDirectory;
  readonly #table = new MemoryTable();
  readonly #checkpointLogBytes: number;

  constructor(random: Random) {
    this.#random = random;
    this.#directory = new FaultyDirectory(random.below(1_000_000), { sectorBytes: SECTOR_BYTES });
    this.#checkpointLogBytes = [1, 300, 3_000, 30_000][random.below(4)] as number;
  }

  open(): DurableStorage<KvOperation> {
    this.#table.holdCommits = this.#random.below(2) === 0;
    return new DurableStorage({
      directory: this.#directory,
      table: this.#table,
      codec: kvOperationCodec,
      checksum: (bytes) => crc32(bytes),
      checkpointLogBytes: this.#checkpointLogBytes,
      checkpointPart: 1 + this.#random.below(3),
      logOptions: { sectorBytes: SECTOR_BYTES, segmentBytesMax: 2_000 },
    });
  }

  /** A checkpoint under way gets on. */
  commit(): void {
    this.#table.held.shift()?.();
  }

  /** Power will be lost during the flush that comes, or just after. */
  loseSoon(): void {
    this.#directory.crashAt(1 + this.#random.below(4));
  }

  /** What was not flushed is gone, but for a flush that was under way: that is there whole, or not. */
  lose(): void {
    if (this.#random.below(2) === 0) this.#directory.crash();
    else this.#directory.kill();
    this.#table.crash();
  }
}

export interface NodeParts {
  readonly id: ReplicaId;
  readonly terms: ClusterTerms;
  /** Null: it keeps its data in memory that outlives its process. */
  readonly disk: Disk | null;
  readonly random: Random;
  /**
   * Told of each stamp that it gave, once that is durable; `isPut`: to what is left of a key of its base store, which it took
   * apart.
   */
  readonly onStamped: (write: Write<KvOperation>, isPut: boolean) => void;
}

/** A replica, its storage, and the pulls it has under way: its process ends, and starts again over what it kept. */
export class Node {
  readonly id: ReplicaId;
  readonly pulls = new Map<Node, Pull | null>();
  /** False while it is away: nothing reaches it, its own clients may. */
  there = true;
  readonly #parts: NodeParts;
  readonly #procedures = new Procedures();
  readonly #machine = kvMachineWith(this.#procedures);
  #storage: ReplicaStorage<KvOperation>;
  #replica: Replica<KvOperation, Uint8Array>;
  #life = 0;
  #doomed = false;
  /** Stamps that are not durable yet. */
  #stamped: { readonly write: Write<KvOperation>; readonly isPut: boolean }[] = [];
  /** The keys whose base was let go of in this step. */
  readonly #letGo = new Set<string>();

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.#storage = this.#watch(parts.disk?.open() ?? new MemoryStorage(kvOperationCodec));
    this.#replica = this.#open(originOf(parts.id, 1));
  }

  get replica(): Replica<KvOperation, Uint8Array> {
    return this.#replica;
  }

  get storage(): ReplicaStorage<KvOperation> {
    return this.#storage;
  }

  /** The process dies at the end of the step that comes, before its answer leaves. Only where that can take back something. */
  doom(isDoomed: boolean): void {
    this.#doomed = isDoomed && this.#parts.disk !== null;
  }

  /**
   * The end of a step, whose answer may leave if this is true: what it changed is durable. Otherwise the process has died,
   * what it changed is there or not, and `restart` is due.
   */
  keep(): boolean {
    const { disk, random } = this.#parts;
    this.#letGo.clear();
    if (disk === null) return this.#tell();
    if (random.below(4) === 0) disk.commit();
    if (!this.#doomed) {
      if (!this.#storage.dirty) return this.#tell();
      let answered = false;
      this.#storage.flush(({ ok }) => {
        answered = ok;
      });
      if (!answered) throw new Error(`${this.id} cannot flush`);
      return this.#tell();
    }
    if (random.below(3) === 0) return false;
    disk.loseSoon();
    try {
      this.#storage.flush(({ ok }) => ok && this.#tell());
    } catch (thrown) {
      if (!(thrown instanceof PowerLoss)) throw thrown;
    }
    return false;
  }

  /** It is given the procedure that some lack. */
  learn(): void {
    this.#procedures.add(LATE_PROCEDURE, late);
  }

  /** The process ends and starts again over what it kept; under a new incarnation if it has left. */
  restart(): void {
    const { disk } = this.#parts;
    const { origin } = this.#replica;
    this.#doomed = false;
    this.#life += 1;
    this.pulls.clear();
    if (disk !== null) {
      disk.lose();
      this.#storage = this.#watch(disk.open());
      this.#stamped = this.#stamped.filter(({ write: { origin: of, acceptTime } }) => {
        return this.#storage.run(of, acceptTime - 1, acceptTime).next().done !== true;
      });
    }
    this.#tell();
    this.#replica = this.#open(origin);
    if (this.#replica.hasLeft) this.#replica = this.#open(originOf(this.id, incarnationOf(origin) + 1));
  }

  #open(origin: Origin): Replica<KvOperation, Uint8Array> {
    const { terms } = this.#parts;
    return new Replica({ origin, terms, machine: this.#machine, storage: this.#storage, life: this.#life });
  }

  /** Notes what stamps the replica gives: its own at first, and again to what it stamps anew. */
  #watch(storage: ReplicaStorage<KvOperation>): ReplicaStorage<KvOperation> {
    const insert = storage.insert.bind(storage);
    const setBase = storage.setBase.bind(storage);
    storage.insert = (write, position) => {
      insert(write, position);
      if (replicaIdOf(write.origin) !== this.id) return;
      this.#stamped.push({ write, isPut: this.#letGo.has(write.key) });
    };
    storage.setBase = (key, base) => {
      if (base === null) this.#letGo.add(key);
      setBase(key, base);
    };
    return storage;
  }

  #tell(): true {
    for (const { write, isPut } of this.#stamped.splice(0)) this.#parts.onStamped(write, isPut);
    return true;
  }
}
