import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BaristaError } from '../../src/base/errors.js';
import { fail, promised, succeed } from '../../src/base/outcome.js';
import type { ReadReply } from '../../src/bayou/messages.js';
import type { Submission } from '../../src/bayou/submission.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { type Client, type ConnectOptions, connect } from '../../src/client/library.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { type Listener, listen } from '../../src/rpc/server.js';
import { type KvService, memoryService, ORIGIN, TERMS } from '../rpc/memory-service.js';
import { startServer } from '../rpc/replica.js';
import { errorOf, eventually } from './world.js';

/* One client of several replicas, some of which fail. */

const nameOf = ({ address }: Listener): string => `${address.host}:${address.port}`;

async function open(servers: readonly (Listener | string)[], options: Partial<ConnectOptions> = {}): Promise<Client> {
  const endpoints = servers.map((server) => (typeof server === 'string' ? server : nameOf(server)));
  const client = await connect({ endpoints, attemptMs: 500, ...options });
  onTestFinished(() => client.close());
  return client;
}

const serve = (service: KvService, port = 0): Promise<Listener> => startServer({ service, port });
const found: ReadReply<Uint8Array> = {
  kind: 'found',
  value: Buffer.from('v'),
  stamp: { origin: ORIGIN, acceptTime: 1 },
};

/** A replica that counts what it is asked, and answers as `respond` says. */
function counting(respond: Partial<KvService> = {}) {
  const asked = { reads: 0, writes: [] as Submission<KvOperation>[] };
  const inner = memoryService(respond);
  const service: KvService = {
    ...inner,
    read: (request, done) => {
      asked.reads += 1;
      inner.read(request, done);
    },
    write: (request, done) => {
      asked.writes.push(request);
      inner.write(request, done);
    },
  };
  return { service, asked };
}

/** Answers everything so much later. */
function farAway(service: KvService, ms: number): KvService {
  const later =
    <Args extends unknown[]>(call: (...args: Args) => void) =>
    (...args: Args): void =>
      void delay(ms).then(() => call(...args));
  return { ...service, holds: later(service.holds), read: later(service.read), write: later(service.write) };
}

describe('a client', () => {
  test('asks the nearest replica, by measured round trip, wherever that stands in the list', async () => {
    const [far, near] = [counting(), counting()];
    const client = await open([await serve(farAway(far.service, 40)), await serve(near.service)]);
    await eventually('both are measured', () => client.endpoints.every(({ roundTripMs }) => roundTripMs !== null));
    for (let i = 0; i < 5; i++) await client.session().get('k');
    expect([far.asked.reads, near.asked.reads]).toEqual([0, 5]);
    expect(client.endpoints).toMatchObject([
      { id: 'r1', lastError: null },
      { id: 'r1', lastError: null },
    ]);
  });

  test('goes to another when one is gone, and comes back when that is there again', async () => {
    const [near, far] = [counting(), counting()];
    const service = near.service;
    const first = await promised<Listener>((done) => listen({ host: '127.0.0.1', port: 0, service }, done));
    const client = await open([first, await serve(farAway(far.service, 40))]);
    await eventually('both are measured', () => client.endpoints.every(({ roundTripMs }) => roundTripMs !== null));
    const session = client.session();
    await session.get('k');
    await promised<void>((done) => first.close(done));
    await session.get('k');
    expect([near.asked.reads, far.asked.reads]).toEqual([1, 1]);
    expect(client.endpoints[0]).toMatchObject({ lastError: 'ERR_CONN' });
    await serve(service, first.address.port);
    await eventually('it is asked again', async () => {
      await session.get('k');
      return near.asked.reads > 1;
    });
  });

  test('sends a write again under the same client time, so that it takes effect once', async () => {
    const deaf = counting({ write: () => undefined });
    const heard = counting();
    const client = await open([await serve(deaf.service), await serve(farAway(heard.service, 20))], { attemptMs: 200 });
    await eventually('both are measured', () => client.endpoints.every(({ roundTripMs }) => roundTripMs !== null));
    const session = client.session();
    expect(await session.put('k', 'v')).toMatchObject({ kind: 'accepted' });
    expect(await session.put('k', 'w')).toMatchObject({ kind: 'accepted' });
    const [first, again] = [deaf.asked.writes[0], heard.asked.writes[0]];
    expect(again).toEqual(first);
    const times = heard.asked.writes.map(({ clientTime }) => clientTime);
    expect(times).toEqual([1, 2]);
  });

  test('does not send a write again once replicas may have forgotten it', async () => {
    const { service, asked } = counting({ write: (_, done) => done(fail(new BaristaError('ERR_STORAGE', 'full'))) });
    const forgetful: KvService = {
      ...service,
      status: (done) =>
        service.status((outcome) => {
          if (!outcome.ok) return done(outcome);
          done(succeed({ ...outcome.value, terms: { ...TERMS, clock: 'hybrid', retryWindowMs: 0 } }));
        }),
    };
    const client = await open([await serve(forgetful)]);
    expect(await errorOf(client.session().put('k', 'v'))).toMatchObject({ code: 'ERR_STORAGE' });
    expect(asked.writes).toHaveLength(1);
  });

  test('backs off from one that is overloaded, and goes on trying until its deadline', async () => {
    let refusals = 3;
    const overloaded = counting({
      read: (_, done) => done(refusals-- > 0 ? fail(new BaristaError('ERR_OVERLOADED', 'busy')) : succeed(found)),
    });
    const client = await open([await serve(overloaded.service)]);
    expect(await client.session().get('k')).toMatchObject({ value: 'v' });
    expect(overloaded.asked.reads).toBe(4);
    refusals = Number.POSITIVE_INFINITY;
    const error = await errorOf(client.session().get('k', { timeoutMs: 300 }));
    expect(error).toMatchObject({ code: 'ERR_OVERLOADED', cause: { code: 'ERR_OVERLOADED' } });
    // 50 ms at first, and longer each time.
    expect(overloaded.asked.reads).toBeLessThan(4 + 8);
  });

  test('keeps the deadline of a call when a replica hangs', async () => {
    const hung = counting({ read: () => undefined });
    const client = await open([await serve(hung.service)], { attemptMs: 10_000 });
    expect(await errorOf(client.session().get('k', { timeoutMs: 50 }))).toMatchObject({ code: 'ERR_TIMEOUT' });
    const controller = new AbortController();
    const read = client.session().get('k', { signal: controller.signal });
    controller.abort();
    expect(await errorOf(read)).toMatchObject({ code: 'ERR_ABORTED' });
  });

  test('does not try elsewhere what no replica takes', async () => {
    const { service, asked } = counting({
      write: (_, done) => done(fail(new BaristaError('ERR_CLIENT_TIME', 'named already'))),
    });
    const client = await open([await serve(service), await serve(service)]);
    expect(await errorOf(client.session().put('k', 'v'))).toMatchObject({ code: 'ERR_CLIENT_TIME' });
    expect(asked.writes).toHaveLength(1);
  });
});

