import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { type ClientId, type Origin, originOf, type ReplicaId } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import type { ReplicaStorage } from '../../src/bayou/ports.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { Write } from '../../src/bayou/write.js';
import { type KvOperation, kvOperationCodec } from '../../src/machine/kv.js';
import { FaultyDirectory, PowerLoss } from '../../src/sim/disk/faulty-directory.js';
import { MemoryTable } from '../../src/sim/disk/memory-table.js';
import { DurableStorage } from '../../src/storage/durable.js';
import { MemoryStorage } from '../../src/storage/memory.js';

const SEEDS = Number(process.env['BARISTA_CRASHES'] ?? 800);
const LIVES = 5;
/** Small, so that small files have many. */
const SECTOR_BYTES = 64;
const KEYS = ['k', 'l', 'm', '__proto__'];
const ORIGINS = ['a', 'b', 'c'].map((id) => originOf(id as ReplicaId, 1));

type Storage = ReplicaStorage<KvOperation>;

test('every life begins with what the last flush that answered left, or one asked for since', {
  timeout: 600_000,
}, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const wrong = runLives(seed);
    if (wrong !== null) expect.fail(`seed ${seed}: ${wrong}`);
  }
});

/** Random changes of every kind, flushes and checkpoints, and a crash or kill at any moment; what went wrong, or null. */
function runLives(seed: number): string | null {
  const random = seededRandom(seed);
  const answers = random.below(2) === 0 ? 'at once' : 'when told';
  const directory = new FaultyDirectory(seed, { sectorBytes: SECTOR_BYTES, answers });
  const table = new MemoryTable();
  let allowed = [dump(new MemoryStorage(kvOperationCodec))];
  let clock = 0;
  for (let life = 0; life < LIVES; life++) {
    const storage = open(random, directory, table);
    const found = dump(storage);
    if (!allowed.includes(found)) return `life ${life}: found ${found}, allowed: ${allowed.join(' OR ')}`;
    allowed = [found];
    const mirror = copyOf(storage);
    table.holdCommits = random.below(2) === 0;
    table.failCommits = random.below(8) === 0;
    const fault = random.below(9);
    if (fault < 3) directory.crashAt(1 + random.below(40));
    else if (fault < 5) directory.failAt(fault === 3 ? 'sync' : 'append', 1 + random.below(10), true);
    try {
      for (let steps = random.below(80); steps > 0 && !directory.isDown && !storage.failed; steps--) {
        const dice = random.below(10);
        if (dice < 7) {
          clock += 1;
          const change = randomChange(random, mirror, clock);
          change(storage);
          change(mirror);
        } else if (dice < 9) flush(storage, allowed);
        else if (random.below(2) === 0) directory.answerNext();
        else table.held.shift()?.();
        const [ours, theirs] = [dump(storage), dump(mirror)];
        if (ours !== theirs && !storage.failed) return `life ${life}: shows ${ours}, and memory ${theirs}`;
      }
      directory.answerAll();
    } catch (thrown) {
      if (!(thrown instanceof PowerLoss)) throw thrown;
    }
    if (table.held.length > 0 && random.below(2) === 0) table.held.shift()?.();
    if (random.below(2) === 0) directory.crash();
    else directory.kill();
    table.crash();
    table.failCommits = false;
    directory.heal();
  }
  return null;
}

function open(random: Random, directory: FaultyDirectory, table: MemoryTable): DurableStorage<KvOperation> {
  const checkpointLogBytes = [1, 300, 3_000][random.below(3)] as number;
  const checksum = (bytes: Uint8Array): number => crc32(bytes);
  const logOptions = { sectorBytes: SECTOR_BYTES, segmentBytesMax: 400 };
  const checkpointPart = 1 + random.below(2);
  const config = { directory, table, codec: kvOperationCodec, checksum };
  return new DurableStorage({ ...config, checkpointLogBytes, checkpointPart, logOptions });
}

/** One flush at a time, as the gate of the driver has it. */
function flush(storage: DurableStorage<KvOperation>, allowed: string[]): void {
  if (allowed.length > 1) return;
  allowed.push(dump(storage));
  storage.flush((flushed) => {
    // What was there before is no longer enough. After a failure both may be there.
    if (flushed.ok) allowed.shift();
  });
}

