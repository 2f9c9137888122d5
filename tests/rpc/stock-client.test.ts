import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { BaristaError } from '../../src/base/errors.js';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { fail, succeed } from '../../src/base/outcome.js';
import type { WriteRequest } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { KvOperation } from '../../src/machine/kv.js';
import './equality.js';
import { type KvService, memoryService, ORIGIN, TERMS } from './memory-service.js';
import { startServer } from './replica.js';
import { type StockClient, type StockFields, stock, stockClient } from './stock.js';

/* A client of Apache Thrift's own runtime against our server. */

/** What the service was asked last. */
let asked: unknown;
let client: StockClient;

async function startWith(overrides: Partial<KvService>): Promise<void> {
  const { address } = await startServer({ service: memoryService(overrides) });
  client = stockClient(address);
  onTestFinished(() => client.end());
}

/** Numbers and text in the place of Thrift's objects and buffers. */
function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  if ('toNumber' in value && typeof value.toNumber === 'function') return value.toNumber();
  const fields = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(fields.map(([name, field]) => [name, plain(field)]));
}

const call = async (...[service, method, request]: Parameters<StockClient['call']>): Promise<unknown> =>
  plain(await client.call(service, method, request));

const put = (key: string, value: string, more: StockFields = {}): Promise<unknown> =>
  call(
    'KeyValue',
    'put',
    stock('PutRequest', { client: 'c1', clientTime: 7, key, value: Buffer.from(value), ...more }),
  );
const get = (key: string, more: StockFields = {}): Promise<unknown> =>
  call('KeyValue', 'get', stock('GetRequest', { key, ...more }));

const origin = { id: 'r1', incarnation: 1 };
const vectorOf = (acceptTime: number): object[] => [{ origin, acceptTime }];

describe('a stock client', () => {
  beforeEach(() => startWith({}));

  test('puts, gets and removes', async () => {
    expect(await put('k', 'v')).toEqual({ accepted: { acceptTime: 1, origin } });
    expect(await get('k')).toEqual({ found: { value: 'v', stamp: { acceptTime: 1, origin } } });
    const request = stock('DeleteRequest', { client: 'c1', clientTime: 8, key: 'k' });
    expect(await call('KeyValue', 'remove', request)).toEqual({ accepted: { acceptTime: 2, origin } });
    expect(await get('k')).toEqual({ absent: {} });
  });

  test('is told what a replica lacks', async () => {
    const missing = { missing: { missing: vectorOf(9) } };
    expect(await get('k', { needs: vectorOf(9) })).toEqual(missing);
    expect(await put('k', 'v', { needs: vectorOf(9) })).toEqual(missing);
  });

  test('may put and get __proto__', async () => {
    await put('__proto__', 'v', { client: '__proto__' });
    expect(await get('__proto__')).toMatchObject({ found: { value: 'v' } });
  });

  test('keeps any number of calls in flight', async () => {
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => put(key, `v of ${key}`)));
    const replies = await Promise.all(keys.map((key) => get(key)));
    expect(replies).toMatchObject(keys.map((key) => ({ found: { value: `v of ${key}` } })));
  });

  test('pulls, and finds origins and clients in the tables of the batch', async () => {
    await put('a', '1');
    await put('b', '2', { client: 'c2' });
    const request = stock('PullRequest', {
      terms: { protocol: 1, cluster: 'test', tieBreak: 1, clock: 1 },
      sender: { id: 'r2', incarnation: 1 },
      recipient: 'r1',
      seen: [],
      writesMax: 10,
      bytesMax: 1000,
    });
    expect(await call('Replication', 'pull', request)).toEqual({
      sender: origin,
      resumed: false,
      origins: [origin],
      clients: ['c1', 'c2'],
      writes: [
        { origin: 0, acceptTime: 1, client: 0, clientTime: 7, key: 'a', operation: { put: { value: '1' } } },
        { origin: 0, acceptTime: 2, client: 1, clientTime: 7, key: 'b', operation: { put: { value: '2' } } },
      ],
      seen: vectorOf(2),
      more: false,
    });
  });

  test('links, unlinks, asks for the status and stabilizes', async () => {
    const link = { peer: 'r2', host: 'localhost', port: 4242 };
    expect(await call('Admin', 'link', stock('LinkRequest', { ...link, incarnation: 3 }))).toEqual({});
    expect(await call('Admin', 'status', stock('Empty'))).toEqual({
      origin,
      terms: { protocol: 1, cluster: 'test', tieBreak: 1, clock: 1 },
      seen: vectorOf(0),
      writes: 0,
      links: [{ ...link, lastError: 'ERR_CONN' }],
    });
    expect(await call('Admin', 'stabilize', stock('StabilizeRequest', { peers: ['r2', 'r3'], budgetMs: 10 }))).toEqual({
      outcomes: [
        { peer: 'r2', done: true },
        { peer: 'r3', done: false, errorCode: 'ERR_NOT_LINKED', errorMessage: 'r3 is not linked' },
      ],
      seen: vectorOf(0),
    });
    expect(await call('Admin', 'unlink', stock('UnlinkRequest', { peer: 'r2' }))).toEqual({});
    expect(await call('Admin', 'status', stock('Empty'))).toMatchObject({ links: [] });
  });

  test('reads the store and the log by the page', async () => {
    await put('a', '1');
    await put('b', '2');
    expect(await call('Admin', 'store', stock('StoreRequest', { entriesMax: 1 }))).toEqual({
      entries: [{ key: 'a', value: '1' }],
      more: true,
    });
    expect(await call('Admin', 'store', stock('StoreRequest', { after: 'a', entriesMax: 1 }))).toEqual({
      entries: [{ key: 'b', value: '2' }],
      more: false,
    });
    const after = { acceptTime: 1, origin };
    expect(await call('Admin', 'log', stock('LogRequest', { after, writesMax: 5 }))).toEqual({
      entries: [
        { stamp: { acceptTime: 2, origin }, client: 'c1', clientTime: 7, key: 'b', operation: { put: { value: '2' } } },
      ],
      more: false,
    });
  });

  test('shuts a replica down', async () => {
    expect(await call('Admin', 'shutdown', stock('Empty'))).toEqual({});
  });
});

