import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { BARISTA } from './fixture-commands.js';
import { killAll, startMaster } from './master-fixture.js';
import { eventually, isRunning, processesWith } from './process-table.js';
import { useTestRun } from './test-run.js';

const SCRIPT = fileURLToPath(new URL('../../cleanup-ports.sh', import.meta.url));
const PORTS = Array.from({ length: 19 }, (_, i) => 6262 + i);

/** Of a master that is gone: no system here gives out so high a process id. */
const DEAD_RUN = '999999999-0123456789ab';

const current = useTestRun();

interface Cleanup {
  readonly status: number;
  readonly said: string;
  readonly complained: string;
}

function cleanup(...options: readonly string[]): Promise<Cleanup> {
  return new Promise((resolve) => {
    execFile('/bin/sh', [SCRIPT, ...options], (error, said, complained) => {
      resolve({ status: error === null ? 0 : Number(error.code), said, complained });
    });
  });
}

function record(runId: string): string {
  return join(current.directory, `barista-runs-${process.getuid?.() ?? 0}`, runId);
}

function writeRecord(runId: string, ...lines: readonly string[]): void {
  mkdirSync(join(record(runId), '..'), { recursive: true, mode: 0o700 });
  writeFileSync(record(runId), lines.map((line) => `${line}\n`).join(''));
}

interface Lingering {
  readonly pid: number;
  readonly port: number;
}

/** A replica whose master, by its run id, is not its parent; it lives on because this test holds its lifeline. */
async function startLingering(id: string, runId = DEAD_RUN): Promise<Lingering> {
  const replica = await tryLingering(id, 0, runId);
  if (replica === null) throw new Error('a stand-in for a lingering replica did not start');
  return replica;
}

/** The same, on some port of the range. */
async function startLingeringInRange(id: string, runId = DEAD_RUN): Promise<Lingering> {
  for (const port of PORTS) {
    const replica = await tryLingering(id, port, runId);
    if (replica !== null) return replica;
  }
  throw new Error('every port from 6262 to 6280 is in use');
}

async function tryLingering(id: string, port: number, runId: string): Promise<Lingering | null> {
  const [file, ...args] = BARISTA;
  const options = ['--id', id, '--port', String(port), '--cluster', runId, '--lifeline', '--run-id', runId];
  const replica = spawn(file, [...args, 'server', ...options], { stdio: ['pipe', 'pipe', 'ignore'] });
  current.finally(() => replica.kill('SIGKILL'));
  const line = await new Promise<string>((resolve) => replica.stdout.once('data', (data) => resolve(String(data))));
  const said = JSON.parse(line) as { readonly event: string; readonly port: number };
  return said.event === 'listening' ? { pid: replica.pid ?? 0, port: said.port } : null;
}

