import { describe, expect, onTestFinished, test } from 'vitest';
import { MessageType } from '../../src/rpc/thrift.js';
import { frame, message } from '../rpc/wire.js';
import { attested, batch, NO_WRITES, packed, packedWrites, page, standing, timeIn } from './batches.js';
import { type AskedPull, FakePeer } from './fake-peer.js';
import { TARGET, TARGET_ID, Target } from './target.js';
import { bool, entry, struct, text, type Value, vector } from './values.js';

/* Peers whose lies a replica cannot see in one batch: what it makes of them, and that it goes on or says why it does not. */

const PEER = 'liar';

async function startTarget(flags?: readonly string[]): Promise<Target> {
  const target = await Target.start(flags);
  onTestFinished(() => target.stop());
  return target;
}

async function linkPeer(target: Target, answer: (asked: AskedPull) => void): Promise<FakePeer> {
  const peer = await FakePeer.listen(answer);
  onTestFinished(() => peer.close());
  await target.link(PEER, peer.address);
  return peer;
}

const put = (target: Target, key: string): Promise<unknown> => target.put(key, Buffer.from('v'), 'tester', Date.now());

/** A batch with one write of the peer, which its vector covers. */
function oneWrite(time: number, key: string, more: boolean, seen = time, client = 'c'): Value {
  const writes = packedWrites(packed({ origin: PEER, time, key, client }));
  return batch(PEER, { 3: writes, 4: vector(entry(PEER, seen)), 5: bool(more) });
}

describe('stamps that the replica never gave', () => {
  // Beyond the last that was given, which is what a copy of its data would bring.
  test.each<[string, () => Value]>([
    ['in a vector', () => batch(PEER, { 4: vector(entry(TARGET_ID, timeIn(0))) })],
    [
      'in a write',
      () => {
        const time = timeIn(0);
        const writes = packedWrites(packed({ origin: TARGET_ID, time, key: 'forged' }));
        return batch(PEER, { 3: writes, 4: vector(entry(TARGET_ID, time)) });
      },
    ],
  ])('%s: it takes none of it, gives no stamp until it is started again, and keeps its data', async (_, lie) => {
    const target = await startTarget();
    const before = await target.dump();
    await linkPeer(target, (asked) => asked.batch(lie()));
    expect(await target.pullFrom(PEER)).toBe('ERR_FORGED_STAMPS');
    await expect(put(target, 'k')).rejects.toMatchObject({ code: 'ERR_COPIED' });
    expect(await target.dump()).toEqual(before);
    await target.kill();
    await target.open();
    expect(await target.dump()).toEqual(before);
    await put(target, 'k');
  });
});

describe('a transfer that never ends', () => {
  const endless: readonly (readonly [string, (asked: AskedPull) => void])[] = [
    [
      'since a page comes that was not asked for',
      (asked) => {
        const time = timeIn(-60_000);
        const store = page({ time, vector: vector(entry(PEER, time)), after: 'z', entries: NO_WRITES, upTo: 'zz' });
        asked.batch(batch(PEER, { 4: vector(entry(PEER, time)), 5: bool(true), 7: store }));
      },
    ],
    [
      'since pages come of no keys',
      (asked) => {
        const time = 1;
        const upTo = `z${String(asked.count).padStart(9, '0')}`;
        const after = asked.request.store?.after ?? undefined;
        const store = page({
          time,
          vector: vector(entry(PEER, 1)),
          entries: NO_WRITES,
          upTo,
          ...(after === undefined ? {} : { after }),
        });
        asked.batch(batch(PEER, { 4: vector(entry(PEER, 1)), 5: bool(true), 7: store }));
      },
    ],
    [
      'since a write is always left',
      (asked) => asked.batch(oneWrite(timeIn(-60_000) + asked.count, `endless ${asked.count % 10}`, true)),
    ],
    ['since the same batch comes again', (asked) => asked.batch(oneWrite(1, 'replayed', true))],
  ];

  test.each(endless)('%s: the replica serves on, and the link can be cut', async (_, answer) => {
    const target = await startTarget();
    const peer = await linkPeer(target, answer);
    target.watchPeak();
    expect(await target.pullFrom(PEER, 1_500)).toBe('unfinished');
    expect(peer.asked).toBeGreaterThan(10);
    await target.expectAlive();
    await put(target, 'meanwhile');
    await target.unlink(PEER);
    expect(await target.read('meanwhile')).toMatchObject({ kind: 'found' });
    await peer.close().catch(() => undefined);
    await target.expectAtRest();
  });
});

