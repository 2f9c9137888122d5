import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import type { ReplicaState } from '../../src/bayou/ports.js';
import type { Write } from '../../src/bayou/write.js';
import { type KvOperation, kvOperationCodec } from '../../src/machine/kv.js';
import { FaultyDirectory } from '../../src/sim/disk/faulty-directory.js';
import { MemoryTable } from '../../src/sim/disk/memory-table.js';
import type { BytesPart } from '../../src/storage/bytes.js';
import { DurableStorage } from '../../src/storage/durable.js';
import { DataDirectory } from '../../src/storage/node/data-directory.js';
import { runStorageConformance } from './conformance.js';

const checksum = (bytes: Uint8Array): number => crc32(bytes);

/** Flushes after every change, and so checkpoints after every change if `checkpointLogBytes` is small. */
class EagerStorage extends DurableStorage<KvOperation> {
  override insert(write: Write<KvOperation>, position: number): void {
    super.insert(write, position);
    this.flush(() => undefined);
  }

  override remove(key: string, position: number): void {
    super.remove(key, position);
    this.flush(() => undefined);
  }

  override settle(key: string, present: boolean): void {
    super.settle(key, present);
    this.flush(() => undefined);
  }

  override setBase(key: string, base: Write<KvOperation> | null): void {
    super.setBase(key, base);
    this.flush(() => undefined);
  }

  override saveState(state: ReplicaState): void {
    super.saveState(state);
    this.flush(() => undefined);
  }
}

runStorageConformance('DurableStorage, all in its layer', () => {
  const config = { directory: new FaultyDirectory(1), table: new MemoryTable(), codec: kvOperationCodec, checksum };
  return new DurableStorage(config);
});

runStorageConformance('DurableStorage, all in its table', () => {
  const config = { directory: new FaultyDirectory(1), table: new MemoryTable(), codec: kvOperationCodec, checksum };
  return new EagerStorage({ ...config, checkpointLogBytes: 1 });
});

runStorageConformance('DurableStorage, in two layers while a checkpoint takes its time', () => {
  const table = new MemoryTable();
  table.holdCommits = true;
  const config = { directory: new FaultyDirectory(1), table, codec: kvOperationCodec, checksum };
  return new EagerStorage({ ...config, checkpointLogBytes: 200 });
});

describe('what the table answered before', () => {
  /** Counts how often it is asked. */
  class CountingTable extends MemoryTable {
    asked = 0;

    override entry(key: string): BytesPart | undefined {
      this.asked += 1;
      return super.entry(key);
    }
  }

  const write = (key: string, acceptTime: number): Write<KvOperation> => ({
    origin: originOf('a' as ReplicaId, 1),
    acceptTime,
    client: 'c' as ClientId,
    clientTime: acceptTime,
    key,
    operation: { kind: 'put', value: new Uint8Array([acceptTime]) },
  });
  const times = (storage: DurableStorage<KvOperation>, key: string): number[] =>
    storage.history(key).map(({ acceptTime }) => acceptTime);

  test('is not asked for again, until a checkpoint has changed the table', () => {
    const table = new CountingTable();
    const config = { directory: new FaultyDirectory(1), table, codec: kvOperationCodec, checksum };
    const storage = new EagerStorage({ ...config, checkpointLogBytes: 1 });
    storage.insert(write('x', 1), 0);
    storage.insert(write('y', 2), 0);
    for (let round = 0; round < 3; round++) expect([times(storage, 'x'), times(storage, 'y')]).toEqual([[1], [2]]);
    const { asked } = table;
    for (let round = 0; round < 3; round++) expect([times(storage, 'x'), times(storage, 'y')]).toEqual([[1], [2]]);
    expect(table.asked).toBe(asked);
    storage.insert(write('x', 3), 1);
    expect(table.commits).toBeGreaterThan(2);
    expect([times(storage, 'y'), times(storage, 'x')]).toEqual([[2], [1, 3]]);
    expect(table.asked).toBeGreaterThan(asked);
  });
});

describe('a data directory on disk', () => {
  const folders: string[] = [];
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
  const identity = { id: 'a', cluster: 'test', tieBreak: 'higher', clock: 'logical', retryWindowMs: 1_000 } as const;
  const open = (path: string): DataDirectory<KvOperation> => DataDirectory.open(path, identity, 7, kvOperationCodec);
  const fresh = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'barista-data-'));
    folders.push(folder);
    return folder;
  };

  runStorageConformance('DurableStorage on disk', () => open(join(fresh(), 'data')).storage);

  test('keeps its incarnation, refuses a second user and another replica', async () => {
    const path = fresh();
    const first = open(path);
    expect(first.incarnation).toBe(7);
    expect(() => open(path)).toThrow(expect.objectContaining({ code: 'ERR_LOCKED' }));
    await new Promise<void>((resolve) => first.close(() => resolve()));
    for (const [change, code] of [
      [{ id: 'b' }, 'ERR_IDENTITY'],
      [{ cluster: 'other' }, 'ERR_CLUSTER_MISMATCH'],
      [{ tieBreak: 'lower' }, 'ERR_TIE_BREAK_MISMATCH'],
      [{ clock: 'hybrid' }, 'ERR_CLOCK_MISMATCH'],
    ] as const) {
      expect(() => DataDirectory.open(path, { ...identity, ...change }, 9, kvOperationCodec)).toThrow(
        expect.objectContaining({ code }),
      );
    }
    const again = DataDirectory.open(path, identity, 9, kvOperationCodec);
    expect(again.incarnation).toBe(7);
    await new Promise<void>((resolve) => again.close(() => resolve()));
  });
});
