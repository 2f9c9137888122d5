import { deflateRawSync } from 'node:zlib';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { BaristaError } from '../../src/base/errors.js';
import { originOf, type ReplicaId } from '../../src/base/ids.js';
import type { Done } from '../../src/base/outcome.js';
import type { PullBatch, PullRequest } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { KvOperation } from '../../src/machine/kv.js';
import type { ReplicaConnection } from '../../src/rpc/client.js';
import { FRAME_BYTES_MAX } from '../../src/rpc/limits.js';
import './equality.js';
import { ORIGIN, TERMS } from './memory-service.js';
import * as packed from './packed.js';
import { connectTo, errorOf, putRequest, reply } from './replica.js';
import { type StockFields, type StockHandler, type StockServer, stock, stockServer } from './stock.js';

/* Our client against a server of Apache Thrift's own runtime. */

let replica: ReplicaConnection;
/** What the server was asked last. */
let asked: StockFields;

async function startWith(handlers: Readonly<Record<string, StockHandler>>): Promise<StockServer> {
  const remembering = Object.entries(handlers).map(([name, handle]) => {
    const remember: StockHandler = (request) => {
      asked = request;
      return handle(request);
    };
    return [name, remember];
  });
  const server = await stockServer(Object.fromEntries(remembering));
  onTestFinished(() => server.close());
  replica = connectTo(server.address);
  return server;
}

const origin = { id: 'r1', incarnation: 1 };
const stamp = { acceptTime: 3, origin };
const vector = [{ origin, acceptTime: 3 }];
const VECTOR = new VersionVector([[ORIGIN, 3]]);
const number = (value: number): unknown =>
  expect.objectContaining({ toNumber: expect.any(Function), buffer: bytesOf(value) });