/** Listens on some port of the range. */
async function holdPort(): Promise<number> {
  const holder = createServer();
  current.finally(() => holder.close());
  for (const port of PORTS) {
    const held = await new Promise<boolean>((resolve) => {
      holder.once('error', () => resolve(false));
      holder.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (held) return (holder.address() as AddressInfo).port;
  }
  throw new Error('every port from 6262 to 6280 is in use');
}

test('with nothing left behind there is nothing to end', async () => {
  expect(await cleanup()).toMatchObject({ status: 0, said: expect.stringContaining('nothing to end\n') });
});

test('a recorded replica whose master is gone is ended, and the record removed', async () => {
  const replica = await startLingering('the 3rd');
  writeRecord(DEAD_RUN, `replica ${replica.pid} 0 the 3rd`, `replica ${replica.pid} ${replica.port} the 3rd`);

  const would = await cleanup('--dry-run');
  expect(would.said).toContain(
    `would end replica the 3rd (pid ${replica.pid}, port ${replica.port}) of run ${DEAD_RUN}\n`,
  );
  expect(isRunning(replica.pid)).toBe(true);
  expect(existsSync(record(DEAD_RUN))).toBe(true);

  const did = await cleanup();
  expect(did).toMatchObject({ status: 0, complained: '' });
  expect(did.said).toContain(`ended replica the 3rd (pid ${replica.pid}, port ${replica.port}) of run ${DEAD_RUN}\n`);
  expect(did.said).not.toContain('nothing to end');
  await eventually('the replica is gone', () => !isRunning(replica.pid));
  expect(existsSync(record(DEAD_RUN))).toBe(false);
});

test('a paused replica is ended too', async () => {
  const replica = await startLingering('1');
  process.kill(replica.pid, 'SIGSTOP');
  writeRecord(DEAD_RUN, `replica ${replica.pid} ${replica.port} 1`);
  expect((await cleanup()).said).toContain(`ended replica 1 (pid ${replica.pid}`);
  await eventually('the replica is gone', () => !isRunning(replica.pid));
});

test('another program that was given the pid since survives', async () => {
  const foreign = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  current.finally(() => foreign.kill('SIGKILL'));
  writeRecord(DEAD_RUN, `replica ${foreign.pid} 6262 1`);
  expect(await cleanup()).toMatchObject({ status: 0, said: expect.stringContaining('nothing to end\n') });
  expect(isRunning(foreign.pid ?? 0)).toBe(true);
  expect(existsSync(record(DEAD_RUN))).toBe(false);
});

test('a replica of another run that was given the pid since survives', async () => {
  const replica = await startLingering('1', '999999998-0123456789ab');
  writeRecord(DEAD_RUN, `replica ${replica.pid} 0 1`);
  expect((await cleanup()).said).toContain('nothing to end\n');
  expect(isRunning(replica.pid)).toBe(true);
});

test('a replica that has exited is not looked for', async () => {
  const replica = await startLingering('1');
  writeRecord(DEAD_RUN, `replica ${replica.pid} 0 1`, `exited ${replica.pid}`);
  expect((await cleanup()).said).toContain('nothing to end\n');
  expect(isRunning(replica.pid)).toBe(true);
});

test('a damaged record harms nobody', async () => {
  writeRecord(
    DEAD_RUN,
    'replica',
    'replica 1',
    `replica -1 0 x`,
    `replica ${process.pid};id 0 x`,
    'exited',
    '$(id)',
    '',
  );
  expect(await cleanup()).toMatchObject({
    status: 0,
    complained: '',
    said: expect.stringContaining('nothing to end\n'),
  });
});

test('a planted directory of records is not believed', async () => {
  const replica = await startLingering('1');
  const elsewhere = join(current.directory, 'elsewhere');
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, DEAD_RUN), `replica ${replica.pid} 0 1\n`);
  symlinkSync(elsewhere, join(record(DEAD_RUN), '..'));
  expect((await cleanup()).said).toContain('nothing to end\n');
  expect(isRunning(replica.pid)).toBe(true);
});

test('replicas of a master that is alive are left alone', async () => {
  const master = await startMaster(current, { replicas: 2, paused: 1 });
  const { status, said } = await cleanup();
  expect(status).toBe(0);
  for (const pid of master.replicas)
    expect(said).toMatch(new RegExp(`^left alone replica .*pid ${pid}.*${master.runId}.*alive$`, 'm'));
  expect(said).toContain('nothing to end\n');
  expect(master.replicas.every(isRunning)).toBe(true);
  expect(existsSync(record(master.runId))).toBe(true);
});

test('replicas of a master that died with its watchdog are ended', async () => {
  const master = await startMaster(current, { replicas: 2, paused: 2 });
  killAll(processesWith(master.runId).filter((pid) => !master.replicas.includes(pid)));
  process.kill(master.pid, 'SIGKILL');
  await master.exited;
  const { status, said } = await cleanup();
  expect(status).toBe(0);
  for (const pid of master.replicas)
    expect(said).toMatch(new RegExp(`^ended replica .*pid ${pid}.*${master.runId}$`, 'm'));
  await eventually('they are gone', () => !master.replicas.some(isRunning));
});

test('an unrecorded replica on a port of the range is ended if its master is gone', async () => {
  const { pid, port } = await startLingeringInRange('4');
  expect((await cleanup()).said).toContain(`ended replica 4 (pid ${pid}, port ${port}) of run ${DEAD_RUN}\n`);
  await eventually('the replica is gone', () => !isRunning(pid));
});

test('an unrecorded replica on a port of the range is left alone if its master is alive', async () => {
  const { pid, port } = await startLingeringInRange('4', `${process.pid}-0123456789ab`);
  expect((await cleanup()).said).toContain(`left alone replica 4 (pid ${pid}, port ${port})`);
  expect(isRunning(pid)).toBe(true);
});

test('another program on a port of the range is named and survives', async () => {
  const port = await holdPort();
  const { status, said } = await cleanup();
  expect(status).toBe(0);
  expect(said).toContain(`left alone port ${port}: it is in use by pid ${process.pid} (`);
});

test('its options are explained, and others refused', async () => {
  expect(await cleanup('--help')).toMatchObject({ status: 0, said: expect.stringContaining('--dry-run') });
  expect(await cleanup('--force')).toMatchObject({ status: 2, complained: expect.stringContaining('--force') });
});
