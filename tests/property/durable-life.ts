import { crc32 } from 'node:zlib';
import { type ClientId, type Origin, originOf, type ReplicaId } from '../../src/base/ids.js';
import type { Done } from '../../src/base/outcome.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import type { KeyEntry, ReplicaState, ReplicaStorage, Visit } from '../../src/bayou/ports.js';
import { Replica } from '../../src/bayou/replica.js';
import { Session } from '../../src/bayou/session.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { Write } from '../../src/bayou/write.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../../src/machine/kv.js';
import { FaultyDirectory, PowerLoss } from '../../src/sim/disk/faulty-directory.js';
import { MemoryTable } from '../../src/sim/disk/memory-table.js';
import { DurableStorage } from '../../src/storage/durable.js';
import { MemoryStorage } from '../../src/storage/memory.js';

const TERMS = {
  protocol: 1,
  cluster: 'test',
  tieBreak: 'higher',
  clock: 'logical',
  retryWindowMs: 4,
} as const;
const LIVES = 6;
/** Small, so that small files have many. */
const SECTOR_BYTES = 64;

/**
 * A replica over durable storage through several lives: it accepts and pulls, flushes and checkpoints, and every life ends
 * with a crash or a kill at any moment, also in the middle of a storage call, or after a failed flush. Each life begins
 * with what was flushed and answered at least, and with what some flush was asked for at most, whole. Meanwhile storage in
 * memory, given the same changes, must show the same. Returns what went wrong, or null.
 */
export function runLives(seed: number): string | null {
  const random = seededRandom(seed);
  const directory = new FaultyDirectory(seed, {
    sectorBytes: SECTOR_BYTES,
    answers: random.below(2) === 0 ? 'at once' : 'when told',
  });
  const table = new MemoryTable();
  const peer = newReplica('b', new MemoryStorage<KvOperation>(kvOperationCodec));
  const sessions = [0, 1, 2].map((i) => new Session<KvOperation>(`c${i}` as ClientId));
  /** States that a crash may leave: the last that was acknowledged, and what flushes were asked for since. */
  let allowed = [dump(new MemoryStorage(kvOperationCodec))];
  for (let life = 0; life < LIVES; life++) {
    let storage: DurableStorage<KvOperation>;
    try {
      storage = openStorage(directory, table, random);
    } catch (thrown) {
      return `seed ${seed}, life ${life}: cannot be opened: ${String(thrown)}`;
    }
    const found = dump(storage);
    if (!allowed.includes(found)) return `life ${life}: found ${found}, allowed: ${allowed.join(' OR ')}`;
    allowed = [found];
    const wrong = live(life + 1, random, storage, directory, table, peer, sessions, allowed);
    if (wrong !== null) return `life ${life}: ${wrong}`;
    if (table.held.length > 0 && random.below(2) === 0) table.held.shift()?.();
    if (random.below(2) === 0) directory.crash();
    else directory.kill();
    table.crash();
    table.failCommits = false;
    directory.heal();
  }
  return null;
}

function openStorage(directory: FaultyDirectory, table: MemoryTable, random: Random): DurableStorage<KvOperation> {
  const checkpointLogBytes = [1, 300, 3_000][random.below(3)] as number;
  const checksum = (bytes: Uint8Array): number => crc32(bytes);
  const logOptions = { sectorBytes: SECTOR_BYTES, segmentBytesMax: 400 };
  return new DurableStorage({ directory, table, codec: kvOperationCodec, checksum, checkpointLogBytes, logOptions });
}

