import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readPackedWrites } from '../../src/rpc/packed-reader.js';
import { type BadBatch, GOOD_WRITE, LIES, PACKED, REPLIES } from './bad-batches.js';
import { batch, packed, packedWrites, timeIn } from './batches.js';
import { type AskedPull, FakePeer, replyFrame } from './fake-peer.js';
import { type Dump, Target } from './target.js';
import { entry, vector } from './values.js';

/*
 * A real replica pulls from peers that answer what no peer should. The pull ends with its code; nothing of the answer is
 * kept, and the replica serves on.
 */

const TRIES_MAX = 10;

let target: Target;
let before: Dump;
let peers = 0;

beforeAll(async () => {
  target = await Target.start();
  before = await target.dump();
});

afterAll(() => target.stop());

/** Has the replica pull from a peer that gives this answer; how that ends. Each peer is another. */
async function pullFrom(answer: (peer: string, asked: AskedPull) => void): Promise<string | null> {
  const id = `peer ${++peers}`;
  const peer = await FakePeer.listen((asked) => answer(id, asked));
  try {
    await target.link(id, peer.address);
    return await target.pullFrom(id);
  } finally {
    await target.unlink(id);
    await peer.close();
  }
}

describe.each<[string, readonly BadBatch[]]>([
  ['a reply', REPLIES],
  ['packed writes', PACKED],
  ['a batch', LIES],
])('%s', (_, cases) => {
  beforeAll(() => target.rest());

  test.each(cases.map((it) => [it.name, it] as const))('%s', async (_name, { answer, code }) => {
    let found = await pullFrom(answer);
    // The replica gives a neighbour two seconds, in which a busy machine may not come to what is large.
    for (let tried = 1; found === 'ERR_TIMEOUT' && code !== found && tried < TRIES_MAX; tried++) {
      found = await pullFrom(answer);
    }
    expect(found).toBe(code);
    await target.expectAlive();
  });

  afterAll(async () => {
    await target.expectAtRest();
    expect(await target.dump()).toEqual(before);
  });
});

const whole = (peer: string): ReturnType<typeof batch> => {
  const time = timeIn(-1_000);
  const writes = packedWrites(packed({ origin: peer, time, key: 'from a peer' }));
  return batch(peer, { 3: writes, 4: vector(entry(peer, time)) });
};

test('a batch cut at every byte is refused', { timeout: 600_000 }, async () => {
  const length = replyFrame(whole('peer 000'), 1).length - 4;
  for (let end = 0; end < length; end++) {
    const code = await pullFrom((peer, { socket, sequenceId }) => {
      const bytes = Buffer.from(replyFrame(whole(peer), sequenceId).subarray(0, 4 + end));
      bytes.writeInt32BE(bytes.length - 4);
      socket.write(bytes);
    });
    expect(code, `${end} bytes`).toBe('ERR_PROTOCOL');
  }
  await target.expectAtRest();
  expect(await target.dump()).toEqual(before);
});

test('what the bad writes are made of is nothing bad', () => {
  expect(readPackedWrites(GOOD_WRITE)).toMatchObject([{ origin: 'o#1', client: 'c', key: 'k' }]);
});

test('a batch as it should be is taken', async () => {
  expect(await pullFrom((peer, asked) => asked.batch(whole(peer)))).toBeNull();
  expect(await target.read('from a peer')).toMatchObject({ kind: 'found' });
  onTestFinished(async () => {
    before = await target.dump();
  });
});
