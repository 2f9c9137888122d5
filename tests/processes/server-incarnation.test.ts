import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, onTestFinished, test } from 'vitest';
import { incarnationOf } from '../../src/base/ids.js';
import { promised } from '../../src/base/outcome.js';
import type { Status } from '../../src/bayou/admin-messages.js';
import { ReplicaConnection } from '../../src/rpc/client.js';

const CLI = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** Starts a server that keeps its data in memory, asks it which incarnation it is, and ends it. */
async function incarnationOfServer(): Promise<number> {
  const server = execa(process.execPath, [CLI, 'server', '--id', 'till-7'], { reject: false });
  onTestFinished(() => void server.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
  const address = JSON.parse(line) as { host: string; port: number };
  const connection = new ReplicaConnection({ address });
  const { origin } = await promised<Status>((done) => connection.status(10_000, done));
  connection.close();
  server.kill('SIGKILL');
  await server;
  return incarnationOf(origin);
}

test('a server that lost what it had in memory is another incarnation, and gives no stamp again', async () => {
  const first = await incarnationOfServer();
  expect(await incarnationOfServer()).toBeGreaterThan(first);
});
