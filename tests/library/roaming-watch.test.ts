import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { promised } from '../../src/base/outcome.js';
import type { Status } from '../../src/bayou/admin-messages.js';
import type { VersionVector } from '../../src/bayou/version-vector.js';
import { type Client, connect, type Watch } from '../../src/client/library.js';
import { ReplicaConnection } from '../../src/rpc/client.js';
import { eventually } from './world.js';

/* Watches over real replicas that are killed in turn, and start again over what they flushed. */

const CLI = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const KILLS = 6;

let folder: string;
const ends: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barista-roaming-'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  rmSync(folder, { recursive: true, force: true });
});

/** A replica at the port, 0 for one that is free, with its data on disk. */
async function start(id: string, port: number, peers: readonly string[]) {
  const exchange = ['--anti-entropy', '20ms', ...peers.flatMap((peer) => ['--peer', peer])];
  const words = ['server', '--id', id, '--lifeline', '--port', `${port}`, '--data-dir', join(folder, id), ...exchange];
  const server = execa(process.execPath, [CLI, ...words], { reject: false, stdin: 'pipe', stderr: 'ignore' });
  const kill = async (): Promise<void> => {
    server.kill('SIGKILL');
    await server;
  };
  ends.push(kill);
  const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
  return { port: (JSON.parse(line) as { port: number }).port, kill };
}

async function clientOf(ports: readonly number[]): Promise<Client> {
  const client = await connect({ endpoints: ports.map((port) => `127.0.0.1:${port}`), attemptMs: 1_000 });
  ends.push(() => client.close());
  return client;
}

async function seenAt(port: number): Promise<VersionVector> {
  const replica = new ReplicaConnection({ address: { host: '127.0.0.1', port } });
  try {
    return (await promised<Status>((done) => replica.status(5_000, done))).seen;
  } finally {
    replica.close();
  }
}

test('whichever replica is killed, a watch tells of each change once, and of what stands in the end', {
  timeout: 120_000,
}, async () => {
  const free = await start('a', 0, []);
  await free.kill();
  const ports = [free.port, 0];
  const peersOf = (id: string): string[] => (id === 'a' ? [`b=127.0.0.1:${ports[1]}`] : [`a=127.0.0.1:${ports[0]}`]);
  const b = await start('b', 0, peersOf('b'));
  ports[1] = b.port;
  const servers = [await start('a', ports[0] as number, peersOf('a')), b];
  const client = await clientOf(ports);

  const told = new Map<string, Set<string>>();
  const values = new Map<string, string>();
  let repeats = 0;
  let cursor: string | null = null;
  let isOver = false;
  /** Begins again from its cursor now and then, as another process would. */
  const watching = (async () => {
    while (!isOver) {
      const watch: Watch<string> = client.watch('k/', { from: cursor ?? 'start' });
      ends.push(async () => watch.close());
      let left = 40;
      for await (const { key, value, stamp } of watch) {
        const stamps = told.get(key) ?? new Set();
        const name = `${stamp.acceptTime}@${stamp.origin}`;
        if (stamps.has(name)) repeats += 1;
        told.set(key, stamps.add(name));
        if (value !== undefined) values.set(key, value);
        else values.delete(key);
        cursor = watch.cursor;
        isOver = key === 'k/end';
        if (--left === 0 || isOver) break;
      }
    }
  })();

  const session = client.session();
  let puts = 0;
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const key = `k/${puts++ % 25}`;
      if (puts % 7 === 0) await session.delete(key);
      else await session.put(key, `${puts}`);
    }
  };
  for (let killed = 0; killed < KILLS; killed++) {
    await write(60);
    const which = killed % 2;
    await Promise.all([servers[which]?.kill(), write(30)]);
    servers[which] = await start(which === 0 ? 'a' : 'b', ports[which] as number, peersOf(which === 0 ? 'a' : 'b'));
  }
  await eventually('both hold the same', async () => {
    const [one, other] = await Promise.all(ports.map(seenAt));
    return one !== undefined && other !== undefined && one.equals(other);
  });
  // What this session writes last stands after all else.
  await session.put('k/end', 'end');
  await watching;
  const expected = new Map<string, string>();
  const scan = await session.scan({ prefix: 'k/' });
  if (scan.kind === 'scan') for await (const { key, value } of scan) expected.set(key, value);
  expect([...values].sort()).toEqual([...expected].sort());
  expect(repeats).toBe(0);
  expect(puts).toBe(KILLS * 90);
});
