import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { promised } from '../../src/base/outcome.js';
import { connect } from '../../src/client/library.js';
import { ReplicaConnection } from '../../src/rpc/client.js';
import { type Conflict, type EmbeddedReplica, type OpenOptions, openReplica } from '../../src/server/library.js';
import { errorOf, eventually } from './world.js';

/* A replica in the process of its program. */

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barista-embedded-'));
});
const opened: EmbeddedReplica[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((replica) => replica.close()));
  rmSync(folder, { recursive: true, force: true });
});

/** A replica that is closed with the test. */
async function open(options: OpenOptions): Promise<EmbeddedReplica> {
  const replica = await openReplica(options);
  opened.push(replica);
  return replica;
}

const nameOf = ({ address }: EmbeddedReplica): string => `${address?.host}:${address?.port}`;

async function valueAt(replica: EmbeddedReplica, key: string): Promise<string | null> {
  const read = await replica.session().get(key);
  return read.kind === 'found' ? read.value : null;
}

describe('a data directory', () => {
  test('holds what was written, under the same incarnation, for the next to open it', async () => {
    const dataDir = join(folder, 'till');
    const first = await open({ id: 'till', dataDir });
    await first.session().put('k', 'v');
    await first.close();
    const second = await open({ id: 'till', dataDir });
    expect(second.origin).toBe(first.origin);
    expect(await valueAt(second, 'k')).toBe('v');
  });

  test('is used by one process at a time, and by one replica', async () => {
    const dataDir = join(folder, 'till');
    const first = await open({ id: 'till', dataDir });
    expect(await errorOf(openReplica({ id: 'till', dataDir }))).toMatchObject({ code: 'ERR_LOCKED' });
    await first.close();
    expect(await errorOf(openReplica({ id: 'other', dataDir }))).toMatchObject({ code: 'ERR_IDENTITY' });
    expect(await errorOf(openReplica({ id: 'till', dataDir, cluster: 'c' }))).toMatchObject({
      code: 'ERR_CLUSTER_MISMATCH',
    });
    await (await open({ id: 'till', dataDir })).close();
  });

  test('is let go of when the port is taken', async () => {
    const other = await open({ id: 'other', listen: 0 });
    const dataDir = join(folder, 'till');
    expect(await errorOf(openReplica({ id: 'till', dataDir, listen: nameOf(other) }))).toMatchObject({
      code: 'ERR_PORT_IN_USE',
    });
    await open({ id: 'till', dataDir });
  });
});

describe('a replica with peers', () => {
  const hubAndTill = async (): Promise<readonly [EmbeddedReplica, EmbeddedReplica]> => {
    const hub = await open({ id: 'hub', listen: 0 });
    const till = await open({ id: 'till', listen: 0, peers: [nameOf(hub)] });
    return [hub, till];
  };

  test('exchanges writes with them, both ways, knowing only where they are', async () => {
    const [hub, till] = await hubAndTill();
    const write = await till.session().put('sold', '1');
    await hub.session().put('price', '2.40');
    expect((await write.replicated(2)).holders).toHaveLength(2);
    await eventually('the till has the price', async () => (await valueAt(till, 'price')) === '2.40');
    expect(await valueAt(hub, 'sold')).toBe('1');
  });

  test('links with one that comes later, also on another port of this machine', async () => {
    const hub = await open({ id: 'hub', listen: 0 });
    const where = nameOf(hub);
    await hub.close();
    const till = await open({ id: 'till', listen: '0.0.0.0:0', peers: [where] });
    await till.session().put('sold', '1');
    const late = await open({ id: 'hub', listen: where });
    await eventually('the hub has it', async () => (await valueAt(late, 'sold')) === '1');
  });

  test('links again with one that came back without its links', async () => {
    const hub = await open({ id: 'hub', dataDir: join(folder, 'hub'), listen: 0 });
    const where = nameOf(hub);
    const till = await open({ id: 'till', listen: 0, peers: [where] });
    await (await till.session().put('first', '1')).replicated(2);
    await hub.close();
    await till.session().put('second', '2');
    const back = await open({ id: 'hub', dataDir: join(folder, 'hub'), listen: where });
    await eventually('the hub has it', async () => (await valueAt(back, 'second')) === '2');
    await back.session().put('third', '3');
    await eventually('the till has it', async () => (await valueAt(till, 'third')) === '3');
  });

  test('goes on without one of another cluster, or that is itself, and says why', async () => {
    const said: string[] = [];
    const log = { info: () => undefined, warn: ({ code }: { code?: unknown }) => said.push(`${code}`) };
    const other = await open({ id: 'hub', listen: 0, cluster: 'elsewhere' });
    const till = await open({ id: 'till', listen: 0, peers: [nameOf(other)], log });
    await eventually('it says so', () => said.includes('ERR_CLUSTER_MISMATCH'));
    expect((await till.status()).links).toEqual([]);
    const twin = await open({ id: 'till', listen: 0, peers: [nameOf(till)], log });
    await eventually('it says so', () => said.includes('ERR_IDENTITY'));
    expect((await twin.status()).links).toEqual([]);
  });

  test('must listen', async () => {
    expect(await errorOf(openReplica({ id: 'till', peers: ['127.0.0.1:7070'] }))).toMatchObject({ code: 'ERR_OPTION' });
  });
});

test('clients reach it where it listens', async () => {
  const replica = await open({ id: 'hub', listen: 0 });
  await using client = await connect({ endpoints: [nameOf(replica)] });
  await client.session().put('k', 'v');
  expect(await valueAt(replica, 'k')).toBe('v');
  // A session goes on from the one world in the other.
  const session = client.session();
  await session.put('k', 'w');
  expect(await replica.session({ token: session.token() }).get('k')).toMatchObject({ value: 'w' });
});

