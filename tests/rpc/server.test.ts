import { describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/base/address.js';
import { BaristaError } from '../../src/base/errors.js';
import type { LogFields } from '../../src/base/log.js';
import { type Done, fail, promised, succeed } from '../../src/base/outcome.js';
import type { ReadReply } from '../../src/bayou/messages.js';
import { type Listener, listen } from '../../src/rpc/server.js';
import { METHODS } from '../../src/rpc/services.js';
import { type KvService, memoryService, ORIGIN } from './memory-service.js';
import { RawClient, readReply } from './raw-client.js';
import { connectTo, errorOf, get, PATIENCE_MS, putRequest, reply, startServer } from './replica.js';
import { callFrame, frame } from './wire.js';

async function rawClient(address: Address): Promise<RawClient> {
  const client = await RawClient.connect(address);
  onTestFinished(() => client.close());
  return client;
}

const getFrame = (key: string, sequenceId: number): Buffer => callFrame(METHODS.get, { key, needs: null }, sequenceId);
const found = (value: Uint8Array): ReadReply<Uint8Array> => ({
  kind: 'found',
  value,
  stamp: { origin: ORIGIN, acceptTime: 1 },
});

/** A service whose reads are answered by the test. */
function lateReads(): {
  readonly service: KvService;
  readonly asked: { key: string; done: Done<ReadReply<Uint8Array>> }[];
} {
  const asked: { key: string; done: Done<ReadReply<Uint8Array>> }[] = [];
  return { service: memoryService({ read: ({ key }, done) => asked.push({ key, done }) }), asked };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe('listening', () => {
  test('on a port that is taken names the port', async () => {
    const { address } = await startServer();
    const second = promised<Listener>((done) => listen({ ...address, service: memoryService() }, done));
    await expect(second).rejects.toMatchObject({
      code: 'ERR_PORT_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${address.port}`),
    });
  });

  test.each([
    ['a port that cannot be', { host: '127.0.0.1', port: 65_536 }],
    ['an address of another machine', { host: '192.0.2.1', port: 0 }],
  ])('on %s fails', async (_, address) => {
    const started = promised<Listener>((done) => listen({ ...address, service: memoryService() }, done));
    await expect(started).rejects.toMatchObject({ code: 'ERR_START' });
  });

  test('ends with close, and with it every connection', async () => {
    const listener = await startServer();
    const client = await rawClient(listener.address);
    client.send(getFrame('k', 1));
    await client.frame();
    await promised<void>((done) => listener.close(done));
    await client.ended();
    await expect(RawClient.connect(listener.address)).rejects.toThrow();
    await promised<void>((done) => listener.close(done));
  });

  test('answers what was decided before it closes', async () => {
    const { service, asked } = lateReads();
    const listener = await startServer({ service });
    const client = await rawClient(listener.address);
    client.send(getFrame('k', 1));
    await until(() => asked.length === 1);
    asked[0]?.done(succeed(found(new Uint8Array(3_000_000 / 3))));
    listener.close(() => undefined);
    expect(readReply(await client.frame(), METHODS.get).value).toMatchObject({ kind: 'found' });
    await client.ended();
  });

  test('takes no more connections than it may', async () => {
    const { address } = await startServer({ connectionsMax: 2 });
    const first = await rawClient(address);
    const second = await rawClient(address);
    for (const client of [first, second]) {
      client.send(getFrame('k', 1));
      await client.frame();
    }
    const third = await rawClient(address);
    await third.ended();
    first.close();
    await first.ended();
    await expect
      .poll(() => get(connectTo(address), 'k').catch(() => null), { timeout: PATIENCE_MS })
      .toEqual({ kind: 'absent' });
  });
});

describe('at its limits a server', () => {
  test('ends the connection that was idle longest for a new one', async () => {
    const { address } = await startServer({ connectionsMax: 2, idleMsMin: 0 });
    const first = await rawClient(address);
    const second = await rawClient(address);
    for (const client of [second, first]) {
      client.send(getFrame('k', 1));
      await client.frame();
    }
    const third = await rawClient(address);
    await second.ended();
    for (const client of [first, third]) {
      client.send(getFrame('k', 2));
      expect(readReply(await client.frame(), METHODS.get).sequenceId).toBe(2);
    }
  });

  test('ends who holds most of its memory', async () => {
    const { address } = await startServer({ heldBytesMax: 1024 * 1024 });
    const modest = await rawClient(address);
    modest.send(frame(Buffer.alloc(100_000), 200_000));
    const greedy = await rawClient(address);
    greedy.send(frame(Buffer.alloc(3_000_000), 4_000_000));
    await greedy.ended();
    modest.send(Buffer.alloc(100_000));
    expect(readReply(await modest.frame(), METHODS.get).value).toBe('ERR_PROTOCOL');
  });
});

describe('answers', () => {
  test('may come in any order', async () => {
    const { service, asked } = lateReads();
    const { address } = await startServer({ service });
    const replica = connectTo(address);
    const keys = Array.from({ length: 64 }, (_, i) => `k${i}`);
    const replies = Promise.all(keys.map((key) => get(replica, key)));
    await until(() => asked.length === 64);
    const shuffled = asked.map((entry, i) => [(i * 37) % 64, entry] as const).sort(([a], [b]) => a - b);
    for (const [place, { key, done }] of shuffled) {
      if (place % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      done(succeed(found(new TextEncoder().encode(key))));
    }
    expect(await replies).toMatchObject(keys.map((key) => ({ value: new TextEncoder().encode(key) })));
  });

  test('that a service throws instead become ERR_INTERNAL, and are logged', async () => {
    const logged: [LogFields, string][] = [];
    const service = memoryService({
      read: () => {
        throw new TypeError('cannot read');
      },
    });
    const log = { info: () => undefined, warn: (fields: LogFields, text: string) => logged.push([fields, text]) };
    const { address } = await startServer({ service, log });
    const replica = connectTo(address);
    const error = await errorOf((timeoutMs, done: Done<unknown>) =>
      replica.read({ key: 'k', needs: null }, timeoutMs, done),
    );
    expect(error).toMatchObject({ code: 'ERR_INTERNAL', message: 'cannot read' });
    expect(logged).toMatchObject([[{ error: expect.stringContaining('TypeError') }, 'get threw']]);
    await reply((timeoutMs, done) => replica.status(timeoutMs, done));
  });

  test('that a service gives twice go out once', async () => {
    const service = memoryService({
      read: (_, done) => {
        done(succeed({ kind: 'absent' }));
        done(fail(new BaristaError('ERR_STORAGE', 'no')));
      },
    });
    const { address } = await startServer({ service });
    const client = await rawClient(address);
    client.send(Buffer.concat([getFrame('a', 1), getFrame('b', 2)]));
    expect(readReply(await client.frame(), METHODS.get)).toMatchObject({ sequenceId: 1, value: { kind: 'absent' } });
    expect(readReply(await client.frame(), METHODS.get)).toMatchObject({ sequenceId: 2, value: { kind: 'absent' } });
  });

  test('that come after the connection ended are dropped', async () => {
    const { service, asked } = lateReads();
    const { address } = await startServer({ service });
    const client = await rawClient(address);
    client.send(getFrame('k', 1));
    await until(() => asked.length === 1);
    client.close();
    await client.ended();
    await new Promise((resolve) => setTimeout(resolve, 20));
    asked[0]?.done(succeed({ kind: 'absent' }));
    await reply((timeoutMs, done) => connectTo(address).status(timeoutMs, done));
  });

  test('that exceed a frame become ERR_FRAME_TOO_LARGE, and harm no other', async () => {
    const service = memoryService({
      store: (_, done) => {
        const value = new Uint8Array(1024 * 1024);
        done(succeed({ entries: Array.from({ length: 17 }, (_, i) => ({ key: `k${i}`, value })), more: false }));
      },
    });
    const { address } = await startServer({ service });
    const replica = connectTo(address);
    const store = { after: null, entriesMax: 100 };
    const [before, error, after] = await Promise.all([
      get(replica, 'a'),
      errorOf((timeoutMs, done: Done<unknown>) => replica.store(store, timeoutMs, done)),
      get(replica, 'b'),
    ]);
    expect(error).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' });
    expect([before, after]).toEqual([{ kind: 'absent' }, { kind: 'absent' }]);
  });

  test('that are no such answers become ERR_INTERNAL', async () => {
    const service = memoryService({
      read: (_, done) =>
        done(succeed({ kind: 'found', value: new Uint8Array(), stamp: { origin: ORIGIN, acceptTime: -1 } })),
    });
    const { address } = await startServer({ service });
    const client = await rawClient(address);
    client.send(getFrame('a', 1));
    expect(readReply(await client.frame(), METHODS.get).value).toBe('ERR_INTERNAL');
  });
});

describe('a client that', () => {
  test('sends half a frame and stops is let go', async () => {
    const { address } = await startServer({ stallMsMax: 30 });
    for (const bytes of [Buffer.from([0]), frame(Buffer.alloc(10), 100), getFrame('k', 1).subarray(0, -1)]) {
      const client = await rawClient(address);
      client.send(bytes);
      await client.ended();
    }
  });

  test('sends nothing is kept', async () => {
    const { address } = await startServer({ stallMsMax: 10 });
    const client = await rawClient(address);
    client.send(getFrame('k', 1));
    await client.frame();
    await new Promise((resolve) => setTimeout(resolve, 60));
    client.send(getFrame('k', 2));
    expect(readReply(await client.frame(), METHODS.get).sequenceId).toBe(2);
  });

  test('waits for an answer is kept', async () => {
    const { service, asked } = lateReads();
    const { address } = await startServer({ service, stallMsMax: 10 });
    const client = await rawClient(address);
    client.send(getFrame('k', 1));
    await until(() => asked.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 60));
    asked[0]?.done(succeed({ kind: 'absent' }));
    expect(readReply(await client.frame(), METHODS.get).sequenceId).toBe(1);
  });

  test('does not read its replies is not served on, and let go', async () => {
    let served = 0;
    const value = new Uint8Array(1024 * 1024);
    const service = memoryService({
      read: (_, done) => {
        served++;
        done(succeed(found(value)));
      },
    });
    const { address } = await startServer({ service, stallMsMax: 300 });
    const client = await rawClient(address);
    client.socket.pause();
    client.send(Buffer.concat(Array.from({ length: 1000 }, (_, i) => getFrame('k', i + 1))));
    await new Promise((resolve) => setTimeout(resolve, 100));
    // What the kernel buffers on both sides, and the megabyte it may leave unsent.
    expect(served).toBeLessThan(100);
    await new Promise((resolve) => setTimeout(resolve, 400));
    client.socket.resume();
    await client.ended();
    expect(served).toBeLessThan(100);
  });

  test('reads its replies slowly gets all of them, in order', async () => {
    const value = new Uint8Array(200_000);
    const { address } = await startServer({
      service: memoryService({ read: (_, done) => done(succeed(found(value))) }),
    });
    const client = await rawClient(address);
    client.send(Buffer.concat(Array.from({ length: 100 }, (_, i) => getFrame('k', i + 1))));
    for (let i = 1; i <= 100; i++) {
      if (i % 10 === 0) {
        client.socket.pause();
        await new Promise((resolve) => setTimeout(resolve, 2));
        client.socket.resume();
      }
      expect(readReply(await client.frame(), METHODS.get).sequenceId).toBe(i);
    }
  });

  test('reads its replies late gets them as they were given', async () => {
    let served = 0;
    const service = memoryService({ read: (_, done) => done(succeed(found(new Uint8Array(30_000).fill(served++)))) });
    const { address } = await startServer({ service });
    const client = await rawClient(address);
    client.socket.pause();
    // One by one, so that each reply is written by itself, and in the end into what the kernel no longer takes.
    for (let i = 0; i < 500; i++) {
      client.send(getFrame('k', i + 1));
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.socket.resume();
    for (let i = 0; i < 500; i++) {
      const { value } = readReply(await client.frame(), METHODS.get);
      expect(value).toMatchObject({ kind: 'found' });
      const bytes = (value as { readonly value: Uint8Array }).value;
      expect(bytes.every((byte) => byte === i % 256)).toBe(true);
    }
  });

  test('makes very many calls at once is served so many at a time', async () => {
    const { service, asked } = lateReads();
    const { address } = await startServer({ service });
    const client = await rawClient(address);
    const count = 3000;
    client.send(Buffer.concat(Array.from({ length: count }, (_, i) => getFrame('k', i + 1))));
    await until(() => asked.length === 1024);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asked.length).toBe(1024);
    for (let answered = 0; answered < count; answered++) {
      await until(() => asked.length > answered);
      asked[answered]?.done(succeed({ kind: 'absent' }));
      expect(asked.length - answered).toBeLessThanOrEqual(1024 + 1);
    }
    for (let i = 1; i <= count; i++) expect(readReply(await client.frame(), METHODS.get).sequenceId).toBe(i);
  });

  test('ends its side after its call is still answered', async () => {
    const { address } = await startServer();
    const client = await rawClient(address);
    client.socket.end(getFrame('k', 9));
    expect(readReply(await client.frame(), METHODS.get).sequenceId).toBe(9);
    await client.ended();
  });
});

test('a large value goes in and comes out', async () => {
  const { address } = await startServer();
  const replica = connectTo(address);
  const value = new Uint8Array(1024 * 1024).map((_, i) => i % 251);
  await reply((timeoutMs, done) => replica.write(putRequest('k', value), timeoutMs, done));
  const read = await get(replica, 'k');
  expect(read.kind === 'found' && Buffer.from(read.value).equals(value)).toBe(true);
});
