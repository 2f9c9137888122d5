import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkId, checkKey, checkValue } from '../../src/base/checks.js';
import { BaristaError, isErrorCode } from '../../src/base/errors.js';
import { replicaIdOf } from '../../src/base/ids.js';
import { succeed } from '../../src/base/outcome.js';
import { seededRandom } from '../../src/base/random.js';
import { PROTOCOL_VERSION, type PullBatch } from '../../src/bayou/messages.js';
import { Replica } from '../../src/bayou/replica.js';
import type { Write } from '../../src/bayou/write.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../../src/machine/kv.js';
import { BinaryReader } from '../../src/rpc/binary-reader.js';
import { type KvService, type Replier, servedMethods } from '../../src/rpc/dispatch.js';
import { FieldError } from '../../src/rpc/field-error.js';
import { FrameSplitter } from '../../src/rpc/frame-splitter.js';
import { FRAME_BYTES_MAX } from '../../src/rpc/limits.js';
import { MessageHeader } from '../../src/rpc/message-header.js';
import { METHODS, type Method } from '../../src/rpc/services.js';
import { MessageType } from '../../src/rpc/thrift.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import * as arbitrary from '../rpc/arbitraries.js';
import { memoryService } from '../rpc/memory-service.js';
import { CALLS } from '../rpc/method-cases.js';
import { RawClient, readReply } from '../rpc/raw-client.js';
import { callFrame, encode, frame, message } from '../rpc/wire.js';
import { attested, batch, packed, packedWrites, page, standing, timeIn } from './batches.js';
import { FakePeer, replyFrame } from './fake-peer.js';
import { mutated } from './mutations.js';
import { PATIENCE_MS, TARGET, Target, TERMS } from './target.js';
import { bool, call, entry, METHOD_NAMES, REQUESTS, struct, vector } from './values.js';

/*
 * Valid frames with something changed. Whatever comes of it, nothing may throw, hang or get through that breaks a bound;
 * `npm run fuzz -- --frames N --seed S` plays more of it. Frame i of a seed is always the same.
 */

const FRAMES = Number(process.env['BARISTA_FUZZ_FRAMES'] ?? 1_000_000);
const SEED = Number(process.env['BARISTA_FUZZ_SEED'] ?? 1);
/** One frame to look at again, in hexadecimal. */
const GIVEN = process.env['BARISTA_FUZZ_FRAME'];

/** A real replica gets so many of them: calls, and answers to its pulls. */
const SENT = Math.ceil(FRAMES * 0.049);
const ANSWERED = Math.ceil(FRAMES * 0.001);
const INTEGRATED = Math.ceil(FRAMES * 0.15);
const READ_REPLIES = Math.ceil(FRAMES * 0.25);
const READ_CALLS = FRAMES - SENT - ANSWERED - INTEGRATED - READ_REPLIES;
const CONNECTIONS = 16;
const TIMEOUT_MS = 24 * 3_600_000;

const PEER = 'peer';

/** What frames are made from. */
function sampled<T>(values: fc.Arbitrary<T>, encoded: (value: T) => Buffer): Buffer[] {
  return fc.sample(values, { seed: SEED, numRuns: 30 }).map(encoded);
}

const calls = <Request>(method: Method<Request, unknown>, values: fc.Arbitrary<Request>): Buffer[] =>
  sampled(values, (value) => callFrame(method, value));

const replies = <Request, Reply>(method: Method<Request, Reply>, values: fc.Arbitrary<Reply>): Buffer[] =>
  sampled(values, (value) => frame(message(method.name, encode(method.result, succeed(value)), 1, MessageType.reply)));

const CALL_FRAMES: readonly Buffer[] = [
  ...CALLS.map((it) => it.frame),
  ...METHOD_NAMES.map((method) => call(method, struct(REQUESTS[method]))),
  ...calls(METHODS.get, arbitrary.getRequest),
  ...calls(METHODS.pull, arbitrary.pullRequest),
  ...calls(METHODS.news, arbitrary.newsRequest),
  ...calls(METHODS.link, arbitrary.linkRequest),
  ...calls(METHODS.stabilize, arbitrary.stabilizeRequest),
  ...calls(METHODS.store, arbitrary.storeRequest),
  ...calls(METHODS.log, arbitrary.logRequest),
  ...sampled(arbitrary.putRequest, (value) => callFrame(METHODS.put, value)),
  ...sampled(arbitrary.deleteRequest, (value) => callFrame(METHODS.remove, value)),
].filter((bytes) => bytes.length < 4_096);