function bytesOf(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

describe('a write', () => {
  test('is accepted', async () => {
    await startWith({ put: () => stock('WriteReply', { accepted: stamp }) });
    const request = { ...putRequest('clé', 'v', 2 ** 53 - 1), after: 2 ** 32, needs: VECTOR };
    expect(await reply((timeoutMs, done) => replica.write(request, timeoutMs, done))).toEqual({
      kind: 'accepted',
      stamp: { origin: ORIGIN, acceptTime: 3 },
    });
    expect(asked).toMatchObject({
      client: 'c1',
      clientTime: number(2 ** 53 - 1),
      key: 'clé',
      value: Buffer.from('v'),
      after: number(2 ** 32),
      needs: [{ origin: { id: 'r1', incarnation: number(1) }, acceptTime: number(3) }],
    });
  });

  test('lacks what it needs', async () => {
    await startWith({ remove: () => stock('WriteReply', { missing: { missing: vector } }) });
    const request = { ...putRequest('k', ''), operation: { kind: 'delete' as const } };
    expect(await reply((timeoutMs, done) => replica.write(request, timeoutMs, done))).toEqual({
      kind: 'missing',
      missing: VECTOR,
    });
    expect(asked).toMatchObject({ client: 'c1', key: 'k', after: null, needs: null });
  });
});

describe('a read', () => {
  const read = (): Promise<unknown> =>
    reply((timeoutMs, done: Done<unknown>) => replica.read({ key: '__proto__', needs: VECTOR }, timeoutMs, done));

  test('finds a value', async () => {
    await startWith({ get: () => stock('GetReply', { found: { value: Buffer.from([0, 255]), stamp } }) });
    expect(await read()).toEqual({
      kind: 'found',
      value: new Uint8Array([0, 255]),
      stamp: { origin: ORIGIN, acceptTime: 3 },
    });
    expect(asked).toMatchObject({ key: '__proto__', needs: [{ acceptTime: number(3) }] });
  });

  test('finds nothing', async () => {
    await startWith({ get: () => stock('GetReply', { absent: {} }) });
    expect(await read()).toEqual({ kind: 'absent' });
  });

  test('lacks what it needs', async () => {
    await startWith({ get: () => stock('GetReply', { missing: { missing: vector } }) });
    expect(await read()).toEqual({ kind: 'missing', missing: VECTOR });
  });
});

describe('a pull', () => {
  const request: PullRequest = {
    terms: TERMS,
    from: originOf('r2' as ReplicaId, 9),
    to: 'r1' as ReplicaId,
    seen: VECTOR,
    resume: { received: VECTOR, target: new VersionVector() },
    store: { time: 2, after: null },
    report: true,
    clock: 9,
    life: 8,
    outside: false,
    writesMax: 10,
    bytesMax: 1000,
  };
  const pull = (): Promise<PullBatch<KvOperation>> =>
    reply((timeoutMs, done) => replica.pull(request, timeoutMs, done));

  /** A put of "ab" by r3 and a delete of "é", packed by hand. */
  const bytes = Buffer.concat([
    ...[packed.number(4), packed.number(2)],
    ...[packed.number(0), packed.string('r3'), packed.number(2), packed.number(0), packed.string('c2')],
    ...[packed.difference(4), packed.difference(7), packed.number(0), packed.string('ab')],
    ...[packed.number(3), Buffer.from('x')],
    ...[packed.number(4), packed.string('r1'), packed.number(1), packed.number(1), packed.string('c1')],
    ...[packed.difference(-1), packed.difference(2), packed.number(0), packed.string('é'), packed.number(0)],
  ]);
  const writes = [
    {
      origin: originOf('r3' as ReplicaId, 2),
      acceptTime: 4,
      client: 'c2',
      clientTime: 7,
      key: 'ab',
      operation: { kind: 'put', value: new Uint8Array(Buffer.from('x')) },
    },
    { origin: ORIGIN, acceptTime: 3, client: 'c1', clientTime: 2, key: 'é', operation: { kind: 'delete' } },
  ];
  const standing = { base: 1, floor: 2, clock: 3, members: 4 };
  const batch = {
    sender: origin,
    resumed: true,
    writes: { compression: 1, bytes },
    seen: vector,
    more: true,
    standing,
  };

  test('gets a batch', async () => {
    await startWith({ pull: () => stock('PullBatch', batch) });
    const expected = { from: ORIGIN, resumed: true, writes, seen: VECTOR, more: true, standing };
    expect(await pull()).toEqual({ ...expected, store: null, left: null, report: null });
    expect(asked).toMatchObject({
      terms: { protocol: 5, cluster: 'test', tieBreak: 1, clock: 1, retryWindowMs: number(60_000) },
      sender: { id: 'r2', incarnation: number(9) },
      recipient: 'r1',
      resume: { received: [{ acceptTime: number(3) }], target: [] },
      store: { time: number(2), after: null },
      report: true,
      clock: number(9),
      life: number(8),
      outside: false,
      writesMax: 10,
      bytesMax: 1000,
      inflates: true,
    });
  });

  test('gets a page of a base store, deflated, and a report', async () => {
    const entries = { compression: 2, bytes: deflateRawSync(bytes) };
    const store = { time: 5, vector, after: 'a', entries, upTo: 'é' };
    const report = { attestations: [{ origin, clock: 1, held: 2, view: 2 ** 53 - 1 }], retired: [origin] };
    await startWith({ pull: () => stock('PullBatch', { ...batch, store, left: 9, report }) });
    expect(await pull()).toMatchObject({
      store: { time: 5, vector: VECTOR, after: 'a', entries: writes, upTo: 'é' },
      left: 9,
      report: { attestations: [{ origin: ORIGIN, clock: 1, held: 2, view: 2 ** 53 - 1 }], retired: [ORIGIN] },
    });
  });

  test.each([
    ['a bomb', { compression: 2, bytes: deflateRawSync(Buffer.alloc(FRAME_BYTES_MAX + 1)) }],
    ['cut', { compression: 1, bytes: bytes.subarray(0, -1) }],
    ['not deflated', { compression: 2, bytes }],
  ])('whose writes are %s fails', async (_, writes) => {
    await startWith({ pull: () => stock('PullBatch', { ...batch, writes }) });
    expect(await errorOf((timeoutMs, done) => replica.pull(request, timeoutMs, done))).toMatchObject({
      code: 'ERR_PROTOCOL',
      message: expect.stringContaining('.writes'),
    });
  });
});

test('news is taken note of', async () => {
  await startWith({ news: () => stock('Empty') });
  const news = { terms: TERMS, from: originOf('r2' as ReplicaId, 9), to: 'r1' as ReplicaId, fresh: VECTOR };
  expect(await reply((timeoutMs, done) => replica.news(news, timeoutMs, done))).toBeUndefined();
  expect(asked).toMatchObject({
    terms: { protocol: 5, cluster: 'test', tieBreak: 1, clock: 1, retryWindowMs: number(60_000) },
    sender: { id: 'r2', incarnation: number(9) },
    recipient: 'r1',
    fresh: [{ acceptTime: number(3) }],
  });
});

describe('an operator', () => {
  test('reads the status', async () => {
    const terms = { protocol: 5, cluster: 'test', tieBreak: 2, clock: 2, retryWindowMs: 5 };
    const links = [
      {
        peer: 'r2',
        host: '::1',
        port: 9,
        lastError: 'ERR_CONN',
        drift: { origin, aheadMs: 90_000 },
        progress: { done: 1, total: 20, perSecond: 300 },
      },
      { peer: 'r3', host: 'h', port: 1 },
    ];
    const stability = { base: 1, stable: 2, waitsFor: [origin], retired: [{ id: 'r3', incarnation: 2 }] };
    const status = stock('StatusReply', { origin, terms, seen: vector, writes: 12, ...stability, links });
    await startWith({ status: () => status });
    expect(await reply((timeoutMs, done) => replica.status(timeoutMs, done))).toEqual({
      origin: ORIGIN,
      lacks: [],
      terms: { protocol: 5, cluster: 'test', tieBreak: 'lower', clock: 'hybrid', retryWindowMs: 5 },
      seen: VECTOR,
      writes: 12,
      base: 1,
      stable: 2,
      waitsFor: [ORIGIN],
      retired: [originOf('r3' as ReplicaId, 2)],
      links: [
        {
          peer: 'r2',
          address: { host: '::1', port: 9 },
          lastError: 'ERR_CONN',
          drift: { origin: ORIGIN, aheadMs: 90_000 },
          progress: { done: 1, total: 20, perSecond: 300 },
        },
        { peer: 'r3', address: { host: 'h', port: 1 }, lastError: null, drift: null, progress: null },
      ],
    });
  });

  test('links, unlinks, retires and shuts down', async () => {
    const empty = (): ReturnType<typeof stock> => stock('Empty');
    await startWith({ link: empty, unlink: empty, retire: empty, shutdown: empty });
    const peer = 'r2' as ReplicaId;
    const link = { peer, address: { host: 'h', port: 5 }, incarnation: 3 };
    expect(await reply((timeoutMs, done: Done<unknown>) => replica.link(link, timeoutMs, done))).toBeUndefined();
    expect(asked).toMatchObject({ peer: 'r2', host: 'h', port: 5, incarnation: number(3) });
    expect(await reply((timeoutMs, done: Done<unknown>) => replica.unlink({ peer }, timeoutMs, done))).toBeUndefined();
    const retire = { id: 'r3' as ReplicaId };
    expect(await reply((timeoutMs, done: Done<unknown>) => replica.retire(retire, timeoutMs, done))).toBeUndefined();
    expect(asked).toMatchObject({ id: 'r3' });
    expect(await reply((timeoutMs, done: Done<unknown>) => replica.shutdown(timeoutMs, done))).toBeUndefined();
  });

  test('stabilizes', async () => {
    const outcomes = [
      { peer: 'r2', done: true },
      { peer: 'r3', done: false, errorCode: 'ERR_TIMEOUT', errorMessage: 'too long' },
      { peer: 'r4', done: false, errorCode: 'ERR_OF_THE_FUTURE' },
    ];
    await startWith({ stabilize: () => stock('StabilizeReply', { outcomes, seen: [] }) });
    const request = { peers: ['r2' as ReplicaId], budgetMs: 20, compact: true };
    expect(await reply((timeoutMs, done) => replica.stabilize(request, timeoutMs, done))).toEqual({
      outcomes: [
        { peer: 'r2', done: true, error: null },
        { peer: 'r3', done: false, error: { code: 'ERR_TIMEOUT', message: 'too long' } },
        { peer: 'r4', done: false, error: { code: 'ERR_PROTOCOL', message: '' } },
      ],
      seen: new VersionVector(),
    });
    expect(asked).toMatchObject({ peers: ['r2'], budgetMs: 20, compact: true });
  });

  test('reads the store and the log', async () => {
    const operation = { put: { value: Buffer.from('x') } };
    await startWith({
      store: () => stock('StoreReply', { entries: [{ key: 'k', value: Buffer.from('v') }], more: true }),
      log: () =>
        stock('LogReply', { entries: [{ stamp, client: 'c', clientTime: 0, key: 'k', operation }], more: false }),
    });
    const store = { after: 'j', entriesMax: 7 };
    expect(await reply((timeoutMs, done) => replica.store(store, timeoutMs, done))).toEqual({
      entries: [{ key: 'k', value: new Uint8Array(Buffer.from('v')) }],
      more: true,
    });
    expect(asked).toMatchObject(store);
    const after = { origin: ORIGIN, acceptTime: 2 };
    expect(await reply((timeoutMs, done) => replica.log({ after, writesMax: 1 }, timeoutMs, done))).toEqual({
      entries: [
        {
          origin: ORIGIN,
          acceptTime: 3,
          client: 'c',
          clientTime: 0,
          key: 'k',
          operation: { kind: 'put', value: new Uint8Array(Buffer.from('x')) },
        },
      ],
      more: false,
    });
  });
});

describe('a failure', () => {
  const failing =
    (code: string): StockHandler =>
    () => {
      throw stock('Failure', { code, message: 'so it is', advice: 'wait' });
    };
  const status = (): Promise<BaristaError> => errorOf((timeoutMs, done) => replica.status(timeoutMs, done));

  test('comes back as the error of its code', async () => {
    await startWith({ status: failing('ERR_STORAGE') });
    expect(await status()).toEqual(new BaristaError('ERR_STORAGE', 'so it is'));
  });

  test('of a newer version says its code in the message', async () => {
    await startWith({ status: failing('ERR_OF_THE_FUTURE') });
    expect(await status()).toMatchObject({
      code: 'ERR_PROTOCOL',
      message: expect.stringContaining('ERR_OF_THE_FUTURE'),
    });
  });

  test('that Thrift itself reports leaves the connection usable', async () => {
    await startWith({
      status: () => {
        throw new Error('a bug');
      },
      shutdown: () => stock('Empty'),
    });
    expect(await status()).toMatchObject({ code: 'ERR_PROTOCOL', message: expect.stringContaining('a bug') });
    await reply((timeoutMs, done: Done<unknown>) => replica.shutdown(timeoutMs, done));
  });
});

describe('many calls in flight', () => {
  beforeEach(async () => {
    await startWith({
      get: async ({ key }) => {
        await new Promise((resolve) => setTimeout(resolve, Number(String(key).slice(1)) % 7));
        return stock('GetReply', { found: { value: Buffer.from(String(key)), stamp } });
      },
    });
  });

  test('each get their own reply, in whatever order replies come', async () => {
    const keys = Array.from({ length: 64 }, (_, i) => `k${i}`);
    const replies = await Promise.all(
      keys.map((key) => reply((timeoutMs, done: Done<unknown>) => replica.read({ key, needs: null }, timeoutMs, done))),
    );
    expect(replies).toMatchObject(keys.map((key) => ({ value: new Uint8Array(Buffer.from(key)) })));
  });
});
