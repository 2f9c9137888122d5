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
import type { Write } from '../../src/bayou/write.js';
import { type Bundle, openBundle } from '../../src/bundle/bundle.js';
import { importBundle } from '../../src/bundle/import.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { Procedures } from '../../src/machine/procedures.js';
import { METHODS, type ReplyForm } from '../../src/rpc/services.js';
import { type RunningReplica, startReplica } from '../../src/server/replica.js';
import { bytesIn } from '../bundle/memory.js';
import { RawClient, type RawReply, readReply } from '../rpc/raw-client.js';

/*
 * What earlier versions left behind and sent: their data opens as it was, their clients are served, their peers and bundles are
 * refused with the reason. Version 2 of the protocol had no operations but put and delete, version 3 no merges and batches, version 4
 * no time to live. `protocol-N/` was made by a version that spoke N: `data.tar.gz` is a data directory with a log, folded writes, one
 * accepted anew and a replica retired, and but for version 3 with a checkpoint and a transfer that was cut; of version 4, with merges
 * and batches in log, checkpoint and transfer, folded and accepted anew. `data.json` is what it showed, `bundle` its bundle;
 * `frames.json` are calls as its client sent them.
 */

interface Shown {
  readonly store: readonly string[];
  readonly log: readonly string[];
  readonly seen: string;
  readonly base: number;
  readonly retired: readonly string[];
}

type CallName = 'pull' | 'news' | 'put' | 'get' | 'write' | 'batch';

/** What a version left behind. */
function leftBy(protocol: number) {
  const made = fileURLToPath(new URL(`./protocol-${protocol}/`, import.meta.url));
  const json = (name: string): unknown => JSON.parse(readFileSync(join(made, name), 'utf8'));
  return {
    protocol,
    shown: json('data.json') as Shown,
    frames: json('frames.json') as Readonly<Partial<Record<CallName, string>>>,
    bundle: readFileSync(join(made, 'bundle')),
    archive: join(made, 'data.tar.gz'),
  };
}

type Left = ReturnType<typeof leftBy>;

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

async function openLeft({ archive }: Left): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), 'barista-earlier-'));
  execFileSync('tar', ['-xzf', archive, '-C', folder]);
  isNew = true;
  await open();
}

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
    log: log.entries.map(lineOf),
    seen: status.seen.toString(),
    base: status.base,
    retired: status.retired,
  };
}

function lineOf(write: Write<KvOperation>): string {
  const { acceptTime, origin, client, clientTime, operation, key, part, resubmitted } = write;
  const expects = operation.kind === 'merge' ? operation.expects : null;
  const expected = expects instanceof Uint8Array ? new TextDecoder().decode(expects) : expects;
  const marks = [
    ...(expected === null ? [] : [`expects ${expected}`]),
    ...(part === true ? ['part'] : []),
    ...(resubmitted === true ? ['anew'] : []),
  ];
  return `${acceptTime}@${origin} ${client}:${clientTime} ${[operation.kind, key, ...marks].join(' ')}`;
}

async function write(clientTime: number, key: string, operation: KvOperation): Promise<WriteReply> {
  const request = { client: 'now' as ClientId, clientTime, key, operation, after: 0, needs: null };
  return promised<WriteReply>((done) => replica.driver.write(request, done));
}

async function textOf(key: string): Promise<string> {
  const reply = await promised<ReadReply<Uint8Array>>((done) => replica.driver.read({ key, needs: null }, done));
  return reply.kind === 'found' ? new TextDecoder().decode(reply.value) : reply.kind;
}

/** Of another version it may be one that can be read: then it is refused when it is offered. */
async function take(bundle: Buffer): Promise<void> {
  const opened = await promised<Bundle>((done) => openBundle(bytesIn(bundle), done));
  await promised<void>((done) => importBundle(replica.driver.bundles, opened, done));
}

/** What it claims now that it has another incarnation. */
function claimedBy({ shown: { seen } }: Left): string {
  return seen.replace(/^(a#1:\d+)/, '$1 a#2:0');
}

describe.each([2, 3, 4].map(leftBy))('of protocol $protocol', (left) => {
  beforeEach(() => openLeft(left));

  test('the data directory opens with all that it held, as its next incarnation', async () => {
    expect(await shown()).toEqual({ ...left.shown, seen: claimedBy(left) });
  });

  test('it takes operations that it did not know, and keeps them', async () => {
    const before = await textOf('of-c');
    await write(1, 'of-c', { kind: 'append', bytes: bytes(', more') });
    await write(2, 'count', { kind: 'increment', by: 3 });
    await write(3, 'v', { kind: 'put', value: bytes('12') });
    await write(4, 'v', { kind: 'merge', procedure: 'highest@1', value: bytes('20'), expects: null });
    await write(5, 'lock', { kind: 'putIfAbsent', value: bytes('held'), ttlMs: 1_000 });
    await close();
    await open();
    expect(await textOf('lock')).toBe('held');
    expect([await textOf('of-c'), await textOf('count'), await textOf('v')]).toEqual([`${before}, more`, '3', '20']);
    const { store, log } = await shown();
    const others = (lines: readonly string[]) => lines.filter((line) => !/^(count|lock|of-c|v)=/.test(line));
    expect(others(store)).toEqual(others(left.shown.store));
    expect(log.slice(0, left.shown.log.length)).toEqual(left.shown.log);
  });

  test('its bundle is refused, and says of which version it is', async () => {
    const { bundle, protocol } = left;
    await expect(take(bundle)).rejects.toMatchObject({
      code: 'ERR_VERSION_MISMATCH',
      message: expect.stringMatching(`(the bundle is of protocol|the requester) ${protocol}\\b`),
    });
    const damaged = Buffer.from(bundle);
    damaged.writeUInt8((damaged.at(40) ?? 0) ^ 1, 40);
    await expect(take(damaged)).rejects.toMatchObject({ code: 'ERR_BUNDLE' });
    expect((await shown()).seen).toBe(claimedBy(left));
  });

  async function call(name: CallName): Promise<RawReply> {
    const { result } = METHODS[name] as ReplyForm<unknown>;
    const client = await RawClient.connect(replica.listener?.address ?? expect.fail('it does not listen'));
    client.send(Buffer.from(left.frames[name] ?? '', 'base64'));
    const reply = readReply(await client.frame(), { result } as ReplyForm<unknown>);
    client.close();
    return reply;
  }

  test.each(['pull', 'news'] as const)('its %s is refused with the reason', async (name) => {
    expect((await call(name)).value).toBe('ERR_VERSION_MISMATCH');
    expect((await shown()).seen).toBe(claimedBy(left));
  });

  test('its clients write and read', async () => {
    expect((await call('put')).value).toMatchObject({ kind: 'accepted' });
    expect((await call('get')).value).toMatchObject({ kind: 'found', value: bytes('put') });
    if (left.frames.write === undefined) return;
    const before = Number(await textOf('n'));
    expect((await call('write')).value).toMatchObject({ kind: 'accepted' });
    expect(await textOf('n')).toBe(`${before + 5}`);
    if (left.frames.batch === undefined) return;
    expect((await call('batch')).value).toMatchObject({ kind: 'accepted' });
    expect([await textOf('of-w'), await textOf('high-of-w')]).toEqual(['batch', '7']);
  });
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