const REPLY_FRAMES: readonly Buffer[] = [
  ...replies(METHODS.pull, arbitrary.pullBatch),
  ...replies(METHODS.get, arbitrary.getReply),
  ...replies(METHODS.put, arbitrary.writeReply),
  ...replies(METHODS.status, arbitrary.status),
  ...replies(METHODS.stabilize, arbitrary.stabilizeReply),
  ...replies(METHODS.store, arbitrary.storeReply),
  ...replies(METHODS.log, arbitrary.logReply),
].filter((bytes) => bytes.length < 8_192);

/** Batches that a replica would take, as replies to call 1. */
function batchFrames(now: number): readonly Buffer[] {
  const write = (i: number) => ({
    origin: PEER,
    time: now + i,
    key: `key ${i % 4}`,
    clientTime: i,
    value: i % 5 === 0 ? null : `v${i}`,
  });
  const writes = (count: number) => packedWrites(packed(...Array.from({ length: count }, (_, i) => write(i))));
  const time = now - 1_000_000;
  const covered = vector(entry(PEER, time));
  const entries = packedWrites(packed({ origin: PEER, time: time - 2, key: 'a' }, { origin: PEER, time, key: 'b' }));
  return [
    batch(PEER),
    batch(PEER, { 3: writes(1), 4: vector(entry(PEER, now)) }),
    batch(PEER, { 3: writes(20), 4: vector(entry(PEER, now + 19), entry('other', 5)) }),
    batch(PEER, { 3: writes(3), 4: vector(entry(PEER, now + 9)), 5: bool(true) }),
    batch(PEER, { 4: vector(entry(PEER, now)), 6: standing({ clock: now }), 9: attested(PEER, now) }),
    batch(PEER, {
      4: covered,
      5: bool(true),
      6: standing({ base: time }),
      7: page({ time, vector: covered, entries, upTo: 'c' }),
    }),
    batch(PEER, {
      4: covered,
      5: bool(true),
      6: standing({ base: time }),
      7: page({ time, vector: covered, entries }),
    }),
  ].map((it) => replyFrame(it, 1));
}

/** Frame `i`: each is drawn by itself, so that it can be had again without those before. */
function frameAt(i: number, from: readonly Buffer[]): Buffer {
  const random = seededRandom(SEED * 1_000_003 + i);
  const any = (): Buffer => from[random.below(from.length)] as Buffer;
  return mutated(any(), any(), random);
}

function found(bytes: Buffer, what: unknown): Error {
  const text = what instanceof Error ? (what.stack ?? what.message) : String(what);
  return new Error(`${text}\nnpm run fuzz -- --frame ${bytes.toString('hex')}`);
}

/** What may be said of every frame: it is one, or it is refused as none. */
function openFrame(bytes: Buffer): { readonly reader: BinaryReader; readonly header: MessageHeader } | null {
  const splitter = new FrameSplitter(FRAME_BYTES_MAX);
  const reader = new BinaryReader();
  const header = new MessageHeader();
  try {
    splitter.push(bytes);
    if (!splitter.next(reader)) return null;
    header.read(reader);
  } catch (thrown) {
    if (thrown instanceof BaristaError || thrown instanceof FieldError) return null;
    throw thrown;
  }
  return { reader, header };
}

function expectBounds(what: {
  readonly key?: string;
  readonly client?: string;
  readonly clientTime?: number;
  readonly operation?: KvOperation;
}): void {
  const { key, client, clientTime = 0, operation } = what;
  const wrong =
    (key === undefined ? null : checkKey(key)) ??
    (client === undefined ? null : checkId(client)) ??
    (operation?.kind === 'put' ? checkValue(operation.value) : null);
  if (wrong !== null) throw wrong;
  if (!Number.isSafeInteger(clientTime) || clientTime < 0) throw new Error(`client time ${clientTime}`);
}

function expectWrites(writes: readonly Write<KvOperation>[]): void {
  for (const write of writes) {
    expectBounds(write);
    const wrong = checkId(replicaIdOf(write.origin));
    if (wrong !== null) throw wrong;
    if (!Number.isSafeInteger(write.acceptTime) || write.acceptTime < 1)
      throw new Error(`accept time ${write.acceptTime}`);
  }
}

class CallReader {
  through = 0;
  refused = 0;
  #replies = 0;
  #problem: unknown = null;
  readonly #methods;

  constructor() {
    const service = memoryService();
    const recording: KvService = {
      ...service,
      write: (request, done) =>
        this.#pass(request, () => done(succeed({ kind: 'accepted', stamp: { origin: TARGET, acceptTime: 1 } }))),
      read: (request, done) => this.#pass(request, () => service.read(request, done)),
      pull: (request, done) => this.#pass({}, () => service.pull(request, done)),
      link: (_request, done) => this.#pass({}, () => done(succeed(undefined))),
      stabilize: (request, done) => this.#pass({}, () => service.stabilize(request, done)),
    };
    this.#methods = servedMethods(recording);
  }