describe('a stock client gets a Failure with code, message and advice', () => {
  const requests: readonly (readonly [
    Parameters<StockClient['call']>[0],
    string,
    keyof KvService,
    string,
    StockFields,
  ])[] = [
    ['KeyValue', 'put', 'write', 'PutRequest', { client: 'c', clientTime: 1, key: 'k', value: Buffer.alloc(0) }],
    ['KeyValue', 'remove', 'write', 'DeleteRequest', { client: 'c', clientTime: 1, key: 'k' }],
    ['KeyValue', 'get', 'read', 'GetRequest', { key: 'k' }],
    [
      'Replication',
      'pull',
      'pull',
      'PullRequest',
      {
        terms: { protocol: 1, cluster: 'c', tieBreak: 2, clock: 2 },
        sender: origin,
        recipient: 'r',
        seen: [],
        resume: { received: vectorOf(1), target: vectorOf(2) },
        writesMax: 1,
        bytesMax: 1,
      },
    ],
    [
      'Replication',
      'news',
      'news',
      'NewsRequest',
      { terms: { protocol: 1, cluster: 'c', tieBreak: 2, clock: 2 }, sender: origin, recipient: 'r', fresh: [] },
    ],
    ['Admin', 'status', 'status', 'Empty', {}],
    ['Admin', 'link', 'link', 'LinkRequest', { peer: 'p', host: 'h', port: 1 }],
    ['Admin', 'unlink', 'unlink', 'UnlinkRequest', { peer: 'p' }],
    ['Admin', 'stabilize', 'stabilize', 'StabilizeRequest', { budgetMs: 0 }],
    ['Admin', 'store', 'store', 'StoreRequest', { entriesMax: 1 }],
    ['Admin', 'log', 'log', 'LogRequest', { writesMax: 1 }],
    ['Admin', 'shutdown', 'shutdown', 'Empty', {}],
  ];

  test.each(requests)('from %s:%s', async (service, method, asksFor, struct, fields) => {
    const error = new BaristaError('ERR_OVERLOADED', 'too much, é日😀');
    await startWith({
      [asksFor]: (...args: readonly unknown[]) => (args.at(-1) as (outcome: unknown) => void)(fail(error)),
    });
    await expect(client.call(service, method, stock(struct, fields))).rejects.toMatchObject({
      name: 'Failure',
      code: 'ERR_OVERLOADED',
      message: 'too much, é日😀',
      advice: error.advice,
    });
  });

  test('for an invalid key', async () => {
    await startWith({});
    await expect(put('', 'v')).rejects.toMatchObject({ name: 'Failure', code: 'ERR_INVALID_KEY' });
    await expect(put('k', 'v')).resolves.toBeDefined();
  });
});

describe('what a stock client sends arrives as our request', () => {
  const remember: Partial<KvService> = {
    write: (request, done) => {
      asked = request;
      done(succeed({ kind: 'accepted', stamp: { origin: ORIGIN, acceptTime: 1 } }));
    },
    pull: (request, done) => {
      asked = request;
      done(succeed({ from: ORIGIN, resumed: true, writes: [], seen: new VersionVector(), more: false }));
    },
    news: (news, done) => {
      asked = news;
      done(succeed(undefined));
    },
  };
  beforeEach(() => startWith(remember));

  test('a put with all its fields', async () => {
    await put('clé', 'valeur', { after: 5, needs: vectorOf(4) });
    const expected: WriteRequest<KvOperation> = {
      client: 'c1' as ClientId,
      clientTime: 7,
      key: 'clé',
      operation: { kind: 'put', value: new Uint8Array(Buffer.from('valeur')) },
      after: 5,
      needs: new VersionVector([[ORIGIN, 4]]),
    };
    expect(asked).toEqual(expected);
  });

  test('a pull that resumes', async () => {
    const request = stock('PullRequest', {
      terms: { protocol: 1, cluster: 'test', tieBreak: 1, clock: 1 },
      sender: { id: 'r2', incarnation: 4 },
      recipient: 'r1',
      seen: vectorOf(1),
      resume: { received: vectorOf(2), target: vectorOf(3) },
      writesMax: 10,
      bytesMax: 1000,
    });
    await call('Replication', 'pull', request);
    expect(asked).toEqual({
      terms: TERMS,
      from: originOf('r2' as ReplicaId, 4),
      to: 'r1',
      seen: new VersionVector([[ORIGIN, 1]]),
      resume: { received: new VersionVector([[ORIGIN, 2]]), target: new VersionVector([[ORIGIN, 3]]) },
      writesMax: 10,
      bytesMax: 1000,
    });
  });

  test('news', async () => {
    const request = stock('NewsRequest', {
      terms: { protocol: 1, cluster: 'test', tieBreak: 1, clock: 1 },
      sender: { id: 'r2', incarnation: 4 },
      recipient: 'r1',
      fresh: vectorOf(3),
    });
    expect(await call('Replication', 'news', request)).toEqual({});
    expect(asked).toEqual({
      terms: TERMS,
      from: originOf('r2' as ReplicaId, 4),
      to: 'r1',
      fresh: new VersionVector([[ORIGIN, 3]]),
    });
  });
});
