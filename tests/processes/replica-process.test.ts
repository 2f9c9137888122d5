import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import type { BaristaError } from '../../src/base/errors.js';
import { misbehaving } from './fixture-commands.js';
import { eventually, isRunning } from './process-table.js';
import { useTestRun } from './test-run.js';

const current = useTestRun();

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

class Lines extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

test('a replica is ready where it says it listens, and gone once killed', async () => {
  const replica = current.start(current.open());
  const { host, port } = await replica.ready;
  expect(host).toBe('127.0.0.1');
  expect(await isListening(port)).toBe(true);

  await replica.kill();
  expect(await isListening(port)).toBe(false);
  expect(isRunning(replica.pid ?? 0)).toBe(false);
  expect(await replica.exited).toMatchObject({ code: null, signal: 'SIGKILL', expected: true });
});

test('replicas start at the same time', async () => {
  const run = current.open();
  const replicas = Array.from({ length: 10 }, (_, i) => current.start(run, { id: String(i) }));
  const ports = (await Promise.all(replicas.map((replica) => replica.ready))).map(({ port }) => port);
  expect(new Set(ports).size).toBe(10);
});

test('killing twice, or before it is ready, is fine', async () => {
  const replica = current.start(current.open());
  await Promise.all([replica.kill(), replica.kill()]);
  await replica.kill();
  await expect(replica.ready).rejects.toMatchObject({ code: 'ERR_START' });
});

test('a paused replica is stopped, goes on when resumed, and is killed all the same', async () => {
  const replica = current.start(current.open());
  await replica.ready;
  await replica.pause();
  await replica.pause();
  if (process.platform === 'linux') expect(stateOf(replica.pid)).toBe('T');
  replica.resume();
  if (process.platform === 'linux') await eventually('it runs again', () => stateOf(replica.pid) !== 'T');
  await replica.pause();
  await replica.kill();
  expect(isRunning(replica.pid ?? 0)).toBe(false);
  await expect(replica.pause()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
});

function stateOf(pid: number | undefined): string | undefined {
  return /.*\) (.)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
}

test('with a base port each replica gets the lowest port that no replica of the run has', async () => {
  const base = await freeStretch(3);
  const run = current.open(base);
  const first = current.start(run, { id: 'a' });
  const second = current.start(run, { id: 'b' });
  expect(await Promise.all([first.ready, second.ready])).toMatchObject([{ port: base }, { port: base + 1 }]);

  await first.kill();
  expect(await current.start(run, { id: 'c' }).ready).toMatchObject({ port: base });
  expect(await current.start(run, { id: 'd' }).ready).toMatchObject({ port: base + 2 });
});

test('a port that another program holds is named', async () => {
  const base = await freeStretch(1);
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(base, '127.0.0.1', resolve));
  current.finally(() => holder.close());

  const run = current.open(base);
  const error = await failureOf(current.start(run, { id: '7', log: new Lines() }).ready);
  expect(error).toMatchObject({ code: 'ERR_PORT_IN_USE', message: `replica 7 did not start: port ${base} is in use` });
  expect(error.advice).toContain('cleanup-ports.sh');
});

test('a run has no more ports than its range', async () => {
  const run = current.open(6262);
  for (let port = 6262; port <= 6280; port++) expect(run.takePort()).toBe(port);
  expect(() => current.start(run)).toThrow(/6262 to 6280/);
});

test('a replica that dies at its start is reported with its last words', async () => {
  const log = new Lines();
  const replica = current.start(current.open(), { command: misbehaving('dies-at-start'), log });
  const error = await failureOf(replica.ready);
  expect(error.code).toBe('ERR_START');
  expect(error.message).toBe('replica 1 did not start: ended with status 3; its last words:\n  no bean, no coffee');
  expect(log.text).toBe('[1] no bean, no coffee\n');
  expect(await replica.exited).toMatchObject({ code: 3, signal: null, expected: false });
});

