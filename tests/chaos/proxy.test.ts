import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Address } from '../../src/base/address.js';
import { seededRandom } from '../../src/base/random.js';
import { FaultyProxy } from './proxy.js';

/* Both ends of a link are here, so that it can be said what arrived of what was sent. */

let server: Server;
let target: Address | null;
let proxy: FaultyProxy;
let cutsInFrame: number;
const open = new Set<Socket>();

/** What has arrived at one end. */
class End {
  bytes: Buffer = Buffer.alloc(0);
  chunks = 0;
  readonly closed: Promise<unknown>;
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    open.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      this.chunks += 1;
    });
    this.closed = new Promise((resolve) => socket.on('close', resolve));
  }

  async has(length: number): Promise<Buffer> {
    while (this.bytes.length < length) await Promise.race([once(this.socket, 'data'), this.closed]);
    return this.bytes;
  }
}

beforeEach(async () => {
  cutsInFrame = 0;
  server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  proxy = await FaultyProxy.start(
    () => target,
    seededRandom(1),
    () => {
      cutsInFrame += 1;
    },
  );
});

afterEach(async () => {
  for (const socket of open) socket.destroy();
  open.clear();
  await proxy.close();
  await new Promise((resolve) => server.close(resolve));
});

async function linked(): Promise<readonly [near: End, far: End]> {
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const near = new End(connect(proxy.address));
  return [near, new End((await accepted)[0])];
}

function frame(bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(4 + bodyBytes);
  for (let i = 4; i < bytes.length; i++) bytes[i] = i % 251;
  bytes.writeUInt32BE(bodyBytes);
  return bytes;
}

test('without faults all bytes arrive, both ways', async () => {
  const [near, far] = await linked();
  const sent = frame(300_000);
  near.socket.write(sent);
  far.socket.write(sent);
  expect((await far.has(sent.length)).equals(sent)).toBe(true);
  expect((await near.has(sent.length)).equals(sent)).toBe(true);
});

test.each(['split', 'coalesce'] as const)('%s: in other chunks the same bytes arrive', async (chunks) => {
  proxy.set('to', { chunks });
  const [near, far] = await linked();
  const sent = frame(600);
  for (let at = 0; at < sent.length; at += 100) {
    near.socket.write(sent.subarray(at, at + 100));
    await delay(1);
  }
  expect((await far.has(sent.length)).equals(sent)).toBe(true);
  if (chunks === 'split') expect(far.chunks).toBeGreaterThan(6);
});

test('delayed and throttled bytes arrive in their order, until they are too old: then the connection ends', async () => {
  proxy.set('to', { delayMs: 30, bytesPerSecond: 2_000 });
  const [near, far] = await linked();
  const sent = frame(40_000);
  near.socket.write(sent);
  await far.closed;
  expect(far.bytes.length).toBeGreaterThan(0);
  expect(far.bytes.length).toBeLessThan(sent.length);
  expect(far.bytes.equals(sent.subarray(0, far.bytes.length))).toBe(true);
});

test('a cut ends every connection at once; a blocked link lets none through until it is unblocked', async () => {
  const [near, far] = await linked();
  proxy.block();
  await Promise.all([near.closed, far.closed]);
  expect(proxy.connections).toBe(0);
  const refused = new End(connect(proxy.address));
  await refused.closed;
  proxy.unblock();
  const [again, other] = await linked();
  again.socket.write('again');
  expect((await other.has(5)).toString()).toBe('again');
});

test('a cut in the middle of a frame delivers a beginning of it, once', async () => {
  proxy.set('to', { cutsInFrame: true });
  const [near, far] = await linked();
  const sent = Buffer.concat([frame(100), frame(100)]);
  near.socket.write(sent);
  await Promise.all([near.closed, far.closed]);
  expect(far.bytes.length % 104).not.toBe(0);
  expect(far.bytes.equals(sent.subarray(0, far.bytes.length))).toBe(true);
  expect(cutsInFrame).toBe(1);
  const [again, other] = await linked();
  again.socket.write(sent);
  expect((await other.has(sent.length)).equals(sent)).toBe(true);
});

test('a half-open link swallows one direction, and is of no use when that is over', async () => {
  proxy.set('to', { swallows: true });
  const [near, far] = await linked();
  near.socket.write('lost');
  far.socket.write('heard');
  expect((await near.has(5)).toString()).toBe('heard');
  proxy.clear();
  await Promise.all([near.closed, far.closed]);
  expect(far.bytes.length).toBe(0);
});

test('where nobody listens connections are refused', async () => {
  target = null;
  await new End(connect(proxy.address)).closed;
  expect(proxy.connections).toBe(0);
});
