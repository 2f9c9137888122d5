import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ClientId } from '../../src/base/ids.js';
import { SILENT_LOG } from '../../src/base/log.js';
import { promised } from '../../src/base/outcome.js';
import type { LogReply, Status, StoreReply } from '../../src/bayou/admin-messages.js';
import type { ReadReply, WriteReply } from '../../src/bayou/messages.js';
import { openBundle } from '../../src/bundle/bundle.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { Procedures } from '../../src/machine/procedures.js';
import { METHODS, type ReplyForm } from '../../src/rpc/services.js';
import { type RunningReplica, startReplica } from '../../src/server/replica.js';
import { bytesIn, now } from '../bundle/memory.js';
import { RawClient, type RawReply, readReply } from '../rpc/raw-client.js';

/*
 * What a version of protocol 2 left behind and sent, before there were other operations than put and delete: its data opens as it
 * was, its clients are served, its peers and bundles are refused with the reason. `protocol-2/` was made by that version:
 * `data.tar.gz` is a data directory with a checkpoint and a log, folded writes, one accepted anew, a replica retired and a transfer
 * that was cut, and `data.json` what it showed; `bundle` is its bundle; `frames.json` are calls as its client sent them.
 */

const MADE = fileURLToPath(new URL('./protocol-2/', import.meta.url));

interface Shown {
  readonly store: readonly string[];
  readonly log: readonly string[];
  readonly seen: string;
  readonly base: number;
  readonly retired: readonly string[];
}

const SHOWN = JSON.parse(readFileSync(join(MADE, 'data.json'), 'utf8')) as Shown;
const FRAMES = JSON.parse(readFileSync(join(MADE, 'frames.json'), 'utf8')) as Readonly<Record<string, string>>;

let folder: string;
let replica: RunningReplica;
let isNew: boolean;

/** The directory is unpacked, and so a copy: the first time it takes a new incarnation. */
async function open(): Promise<void> {
  replica = await startReplica({
    id: 'a',
    cluster: 'old',
    tieBreak: 'higher',
    clock: 'logical',
    retryWindowMs: 4,
    incarnation: 2,
    newIncarnation: isNew,
    dataDir: join(folder, 'data'),
    listen: { host: '127.0.0.1', port: 0 },
    maxDriftMs: null,
    antiEntropyMs: null,
    countsIncarnations: true,
    procedures: new Procedures(),
    log: SILENT_LOG,
    onShutdown: () => undefined,
  });
  isNew = false;
}

async function close(): Promise<void> {
  await new Promise<void>((resolve) => replica.close(resolve));
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'barista-earlier-'));
  execFileSync('tar', ['-xzf', join(MADE, 'data.tar.gz'), '-C', folder]);
  isNew = true;
  await open();
});
afterEach(async () => {
  await close();
  rmSync(folder, { recursive: true, force: true });
});

async function shown(): Promise<Shown> {
  const { driver } = replica;
  const status = await promised<Status>((done) => driver.status(done));
  const store = await promised<StoreReply<Uint8Array>>((done) => driver.store({ after: null, entriesMax: 100 }, done));
  const log = await promised<LogReply<KvOperation>>((done) => driver.log({ after: null, writesMax: 100 }, done));
  return {
    store: store.entries.map(({ key, value }) => `${key}=${new TextDecoder().decode(value).slice(0, 12)}`),
    log: log.entries.map(
      ({ acceptTime, origin, client, clientTime, operation, key, resubmitted }) =>
        `${acceptTime}@${origin} ${client}:${clientTime} ${operation.kind} ${key}${resubmitted === true ? ' anew' : ''}`,
    ),
    seen: status.seen.toString(),
    base: status.base,
    retired: status.retired,
  };
}

async function write(clientTime: number, key: string, operation: KvOperation): Promise<WriteReply> {
  const request = { client: 'now' as ClientId, clientTime, key, operation, after: 0, needs: null };
  return promised<WriteReply>((done) => replica.driver.write(request, done));
}

async function textOf(key: string): Promise<string> {
  const reply = await promised<ReadReply<Uint8Array>>((done) => replica.driver.read({ key, needs: null }, done));
  return reply.kind === 'found' ? new TextDecoder().decode(reply.value) : reply.kind;
}

describe('the data directory', () => {
  test('opens with all that it held, as its next incarnation', async () => {
    const seen = `${SHOWN.seen.replace('a#1:27', 'a#1:27 a#2:0')}`;
    expect(await shown()).toEqual({ ...SHOWN, seen });
  });

  test('takes operations that it did not know, and keeps them', async () => {
    await write(1, 'of-c', { kind: 'append', bytes: new TextEncoder().encode(', more') });
    await write(2, 'count', { kind: 'increment', by: 3 });
    await write(3, 'k20', { kind: 'putIfAbsent', value: new TextEncoder().encode('not this') });
    await close();
    await open();
    expect([await textOf('of-c'), await textOf('count')]).toEqual(['anew, more', '3']);
    expect(await textOf('k20')).toMatch(/^20 20 /);
    const { store, log } = await shown();
    expect(store.filter((line) => !/^(count|of-c)=/.test(line))).toEqual(
      SHOWN.store.filter((line) => !line.startsWith('of-c=')),
    );
    expect(log.slice(0, SHOWN.log.length)).toEqual(SHOWN.log);
  });
});

test('its bundle is refused, and says of which version it is', () => {
  const bundle = readFileSync(join(MADE, 'bundle'));
  expect(now((done) => openBundle(bytesIn(bundle), done))).toMatchObject({
    ok: false,
    error: { code: 'ERR_VERSION_MISMATCH', message: expect.stringContaining('protocol 2') },
  });
  const damaged = Buffer.from(bundle);
  damaged.writeUInt8((damaged.at(200) ?? 0) ^ 1, 200);
  expect(now((done) => openBundle(bytesIn(damaged), done))).toMatchObject({ ok: false, error: { code: 'ERR_BUNDLE' } });
});

describe('over the wire', () => {
  async function call(name: string, { result }: ReplyForm<unknown>): Promise<RawReply> {
    const client = await RawClient.connect(replica.listener?.address ?? expect.fail('it does not listen'));
    client.send(Buffer.from(FRAMES[name] ?? '', 'base64'));
    const reply = readReply(await client.frame(), { result } as ReplyForm<unknown>);
    client.close();
    return reply;
  }

  test.each(['pull', 'news'] as const)('its %s is refused with the reason', async (name) => {
    expect((await call(name, METHODS[name])).value).toBe('ERR_VERSION_MISMATCH');
    expect((await shown()).seen).toBe(SHOWN.seen.replace('a#1:27', 'a#1:27 a#2:0'));
  });

  test('its clients write and read', async () => {
    expect((await call('put', METHODS.put)).value).toMatchObject({ kind: 'accepted' });
    expect((await call('get', METHODS.get)).value).toMatchObject({
      kind: 'found',
      value: new TextEncoder().encode('put'),
    });
  });
});
