import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { METHODS } from '../../src/rpc/services.js';
import { MessageType } from '../../src/rpc/thrift.js';
import { RawClient, readReply } from '../rpc/raw-client.js';
import { callFrame, frame } from '../rpc/wire.js';
import type { BadInput } from './bad-input.js';
import { CATALOGUE } from './catalogue.js';
import { WHOLE_CALLS } from './framing.js';
import { type Dump, LARGE_KEY, SPECIAL_NAMES, Target } from './target.js';

/*
 * Each bad input of the catalogue, sent to a real replica. After each, the replica serves on; after each family its data,
 * its vector and its status are what they were, no connection is left open, and its memory has kept within its bound.
 */

let target: Target;
let before: Dump;

beforeAll(async () => {
  target = await Target.start();
  before = await target.dump();
});

afterAll(() => target.stop());

const PROBE_ID = 0x7777;
const PROBE = callFrame(METHODS.get, { key: LARGE_KEY, needs: null }, PROBE_ID);

async function withClient<T>(run: (client: RawClient) => Promise<T>): Promise<T> {
  const client = await RawClient.connect(target.address);
  try {
    return await run(client);
  } finally {
    client.close();
  }
}

/** The connection goes on: what is sent next on it is answered. */
async function expectServedOn(client: RawClient): Promise<void> {
  client.send(PROBE);
  const { sequenceId, value } = readReply(await client.frame(), METHODS.get);
  expect([sequenceId, (value as { kind: string }).kind]).toEqual([PROBE_ID, 'found']);
}

async function send({ method, bytes, expected }: BadInput): Promise<void> {
  await withClient(async (client) => {
    client.send(bytes());
    if (expected.kind === 'unanswered') return expectServedOn(client);
    const { type, value } = readReply(await client.frame(), METHODS[method]);
    switch (expected.kind) {
      case 'last word':
        expect(type).toBe(MessageType.exception);
        expect(value).toBe(expected.code);
        expect(await client.frame()).toBeNull();
        return client.ended();
      case 'refused':
        expect(value).toBe(expected.code);
        return expectServedOn(client);
      case 'answered':
        expect(typeof value, String(value)).not.toBe('string');
        if ('value' in expected) expect(value).toMatchObject(expected.value as object);
        return expectServedOn(client);
    }
  });
}

const expectUnchanged = async (): Promise<void> => {
  await target.expectAtRest();
  expect(await target.dump()).toEqual(before);
};

describe.each(CATALOGUE)('%s', (_, inputs) => {
  beforeAll(() => target.rest());

  test.each(inputs.map((input) => [input.name, input] as const))('%s', async (_name, input) => {
    await send(input);
    await target.expectAlive();
  });

  afterAll(expectUnchanged);
});

describe.each(WHOLE_CALLS)('a call of $method', ({ method, frame: whole, body }) => {
  beforeAll(() => target.rest());

  test('cut at every byte of its header ends the connection', async () => {
    for (let end = 4; end < body; end++) {
      await withClient(async (client) => {
        client.send(frame(whole.subarray(4, end)));
        expect(readReply(await client.frame(), METHODS[method]).value, `${end} bytes`).toBe('ERR_PROTOCOL');
        expect(await client.frame()).toBeNull();
      });
    }
  });

  test('cut at every byte of its body is refused', async () => {
    await withClient(async (client) => {
      for (let end = body; end < whole.length; end++) {
        client.send(frame(whole.subarray(4, end)));
        expect(readReply(await client.frame(), METHODS[method]).value, `${end} bytes`).toBe('ERR_PROTOCOL');
      }
      await expectServedOn(client);
    });
  });

  test('whose connection ends at any byte is forgotten', async () => {
    for (let end = 1; end < whole.length; end++) {
      await withClient(async (client) => {
        client.socket.end(whole.subarray(0, end));
        await client.ended();
      });
    }
  });

  test('whose connection is reset at any byte is forgotten', async () => {
    for (let end = 1; end < whole.length; end += 3) {
      await withClient(async (client) => {
        client.send(whole.subarray(0, end));
        client.socket.resetAndDestroy();
        await client.ended();
      });
    }
  });

  afterAll(expectUnchanged);
});

test('the catalogue names at least 300 inputs, each once, of clients, peers and operators', () => {
  const inputs = CATALOGUE.flatMap(([, family]) => family);
  expect(inputs.length).toBeGreaterThanOrEqual(300);
  expect(new Set(inputs.map(({ name }) => name)).size).toBe(inputs.length);
  for (const service of ['client', 'replication', 'admin']) {
    expect(inputs.filter((input) => input.service === service).length, service).toBeGreaterThanOrEqual(100);
  }
});

test('after all of it a restart finds the same', async () => {
  await target.kill();
  await target.open();
  expect(await target.dump()).toEqual(before);
  for (const [i, name] of SPECIAL_NAMES.entries()) {
    expect(await target.read(name)).toMatchObject({ kind: 'found', value: new Uint8Array(Buffer.from(`value ${i}`)) });
  }
});