  read(bytes: Buffer): void {
    const opened = openFrame(bytes);
    if (opened === null || opened.header.type !== MessageType.call) return;
    const { reader, header } = opened;
    const method = this.#methods.find(({ name }) => header.isNamed(reader, name));
    if (method === undefined) return;
    this.#replies = 0;
    this.#problem = null;
    method.serve(reader, header.sequenceId, this.#replier);
    if (this.#problem !== null) throw this.#problem;
    if (this.#replies !== 1) throw new Error(`${this.#replies} answers`);
  }

  #pass(request: Parameters<typeof expectBounds>[0], answer: () => void): void {
    this.through++;
    expectBounds(request);
    answer();
  }

  readonly #replier: Replier = {
    reply: (_form, _call, outcome) => {
      this.#replies++;
      if (outcome.ok) return;
      this.refused++;
      if (outcome.error.code === 'ERR_INTERNAL') this.#problem = outcome.error;
    },
    blame: (said, thrown) => {
      this.#problem = thrown ?? said;
    },
  };
}

/** Reads a reply as a client does. The batch, if it is one. */
function readBatch(bytes: Buffer): PullBatch<KvOperation> | null {
  const opened = openFrame(bytes);
  if (opened === null) return null;
  const { reader, header } = opened;
  for (const method of Object.values(METHODS)) {
    if (!header.isNamed(reader, method.replyName)) continue;
    try {
      const outcome = method.result.read(reader);
      if (method !== METHODS.pull || !outcome.ok) return null;
      const read = outcome.value as PullBatch<KvOperation>;
      expectWrites(read.writes);
      expectWrites(read.store?.entries ?? []);
      return read;
    } catch (thrown) {
      if (thrown instanceof FieldError) return null;
      throw thrown;
    }
  }
  return null;
}

const NOW = 1_700_000_000_000;

function newReplica(): Replica<KvOperation, Uint8Array> {
  const terms = { ...TERMS, protocol: PROTOCOL_VERSION };
  return new Replica({
    origin: TARGET,
    terms,
    machine: kvMachine,
    storage: new MemoryStorage<KvOperation>(kvOperationCodec),
    maxDriftMs: 60_000,
  });
}

function expectReplied(payload: Buffer): void {
  const reader = new BinaryReader();
  const header = new MessageHeader();
  reader.reset(payload, 0, payload.length);
  header.read(reader);
  const name = header.nameIn(reader);
  const method = Object.values(METHODS).find((it) => it.name === name) ?? METHODS.get;
  const { value } = readReply(payload, method);
  if (typeof value !== 'string') return;
  if (!isErrorCode(value) || value === 'ERR_INTERNAL') throw new Error(`it answered ${value}`);
}

/** Sends one frame to a real replica; it must answer, say nothing and go on, or hang up: in time. */
async function sendTo(target: Target, client: RawClient, bytes: Buffer): Promise<'open' | 'closed'> {
  const probeId = 0x7fff_0000;
  const isHonest = bytes.readInt32BE(0) === bytes.length - 4;
  client.send(bytes);
  if (isHonest) client.send(callFrame(METHODS.get, { key: 'key 7', needs: null }, probeId));
  else client.socket.end();
  let late: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new Error(`no answer: ${target.lastWords()}`)), PATIENCE_MS);
  });
  try {
    for (;;) {
      const payload = await Promise.race([client.frame(), hung]);
      if (payload === null) return 'closed';
      expectReplied(payload);
      if (payload.readInt32BE(4 + 4 + payload.readInt32BE(4)) === probeId) return 'open';
    }
  } finally {
    clearTimeout(late);
  }
}

/** Whatever is changed in them, these call for nothing outside the replica, and do not end it. */
const SAFE_CALLS = CALL_FRAMES.filter(
  (bytes) => !/Admin:(?:shutdown|link|stabilize|retire)/.test(bytes.toString('latin1')),
);

async function sendAll(target: Target, from: number, to: number): Promise<void> {
  let next = from;
  const sender = async (): Promise<void> => {
    let client = await RawClient.connect(target.address);
    for (let i = next++; i < to; i = next++) {
      const bytes = frameAt(i, SAFE_CALLS);
      try {
        if ((await sendTo(target, client, bytes)) === 'open') continue;
      } catch (thrown) {
        throw found(bytes, thrown);
      }
      client.close();
      client = await RawClient.connect(target.address);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, sender));
}

