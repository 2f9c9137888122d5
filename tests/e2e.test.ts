import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually, isRunning, processesWith } from './processes/process-table.js';

/* The command line as a user meets it: real masters, real replicas, signals, pipes and ports. */

const CLI = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));
const PATIENCE_MS = 60_000;

type Master = ReturnType<typeof spawnMaster>;

const started = new Set<Master>();

afterEach(async () => {
  for (const master of started) master.kill('SIGKILL');
  await Promise.all(started);
  started.clear();
});

function spawnMaster(args: readonly string[]) {
  return execa(process.execPath, [CLI, 'master', ...args], { reject: false, stdin: 'pipe' });
}

function startMaster(...args: readonly string[]): { readonly master: Master; readonly lines: Interface } {
  const master = spawnMaster(args);
  started.add(master);
  return { master, lines: createInterface({ input: master.stdout }) };
}

function say(master: Master, ...lines: readonly string[]): void {
  master.stdin.write(`${lines.join('\n')}\n`);
}

async function nextLine(lines: Interface): Promise<string> {
  const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(PATIENCE_MS) })) as [string];
  return line;
}

/** The replica processes of a master, in the order they were started. */
function replicasOf(master: Master): readonly number[] {
  return processesWith(`--lifeline --run-id ${master.pid}-`).toSorted((a, b) => a - b);
}

/** The replica of that id. */
function replicaOf(master: Master, id: string): number {
  const [pid] = replicasOf(master).filter((replica) => processesWith(` --id ${id} `).includes(replica));
  if (pid === undefined) throw new Error(`no replica ${id}`);
  return pid;
}

async function untilGone(pids: readonly number[]): Promise<void> {
  await eventually(`${pids.join(', ')} are gone`, () => !pids.some(isRunning));
}

describe('a master', () => {
  test('answers each line before it is given the next', async () => {
    const { master, lines } = startMaster();
    say(master, 'joinServer 1', 'joinClient c 1', 'get c k');
    expect(await nextLine(lines)).toBe('k:ERR_KEY');
    say(master, 'put c k v', 'get c k');
    expect(await nextLine(lines)).toBe('k:v');
    say(master, 'done');
    expect((await master).exitCode).toBe(0);
  });

  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    test(`ends its replicas with it on ${signal}`, async () => {
      const { master, lines } = startMaster();
      say(master, 'joinServer 1', 'joinServer 2', 'pause 2', 'printMembers 1');
      await nextLine(lines);
      const replicas = replicasOf(master);
      expect(replicas).toHaveLength(2);
      master.kill(signal);
      expect((await master).exitCode).toBe(status);
      await untilGone(replicas);
    });
  }

  test('leaves nothing behind when it is killed itself, not even a replica that hangs', async () => {
    const { master, lines } = startMaster();
    say(master, 'joinServer 1', 'joinServer 2', 'pause 2', 'printMembers 1');
    await nextLine(lines);
    const replicas = replicasOf(master);
    master.kill('SIGKILL');
    await master;
    await untilGone(replicas);
  });

  test('ends quietly when nobody reads its results', async () => {
    const { master, lines } = startMaster();
    say(master, 'joinServer 1', 'joinClient c 1', 'get c k');
    await nextLine(lines);
    const replicas = replicasOf(master);
    lines.close();
    master.stdout.destroy();
    say(master, 'get c k', 'sleep 50', 'get c k', 'sleep 50', 'get c k');
    const { exitCode, stderr } = await master;
    expect([exitCode, stderr]).toEqual([141, '']);
    await untilGone(replicas);
  });

  test('tells of a replica that somebody else killed, and goes on with the others', async () => {
    const { master, lines } = startMaster();
    say(master, 'joinServer 1', 'joinServer 2', 'joinServer 3', 'joinClient c 1', 'put c k v', 'stabilize', 'get c k');
    expect(await nextLine(lines)).toBe('k:v');
    const second = replicaOf(master, '2');
    process.kill(second, 'SIGKILL');
    await untilGone([second]);
    await delay(200);
    say(master, 'put c k w', 'stabilize', 'printStore 3', 'printStore 2', 'joinServer 2', 'stabilize', 'printStore 2');
    expect(await nextLine(lines)).toBe('k:w');
    expect(await nextLine(lines)).toBe('k:w');
    master.stdin.end();
    const { exitCode, stderr } = await master;
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^barista: ERR_DIED: replica 2 ended by SIGKILL/m);
    expect(stderr).toMatch(/^line 11: ERR_DIED/m);
  });

  test('a replica that hangs without its doing delays the others no longer than a pull may take', async () => {
    const { master, lines } = startMaster('--timeout', '2s');
    say(master, 'joinServer 1', 'joinServer 2', 'joinServer 3', 'joinClient c 1', 'put c k v', 'get c k');
    await nextLine(lines);
    const second = replicaOf(master, '2');
    process.kill(second, 'SIGSTOP');
    say(master, 'stabilize', 'printStore 3');
    expect(await nextLine(lines)).toBe('k:v');
    master.stdin.end();
    const { exitCode, stderr } = await master;
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^line 7: ERR_TIMEOUT: .*replica 2/m);
    await untilGone([second]);
  });

  test('gives out ports from the base port, and names the one that is taken', async () => {
    const foreign = createServer().listen(0, '127.0.0.1');
    await once(foreign, 'listening');
    const address = foreign.address();
    if (address === null || typeof address === 'string') throw new Error('a port');
    const { master } = startMaster('--base-port', String(address.port));
    say(master, 'joinServer 1', 'done');
    const { exitCode, stderr } = await master;
    foreign.close();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(`line 1: ERR_PORT_IN_USE: replica 1 did not start: port ${address.port} is in use`);
    expect(stderr).toMatch('cleanup-ports.sh');
  });

  test('lets the later write by the wall clock win with the hybrid clock', async () => {
    const script = [
      ...['joinServer 1', 'joinServer 2', 'joinClient a 1', 'joinClient b 2', 'breakConnection 1 2'],
      ...['put b k earlier', 'put b other x', 'put b more y', 'sleep 20', 'put a k later'],
      ...['createConnection 1 2', 'stabilize', 'get a k', 'get b k'],
    ];
    const { stdout } = await execa(process.execPath, [CLI, 'master', '--clock', 'hybrid'], {
      input: script.join('\n'),
    });
    expect(stdout).toBe('k:later\nk:later');
    const logical = await execa(process.execPath, [CLI, 'master'], { input: script.join('\n') });
    expect(logical.stdout).toBe('k:earlier\nk:earlier');
  });
});

