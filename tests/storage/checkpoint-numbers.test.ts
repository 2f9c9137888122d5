import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import type { Write } from '../../src/bayou/write.js';
import { type KvOperation, kvOperationCodec } from '../../src/machine/kv.js';
import { FaultyDirectory } from '../../src/sim/disk/faulty-directory.js';
import { MemoryTable } from '../../src/sim/disk/memory-table.js';
import { DurableStorage } from '../../src/storage/durable.js';

test('a checkpoint keeps how much there is, and the highest accept time, also when that write is gone', () => {
  const config = {
    directory: new FaultyDirectory(1),
    table: new MemoryTable(),
    codec: kvOperationCodec,
    checksum: (bytes: Uint8Array): number => crc32(bytes),
    checkpointLogBytes: 1,
  };
  const storage = new DurableStorage<KvOperation>(config);
  const origin = originOf('a' as ReplicaId, 1);
  const write = (acceptTime: number): Write<KvOperation> => {
    return { origin, acceptTime, client: 'c' as ClientId, clientTime: 1, key: 'k', operation: { kind: 'delete' } };
  };
  storage.insert(write(3), 0);
  storage.insert(write(7), 1);
  storage.remove('k', 1);
  storage.flush(() => undefined);
  storage.close(() => undefined);
  const again = new DurableStorage<KvOperation>(config);
  expect([again.size, again.keyCount, again.highestTime]).toEqual([1, 1, 7]);
});
