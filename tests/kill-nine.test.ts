import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, expect, test } from 'vitest';
import type { Address } from '../src/base/address.js';
import type { ClientId, ReplicaId } from '../src/base/ids.js';
import { promised } from '../src/base/outcome.js';
import { seededRandom } from '../src/base/random.js';
import type { ReadReply, WriteReply } from '../src/bayou/messages.js';
import { ReplicaConnection } from '../src/rpc/client.js';

/* A durable replica in a process of its own, killed with SIGKILL at random moments while clients write. */

const CLI = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));
const ROUNDS = Number(process.env['BARISTA_KILLS'] ?? 100);
const IN_FLIGHT = 16;
const PATIENCE_MS = 60_000;

type Server = ReturnType<typeof spawnServer>;

const servers = new Set<Server>();
const folder = mkdtempSync(join(tmpdir(), 'barista-kills-'));

afterEach(async () => {
  for (const server of servers) server.kill('SIGKILL');
  await Promise.all(servers);
  rmSync(folder, { recursive: true, force: true });
});

function spawnServer(id: string, port: number) {
  const args = ['--id', id, '--port', `${port}`, '--data-dir', join(folder, id), '--anti-entropy', '200ms'];
  return execa(process.execPath, [CLI, 'server', ...args], { reject: false, stderr: 'ignore' });
}

async function startServer(id: string, port = 0): Promise<{ readonly server: Server; readonly address: Address }> {
  const server = spawnServer(id, port);
  servers.add(server);
  void server.finally(() => servers.delete(server));
  const lines = createInterface({ input: server.stdout });
  const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(PATIENCE_MS) })) as [string];
  const said = JSON.parse(line) as { event: string; host: string; port: number };
  expect(said.event, line).toBe('listening');
  return { server, address: { host: said.host, port: said.port } };
}

async function link(line: ReplicaConnection, peer: string, address: Address): Promise<void> {
  await promised<void>((done) => line.link({ peer: peer as ReplicaId, address, incarnation: null }, 5_000, done));
}

/** Writes until the replica is gone; the keys whose writes were acknowledged. */
async function writeUntilKilled(line: ReplicaConnection, round: number): Promise<string[]> {
  const acknowledged: string[] = [];
  let clientTime = 0;
  const writer = async (name: number): Promise<void> => {
    for (;;) {
      clientTime += 1;
      const key = `r${round}-${name}-${clientTime}`;
      const operation = { kind: 'put', value: new Uint8Array(100) } as const;
      const request = { client: `c${round}` as ClientId, clientTime, key, operation, after: 0, needs: null };
      try {
        await promised<WriteReply>((done) => line.write(request, 10_000, done));
      } catch {
        return;
      }
      acknowledged.push(key);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, (_, name) => writer(name)));
  return acknowledged;
}

async function missing(line: ReplicaConnection, keys: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    keys.map((key) => promised<ReadReply<Uint8Array>>((done) => line.read({ key, needs: null }, 10_000, done))),
  );
  return keys.filter((_, i) => found[i]?.kind !== 'found');
}

test(`every acknowledged write is there after kill -9, ${ROUNDS} times`, { timeout: 3_600_000 }, async () => {
  const random = seededRandom(9);
  const peer = await startServer('peer');
  const peerLine = new ReplicaConnection({ address: peer.address });
  let port = 0;
  const all: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { server, address } = await startServer('killed', port);
    port = address.port;
    const line = new ReplicaConnection({ address });
    await link(line, 'peer', peer.address);
    await link(peerLine, 'killed', address);
    // What the last round acknowledged, and a sample of all before.
    const sample = Array.from({ length: Math.min(50, all.length) }, () => all[random.below(all.length)] as string);
    expect(await missing(line, [...all.slice(-500), ...sample])).toEqual([]);
    const writing = writeUntilKilled(line, round);
    await delay(random.below(60));
    server.kill('SIGKILL');
    await server;
    all.push(...(await writing));
    line.close();
  }
  const { address } = await startServer('killed', port);
  const line = new ReplicaConnection({ address });
  await link(line, 'peer', peer.address);
  for (let at = 0; at < all.length; at += 500) expect(await missing(line, all.slice(at, at + 500))).toEqual([]);
  for (let waited = 0; waited < PATIENCE_MS; waited += 200) {
    if ((await missing(peerLine, all.slice(-500))).length === 0) break;
    await delay(200);
  }
  for (let at = 0; at < all.length; at += 500) expect(await missing(peerLine, all.slice(at, at + 500))).toEqual([]);
  expect(all.length).toBeGreaterThan(ROUNDS);
  line.close();
  peerLine.close();
});
