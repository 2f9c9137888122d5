import { crc32 } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import type { WriteReply } from '../../src/bayou/messages.js';
import { DEFAULT_SETTINGS } from '../../src/driver/settings.js';
import { kvOperationCodec } from '../../src/machine/kv.js';
import { FaultyDirectory } from '../../src/sim/disk/faulty-directory.js';
import { MemoryTable } from '../../src/sim/disk/memory-table.js';
import { DurableStorage } from '../../src/storage/durable.js';
import { type Node, TERMS, World } from './world.js';

const A = originOf('a' as ReplicaId, 1);
const B = originOf('b' as ReplicaId, 1);
const SECTOR_BYTES = 64;

describe('a replica whose disk fails', () => {
  let world: World;
  let directory: FaultyDirectory;
  let table: MemoryTable;
  let a: Node;
  let clientTime: number;
  beforeEach(() => {
    world = new World();
    directory = new FaultyDirectory(1, { sectorBytes: SECTOR_BYTES });
    table = new MemoryTable();
    a = world.start('a', { batchWritesMax: 2 }, TERMS, null, openStorage());
    clientTime = 1_000;
  });

  function openStorage(): DurableStorage<ReturnType<typeof kvOperationCodec.decode>> {
    const logOptions = { sectorBytes: SECTOR_BYTES };
    const checksum = (bytes: Uint8Array): number => crc32(bytes);
    return new DurableStorage({ directory, table, codec: kvOperationCodec, checksum, logOptions });
  }

  /** `accepted`, or the code of the error. */
  function put(key: string): string {
    clientTime += 1;
    const operation = { kind: 'put', value: new Uint8Array(10) } as const;
    const request = { client: 'x' as ClientId, clientTime, key, operation, after: 0, needs: null };
    const outcome = world.answer<WriteReply>((done) => a.line.write(request, 1_000, done));
    return outcome.ok ? outcome.value.kind : outcome.error.code;
  }

  const untilTriedAgain = (): void => world.sleep(DEFAULT_SETTINGS.storageRetryMs + 10);

  for (const call of ['sync', 'append'] as const) {
    test(`refuses writes while ${call} fails, reads on, and forgets nothing that it acknowledged`, () => {
      expect(put('before')).toBe('accepted');
      directory.failAt(call, 1, true);
      expect(put('refused')).toBe('ERR_STORAGE');
      // What a failed sync left whole is kept, though it was not acknowledged.
      expect([world.has(a, 'before'), world.has(a, 'refused')]).toEqual([true, call === 'sync']);
      untilTriedAgain();
      expect(put('refused too')).toBe('ERR_STORAGE');
      expect(world.has(a, 'refused too')).toBe(call === 'sync');
      directory.heal();
      untilTriedAgain();
      expect(put('after')).toBe('accepted');
      directory.crash();
      a.replica.kill();
      const again = openStorage();
      expect(['before', 'after'].map((key) => again.history(key).length)).toEqual([1, 1]);
    });
  }

  test('a full disk refuses what does not fit, and takes writes again when there is room', () => {
    expect(put('before')).toBe('accepted');
    directory.capacityBytes = 0;
    for (let i = 0; i < 20; i++) {
      expect(put(`refused ${i}`)).toBe('ERR_STORAGE');
      if (i % 5 === 0) untilTriedAgain();
    }
    expect(world.has(a, 'before')).toBe(true);
    directory.heal();
    untilTriedAgain();
    expect(put('after')).toBe('accepted');
    expect(world.status(a).writes).toBe(2);
  });

  test('what it refused is stamped anew, and nothing of it has left', () => {
    const b = world.start('b');
    world.link(a, b);
    expect(put('k1')).toBe('accepted');
    directory.failAt('append', 1);
    expect(put('k2')).toBe('ERR_STORAGE');
    expect(world.stabilize(b, [a]).outcomes).toMatchObject([{ done: true }]);
    expect([world.has(b, 'k1'), world.has(b, 'k2')]).toEqual([true, false]);
    expect(world.status(b).seen.get(A)).toBe(1);
    untilTriedAgain();
    expect(put('k3')).toBe('accepted');
    expect(world.status(a).seen.get(A)).toBe(2);
    world.stabilize(b, [a]);
    expect([world.has(b, 'k2'), world.has(b, 'k3')]).toEqual([false, true]);
  });

  test('a transfer that the disk cut claims nothing, and is made good later', () => {
    const b = world.start('b');
    world.link(a, b);
    for (let i = 0; i < 9; i++) world.put(b, `k${i}`);
    for (let nth = 1; nth <= 3; nth++) {
      directory.failAt('append', nth);
      expect(world.stabilize(a, [b]).outcomes).toMatchObject([{ done: false, error: { code: 'ERR_STORAGE' } }]);
      expect(world.status(a).seen.get(B)).toBe(0);
      directory.heal();
      untilTriedAgain();
    }
    expect(world.stabilize(a, [b]).outcomes).toMatchObject([{ done: true }]);
    expect(world.status(a).seen.equals(world.status(b).seen)).toBe(true);
    expect(world.status(a).writes).toBe(9);
  });

  test('what others tell of meanwhile is left to the period: it does not ask, and complain, for each', () => {
    const b = world.start('b', { antiEntropyMs: 1_000 });
    a.replica.kill();
    a = world.start('a', { antiEntropyMs: 1_000 }, TERMS, null, openStorage());
    world.link(a, b);
    world.sleep(2_000);
    directory.capacityBytes = 0;
    for (let i = 0; i < 200; i++) {
      world.put(b, `k${i}`);
      world.sleep(5);
    }
    expect(world.said.filter((line) => line.startsWith('a: pull failed')).length).toBeLessThan(10);
    directory.heal();
    world.sleep(5_000);
    expect(world.status(a).seen.equals(world.status(b).seen)).toBe(true);
  });
});