describe('a server', () => {
  test('says where it listens, serves, and ends on SIGTERM', async () => {
    const server = execa(process.execPath, [CLI, 'server', '--id', 'till-7'], { reject: false });
    const line = await nextLine(createInterface({ input: server.stdout }));
    expect(JSON.parse(line)).toMatchObject({ event: 'listening', host: '127.0.0.1', pid: server.pid });
    server.kill('SIGTERM');
    expect((await server).exitCode).toBe(0);
  });

  test('says why it cannot start', async () => {
    const foreign = createServer().listen(0, '127.0.0.1');
    await once(foreign, 'listening');
    const address = foreign.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const { stdout, stderr, exitCode } = await execa(
      process.execPath,
      [CLI, 'server', '--id', '1', '--port', `${port}`],
      {
        reject: false,
      },
    );
    foreign.close();
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ event: 'failed', code: 'ERR_PORT_IN_USE' });
    expect(stderr).toMatch(`ERR_PORT_IN_USE: 127.0.0.1:${port} is in use`);
  });

  test('two servers that are told of each other exchange writes at once, however long the period', {
    timeout: 60_000,
  }, async () => {
    const { ReplicaConnection } = await import('../src/rpc/client.js');
    const { Client } = await import('../src/client/client.js');
    const { Session } = await import('../src/bayou/session.js');
    const free = async (): Promise<number> => {
      const probe = createServer().listen(0, '127.0.0.1');
      await once(probe, 'listening');
      const address = probe.address();
      probe.close();
      return address !== null && typeof address === 'object' ? address.port : 0;
    };
    const [a, b] = [await free(), await free()];
    const options = ['--anti-entropy', '1h'];
    const servers = [
      execa(
        process.execPath,
        [CLI, 'server', '--id', 'a', '--port', `${a}`, '--peer', `b=127.0.0.1:${b}`, ...options],
        {
          reject: false,
        },
      ),
      execa(
        process.execPath,
        [CLI, 'server', '--id', 'b', '--port', `${b}`, '--peer', `a=127.0.0.1:${a}`, ...options],
        {
          reject: false,
        },
      ),
    ];
    try {
      await Promise.all(servers.map((server) => nextLine(createInterface({ input: server.stdout }))));
      const client = (name: string, id: string, port: number): InstanceType<typeof Client> => {
        const made = new Client(new Session(name as never), 5_000);
        made.attach(id as never, new ReplicaConnection({ address: { host: '127.0.0.1', port } }));
        return made;
      };
      const [writer, reader] = [client('w', 'a', a), client('r', 'b', b)];
      await writer.put('k', new TextEncoder().encode('v'));
      for (let waited = 0; (await reader.get('k')).kind === 'absent'; waited += 50) {
        expect(waited).toBeLessThan(PATIENCE_MS);
        await delay(50);
      }
      expect(await reader.get('k')).toMatchObject({ kind: 'found' });
      writer.close();
      reader.close();
    } finally {
      for (const server of servers) server.kill('SIGKILL');
      await Promise.all(servers);
    }
  });

  test('takes no write of a session further ahead of the wall clock than --max-drift, unless it is off', async () => {
    const { ReplicaConnection } = await import('../src/rpc/client.js');
    const codes: string[] = [];
    for (const maxDrift of ['1m', 'off']) {
      const server = execa(process.execPath, [CLI, 'server', '--id', 'till-7', '--max-drift', maxDrift], {
        reject: false,
      });
      const { port } = JSON.parse(await nextLine(createInterface({ input: server.stdout }))) as { port: number };
      const connection = new ReplicaConnection({ address: { host: '127.0.0.1', port } });
      const after = (Date.now() + 120_000) * 2048;
      const operation = { kind: 'delete' } as const;
      await new Promise<void>((resolve) => {
        connection.write(
          { client: 'c' as never, clientTime: 1, key: 'k', operation, after, needs: null },
          5_000,
          (reply) => {
            codes.push(reply.ok ? reply.value.kind : reply.error.code);
            resolve();
          },
        );
      });
      connection.close();
      server.kill('SIGTERM');
      await server;
    }
    expect(codes).toEqual(['ERR_CLOCK_DRIFT', 'accepted']);
  });
});