describe('a scan', () => {
  const pages = (keys: readonly string[], snapshot: number | null) =>
    counting({
      scan: ({ after, snapshot: asked }, done) => {
        const at = after === null ? 0 : keys.indexOf(after) + 1;
        if (after !== null && asked !== snapshot) return done(fail(new BaristaError('ERR_SNAPSHOT', 'gone')));
        const key = keys[at] as string;
        const entry = { key, value: Buffer.from('v'), stamp: { origin: ORIGIN, acceptTime: 1 } };
        const upTo = at < keys.length - 1 ? key : null;
        done(succeed({ kind: 'page', entries: [entry], upTo, snapshot: upTo === null ? null : snapshot }));
      },
    });
  const keysOf = async (client: Client, snapshot: boolean): Promise<string[]> => {
    const scan = await client.session().scan({ snapshot, timeoutMs: 1_000 });
    if (scan.kind === 'missing') throw new Error();
    const keys: string[] = [];
    for await (const { key } of scan) keys.push(key);
    return keys;
  };

  test('stays with the replica that holds its state, also when another is nearer by then', async () => {
    const client = await open([await serve(farAway(pages(['a', 'b', 'c'], 7).service, 20))]);
    expect(await keysOf(client, true)).toEqual(['a', 'b', 'c']);
    const [near, far] = [pages(['a', 'b'], 7), pages(['a', 'b'], 8)];
    const both = await open([await serve(near.service), await serve(farAway(far.service, 30))]);
    await eventually('both are measured', () => both.endpoints.every(({ roundTripMs }) => roundTripMs !== null));
    for (let i = 0; i < 3; i++) expect(await keysOf(both, true)).toEqual(['a', 'b']);
  });

  test('says so when the state is gone', async () => {
    const { service } = pages(['a', 'b'], 7);
    const gone: KvService = {
      ...service,
      scan: (request, done) => service.scan(request.after === null ? request : { ...request, snapshot: 9 }, done),
    };
    const client = await open([await serve(gone)]);
    expect(await errorOf(keysOf(client, true))).toMatchObject({ code: 'ERR_SNAPSHOT' });
  });

  test('without a snapshot goes on at another replica', async () => {
    const first = pages(['a', 'b', 'c'], null);
    const listener = await promised<Listener>((done) =>
      listen({ host: '127.0.0.1', port: 0, service: first.service }, done),
    );
    const client = await open([listener, await serve(farAway(pages(['a', 'b', 'c'], null).service, 30))]);
    await eventually('both are measured', () => client.endpoints.every(({ roundTripMs }) => roundTripMs !== null));
    const scan = await client.session().scan({ snapshot: false });
    if (scan.kind === 'missing') throw new Error();
    const keys: string[] = [];
    for await (const { key } of scan) {
      keys.push(key);
      if (key === 'a') await promised<void>((done) => listener.close(done));
    }
    expect(keys).toEqual(['a', 'b', 'c']);
  });
});

