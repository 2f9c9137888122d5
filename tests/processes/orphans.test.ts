import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BARISTA, misbehaving } from './fixture-commands.js';
import { type MasterOptions, startMaster } from './master-fixture.js';
import { eventually, isRunning, processesWith } from './process-table.js';
import { useTestRun } from './test-run.js';

const current = useTestRun();

/** Neither replicas nor a watchdog nor a record. */
async function expectNothingLeftOf(runId: string): Promise<void> {
  await eventually(`nothing of run ${runId} is left`, () => processesWith(runId).length === 0);
  await eventually('its record is removed', () => records().length === 0);
}

function records(): readonly string[] {
  return readdirSync(join(current.directory, `barista-runs-${process.getuid?.() ?? 0}`));
}

describe('nothing outlives a master that', () => {
  const masters: readonly (readonly [string, NodeJS.Signals, MasterOptions])[] = [
    ['is killed', 'SIGKILL', { replicas: 3 }],
    ['is killed while a replica is paused', 'SIGKILL', { replicas: 3, paused: 1 }],
    ['is killed while all replicas are paused', 'SIGKILL', { replicas: 2, paused: 2 }],
    ['is killed while a replica hangs', 'SIGKILL', { replicas: 1, command: misbehaving('busy') }],
    ['is terminated while a replica is paused', 'SIGTERM', { replicas: 2, paused: 1 }],
    ['crashes while a replica is paused', 'SIGSEGV', { replicas: 2, paused: 1 }],
    ['is killed before it has started a replica', 'SIGKILL', { replicas: 0 }],
  ];
  test.each(masters)('%s', async (_, signal, options) => {
    const master = await startMaster(current, options);
    expect(records()).toEqual([master.runId]);
    process.kill(master.pid, signal);
    expect(await master.exited).toBe(signal);
    await expectNothingLeftOf(master.runId);
  });

  test('is interrupted from the terminal', async () => {
    const master = await startMaster(current, { replicas: 3, paused: 1 });
    process.kill(-master.pid, 'SIGINT');
    expect(await master.exited).toBe('SIGINT');
    await expectNothingLeftOf(master.runId);
  });
});

test('replicas ignore an interrupt from the terminal that their master survives', async () => {
  const master = await startMaster(current, { replicas: 2, survivesInterrupt: true });
  process.kill(-master.pid, 'SIGINT');
  expect(await master.nextLine()).toBe('interrupted');
  // A second one, so that the first has been delivered to everyone.
  process.kill(-master.pid, 'SIGINT');
  expect(await master.nextLine()).toBe('interrupted');
  expect(master.replicas.every(isRunning)).toBe(true);
  process.kill(master.pid, 'SIGKILL');
  await expectNothingLeftOf(master.runId);
});

test('the watchdog outlives signals meant for its master', async () => {
  const master = await startMaster(current, { replicas: 1 });
  const [watchdog = 0] = processesWith(master.runId).filter((pid) => !master.replicas.includes(pid));
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.kill(watchdog, signal);
  process.kill(master.pid, 'SIGKILL');
  await expectNothingLeftOf(master.runId);
});

test('a watchdog that was killed is replaced before a replica is paused', async () => {
  const run = current.open();
  const replica = current.start(run);
  await replica.ready;
  const watchdogs = () => processesWith(run.id).filter((pid) => pid !== replica.pid);
  const [first = 0] = watchdogs();
  process.kill(first, 'SIGKILL');
  await eventually('the first watchdog is gone', () => watchdogs().length === 0);
  await replica.pause();
  expect(watchdogs()).toHaveLength(1);
  await run.close();
  await replica.exited;
  await expectNothingLeftOf(run.id);
});

test('a run that ends in order leaves nothing', async () => {
  const run = current.open();
  const replicas = ['a', 'b'].map((id) => current.start(run, { id }));
  await Promise.all(replicas.map((replica) => replica.ready));
  expect(records()).toEqual([run.id]);
  await Promise.all(replicas.map((replica) => replica.kill()));
  await run.close();
  expect(processesWith(run.id)).toEqual([]);
  expect(records()).toEqual([]);
});

test('a replica under a lifeline ends when it is started with standard input closed', async () => {
  const args = ['server', '--id', '1', '--port', '0', '--lifeline', '--run-id', '1-0'];
  const command = [...BARISTA, ...args];
  const replica = spawn('/bin/sh', ['-c', 'exec "$@" <&-', 'sh', ...command], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  current.finally(() => replica.kill('SIGKILL'));
  expect(await new Promise((resolve) => replica.on('exit', resolve))).toBe(0);
});