function randomChange(random: Random, now: Storage, clock: number): (storage: Storage) => void {
  const key = KEYS[random.below(KEYS.length)] as string;
  const origin = ORIGINS[random.below(ORIGINS.length)] as Origin;
  const { length } = now.history(key);
  const dice = random.below(12);
  if (dice < 3 && length > 0) {
    const present = random.below(3) > 0;
    return (storage) => storage.settle(key, present);
  }
  if (dice < 5 && length > 0) {
    const position = random.below(length);
    return (storage) => storage.remove(key, position);
  }
  if (dice < 6) {
    const base = random.below(3) === 0 ? null : randomWrite(random, key, origin, clock);
    return (storage) => storage.setBase(key, base);
  }
  if (dice < 7) return (storage) => storage.saveSeen(origin, clock);
  if (dice < 8) {
    const vector = new VersionVector([[origin, clock]]);
    const resume = random.below(2) === 0 ? null : { received: new VersionVector(), target: vector };
    const store = random.below(2) === 0 ? null : { time: clock, after: random.below(2) === 0 ? null : key };
    const rejoinsWith = random.below(2) === 0 ? null : ('r' as ReplicaId);
    const state = {
      baseTime: clock,
      baseVector: vector,
      replaced: new VersionVector(),
      retired: [origin],
      clock,
      resume,
      store,
      rejoinsWith,
    };
    return (storage) => storage.saveState(state);
  }
  const write = randomWrite(random, key, origin, clock);
  const position = random.below(length + 1);
  return (storage) => storage.insert(write, position);
}

/** In no order within its history: storage does not care. */
function randomWrite(random: Random, key: string, origin: Origin, clock: number): Write<KvOperation> {
  const put: KvOperation = { kind: 'put', value: new Uint8Array(random.below(60)) };
  const lasting: KvOperation = { ...put, ttlMs: 5, expires: 1 + random.below(9) };
  const operation = [{ kind: 'delete' } as const, put, put, lasting][random.below(4)] as KvOperation;
  const client = `c${random.below(3)}` as ClientId;
  // Also late ones: below those that came before.
  const acceptTime = random.below(3) === 0 ? 1_000_000 - clock : clock;
  return { origin, acceptTime, client, clientTime: clock, key, operation };
}

function copyOf(storage: Storage): MemoryStorage<KvOperation> {
  const memory = new MemoryStorage<KvOperation>(kvOperationCodec);
  for (const key of drain(storage.keys())) {
    memory.setBase(key, storage.base(key));
    for (const [i, write] of storage.history(key).entries()) memory.insert(write, i);
  }
  for (const [origin, time] of storage.loadSeen().entries()) memory.saveSeen(origin, time);
  const state = storage.loadState();
  if (state !== null) memory.saveState(state);
  return memory;
}

/** Everything a storage shows, as a text. */
function dump(storage: Storage): string {
  const name = (write: Write<KvOperation>): string => {
    const { origin, acceptTime, client, clientTime, key, operation } = write;
    const value = operation.kind === 'put' ? operation.value.length : '-';
    return `${acceptTime}@${origin} ${client}:${clientTime} ${key} ${value}`;
  };
  const { size, keyCount } = storage;
  const keys = drain(storage.keys()).map((key) => {
    const base = storage.base(key);
    return [base === null ? null : name(base), ...storage.history(key).map(name)].join(', ');
  });
  const runs = ORIGINS.map((origin) =>
    drain(storage.run(origin, 0, Number.POSITIVE_INFINITY))
      .map(name)
      .join(', '),
  );
  const expiring = drain(storage.expiring(Number.POSITIVE_INFINITY)).map(name);
  const state = storage.loadState();
  const vectors = [state?.baseVector, state?.resume?.target].map((vector) => vector?.toString());
  return JSON.stringify({ size, keyCount, seen: storage.loadSeen().toString(), keys, runs, expiring, vectors, state });
}

function drain<T>(items: Iterator<T>): T[] {
  const found: T[] = [];
  for (let next = items.next(); next.done !== true; next = items.next()) found.push(next.value);
  return found;
}
