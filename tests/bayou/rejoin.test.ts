import { expect, test } from 'vitest';
import { type ClientId, type Origin, originOf, type ReplicaId } from '../../src/base/ids.js';
import { dissolveBase, resubmit } from '../../src/bayou/rejoin.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { stampOrder } from '../../src/bayou/write.js';
import { WriteLog } from '../../src/bayou/write-log.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import {
  exchange,
  get,
  type Home,
  homeOf,
  introduce,
  LIMITS,
  log,
  openOver,
  pull,
  put,
  rejoin,
  serve,
  store,
  tryPull,
} from './replicas.js';

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

test('who has left takes nothing before it begins again, be it opened again as it was', () => {
  const [a, c] = ['a', 'c'].map((id) => homeOf(id, TERMS)) as [Home, Home];
  introduce([a.replica, c.replica]);
  exchange([a.replica, c.replica], NOW);
  c.replica.accept(put('y', 1, 'of c', 'v'), NOW);
  a.replica.accept(put('x', 1, 'of a', 'w'), NOW);
  const request = c.replica.nextPull(a.replica.id, LIMITS);
  const batch = serve(a.replica, request, NOW);
  a.replica.retire(c.replica.id);
  c.replica.leave(a.replica.id);
  const before = log(c.replica);
  // What was asked for before it left, and what it asks for since.
  expect(c.replica.integrate(a.replica.id, request, batch, NOW)).toMatchObject({
    kind: 'refused',
    code: 'ERR_RETIRED',
  });
  const b = homeOf('b', TERMS);
  c.replica = openOver(c.storage, 'c', TERMS, { life: 1 });
  expect(tryPull(c.replica, b.replica, LATER)).toMatchObject({ kind: 'refused', code: 'ERR_RETIRED' });
  expect([log(c.replica), c.replica.isBehind]).toEqual([before, true]);
  c.replica = openOver(c.storage, 'c', TERMS, { incarnation: 2, life: 2 });
  pull(c.replica, a.replica, LIMITS, LATER);
  pull(a.replica, c.replica, LIMITS, LATER);
  for (const { replica } of [a, c]) expect(store(replica)).toEqual(['of a=w', 'of c=v']);
});

test('a base store that is taken apart leaves in the log what is claimed, since nobody sends that again', () => {
  const storage = new MemoryStorage<KvOperation>(kvOperationCodec);
  const log = new WriteLog(
    storage,
    stampOrder('higher'),
    { machine: kvMachine, retryWindow: 0 },
    originOf('x' as ReplicaId, 1),
  );
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
  expect(log.read('claimed')).toMatchObject({ value: new Uint8Array([1]) });
  expect([storage.base('claimed'), storage.base('of others')]).toEqual([null, null]);
});

test('what operations came to is accepted anew though the one that it is named after was: that brings back no other', () => {
  const [self, ended, operation] = ['x', 'a', 'b'].map((id) => originOf(id as ReplicaId, 1)) as [
    Origin,
    Origin,
    Origin,
  ];
  const rules = { machine: kvMachine, retryWindow: 100 };
  const log = new WriteLog(new MemoryStorage<KvOperation>(kvOperationCodec), stampOrder('higher'), rules, self);
  const name = { client: 'c' as ClientId, clientTime: 2, key: 'k', resubmitted: true } as const;
  const bytes = new TextEncoder().encode('two;');
  const value = new TextEncoder().encode('one;two;');
  log.insertReceived({ ...name, origin: ended, acceptTime: 10, operation: { kind: 'total', value } });
  log.insertReceived({ ...name, origin: operation, acceptTime: 20, operation: { kind: 'append', bytes } });
  for (const origin of [ended, operation]) log.raiseSeen(origin, 20);
  const adopted: string[] = [];
  const known = new VersionVector([[operation, 20]]);
  resubmit(
    log,
    (origin) => (origin === ended ? 10 : 20),
    known,
    10,
    (writes) => adopted.push(...writes.map(({ operation }) => operation.kind)),
  );
  expect(adopted).toEqual(['total']);
});

test('what operations came to is not pruned: copies of the one that it is named after must find it', () => {
  const [a, b] = ['a', 'b'].map((id) => originOf(id as ReplicaId, 1)) as [Origin, Origin];
  const rules = { machine: kvMachine, retryWindow: 100 };
  const name = { client: 'c' as ClientId, key: 'k', resubmitted: true } as const;
  const value = new TextEncoder().encode('1');
  const total = { ...name, clientTime: 2, origin: a, acceptTime: 10, operation: { kind: 'total', value } } as const;
  const later = { ...name, clientTime: 3, origin: b, acceptTime: 20, operation: { kind: 'total', value } } as const;
  const copy = { ...name, clientTime: 2, origin: b, acceptTime: 30, operation: { kind: 'increment', by: 1 } } as const;
  for (const order of [
    [total, later, copy],
    [copy, later, total],
    [later, total, copy],
  ]) {
    const log = new WriteLog(
      new MemoryStorage<KvOperation>(kvOperationCodec),
      stampOrder('higher'),
      rules,
      originOf('x' as ReplicaId, 1),
    );
    for (const write of order) {
      log.insertReceived(write);
      log.claim(new VersionVector([[write.origin, write.acceptTime]]));
    }
    expect(log.read('k')).toMatchObject({ value });
  }
});
