import { expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { dissolveBase } from '../../src/bayou/rejoin.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { stampOrder } from '../../src/bayou/write.js';
import { WriteLog } from '../../src/bayou/write-log.js';
import { type KvOperation, kvMachine } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import { exchange, get, type Home, homeOf, introduce, LIMITS, pull, put, rejoin, tryPull } from './replicas.js';

const TERMS = { clock: 'hybrid', retryWindowMs: 1_000 } as const;
const NOW = 1_000_000;
/** When a repeat takes effect again. */
const LATER = NOW + 20_000;

test('who rejoins after the retry window does not bring back what its client has overwritten elsewhere', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((id) => homeOf(id, TERMS)) as [Home, Home, Home];
  introduce([a, b, c].map(({ replica }) => replica));
  exchange([a.replica, b.replica, c.replica], NOW);
  const reply = c.replica.accept(put('y', 1, 'moved', 'old'), NOW);
  const after = reply.kind === 'accepted' ? reply.stamp.acceptTime : 0;
  a.replica.accept(put('y', 2, 'moved', 'new', after), NOW);
  a.replica.retire(c.replica.id);
  expect(tryPull(c.replica, a.replica, LATER)).toMatchObject({ kind: 'refused', code: 'ERR_RETIRED' });
  rejoin(c, a.replica);
  pull(c.replica, a.replica, LIMITS, LATER);
  pull(a.replica, c.replica, LIMITS, LATER);
  expect([a, c].map(({ replica }) => get(replica, 'moved'))).toEqual(['new', 'new']);
});

test('a base store that is taken apart leaves in the log what is claimed, since nobody sends that again', () => {
  const storage = new MemoryStorage<KvOperation>();
  const log = new WriteLog(storage, stampOrder('higher'), { machine: kvMachine, retryWindow: 0 });
  const origin = originOf('a' as ReplicaId, 1);
  for (const [key, acceptTime] of [
    ['claimed', 1],
    ['of others', 2],
  ] as const) {
    const operation: KvOperation = { kind: 'put', value: new Uint8Array([acceptTime]) };
    storage.insert({ origin, acceptTime, client: 'x' as ClientId, clientTime: acceptTime, key, operation }, 0);
    storage.settle(key, true);
  }
  log.raiseSeen(origin, 1);
  const adopted: string[] = [];
  const known = new VersionVector([[origin, 1]]);
  expect(dissolveBase(log, null, known, 10, ({ key }) => adopted.push(key))).toBeNull();
  expect(adopted).toEqual(['of others']);
  expect(log.read('claimed')?.value).toEqual(new Uint8Array([1]));
  expect([storage.base('claimed'), storage.base('of others')]).toEqual([null, null]);
});