describe('batches that were given before', () => {
  test('in the wrong order are refused', async () => {
    const target = await startTarget();
    const time = timeIn(-60_000);
    await linkPeer(target, (asked) => {
      const resumed = oneWrite(time - asked.count, 'backwards', true, time);
      asked.batch(asked.count === 0 ? resumed : batchResumed(resumed));
    });
    expect(await target.pullFrom(PEER)).toBe('ERR_PROTOCOL');
  });

  test('after the transfer are refused, and change nothing', async () => {
    const target = await startTarget();
    const time = timeIn(-60_000);
    await linkPeer(target, (asked) => asked.batch(oneWrite(time, 'replayed', false)));
    expect(await target.pullFrom(PEER)).toBeNull();
    const before = await target.dump();
    for (let i = 0; i < 5; i++) expect(await target.pullFrom(PEER)).toBe('ERR_PROTOCOL');
    expect(await target.dump()).toEqual(before);
  });

  test('under a transfer that has gone on from there are refused', async () => {
    const target = await startTarget();
    const time = timeIn(-60_000);
    await linkPeer(target, (asked) => {
      const { count } = asked;
      asked.batch(count < 3 ? oneWrite(time + count, `k${count}`, true) : batchResumed(oneWrite(time, 'k0', true)));
    });
    expect(await target.pullFrom(PEER)).toBe('ERR_PROTOCOL');
  });
});

/** The batch, said to go on from what was received. */
function batchResumed({ type, bytes }: Value): Value {
  const changed = Buffer.from(bytes);
  // The second field of the struct, behind the sender: a boolean.
  const at = changed.indexOf(Buffer.from([2, 0, 2, 0]));
  changed[at + 3] = 1;
  return { type, bytes: changed };
}

describe('one stamp given to two writes', () => {
  test('the replica folds past it, and lives', async () => {
    const target = await startTarget();
    const time = timeIn(-60_000);
    let clock = 0;
    await linkPeer(target, (asked) => {
      if (asked.count === 0) return asked.batch(oneWrite(time, 'first', true, time, 'other'));
      if (asked.count > 1) {
        const report = attested(PEER, clock);
        return asked.batch(batch(PEER, { 4: vector(entry(PEER, time + 1)), 6: standing({ clock }), 9: report }));
      }
      // From the start again: the same stamp, for another key; then one more for the first.
      const writes = packedWrites(
        packed({ origin: PEER, time, key: 'second' }, { origin: PEER, time: time + 1, key: 'first', clientTime: 2 }),
      );
      asked.batch(batch(PEER, { 3: writes, 4: vector(entry(PEER, time + 1)) }));
    });
    expect(await target.pullFrom(PEER)).toBeNull();
    // Later than two retry windows, so that all can be folded.
    clock = timeIn(30_000);
    await put(target, 'now');
    for (let round = 0; round < 3; round++) expect(await target.pullFrom(PEER, 10_000, true)).toBeNull();
    const { base } = await target.status();
    expect(base).toBeGreaterThan(time);
    await target.expectAlive();
    const before = await target.dump();
    await target.kill();
    await target.open();
    await target.expectAlive();
    expect((await target.dump()).store).toEqual(before.store);
  });
});

describe('a peer that says the replica', () => {
  const saying = (code: string) => (asked: AskedPull) => {
    const failure = struct({ 1: struct({ 1: text(code), 2: text('no'), 3: text('') }) }).bytes;
    asked.socket.write(frame(message('pull', failure, asked.sequenceId, MessageType.reply)));
  };

  test('was retired has it take another incarnation, with all its data', async () => {
    const target = await startTarget();
    const before = await target.dump();
    await linkPeer(target, saying('ERR_RETIRED'));
    expect(await target.pullFrom(PEER)).toBe('ERR_RETIRED');
    await expect.poll(async () => (await target.status()).origin).not.toBe(TARGET);
    expect((await target.dump()).store).toEqual(before.store);
  });

  test('is a copy has it give no stamps until it is started again', async () => {
    const target = await startTarget();
    const before = await target.dump();
    await linkPeer(target, saying('ERR_COPIED'));
    expect(await target.pullFrom(PEER)).toBe('ERR_COPIED');
    await expect(put(target, 'k')).rejects.toMatchObject({ code: 'ERR_COPIED' });
    expect(await target.dump()).toEqual(before);
  });
});
