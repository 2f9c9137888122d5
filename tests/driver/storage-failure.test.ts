import { crc32 } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { BaristaError } from '../../src/base/errors.js';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { SILENT_LOG } from '../../src/base/log.js';
import { fail, type Outcome, succeed } from '../../src/base/outcome.js';
import type { WriteReply } from '../../src/bayou/messages.js';
import { Replica } from '../../src/bayou/replica.js';
import type { WatchFrom, WatchReply } from '../../src/bayou/watch-messages.js';
import { Driver } from '../../src/driver/driver.js';
import { DEFAULT_SETTINGS } from '../../src/driver/settings.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../../src/machine/kv.js';
import { FaultyDirectory } from '../../src/sim/disk/faulty-directory.js';
import { MemoryTable } from '../../src/sim/disk/memory-table.js';
import { SimProcess } from '../../src/sim/process.js';
import { DurableStorage } from '../../src/storage/durable.js';
import { MemoryStorage } from '../../src/storage/memory.js';
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

  test('who watches is told of no write that was taken back, and of each that is accepted then', () => {
    const asked = (from: WatchFrom, budgetMs: number) => {
      const request = { prefix: '', from, needs: null, changesMax: 10, budgetMs, name: null };
      return world.answer<WatchReply<Uint8Array>>((done) => a.line.watch(request, 60_000, done));
    };
    const begun = asked({ kind: 'now' }, 0);
    if (!begun.ok || begun.value.kind !== 'changes') throw new Error('it did not begin');
    const from = { kind: 'cursor', cursor: begun.value.cursor } as const;
    const waiting: Outcome<WatchReply<Uint8Array>>[] = [];
    const request = { prefix: '', from, needs: null, changesMax: 10, budgetMs: 20_000, name: null };
    a.line.watch(request, 60_000, (outcome) => waiting.push(outcome));
    world.sleep(10);
    directory.failAt('append', 1);
    expect(put('refused')).toBe('ERR_STORAGE');
    world.sleep(10);
    // The next write has the stamp of the one that is gone.
    untilTriedAgain();
    expect(put('after')).toBe('accepted');
    world.sleep(10);
    const failed = waiting.filter(({ ok }) => !ok);
    const answer = failed.length > 0 ? asked(from, 0) : waiting[0];
    expect(answer).toMatchObject({ ok: true, value: { changes: [{ key: 'after', stamp: { acceptTime: 1 } }] } });
  });

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

  test('a replica that was retired rejoins, though the disk fails when it is to keep that its incarnation has ended', () => {
    const b = world.start('b');
    world.link(a, b);
    expect(put('of both')).toBe('accepted');
    world.stabilize(b, [a]);
    expect(put('of a alone')).toBe('accepted');
    expect(world.answer<void>((done) => b.line.retire({ id: a.id }, 1_000, done))).toMatchObject({ ok: true });
    // What a failed sync left whole is kept: this time, that a#1 has ended.
    directory.failAt('sync', 1, true);
    expect(() => world.stabilize(a, [b])).toThrow('EIO');
    expect(put('refused')).toBe('ERR_STORAGE');
    directory.heal();
    untilTriedAgain();
    expect(world.status(a).origin).toBe('a#2');
    for (const [to, from] of [
      [a, b],
      [b, a],
    ] as const) {
      expect(world.stabilize(to, [from]).outcomes).toMatchObject([{ done: true }]);
    }
    expect(['of both', 'of a alone'].map((key) => world.has(b, key))).toEqual([true, true]);
    expect(put('after')).toBe('accepted');
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

test('a replica whose incarnation has ended takes the next one as soon as the storage gives it', () => {
  const { scheduler } = new World();
  const process = new SimProcess(scheduler);
  const storage = new MemoryStorage<KvOperation>(kvOperationCodec);
  let incarnation = 1;
  const openReplica = (): Replica<KvOperation, Uint8Array> =>
    new Replica({ origin: originOf('a' as ReplicaId, incarnation), terms: TERMS, machine: kvMachine, storage });
  openReplica().leave('b' as ReplicaId);
  let refusals = 3;
  const driver = new Driver({
    openReplica,
    storage,
    dialer: {
      dial: () => {
        throw new Error('it is linked to nobody');
      },
    },
    clock: process,
    timers: process,
    log: SILENT_LOG,
    settings: DEFAULT_SETTINGS,
    onShutdown: () => undefined,
    reincarnate: (done) => {
      if (refusals-- > 0) return done(fail(new BaristaError('ERR_STORAGE', 'the disk is full')));
      incarnation += 1;
      done(succeed(undefined));
    },
  });
  const origins: string[] = [];
  for (let i = 0; i < 6; i++) {
    driver.status((outcome) => outcome.ok && origins.push(outcome.value.origin));
    scheduler.runUntil(scheduler.now + DEFAULT_SETTINGS.storageRetryMs, 1_000);
  }
  driver.close();
  expect(origins).toEqual(['a#1', 'a#1', 'a#1', 'a#2', 'a#2', 'a#2']);
});