test('a replica that says why it cannot start is quoted', async () => {
  const error = await failureOf(current.start(current.open(), { command: misbehaving('fails') }).ready);
  expect(error).toMatchObject({ code: 'ERR_START', message: 'replica 1 did not start: ERR_STORAGE: no such disk' });
});

test('a program that is not there is reported', async () => {
  const replica = current.start(current.open(), { command: ['/nowhere/barista'] });
  const error = await failureOf(replica.ready);
  expect(error.code).toBe('ERR_START');
  expect(error.message).toContain('ENOENT');
  await expect(replica.pause()).rejects.toMatchObject({ code: 'ERR_DIED' });
});

test.each([
  ['says-nothing', 'within 300 ms'],
  ['says-nonsense', '"hello"'],
  ['endless-line', '"xxx'],
] as const)('a replica that %s is ended', async (how, words) => {
  const spec = { command: misbehaving(how), ...(how === 'says-nothing' ? { startLimitMs: 300 } : {}) };
  const replica = current.start(current.open(), spec);
  const error = await failureOf(replica.ready);
  expect(error.code).toBe('ERR_START');
  expect(error.message).toContain(words);
  expect(isRunning(replica.pid ?? 0)).toBe(false);
});

test('a replica that dies by itself is reported with its last words', async () => {
  const deaths: BaristaError[] = [];
  const replica = current.start(current.open(), {
    command: misbehaving('dies-later'),
    log: new Lines(),
    onUnexpectedExit: (error) => deaths.push(error),
  });
  await replica.ready;
  await replica.exited;
  expect(deaths).toMatchObject([
    { code: 'ERR_DIED', message: 'replica 1 ended with status 7; its last words:\n  out of milk' },
  ]);
  expect(() => replica.resume()).toThrow(expect.objectContaining({ code: 'ERR_DIED' }));
});

test('a replica that is killed from here is not reported', async () => {
  const deaths: BaristaError[] = [];
  const replica = current.start(current.open(), { onUnexpectedExit: (error) => deaths.push(error) });
  await replica.ready;
  await replica.kill();
  expect(deaths).toEqual([]);
});

test('a log passes through line by line, and no line grows without bound', async () => {
  const log = new Lines();
  const replica = current.start(current.open(), { id: 'x', command: misbehaving('floods'), log });
  await replica.ready;
  await eventually('the flood is read', () => log.text.endsWith('the end\n'));
  const lines = log.text.split('\n').slice(0, -1);
  expect(lines.length).toBe(10_001);
  expect(lines.every((line) => line.startsWith('[x] ') && line.length < 5_000)).toBe(true);
});

test('a log whose reader does not read fills no memory, and says what was dropped', async () => {
  let finishWrite = (): void => {};
  let text = '';
  const stuck = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      finishWrite = done;
    },
  });
  const replica = current.start(current.open(), { command: misbehaving('floods'), log: stuck });
  await replica.ready;
  await eventually('the backlog is full', () => stuck.writableLength > 1024 * 1024);
  await replica.kill();
  expect(stuck.writableLength).toBeLessThan(2 * 1024 * 1024);
  stuck._write = (chunk: Buffer, _encoding, done) => {
    text += chunk.toString();
    done();
  };
  finishWrite();
  await eventually('the backlog is written', () => stuck.writableLength === 0);
  expect(text).toMatch(/\[1\] \(\d+ lines dropped\)\n$/);
});

async function failureOf(promise: Promise<unknown>): Promise<BaristaError> {
  try {
    await promise;
  } catch (error) {
    return error as BaristaError;
  }
  throw new Error('it did not fail');
}

/** The first of `count` neighbouring ports that were free a moment ago, outside the range of cleanup-ports.sh. */
async function freeStretch(count: number): Promise<number> {
  for (let base = 20_000 + (process.pid % 10_000); ; base += count) {
    const held = await Promise.all(Array.from({ length: count }, (_, i) => isListening(base + i)));
    if (!held.includes(true)) return base;
  }
}
