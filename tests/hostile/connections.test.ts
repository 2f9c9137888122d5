import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ReplicaId } from '../../src/base/ids.js';
import { CONNECTIONS_MAX, FRAME_BYTES_MAX, HELD_BYTES_MAX } from '../../src/rpc/limits.js';
import { METHODS } from '../../src/rpc/services.js';
import { RawClient, readReply } from '../rpc/raw-client.js';
import { callFrame, frame } from '../rpc/wire.js';
import { batch, packed, packedWrites } from './batches.js';
import { FakePeer } from './fake-peer.js';
import { GROWTH_MB_MAX, LARGE_KEY, PATIENCE_MS, Target } from './target.js';
import { bool, entry, vector } from './values.js';

/* Connections that are opened and left, send slowly, close half, or ask without end and never read. */

const HELD_MB_MAX = HELD_BYTES_MAX / 1024 / 1024;

async function startTarget(): Promise<Target> {
  const target = await Target.start();
  onTestFinished(() => target.stop());
  return target;
}

/** Sockets that end with the test. What becomes of them is the server's to say. */
function open(target: Target, count: number, allowHalfOpen = false): Promise<readonly Socket[]> {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ ...target.address, allowHalfOpen });
    socket.on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    return new Promise<Socket>((resolve) => {
      socket.once('connect', () => resolve(socket));
      socket.once('close', () => resolve(socket));
    });
  });
  return Promise.all(sockets);
}

function get(key: string, sequenceId = 1): Buffer {
  return callFrame(METHODS.get, { key, needs: null }, sequenceId);
}

/** A client that comes now is served, if it comes again when it is turned away. */
async function expectServed(target: Target): Promise<void> {
  const attempt = async (): Promise<string | null> => {
    try {
      const client = await RawClient.connect(target.address);
      client.send(get('key 7'));
      const { value } = readReply(await client.frame(), METHODS.get);
      client.close();
      return (value as { kind: string }).kind;
    } catch {
      return null;
    }
  };
  await expect.poll(attempt, { timeout: PATIENCE_MS, interval: 200 }).toBe('found');
}

async function expectAtRestWithout(target: Target, sockets: readonly Socket[], growthMbMax?: number): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await expectServed(target);
  // The control connection may have made room for one of them.
  await target.expectAlive().catch(() => target.expectAlive());
  await target.expectAtRest(growthMbMax);
}

describe('connections', () => {
  test('by the thousands, that say nothing, make room for who comes', async () => {
    const target = await startTarget();
    const sockets: Socket[] = [];
    for (let i = 0; i < 12; i++) sockets.push(...(await open(target, 250)));
    expect(target.fds).toBeLessThan(CONNECTIONS_MAX + 100);
    await expectServed(target);
    await expectAtRestWithout(target, sockets);
  });

  test('that send a byte at a time are let go, and others are served meanwhile', async () => {
    const target = await startTarget();
    const sockets = await open(target, 300);
    const bytes = frame(Buffer.alloc(1_000), 1_000);
    let at = 0;
    const ended = new Set<Socket>();
    for (const socket of sockets) socket.once('close', () => ended.add(socket)).resume();
    for (let waited = 0; ended.size < sockets.length && waited < 2 * PATIENCE_MS; waited += 500) {
      for (const socket of sockets) if (socket.writable) socket.write(bytes.subarray(at, at + 1));
      at += 1;
      await delay(500);
      await target.expectAlive();
    }
    expect(ended.size).toBe(sockets.length);
    await expectAtRestWithout(target, sockets);
  });

  test('that claim the largest frame and send none of it take next to nothing', async () => {
    const target = await startTarget();
    const sockets = await open(target, 500);
    for (const socket of sockets) socket.write(frame(Buffer.alloc(10), FRAME_BYTES_MAX));
    await delay(200);
    await expectAtRestWithout(target, sockets, 96);
  });

  test('that send most of the largest frame, and wait, take no more together than may be', async () => {
    const target = await startTarget();
    const sockets = await open(target, 100);
    // Together 1.5 GB.
    const most = frame(Buffer.alloc(FRAME_BYTES_MAX - 1_000), FRAME_BYTES_MAX);
    for (const socket of sockets) {
      socket.resume();
      await new Promise<void>((resolve) => {
        socket.once('close', () => resolve());
        socket.write(most, () => resolve());
      });
    }
    await target.expectAlive();
    expect(sockets.filter((socket) => socket.destroyed).length).toBeGreaterThan(50);
    await expectAtRestWithout(target, sockets, HELD_MB_MAX + GROWTH_MB_MAX);
  });

  test('that are closed on their side only are answered, and forgotten', async () => {
    const target = await startTarget();
    const sockets = await open(target, 300, true);
    for (const [i, socket] of sockets.entries()) {
      const whole = get('key 7');
      if (i % 3 === 0) socket.end();
      else if (i % 3 === 1) socket.end(whole.subarray(0, whole.length - 1 - (i % 20)));
      else socket.end(whole);
    }
    const replies = await Promise.all(
      sockets.map(
        (socket) =>
          new Promise<number>((resolve) => {
            let bytes = 0;
            socket.on('data', (chunk) => {
              bytes += chunk.length;
            });
            socket.once('end', () => resolve(bytes));
          }),
      ),
    );
    for (const [i, bytes] of replies.entries()) expect(bytes > 0, `socket ${i}`).toBe(i % 3 === 2);
    await target.expectAtRest();
  });

  test('by the thousands, one after the other, that are reset at once leave nothing', async () => {
    const target = await startTarget();
    for (let i = 0; i < 20; i++) {
      const sockets = await open(target, 100);
      for (const [at, socket] of sockets.entries()) {
        if (at % 2 === 0) socket.write(get(LARGE_KEY));
        socket.resetAndDestroy();
      }
    }
    await target.expectAtRest();
  });
});