describe('a replica that lacks what a session needs', () => {
  const lacking: ReadReply<Uint8Array> = { kind: 'missing', missing: new VersionVector([[ORIGIN, 9]]) };
  const both = async () => {
    const near = counting({ read: (_, done) => done(succeed(lacking)) });
    const far = counting({ read: (_, done) => done(succeed(found)) });
    const client = await open([await serve(near.service), await serve(farAway(far.service, 30))]);
    await eventually('both are measured', () => client.endpoints.every(({ roundTripMs }) => roundTripMs !== null));
    return { client, near, far };
  };

  test('is passed over for another, if the caller says so', async () => {
    const { client, near, far } = await both();
    expect(await client.session().get('k', { onMissing: 'try-another' })).toMatchObject({ value: 'v' });
    expect([near.asked.reads, far.asked.reads]).toEqual([1, 1]);
  });

  test('is reported, if the caller says so', async () => {
    const { client, far } = await both();
    expect(await client.session().get('k', { onMissing: 'report' })).toEqual({
      kind: 'missing',
      code: 'ERR_DEP',
      missing: [{ origin: ORIGIN, acceptTime: 9 }],
    });
    expect(far.asked.reads).toBe(0);
  });

  test('is reported if no other helps', async () => {
    const alone = counting({ read: (_, done) => done(succeed(lacking)) });
    const client = await open([await serve(alone.service), '127.0.0.1:1']);
    expect(await client.session().get('k', { onMissing: 'try-another' })).toMatchObject({ kind: 'missing' });
  });
});

describe('connect', () => {
  test('takes the replicas that answer, and finds the others later', async () => {
    const late = await serve(memoryService());
    await promised<void>((done) => late.close(done));
    const client = await open([late, await serve(memoryService())]);
    expect(client.cluster).toBe('test');
    expect(client.endpoints[0]).toMatchObject({ id: null, lastError: 'ERR_CONN' });
    await serve(memoryService(), late.address.port);
    await eventually('it is found', () => client.endpoints[0]?.id === 'r1');
  });

  test('fails at its deadline with why nobody serves', async () => {
    expect(await errorOf(connect({ endpoints: ['127.0.0.1:1'], timeoutMs: 200 }))).toMatchObject({ code: 'ERR_CONN' });
    const server = await serve(memoryService());
    const other = { endpoints: [nameOf(server)], cluster: 'other', timeoutMs: 200 };
    expect(await errorOf(connect(other))).toMatchObject({ code: 'ERR_CLUSTER_MISMATCH' });
    const hung = await serve({ ...memoryService(), status: () => undefined });
    expect(await errorOf(connect({ endpoints: [nameOf(hung)], timeoutMs: 200 }))).toMatchObject({
      code: 'ERR_TIMEOUT',
    });
    expect(await errorOf(connect({ endpoints: [nameOf(hung)], signal: AbortSignal.timeout(50) }))).toMatchObject({
      code: 'ERR_ABORTED',
    });
  });

  test.each([
    { endpoints: [] },
    { endpoints: 'here:1' },
    { endpoints: ['here'] },
    { endpoints: ['here:0'] },
    { endpoints: ['here:70000'] },
    { endpoints: Array.from({ length: 257 }, (_, i) => `h:${i + 1}`) },
    { endpoints: ['127.0.0.1:1'], timeoutMs: -1 },
    { endpoints: ['127.0.0.1:1'], attemptMs: 'short' },
  ])('refuses options that cannot be (%#)', async (options) => {
    expect(await errorOf(connect(options as ConnectOptions))).toMatchObject({ code: 'ERR_OPTION' });
  });
});

test('what is under way when a client is closed fails, and so does what comes', async () => {
  const hung = counting({ read: () => undefined, write: (_, done) => done(fail(new BaristaError('ERR_STORAGE', ''))) });
  const client = await open([await serve(hung.service)], { attemptMs: 10_000 });
  const session = client.session();
  // One waits for an answer, the other to try again.
  const calls = [errorOf(session.get('k')), errorOf(session.put('k', 'v'))];
  await delay(50);
  await client.close();
  for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: 'ERR_CLOSED' });
  expect(await errorOf(session.get('k'))).toMatchObject({ code: 'ERR_CLOSED' });
});