describe.skipIf(GIVEN !== undefined)(`${FRAMES} frames of seed ${SEED}`, () => {
  test(`${READ_CALLS} calls are read or refused`, { timeout: TIMEOUT_MS }, () => {
    const reader = new CallReader();
    for (let i = 0; i < READ_CALLS; i++) {
      const bytes = frameAt(i, CALL_FRAMES);
      try {
        reader.read(bytes);
      } catch (thrown) {
        throw found(bytes, thrown);
      }
    }
    // It tests something only if both happen often.
    expect(reader.through).toBeGreaterThan(READ_CALLS / 100);
    expect(reader.refused).toBeGreaterThan(READ_CALLS / 100);
  });

  test(`${READ_REPLIES} replies are read or refused`, { timeout: TIMEOUT_MS }, () => {
    let batches = 0;
    for (let i = 0; i < READ_REPLIES; i++) {
      const bytes = frameAt(i, REPLY_FRAMES);
      try {
        if (readBatch(bytes) !== null) batches++;
      } catch (thrown) {
        throw found(bytes, thrown);
      }
    }
    expect(batches).toBeGreaterThan(READ_REPLIES / 1_000);
  });

  test(`${INTEGRATED} batches are taken or refused by the core`, { timeout: TIMEOUT_MS }, () => {
    const outcomes: Record<string, number> = {};
    let replica = newReplica();
    const from = batchFrames(NOW * 2048);
    for (let i = 0; i < INTEGRATED; i++) {
      const bytes = frameAt(i, from);
      const read = readBatch(bytes);
      if (read === null) continue;
      if (i % 64 === 0) replica = newReplica();
      try {
        const request = replica.nextPull(PEER as never, { writesMax: 100, bytesMax: 100_000, report: i % 4 === 0 });
        const outcome = replica.integrate(PEER as never, request, read, NOW + 100);
        outcomes[outcome.kind] = (outcomes[outcome.kind] ?? 0) + 1;
        if (outcome.kind !== 'integrated') replica.interrupted(PEER as never);
        while (replica.prune());
        while (replica.compact(NOW + 100_000));
        for (const { key } of replica.entries(null, 0)) expectBounds({ key });
        expectWrites([...replica.log(null)]);
      } catch (thrown) {
        throw found(bytes, thrown);
      }
    }
    expect(outcomes['integrated']).toBeGreaterThan(INTEGRATED / 1_000);
    expect(outcomes['refused']).toBeGreaterThan(INTEGRATED / 1_000);
  });
});

describe.skipIf(GIVEN !== undefined)(`a real replica and frames of seed ${SEED}`, () => {
  let target: Target;

  beforeAll(async () => {
    target = await Target.start();
  });

  afterAll(() => target.stop());

  test(`answers, or hangs up on, ${SENT} calls`, { timeout: TIMEOUT_MS }, async () => {
    await target.rest();
    await sendAll(target, 0, SENT);
    await target.expectAtRest();
  });

  test(`takes or refuses ${ANSWERED} batches that answer its pulls`, { timeout: TIMEOUT_MS }, async () => {
    await target.rest();
    const from = batchFrames(timeIn(-60_000));
    let last: Buffer = Buffer.alloc(0);
    const peer = await FakePeer.listen(({ socket, sequenceId }) => {
      last = frameAt(++sent, from);
      // In most of them the reply is to this call.
      const { length } = last;
      if (length >= 16 && sent % 16 !== 0)
        last.writeInt32BE(sequenceId, Math.min(length - 4, 4 + 4 + 4 + 'pull'.length));
      socket.write(last);
      if (last.readInt32BE(0) !== length - 4) socket.end();
    });
    let sent = 0;
    try {
      await target.link(PEER, peer.address);
      while (sent < ANSWERED) {
        const code = await target.pullFrom(PEER, 5_000);
        if (code === 'ERR_INTERNAL') throw new Error(code);
      }
      await target.expectAlive();
    } catch (thrown) {
      throw found(last, thrown);
    } finally {
      await target.unlink(PEER).catch(() => undefined);
      await peer.close();
    }
    await target.expectAtRest();
  });

  test('holds what it held, also after a restart', async () => {
    const before = await target.dump();
    expect(before.store.length).toBeGreaterThan(200);
    await target.kill();
    await target.open();
    expect((await target.dump()).store).toEqual(before.store);
  });
});

test.skipIf(GIVEN === undefined)('the frame that was given', async () => {
  const bytes = Buffer.from(GIVEN ?? '', 'hex');
  new CallReader().read(bytes);
  const read = readBatch(bytes);
  const replica = newReplica();
  const request = replica.nextPull(PEER as never, { writesMax: 100, bytesMax: 100_000 });
  if (read !== null) replica.integrate(PEER as never, request, read, NOW);
  const target = await Target.start();
  try {
    await sendTo(target, await RawClient.connect(target.address), bytes);
    const peer = await FakePeer.listen(({ socket }) => void socket.end(bytes));
    await target.link(PEER, peer.address);
    expect(await target.pullFrom(PEER)).not.toBe('ERR_INTERNAL');
    await peer.close();
    await target.expectAlive();
  } finally {
    await target.stop();
  }
});
