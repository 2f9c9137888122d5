import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/base/address.js';
import { BaristaError } from '../../src/base/errors.js';
import { type Done, fail, type Outcome, promised, succeed } from '../../src/base/outcome.js';
import type { ReadReply } from '../../src/bayou/messages.js';
import { BinaryReader } from '../../src/rpc/binary-reader.js';
import type { ReplicaConnection } from '../../src/rpc/client.js';
import { FrameSplitter } from '../../src/rpc/frame-splitter.js';
import { MessageHeader } from '../../src/rpc/message-header.js';
import { type Listener, listen } from '../../src/rpc/server.js';
import { METHODS } from '../../src/rpc/services.js';
import { MessageType } from '../../src/rpc/thrift.js';
import { memoryService } from './memory-service.js';
import { connectTo, errorOf, get, PATIENCE_MS, putRequest, reply, startServer } from './replica.js';
import { encode, frame, message } from './wire.js';

const ABSENT = encode(METHODS.get.result, succeed<ReadReply<Uint8Array>>({ kind: 'absent' }));
const absentReply = (sequenceId: number): Buffer => frame(message('get', ABSENT, sequenceId, MessageType.reply));

interface FakeServer {
  readonly address: Address;
  /** How many connections were made. */
  readonly connections: () => number;
}

/** A server that does to a call whatever the test says. */
async function fakeServer(onCall: (socket: Socket, sequenceId: number) => void): Promise<FakeServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    const splitter = new FrameSplitter(2 * 1024 * 1024);
    const reader = new BinaryReader();
    const header = new MessageHeader();
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      splitter.push(chunk);
      while (splitter.next(reader)) {
        header.read(reader);
        onCall(socket, header.sequenceId);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return { address: { host: '127.0.0.1', port }, connections: () => connections };
}

const getError = (replica: ReplicaConnection, timeoutMs = PATIENCE_MS): Promise<BaristaError> =>
  errorOf((ms, done: Done<unknown>) => replica.read({ key: 'k', needs: null }, ms, done), timeoutMs);

/** An address where nobody listens. */
async function nobody(): Promise<Address> {
  const listener = await promised<Listener>((done) =>
    listen({ host: '127.0.0.1', port: 0, service: memoryService() }, done),
  );
  await promised<void>((done) => listener.close(done));
  return listener.address;
}

describe('a call', () => {
  test('where nobody listens is ERR_CONN', async () => {
    const address = await nobody();
    expect(await getError(connectTo(address))).toMatchObject({
      code: 'ERR_CONN',
      message: expect.stringContaining(`127.0.0.1:${address.port}`),
    });
  });

  test.each([0, 65_536, Number.NaN])('to port %d is ERR_CONN', async (port) => {
    expect(await getError(connectTo({ host: '127.0.0.1', port }))).toMatchObject({ code: 'ERR_CONN' });
  });

  test('to a host that is not there is ERR_CONN', async () => {
    expect(await getError(connectTo({ host: 'no-such-host.invalid', port: 1 }))).toMatchObject({ code: 'ERR_CONN' });
  });

  test('after a server came back gets through', async () => {
    const address = await nobody();
    const replica = connectTo(address);
    await getError(replica);
    await startServer(address);
    expect(await get(replica, 'k')).toEqual({ kind: 'absent' });
  });

  test('is ERR_CONN if the server closes in the middle of it, and the next one connects again', async () => {
    let refuse = true;
    const { address, connections } = await fakeServer((socket, id) => {
      if (refuse) socket.destroy();
      else socket.write(absentReply(id));
    });
    const replica = connectTo(address);
    const errors = await Promise.all([getError(replica), getError(replica), getError(replica)]);
    expect(errors.map(({ code }) => code)).toEqual(['ERR_CONN', 'ERR_CONN', 'ERR_CONN']);
    refuse = false;
    expect(await get(replica, 'k')).toEqual({ kind: 'absent' });
    expect(connections()).toBe(2);
  });

  test('is ERR_CONN if the server ends after half a reply', async () => {
    const { address } = await fakeServer((socket, id) => socket.end(absentReply(id).subarray(0, -1)));
    expect(await getError(connectTo(address))).toMatchObject({ code: 'ERR_CONN' });
  });

  test('that is retried from its own answer does not recurse', async () => {
    const replica = connectTo(await nobody());
    replica.close();
    await new Promise<void>((resolve) => {
      let attempts = 0;
      const attempt = (): void =>
        replica.read({ key: 'k', needs: null }, PATIENCE_MS, () => (++attempts < 20_000 ? attempt() : resolve()));
      attempt();
    });
  });
});