describe('a client that asks and never reads', () => {
  test('for the largest value, ten thousand times on each of eight connections', async () => {
    const target = await startTarget();
    const sockets = await open(target, 8);
    const asked = Buffer.concat(Array.from({ length: 10_000 }, (_, i) => get(LARGE_KEY, i + 1)));
    for (const socket of sockets) {
      socket.pause();
      socket.write(asked);
    }
    for (let i = 0; i < 20; i++) {
      await delay(100);
      await target.expectAlive();
    }
    await expectAtRestWithout(target, sockets);
  });

  test('for what waits for a flush, as often as it may at once', async () => {
    const target = await startTarget();
    const value = new Uint8Array(1024 * 1024).fill(3);
    // So much that it leaves memory for the disk.
    for (let i = 0; i < 40; i++) await target.put(`large ${i}`, value, 'filler', 1_000 + i);
    const put = (i: number): Buffer => {
      const operation = { kind: 'put' as const, value: Buffer.from('v') };
      const request = { client: 'burst' as never, clientTime: i, key: 'burst', operation, after: 0, needs: null };
      return callFrame(METHODS.put, request, 2_000 + i);
    };
    const gets = Array.from({ length: 1_000 }, (_, i) => get(`large ${i % 40}`, i + 1));
    const sockets = await open(target, 4);
    for (const [i, socket] of sockets.entries()) {
      socket.pause();
      socket.write(Buffer.concat([put(i + 1), ...gets]));
    }
    for (let i = 0; i < 10; i++) {
      await delay(100);
      // Some are told that too much waits.
      await expectServed(target);
    }
    await expectAtRestWithout(target, sockets, HELD_MB_MAX + GROWTH_MB_MAX);
  });
});

test('calls that wait for a transfer that never ends, each with all the names a frame holds, are bounded', async () => {
  const target = await startTarget();
  const endless = await FakePeer.listen((asked) => {
    const writes = packedWrites(packed({ origin: 'endless', time: 1, key: 'again' }));
    const answer = batch('endless', { 3: writes, 4: vector(entry('endless', 1)), 5: bool(true) });
    setTimeout(() => asked.batch(answer), 100);
  });
  onTestFinished(() => endless.close());
  await target.link('endless', endless.address);
  const names = Array.from({ length: 60_000 }, (_, i) => (i === 0 ? 'endless' : `nobody ${i}`));
  const many = callFrame(METHODS.stabilize, { peers: names as ReplicaId[], budgetMs: 1_000_000, compact: false });
  const few = callFrame(METHODS.stabilize, {
    peers: names.slice(0, 4_000) as ReplicaId[],
    budgetMs: 1_000_000,
    compact: false,
  });
  for (const [call, times] of [
    [many, 40],
    [few, 500],
  ] as const) {
    const [socket] = await open(target, 1);
    if (socket === undefined) throw new Error('no connection');
    socket.resume();
    for (let i = 0; i < times; i++) await new Promise<void>((resolve) => void socket.write(call, () => resolve()));
    await expectServed(target);
    socket.destroy();
  }
  await target.unlink('endless');
  await expectAtRestWithout(target, []);
});