function live(
  life: number,
  random: Random,
  storage: DurableStorage<KvOperation>,
  directory: FaultyDirectory,
  table: MemoryTable,
  peer: Replica<KvOperation, Uint8Array>,
  sessions: readonly Session<KvOperation>[],
  allowed: string[],
): string | null {
  const mirror = new Mirror(storage);
  const replica = newReplica('a', mirror, life);
  replica.meet(peer.origin);
  peer.meet(replica.origin);
  table.holdCommits = random.below(2) === 0;
  table.failCommits = random.below(8) === 0;
  const fault = random.below(9);
  if (fault < 3) directory.crashAt(1 + random.below(40));
  else if (fault < 5) directory.failAt(fault === 3 ? 'sync' : 'append', 1 + random.below(10), true);
  try {
    for (let steps = random.below(60); steps > 0 && !directory.isDown; steps--) {
      const dice = random.below(10);
      if (dice < 4) write(random, replica, sessions);
      else if (dice < 5) write(random, peer, sessions);
      else if (dice < 6) pullStep(random, replica, peer);
      else if (dice < 7) settle(random, replica, peer, !storage.dirty && allowed.length === 1);
      else if (dice < 9) flush(storage, allowed);
      else if (random.below(2) === 0) directory.answerNext();
      else table.held.shift()?.();
      if (storage.failed) break;
      const [ours, theirs] = [dump(storage), dump(mirror.memory)];
      if (ours !== theirs) return `durable storage shows ${ours}, memory ${theirs}`;
    }
    directory.answerAll();
  } catch (thrown) {
    if (!(thrown instanceof PowerLoss)) throw thrown;
  }
  return null;
}

/** One flush at a time, as the gate of the driver has it. */
function flush(storage: DurableStorage<KvOperation>, allowed: string[]): void {
  if (allowed.length > 1) return;
  const state = dump(storage);
  allowed.push(state);
  storage.flush((flushed) => {
    // What was there before is no longer enough. After a failure both may be there.
    if (flushed.ok) allowed.shift();
  });
}

function write(
  random: Random,
  replica: Replica<KvOperation, Uint8Array>,
  sessions: readonly Session<KvOperation>[],
): void {
  const session = sessions[random.below(sessions.length)] as Session<KvOperation>;
  const key = ['k', 'l', '__proto__'][random.below(3)] as string;
  const put: KvOperation = { kind: 'put', value: new Uint8Array(random.below(60)) };
  const reply = replica.accept(session.write(key, random.below(4) === 0 ? { kind: 'delete' } : put), 0);
  if (reply.kind === 'accepted') session.wrote(key, reply.stamp, true);
}

/** Each learns what the other attests, as far as that is durable, and folds. */
function settle(
  random: Random,
  replica: Replica<KvOperation, Uint8Array>,
  peer: Replica<KvOperation, Uint8Array>,
  isDurable: boolean,
): void {
  if (isDurable) pullStep(random, peer, replica, true);
  else pullStep(random, replica, peer, true);
  replica.compact(0);
  if (random.below(2) === 0) peer.compact(0);
}

function pullStep(
  random: Random,
  replica: Replica<KvOperation, Uint8Array>,
  peer: Replica<KvOperation, Uint8Array>,
  report = false,
): void {
  const request = replica.nextPull(peer.id, { writesMax: 1 + random.below(3), bytesMax: 1_000_000, report });
  const batch = peer.serve(request, 0);
  // Before it has heard all that the other holds, one may be behind what that has folded.
  if ('kind' in batch && batch.code === 'ERR_BEHIND') return;
  if ('kind' in batch) throw new Error(batch.message);
  const outcome = replica.integrate(peer.id, request, batch, 0);
  if (outcome.kind === 'refused' && outcome.code !== 'ERR_BEHIND') throw new Error(outcome.message);
  if (outcome.kind === 'rejoin') return;
  if (outcome.kind === 'integrated' && outcome.more && random.below(3) === 0) replica.interrupted(peer.id);
}

function newReplica(id: string, storage: ReplicaStorage<KvOperation>, life = 0): Replica<KvOperation, Uint8Array> {
  return new Replica({ origin: originOf(id as ReplicaId, 1), terms: TERMS, machine: kvMachine, storage, life });
}

/** Reads and changes durable storage, and gives every change also to storage in memory. */
class Mirror implements ReplicaStorage<KvOperation> {
  readonly memory = new MemoryStorage<KvOperation>(kvOperationCodec);
  readonly #storage: DurableStorage<KvOperation>;

  constructor(storage: DurableStorage<KvOperation>) {
    this.#storage = storage;
    const keys = storage.keys();
    for (let key = keys.next(); key.done !== true; key = keys.next()) {
      for (const [i, write] of storage.history(key.value).entries()) this.memory.insert(write, i);
      const base = storage.base(key.value);
      if (base !== null) this.memory.setBase(key.value, base);
    }
    const state = storage.loadState();
    if (state !== null) this.memory.saveState(state);
    for (const [origin, time] of storage.loadSeen().entries()) this.memory.saveSeen(origin, time);
  }