describe('a call that is not answered', () => {
  test('is ERR_TIMEOUT, and its late reply is dropped', async () => {
    const held: (() => void)[] = [];
    const { address, connections } = await fakeServer((socket, id) => {
      if (held.length === 0) held.push(() => socket.write(absentReply(id)));
      else {
        for (const release of held) release();
        socket.write(absentReply(id));
      }
    });
    const replica = connectTo(address);
    expect(await getError(replica, 20)).toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringContaining('get within 20 ms'),
    });
    expect(await get(replica, 'k')).toEqual({ kind: 'absent' });
    expect(await get(replica, 'k')).toEqual({ kind: 'absent' });
    expect(connections()).toBe(1);
  });

  test('does not keep others from their own deadlines', async () => {
    const { address } = await fakeServer(() => undefined);
    const replica = connectTo(address);
    const order: number[] = [];
    const call = async (timeoutMs: number): Promise<void> => {
      expect(await getError(replica, timeoutMs)).toMatchObject({ code: 'ERR_TIMEOUT' });
      order.push(timeoutMs);
    };
    await Promise.all([call(150), call(10), call(80)]);
    expect(order).toEqual([10, 80, 150]);
  });

  test('times out also while the connection is not made', async () => {
    // An address that no packet comes back from, or that is refused at once where there is no network.
    const error = await getError(connectTo({ host: '192.0.2.1', port: 9 }), 30);
    expect(['ERR_TIMEOUT', 'ERR_CONN']).toContain(error.code);
  });

  test('again and again has the connection given up for a fresh one', async () => {
    const { address, connections } = await fakeServer((socket, id) => {
      if (connections() > 1) socket.write(absentReply(id));
    });
    const replica = connectTo(address);
    for (let i = 0; i < 3; i++) expect(await getError(replica, 5)).toMatchObject({ code: 'ERR_TIMEOUT' });
    expect(await get(replica, 'k')).toEqual({ kind: 'absent' });
    expect(connections()).toBe(2);
  });

  test.each([0, -5, Number.NEGATIVE_INFINITY])('within %d ms is ERR_TIMEOUT', async (timeoutMs) => {
    const { address } = await fakeServer(() => undefined);
    expect(await getError(connectTo(address), timeoutMs)).toMatchObject({ code: 'ERR_TIMEOUT' });
  });
});

describe('close', () => {
  test('answers what is under way, and every later call, with ERR_CLOSED', async () => {
    const { address } = await fakeServer(() => undefined);
    const replica = connectTo(address);
    const pending = Promise.all([getError(replica), getError(replica)]);
    replica.close();
    expect((await pending).map(({ code }) => code)).toEqual(['ERR_CLOSED', 'ERR_CLOSED']);
    expect(await getError(replica)).toMatchObject({ code: 'ERR_CLOSED' });
    replica.close();
  });

  test('from within an answer is safe', async () => {
    const { address } = await startServer();
    const replica = connectTo(address);
    const outcomes: Outcome<unknown>[] = [];
    await new Promise<void>((resolve) => {
      for (let i = 0; i < 5; i++) {
        replica.read({ key: 'k', needs: null }, PATIENCE_MS, (outcome) => {
          outcomes.push(outcome);
          replica.close();
          if (outcomes.length === 5) resolve();
        });
      }
    });
    expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))).toEqual([
      'ok',
      'ERR_CLOSED',
      'ERR_CLOSED',
      'ERR_CLOSED',
      'ERR_CLOSED',
    ]);
  });
});

