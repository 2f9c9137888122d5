import { expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { type Done, succeed } from '../../src/base/outcome.js';
import type { Timers } from '../../src/base/time.js';
import type { PeerConnection } from '../../src/bayou/ports.js';
import { Replica } from '../../src/bayou/replica.js';
import { Driver } from '../../src/driver/driver.js';
import { DEFAULT_SETTINGS } from '../../src/driver/settings.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import { TERMS } from './world.js';

test('news of a write is sent before its flush begins, which may keep the thread until it is done', () => {
  const done: string[] = [];
  /** What is put off to the end of the turn: flushes, and what a connection has to send. */
  const turn: (() => void)[] = [];
  const timers: Timers = { after: () => () => undefined, soon: (run) => void turn.push(run) };
  let isDirty = false;
  class Storage extends MemoryStorage<KvOperation> {
    override get dirty(): boolean {
      return isDirty;
    }
    override flush(flushed: Done<void>): void {
      isDirty = false;
      done.push('flush');
      flushed(succeed(undefined));
    }
  }
  const storage = new Storage(kvOperationCodec);
  const connection: PeerConnection<KvOperation> = {
    pull: () => undefined,
    news: () => timers.soon(() => done.push('news')),
    close: () => undefined,
  };
  const driver = new Driver({
    openReplica: () =>
      new Replica({ origin: originOf('a' as ReplicaId, 1), terms: TERMS, machine: kvMachine, storage }),
    storage,
    dialer: { dial: () => connection },
    clock: { now: () => 0 },
    timers,
    log: { info: () => undefined, warn: () => undefined },
    settings: { ...DEFAULT_SETTINGS, antiEntropyMs: 1_000 },
    onShutdown: () => undefined,
    reincarnate: () => undefined,
  });
  const address = { host: 'b', port: 1 };
  driver.link({ peer: 'b' as ReplicaId, address, incarnation: 1 }, () => undefined);
  isDirty = true;
  const request = { client: 'c' as ClientId, clientTime: 1, key: 'k', after: 0, needs: null };
  driver.write({ ...request, operation: { kind: 'put', value: new Uint8Array([1]) } }, () => done.push('answer'));
  while (turn.length > 0) turn.shift()?.();
  driver.close();
  expect(done).toEqual(['news', 'flush', 'answer']);
});
