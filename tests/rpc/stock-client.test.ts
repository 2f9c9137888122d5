import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { BaristaError } from '../../src/base/errors.js';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { fail, succeed } from '../../src/base/outcome.js';
import type { WriteRequest } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { KvOperation } from '../../src/machine/kv.js';
import './equality.js';
import { type KvService, memoryService, ORIGIN, TERMS } from './memory-service.js';
import { unpack } from './packed.js';
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
const WIRE_TERMS = { protocol: 5, cluster: 'test', tieBreak: 1, clock: 1, retryWindowMs: 60_000 };
const vectorOf = (acceptTime: number): object[] => [{ origin, acceptTime }];

const PULL = {
  terms: WIRE_TERMS,
  sender: { id: 'r2', incarnation: 4 },
  recipient: 'r1',
  seen: [],
  report: false,
  clock: 6,
  life: 5,
  outside: false,
  writesMax: 10,
  bytesMax: 1000,
};

describe('a stock client', () => {
  beforeEach(() => startWith({}));

  test('puts, gets and removes', async () => {
    expect(await put('k', 'v')).toEqual({ accepted: { acceptTime: 1, origin } });
    expect(await get('k')).toEqual({ found: { value: 'v', stamp: { acceptTime: 1, origin } } });
    const request = stock('DeleteRequest', { client: 'c1', clientTime: 8, key: 'k' });
    expect(await call('KeyValue', 'remove', request)).toEqual({ accepted: { acceptTime: 2, origin } });
    expect(await get('k')).toEqual({ absent: {} });
  });

  test('writes several keys at once', async () => {
    const part = (key: string, operation: Readonly<Record<string, unknown>>) =>
      stock('BatchPart', { key, operation: stock('Operation', operation) });
    const parts = [
      part('l', { put: stock('PutOperation', { value: Buffer.from('1') }) }),
      part('k', { increment: stock('IncrementOperation', { by: 2 }) }),
    ];
    const request = stock('BatchRequest', { client: 'c1', clientTime: 1, parts });
    expect(await call('KeyValue', 'batch', request)).toEqual({ accepted: { acceptTime: 1, origin } });
    const twice = stock('BatchRequest', { client: 'c1', clientTime: 2, parts: [parts[0], parts[0]] });
    await expect(call('KeyValue', 'batch', twice)).rejects.toMatchObject({ code: 'ERR_BATCH' });
  });

  test('is told what a replica lacks', async () => {
    const missing = { missing: { missing: vectorOf(9) } };
    expect(await get('k', { needs: vectorOf(9) })).toEqual(missing);
    expect(await put('k', 'v', { needs: vectorOf(9) })).toEqual(missing);
  });

  test('reads several keys, and a range of keys', async () => {
    await put('a', '1');
    await put('b', '2');
    const stampOf = (acceptTime: number) => ({ acceptTime, origin });
    expect(await call('KeyValue', 'getMany', stock('GetManyRequest', { keys: ['b', 'c'] }))).toEqual({
      values: { lookups: [{ found: { value: '2', stamp: stampOf(2) } }, { absent: {} }] },
    });
    const range = { atLeast: 'a', below: 'z', reverse: false, entriesMax: 1, hold: false };
    expect(await call('KeyValue', 'scan', stock('ScanRequest', range))).toEqual({
      page: { entries: [{ key: 'a', value: '1', stamp: stampOf(1) }], upTo: 'a' },
    });
    expect(await call('KeyValue', 'scan', stock('ScanRequest', { ...range, after: 'a' }))).toEqual({
      page: { entries: [{ key: 'b', value: '2', stamp: stampOf(2) }] },
    });
  });

  test('asks whether a replica holds something, and how far a write has come', async () => {
    await put('k', 'v');
    expect(await call('KeyValue', 'holds', stock('HoldsRequest', { needs: vectorOf(1), budgetMs: 0 }))).toEqual({});
    expect(await call('KeyValue', 'holds', stock('HoldsRequest', { needs: vectorOf(2), budgetMs: 0 }))).toEqual({
      missing: vectorOf(2),
    });
    const request = { stamp: { acceptTime: 1, origin }, holders: 1, stable: true, budgetMs: 0 };
    expect(await call('KeyValue', 'writeState', stock('WriteStateRequest', request))).toEqual({
      holders: [origin],
      waitsFor: [],
      stable: true,
    });
  });

  test('watches keys from a cursor that it was given', async () => {
    const watch = (position: object) =>
      call('KeyValue', 'watch', stock('WatchRequest', { prefix: 'k', position, changesMax: 9, budgetMs: 0 }));
    const begun = { changes: { changes: [], cursor: { told: vectorOf(0), target: vectorOf(0) }, more: false } };
    expect(await watch({ now: {} })).toEqual(begun);
    await put('other', 'v');
    await put('k', 'v');
    const stamp = { acceptTime: 2, origin };
    expect(await watch({ cursor: begun.changes.cursor })).toEqual({
      changes: {
        changes: [{ key: 'k', stamp, client: 'c1', value: 'v', standing: stamp, stands: true, reordered: false }],
        cursor: { told: vectorOf(2), target: vectorOf(2) },
        more: false,
      },
    });
  });

  test('asks what became of the writes on a key, page by page', async () => {
    await put('k', '1');
    await put('k', '2');
    const history = (fields: object) =>
      call('KeyValue', 'history', stock('HistoryRequest', { key: 'k', writesMax: 1, ...fields }));
    const [first, second] = [1, 2].map((acceptTime) => ({ stamp: { acceptTime, origin }, client: 'c1' }));
    const one = {
      ...first,
      operation: { put: { value: '1' } },
      fate: { overwritten: { by: second } },
      stage: 2,
    };
    expect(await history({})).toEqual({ page: { writes: [one], more: true } });
    const other = { ...second, operation: { put: { value: '2' } }, fate: { stands: {} }, stage: 2 };
    expect(await history({ after: first?.stamp })).toEqual({ page: { writes: [other], more: false } });
    expect(await history({ only: second?.stamp })).toEqual({ page: { writes: [other], more: false } });
  });

  test('asks which writes lost, on from a cursor that it was given', async () => {
    await put('k', '1');
    await put('k', '2');
    const conflicts = (position: object) =>
      call('KeyValue', 'conflicts', stock('ConflictsRequest', { prefix: 'k', position, conflictsMax: 9 }));
    const begun = { conflicts: { conflicts: [], cursor: { told: [], target: vectorOf(2) }, more: true } };
    expect(await conflicts({ start: {} })).toEqual(begun);
    const [lost, winner] = [1, 2].map((acceptTime) => ({ stamp: { acceptTime, origin }, client: 'c1' }));
    expect(await conflicts({ cursor: begun.conflicts.cursor })).toEqual({
      conflicts: {
        conflicts: [{ key: 'k', lost, operation: { put: { value: '1' } }, rule: 1, winner, concurrent: 2 }],
        cursor: { told: vectorOf(2), target: vectorOf(2) },
        more: false,
      },
    });
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

  test('pulls, and unpacks the writes', async () => {
    await put('a', '1');
    await put('ab', '2', { client: 'c2' });
    await call('KeyValue', 'remove', stock('DeleteRequest', { client: 'c1', clientTime: 8, key: 'ab' }));
    const { writes, ...rest } = await client.call('Replication', 'pull', stock('PullRequest', PULL));
    const { compression, bytes } = writes as { compression: number; bytes: Buffer };
    expect(compression).toBe(1);
    expect(unpack(bytes)).toEqual([
      {
        isResubmitted: false,
        isPart: false,
        origin,
        acceptTime: 1,
        client: 'c1',
        clientTime: 7,
        key: 'a',
        kind: 1,
        body: '1',
      },
      {
        isResubmitted: false,
        isPart: false,
        origin,
        acceptTime: 2,
        client: 'c2',
        clientTime: 7,
        key: 'ab',
        kind: 1,
        body: '2',
      },
      {
        isResubmitted: false,
        isPart: false,
        origin,
        acceptTime: 3,
        client: 'c1',
        clientTime: 8,
        key: 'ab',
        kind: 2,
        body: '',
      },
    ]);
    expect(plain(rest)).toEqual({
      sender: origin,
      resumed: false,
      seen: vectorOf(3),
      more: false,
      standing: { base: 0, floor: 0, clock: 0, members: 2 },
    });
  });

  test('links, unlinks, asks for the status and stabilizes', async () => {
    const link = { peer: 'r2', host: 'localhost', port: 4242 };
    expect(await call('Admin', 'link', stock('LinkRequest', { ...link, incarnation: 3 }))).toEqual({});
    expect(await call('Admin', 'status', stock('Empty'))).toEqual({
      origin,
      terms: WIRE_TERMS,
      seen: vectorOf(0),
      writes: 0,
      base: 0,
      stable: 0,
      waitsFor: [],
      retired: [],
      links: [{ ...link, lastError: 'ERR_CONN' }],
    });
    const stabilize = stock('StabilizeRequest', { peers: ['r2', 'r3'], budgetMs: 10, compact: false });
    expect(await call('Admin', 'stabilize', stabilize)).toEqual({
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

  test('retires a replica', async () => {
    expect(await call('Admin', 'retire', stock('RetireRequest', { id: 'r2' }))).toEqual({});
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
    ['Replication', 'pull', 'pull', 'PullRequest', { ...PULL, resume: { received: vectorOf(1), target: vectorOf(2) } }],
    [
      'Replication',
      'news',
      'news',
      'NewsRequest',
      { terms: { ...WIRE_TERMS, tieBreak: 2, clock: 2 }, sender: origin, recipient: 'r', fresh: [] },
    ],
    ['Admin', 'status', 'status', 'Empty', {}],
    ['Admin', 'link', 'link', 'LinkRequest', { peer: 'p', host: 'h', port: 1 }],
    ['Admin', 'unlink', 'unlink', 'UnlinkRequest', { peer: 'p' }],
    ['Admin', 'stabilize', 'stabilize', 'StabilizeRequest', { budgetMs: 0, compact: true }],
    ['Admin', 'store', 'store', 'StoreRequest', { entriesMax: 1 }],
    ['Admin', 'log', 'log', 'LogRequest', { writesMax: 1 }],
    ['Admin', 'retire', 'retire', 'RetireRequest', { id: 'r2' }],
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
      memoryService().pull(request, done);
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

  const expectedPull = {
    terms: TERMS,
    from: originOf('r2' as ReplicaId, 4),
    to: 'r1',
    seen: new VersionVector(),
    resume: null,
    store: null,
    report: false,
    clock: 6,
    life: 5,
    outside: false,
    writesMax: 10,
    bytesMax: 1000,
  };

  test('a pull', async () => {
    await call('Replication', 'pull', stock('PullRequest', PULL));
    expect(asked).toEqual(expectedPull);
  });

  test('a pull with all its fields', async () => {
    const request = stock('PullRequest', {
      ...PULL,
      seen: vectorOf(1),
      resume: { received: vectorOf(2), target: vectorOf(3) },
      store: { time: 4, after: 'clé' },
      report: true,
      inflates: true,
    });
    await call('Replication', 'pull', request);
    expect(asked).toEqual({
      ...expectedPull,
      seen: new VersionVector([[ORIGIN, 1]]),
      resume: { received: new VersionVector([[ORIGIN, 2]]), target: new VersionVector([[ORIGIN, 3]]) },
      store: { time: 4, after: 'clé' },
      report: true,
    });
  });

  test('news', async () => {
    const request = stock('NewsRequest', {
      terms: WIRE_TERMS,
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
