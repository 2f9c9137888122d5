import { inflateRawSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { succeed } from '../../src/base/outcome.js';
import type { PullRequest } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { type CompressReplies, isLoopback } from '../../src/rpc/compression.js';
import './equality.js';
import { memoryService, ORIGIN, STANDING, TERMS } from './memory-service.js';
import { unpack } from './packed.js';
import { connectTo, reply, startServer } from './replica.js';
import { stock, stockClient } from './stock.js';

/* When a server deflates what it sends. */

const value = new TextEncoder().encode('the same again and again');
const writes = Array.from({ length: 200 }, (_, i) => ({
  origin: ORIGIN,
  acceptTime: i + 1,
  client: 'c' as ClientId,
  clientTime: i,
  key: `key ${i}`,
  operation: { kind: 'put' as const, value },
}));
const batch = {
  from: ORIGIN,
  resumed: false,
  writes,
  seen: new VersionVector(),
  more: true,
  standing: STANDING,
  store: { time: 1, vector: new VersionVector(), after: null, entries: writes, upTo: null },
  left: null,
  report: null,
};
const service = memoryService({ pull: (_request, done) => done(succeed(batch)) });

interface Packed {
  readonly compression: number;
  readonly bytes: Buffer;
}

/** The writes of a batch and of a page as a stock client gets them; `says` is what it says of itself. */
async function pulled(says: { inflates?: boolean }, compressReplies?: CompressReplies): Promise<readonly Packed[]> {
  const { address } = await startServer(compressReplies === undefined ? { service } : { service, compressReplies });
  const client = stockClient(address);
  onTestFinished(() => client.end());
  const request = stock('PullRequest', {
    terms: { protocol: 3, cluster: 'test', tieBreak: 1, clock: 1, retryWindowMs: 1 },
    sender: { id: 'r2', incarnation: 1 },
    recipient: 'r1',
    seen: [],
    report: false,
    clock: 1,
    life: 0,
    outside: false,
    writesMax: 10,
    bytesMax: 1000,
    ...says,
  });
  const { writes, store } = await client.call('Replication', 'pull', request);
  return [writes as Packed, (store as { entries: Packed }).entries];
}

describe('writes are deflated', () => {
  test('for who can read that, if it is said so', async () => {
    for (const { compression, bytes } of await pulled({ inflates: true }, 'always')) {
      expect(compression).toBe(2);
      expect(unpack(inflateRawSync(bytes))).toHaveLength(200);
    }
  });

  const cases: readonly [string, { inflates?: boolean }, CompressReplies?][] = [
    ['for who does not say it can read that', {}, 'always'],
    ['for who says it cannot', { inflates: false }, 'always'],
    ['if it is said so', { inflates: true }, 'never'],
    ['over loopback', { inflates: true }, 'unless-loopback'],
    ['over loopback if nothing is said', { inflates: true }],
  ];
  test.each(cases)('not %s', async (_, says, compressReplies) => {
    for (const { compression, bytes } of await pulled(says, compressReplies)) {
      expect(compression).toBe(1);
      expect(unpack(bytes)).toHaveLength(200);
    }
  });

  test('and our own client reads them', async () => {
    const { address } = await startServer({ service, compressReplies: 'always' });
    const replica = connectTo(address);
    const request: PullRequest = {
      terms: TERMS,
      from: originOf('r2' as ReplicaId, 1),
      to: 'r1' as ReplicaId,
      seen: new VersionVector(),
      resume: null,
      store: null,
      report: false,
      clock: 2,
      life: 1,
      outside: false,
      writesMax: 1000,
      bytesMax: 1_000_000,
    };
    expect(await reply((timeoutMs, done) => replica.pull(request, timeoutMs, done))).toEqual(batch);
  });
});

test.each([
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['10.0.0.1', false],
  ['1.127.0.0', false],
  ['::2', false],
  ['::1:1', false],
  ['fe80::1', false],
  [undefined, false],
])('%s is loopback: %s', (address, expected) => {
  expect(isLoopback(address)).toBe(expected);
});