test('one that an operator ends over the wire closes', async () => {
  const replica = await open({ id: 'hub', listen: 0 });
  const operator = new ReplicaConnection({ address: replica.address as NonNullable<typeof replica.address> });
  await promised<void>((done) => operator.shutdown(5_000, done));
  operator.close();
  expect(await errorOf(replica.session().get('k'))).toMatchObject({ code: 'ERR_CLOSED' });
});

test.each([
  { listen: 'hub.example' },
  { listen: 70_000 },
  { listen: '127.0.0.1:70000' },
  { listen: 0, peers: ['hub'] },
  { listen: 0, peers: ['hub:0'] },
  { listen: 0, advertise: 'here' },
  { tieBreak: 'neither' },
  { clock: 'sundial' },
  { retryWindowMs: -1 },
  { antiEntropyMs: 0 },
  { maxDriftMs: 1.5 },
])('%j is refused', async (options) => {
  expect(await errorOf(openReplica({ id: 'till', ...options } as OpenOptions))).toMatchObject({ code: 'ERR_OPTION' });
});

test('an id that is none is refused', async () => {
  for (const options of [{ id: '' }, { id: 'a\nb' }, { id: 'a', cluster: '' }]) {
    expect(await errorOf(openReplica(options))).toMatchObject({ code: 'ERR_INVALID_ID' });
  }
});

describe('a merge procedure', () => {
  const longest = {
    name: 'longest',
    version: 1,
    merge: ({ value, current = '' }: Conflict<string>) => (value.length > current.length ? value : undefined),
  };

  test('may be registered while it runs, and what waited for it goes on', async () => {
    const dataDir = join(folder, 'till');
    const first = await open({ id: 'till', dataDir, procedures: [longest] });
    await first.session().merge('k', 'aa', 'longest@1');
    await first.session().merge('k', 'b', 'longest@1');
    await first.close();
    const second = await open({ id: 'till', dataDir });
    expect(await errorOf(second.session().get('k'))).toMatchObject({ code: 'ERR_PROCEDURE' });
    const watch = second.watch('', { from: 'start' });
    expect(await errorOf(watch.begun().then(() => watch[Symbol.asyncIterator]().next()))).toMatchObject({
      code: 'ERR_PROCEDURE',
    });
    second.procedures.register(longest);
    expect(second.procedures.names()).toContain('longest@1');
    expect(await valueAt(second, 'k')).toBe('aa');
    expect((await second.status()).lacks).toEqual([]);
  });

  test('that throws, or gives what is no value, takes no effect, and the log says so once', async () => {
    const said: unknown[] = [];
    const log = { info: () => undefined, warn: (fields: object) => said.push(fields) };
    const replica = await open({ id: 'till', log });
    replica.procedures.register({
      name: 'broken',
      version: 1,
      merge: ({ value }) => {
        if (value === 'throws') throw new Error('no idea');
        return (value === 'number' ? 12 : 'x'.repeat(2 ** 20 + 1)) as string;
      },
    });
    const session = replica.session();
    await session.put('k', 'v');
    for (const value of ['throws', 'number', 'long']) await session.merge('k', value, 'broken@1');
    expect(await valueAt(replica, 'k')).toBe('v');
    expect(said).toEqual([{ procedure: 'broken@1', error: 'no idea' }]);
  });

  test('means one thing for ever: a name and version are given once', async () => {
    const replica = await open({ id: 'till', procedures: [longest] });
    for (const wrong of [
      longest,
      { ...longest, name: 'keep-both' },
      { ...longest, name: 'Longest' },
      { ...longest, version: 0 },
      { ...longest, version: 1.5 },
      { name: 'other', version: 1 },
      null,
    ]) {
      expect(() => replica.procedures.register(wrong as never)).toThrow(
        expect.objectContaining({ code: 'ERR_OPTION' }),
      );
    }
    replica.procedures.register({ ...longest, version: 2 });
    expect(await errorOf(openReplica({ id: 'other', procedures: [longest, longest] }))).toMatchObject({
      code: 'ERR_OPTION',
    });
  });
});

describe('when it was closed', () => {
  test('what is under way, and what comes, fails; to close it again is nothing', async () => {
    const replica = await open({ id: 'till', dataDir: join(folder, 'till') });
    const session = replica.session();
    const write = await session.put('k', 'v');
    const waiting = [errorOf(write.replicated(2)), errorOf(write.replicated(3))];
    await replica.close();
    await replica.close();
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'ERR_CLOSED' });
    expect(await errorOf(session.get('k'))).toMatchObject({ code: 'ERR_CLOSED' });
    expect(await errorOf(session.put('k', 'w'))).toMatchObject({ code: 'ERR_CLOSED' });
    expect(await errorOf(replica.status())).toMatchObject({ code: 'ERR_CLOSED' });
  });

  test('is closed also when its directory is gone', async () => {
    const dataDir = join(folder, 'till');
    const replica = await open({ id: 'till', dataDir });
    rmSync(dataDir, { recursive: true });
    await replica.close();
  });

  test('nothing is left that keeps the process: no timer, no handle', async () => {
    const program = fileURLToPath(new URL('./fixtures/leaves-nothing.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [program, folder], { timeout: 50_000 });
    expect(JSON.parse(stdout)).toEqual({ left: [], rejections: [] });
  });
});