  get size(): number {
    return this.#storage.size;
  }
  get keyCount(): number {
    return this.#storage.keyCount;
  }
  get highestTime(): number {
    return this.#storage.highestTime;
  }
  get dirty(): boolean {
    return this.#storage.dirty;
  }
  history(key: string): readonly Write<KvOperation>[] {
    return this.#storage.history(key);
  }
  insert(write: Write<KvOperation>, position: number): void {
    this.#storage.insert(write, position);
    this.memory.insert(write, position);
  }
  remove(key: string, position: number): void {
    this.#storage.remove(key, position);
    this.memory.remove(key, position);
  }
  base(key: string): Write<KvOperation> | null {
    return this.#storage.base(key);
  }
  settle(key: string, present: boolean): void {
    this.#storage.settle(key, present);
    this.memory.settle(key, present);
  }
  setBase(key: string, base: Write<KvOperation> | null): void {
    this.#storage.setBase(key, base);
    this.memory.setBase(key, base);
  }
  expiring(upTo: number): Iterator<Write<KvOperation>> {
    return this.#storage.expiring(upTo);
  }
  loadState(): ReplicaState | null {
    return this.#storage.loadState();
  }
  saveState(state: ReplicaState): void {
    this.#storage.saveState(state);
    this.memory.saveState(state);
  }
  count(origin: Origin, after: number, upTo: number): number {
    return this.#storage.count(origin, after, upTo);
  }
  origins(): Iterable<Origin> {
    return this.#storage.origins();
  }
  run(origin: Origin, after: number, upTo: number): Iterator<Write<KvOperation>> {
    return this.#storage.run(origin, after, upTo);
  }
  keys(after?: string): Iterator<string> {
    return this.#storage.keys(after);
  }
  walk(after: string | null, reverse: boolean, visit: Visit<KvOperation>): void {
    this.#storage.walk(after, reverse, visit);
  }
  lowerSeen(origin: Origin, acceptTime: number): void {
    this.#storage.lowerSeen(origin, acceptTime);
    this.memory.lowerSeen(origin, acceptTime);
  }
  loadSeen(): VersionVector {
    return this.#storage.loadSeen();
  }
  saveSeen(origin: Origin, acceptTime: number): void {
    this.#storage.saveSeen(origin, acceptTime);
    this.memory.saveSeen(origin, acceptTime);
  }
  flush(done: Done<void>): void {
    this.#storage.flush(done);
  }
  recover(done: Done<void>): void {
    this.#storage.recover(done);
  }
}

/** Everything a storage shows, as a text. */
function dump(storage: ReplicaStorage<KvOperation>): string {
  const name = (write: Write<KvOperation>): string => {
    const { origin, acceptTime, client, clientTime, key, operation } = write;
    return `${acceptTime}@${origin} ${client}:${clientTime} ${key} ${operation.kind === 'put' ? operation.value.length : '-'}`;
  };
  const under = ({ base, history }: KeyEntry<KvOperation>): string =>
    `${base === null ? '' : name(base)} | ${history.map(name).join(', ')}`;
  const histories = drain(storage.keys()).map((key) =>
    under({ base: storage.base(key), history: storage.history(key) }),
  );
  for (const reverse of [false, true]) {
    const walked: string[] = [];
    storage.walk(null, reverse, (_, entry) => walked.push(under(entry)) > 0);
    const expected = reverse ? histories.toReversed() : histories;
    if (walked.join() !== expected.join()) return `a walk shows ${walked}, look-ups ${expected}`;
  }
  const state = JSON.stringify(storage.loadState(), (_, value) =>
    value instanceof VersionVector ? `${value}` : value,
  );
  const runs = [...storage.origins()].sort().map((origin) =>
    drain(storage.run(origin, 0, Number.POSITIVE_INFINITY))
      .map(name)
      .join(', '),
  );
  const written = runs.filter((run) => run !== '');
  return JSON.stringify({ size: storage.size, seen: storage.loadSeen().toString(), state, histories, runs: written });
}

function drain<T>(items: Iterator<T>): T[] {
  const found: T[] = [];
  for (let next = items.next(); next.done !== true; next = items.next()) found.push(next.value);
  return found;
}