describe('a call that cannot be sent fails alone', () => {
  test('because its key is invalid', async () => {
    const { address } = await startServer();
    const replica = connectTo(address);
    const put = (key: string): Promise<unknown> =>
      promised((done: Done<unknown>) => replica.write(putRequest(key, 'v'), PATIENCE_MS, done));
    const results = await Promise.allSettled([put('a'), put(''), put('b'), put('\ud800'), put('c')]);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(results[1]).toMatchObject({
      reason: { code: 'ERR_INVALID_KEY', message: expect.stringMatching(/^put\.request\.key: /u) },
    });
    for (const key of ['a', 'b', 'c']) expect(await get(replica, key)).toMatchObject({ kind: 'found' });
  });

  test('because it exceeds a frame', async () => {
    const { address } = await startServer();
    const replica = connectTo(address, { frameBytesMax: 1000 });
    const request = putRequest('k', new Uint8Array(1000));
    const error = await errorOf((timeoutMs, done: Done<unknown>) => replica.write(request, timeoutMs, done));
    expect(error).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' });
    expect(await get(replica, 'k')).toEqual({ kind: 'absent' });
  });

  test('because the server takes smaller frames, which costs the connection', async () => {
    const { address } = await startServer({ frameBytesMax: 1000 });
    const replica = connectTo(address);
    const request = putRequest('k', new Uint8Array(1000));
    const error = await errorOf((timeoutMs, done: Done<unknown>) => replica.write(request, timeoutMs, done));
    expect(error).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' });
    expect(await get(replica, 'k')).toEqual({ kind: 'absent' });
  });

  test('because too many are in flight', async () => {
    const { address } = await fakeServer(() => undefined);
    const replica = connectTo(address, { callsInFlightMax: 3 });
    const inFlight = Promise.all([getError(replica, 50), getError(replica, 50), getError(replica, 50)]);
    expect(await getError(replica)).toMatchObject({ code: 'ERR_OVERLOADED' });
    expect((await inFlight).map(({ code }) => code)).toEqual(['ERR_TIMEOUT', 'ERR_TIMEOUT', 'ERR_TIMEOUT']);
  });

  test('because too much waits to be sent', async () => {
    const { address } = await fakeServer((socket) => socket.pause());
    const replica = connectTo(address);
    const request = putRequest('k', new Uint8Array(1024 * 1024));
    const codes = await Promise.all(
      Array.from({ length: 90 }, () =>
        errorOf((timeoutMs, done: Done<unknown>) => replica.write(request, timeoutMs, done), 1000).then(
          ({ code }) => code,
        ),
      ),
    );
    expect(codes.filter((code) => code === 'ERR_OVERLOADED').length).toBeGreaterThan(10);
    expect(codes[0]).toBe('ERR_TIMEOUT');
  });
});

describe('a reply that is none drops the connection, and is ERR_PROTOCOL', () => {
  const reply = MessageType.reply;
  const cases: readonly (readonly [string, (sequenceId: number) => Buffer])[] = [
    ['garbage', () => frame(Buffer.from('garbage, garbage, garbage'))],
    ['an empty frame', () => frame(Buffer.alloc(0))],
    ['a frame of negative length', () => frame(Buffer.alloc(0), -1)],
    ['the reply to no call', (id) => frame(message('get', ABSENT, id + 7, reply))],
    ['a reply with a negative sequence id', () => frame(message('get', ABSENT, -1, reply))],
    ['the reply to another method', (id) => frame(message('put', ABSENT, id, reply))],
    ['a call', (id) => frame(message('get', ABSENT, id, MessageType.call))],
    ['a reply cut short', (id) => frame(message('get', ABSENT.subarray(0, -1), id, reply))],
    ['a reply with bytes after it', (id) => frame(message('get', Buffer.concat([ABSENT, ABSENT]), id, reply))],
    ['neither result nor failure', (id) => frame(message('get', Buffer.from([0]), id, reply))],
    ['a reply that holds an invalid time', (id) => frame(message('get', invalidTime(), id, reply))],
  ];
  test.each(cases)('%s', async (_, answer) => {
    let hostile = true;
    const { address, connections } = await fakeServer((socket, id) =>
      socket.write(hostile ? answer(id) : absentReply(id)),
    );
    const replica = connectTo(address);
    expect(await getError(replica)).toMatchObject({ code: 'ERR_PROTOCOL' });
    hostile = false;
    expect(await get(replica, 'k')).toEqual({ kind: 'absent' });
    expect(connections()).toBe(2);
  });

  test('a frame too large is ERR_FRAME_TOO_LARGE', async () => {
    const { address } = await fakeServer((socket) => socket.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')));
    expect(await getError(connectTo(address))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' });
  });

  function invalidTime(): Buffer {
    const stamp = { origin: 'r#1', acceptTime: 1 } as { origin: never; acceptTime: number };
    const bytes = encode(
      METHODS.get.result,
      succeed<ReadReply<Uint8Array>>({ kind: 'found', value: new Uint8Array(), stamp }),
    );
    bytes.fill(0xff, bytes.indexOf(Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])));
    return bytes;
  }
});

test('a reply in single bytes is read', async () => {
  const { address } = await fakeServer(async (socket, id) => {
    socket.setNoDelay(true);
    for (const byte of absentReply(id)) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  expect(await get(connectTo(address), 'k')).toEqual({ kind: 'absent' });
});

test('a server is reached by name', async () => {
  const { address } = await startServer({ host: 'localhost' });
  expect(address.host).toBe('localhost');
  expect(await get(connectTo(address), 'k')).toEqual({ kind: 'absent' });
});

test('a failure of the service comes back as its error', async () => {
  const error = new BaristaError('ERR_NOT_LINKED', 'not linked');
  const { address } = await startServer({ service: memoryService({ status: (done) => done(fail(error)) }) });
  const replica = connectTo(address);
  expect(await errorOf((timeoutMs, done: Done<unknown>) => replica.status(timeoutMs, done))).toEqual(error);
  await reply((timeoutMs, done: Done<unknown>) => replica.shutdown(timeoutMs, done));
});
