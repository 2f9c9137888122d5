import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/base/address.js';
import { METHODS } from '../../src/rpc/services.js';
import { MessageType, WireType } from '../../src/rpc/thrift.js';
import { CALLS } from './method-cases.js';
import { RawClient, readReply } from './raw-client.js';
import { connectTo, get, startServer } from './replica.js';
import { bytesOf, callFrame, frame, message } from './wire.js';

/* What a server answers to bytes no client should send. After each, it must serve the next client as ever. */

let address: Address;
let client: RawClient;

beforeEach(async () => {
  ({ address } = await startServer());
  client = await RawClient.connect(address);
  onTestFinished(() => client.close());
});

afterEach(async () => {
  const replica = connectTo(address);
  expect(await get(replica, 'whatever')).toEqual({ kind: 'absent' });
});

/** The code that answers a frame, and that the connection stays. */
async function answerTo(bytes: Uint8Array, method = METHODS.get as (typeof CALLS)[number]['method']): Promise<unknown> {
  client.send(bytes);
  const { value } = readReply(await client.frame(), method);
  client.send(callFrame(METHODS.get, { key: 'next', needs: null }, 77));
  expect(readReply(await client.frame(), METHODS.get)).toMatchObject({ sequenceId: 77, value: { kind: 'absent' } });
  return value;
}

/** The code of the server's last word before it ends the connection. */
async function lastWordTo(bytes: Uint8Array): Promise<unknown> {
  client.send(bytes);
  const { type, value } = readReply(await client.frame(), METHODS.get);
  expect(type).toBe(MessageType.exception);
  expect(await client.frame()).toBeNull();
  await client.ended();
  return value;
}

const getCall = (body: Uint8Array): Buffer => frame(message('KeyValue:get', body));
/** A call of get with these fields in its request. */
const getWith = (...fields: readonly Uint8Array[]): Buffer =>
  getCall(Buffer.concat([bytesOf.field(WireType.struct, 1, Buffer.concat([...fields, bytesOf.stop])), bytesOf.stop]));
const keyField = (key: Uint8Array | string): Buffer => bytesOf.field(WireType.string, 1, bytesOf.string(key));

describe('a frame that cannot be', () => {
  test('of negative length', async () => {
    expect(await lastWordTo(frame(Buffer.alloc(0), -1))).toBe('ERR_PROTOCOL');
  });

  test('of the least length', async () => {
    expect(await lastWordTo(frame(Buffer.alloc(0), -(2 ** 31)))).toBe('ERR_PROTOCOL');
  });

  test('of 2^31 - 1 bytes', async () => {
    expect(await lastWordTo(frame(Buffer.alloc(100), 2 ** 31 - 1))).toBe('ERR_FRAME_TOO_LARGE');
  });

  test('of one byte more than may be', async () => {
    expect(await lastWordTo(frame(Buffer.alloc(0), 16 * 1024 * 1024 + 1))).toBe('ERR_FRAME_TOO_LARGE');
  });

  test('of no bytes', async () => {
    expect(await lastWordTo(frame(Buffer.alloc(0)))).toBe('ERR_PROTOCOL');
  });

  test('that is an HTTP request', async () => {
    expect(await lastWordTo(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))).toBe('ERR_FRAME_TOO_LARGE');
  });

  test('that is a TLS greeting', async () => {
    expect(await lastWordTo(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]))).toBe('ERR_FRAME_TOO_LARGE');
  });
});

describe('a header that cannot be', () => {
  const head = (bytes: Uint8Array): Buffer => frame(Buffer.concat([bytes, Buffer.alloc(30)]));

  test.each([
    ['garbage', head(Buffer.from('garbage, garbage, garbage'))],
    ['of an older version', head(Buffer.from([0x80, 0x02, 0, 1]))],
    ['not strict', frame(Buffer.concat([bytesOf.string('KeyValue:get'), Buffer.from([1, 0, 0, 0, 1, 0])]))],
    ['with a name beyond the frame', head(Buffer.from([0x80, 1, 0, 1, 0x7f, 0xff, 0xff, 0xff]))],
    ['with a name of negative length', head(Buffer.from([0x80, 1, 0, 1, 0xff, 0xff, 0xff, 0xff]))],
    ['with a long name', frame(message('x'.repeat(257), Buffer.from([0])))],
    ['of a reply', frame(message('get', bytesOf.stop, 1, MessageType.reply))],
    ['of no type', frame(message('KeyValue:get', bytesOf.stop, 1, 9))],
  ])('%s', async (_, bytes) => {
    expect(await lastWordTo(bytes)).toBe('ERR_PROTOCOL');
  });

  test('cut at any byte', async () => {
    const header = message('KeyValue:get', Buffer.alloc(0));
    for (let length = 0; length < header.length; length++) {
      client = await RawClient.connect(address);
      expect(await lastWordTo(frame(header.subarray(0, length)))).toBe('ERR_PROTOCOL');
    }
  });
});

describe('a method that is not there', () => {
  test.each([
    ['KeyValue:frobnicate', 'frobnicate'],
    ['Nothing:get', 'get'],
    ['get', 'get'],
    ['KeyValue:get:get', 'get:get'],
    ['__proto__', '__proto__'],
    ['', ''],
    [':', ''],
    ['KeyValue:GET', 'GET'],
    ['KeyValue:get ', 'get '],
  ])('"%s"', async (name, replyName) => {
    client.send(frame(message(name, Buffer.from('whatever'), 5)));
    expect(readReply(await client.frame(), METHODS.get)).toEqual({
      type: MessageType.exception,
      name: replyName,
      sequenceId: 5,
      value: 'ERR_UNKNOWN_METHOD',
    });
    expect(await answerTo(getWith(keyField('k')))).toEqual({ kind: 'absent' });
  });

  test('whose name is not UTF-8', async () => {
    const bytes = message('KeyValue:gxt', bytesOf.stop);
    bytes[bytes.indexOf('x')] = 0xff;
    expect(await answerTo(frame(bytes))).toBe('ERR_UNKNOWN_METHOD');
  });
});

describe('a oneway message is dropped, and not answered', () => {
  test.each(['KeyValue:get', 'No:such'])('%s', async (name) => {
    client.send(frame(message(name, Buffer.from([1, 2, 3]), 1, MessageType.oneway)));
    expect(await answerTo(getWith(keyField('k')))).toEqual({ kind: 'absent' });
  });
});

describe.each(CALLS)('a call of $name', ({ method, frame: whole }) => {
  const headerBytes = 4 + 4 + 4 + method.callName.length + 4;

  test('is answered', async () => {
    client.send(whole);
    expect(readReply(await client.frame(), method)).toMatchObject({
      type: MessageType.reply,
      name: method.name,
      sequenceId: 1,
    });
  });

  test('cut at any byte of its body fails, and the connection stays', async () => {
    for (let end = headerBytes; end < whole.length; end++) {
      expect(await answerTo(frame(whole.subarray(4, end)), method)).toBe('ERR_PROTOCOL');
    }
  });

  test('with bytes after its end fails', async () => {
    expect(await answerTo(frame(Buffer.concat([whole.subarray(4), Buffer.from([0])])), method)).toBe('ERR_PROTOCOL');
  });

  test('without its request fails', async () => {
    expect(await answerTo(frame(Buffer.concat([whole.subarray(4, headerBytes), bytesOf.stop])), method)).toBe(
      'ERR_PROTOCOL',
    );
  });

  test('may hold fields that are not known here', async () => {
    const extra = bytesOf.field(WireType.list, 999, bytesOf.list(WireType.string, 1, bytesOf.string('of the future')));
    const bytes = Buffer.concat([whole.subarray(4, -2), extra, bytesOf.stop, extra, bytesOf.stop]);
    client.send(frame(bytes));
    expect(readReply(await client.frame(), method).type).toBe(MessageType.reply);
  });

  test('whose connection ends at any byte does no harm', async () => {
    const step = Math.ceil(whole.length / 20);
    for (let end = 1; end < whole.length; end += step) {
      const other = await RawClient.connect(address);
      other.socket.end(whole.subarray(0, end));
      await other.ended();
    }
  });

  test('with any bytes changed is answered or refused', async () => {
    const change = fc.record({
      at: fc.integer({ min: headerBytes, max: whole.length - 1 }),
      byte: fc.nat({ max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const bytes = Buffer.from(whole);
        for (const { at, byte } of changes) bytes[at] = byte;
        await answerTo(bytes, method);
      }),
      { numRuns: 50 },
    );
  });
});

describe('lengths that lie', () => {
  test('a string beyond the frame', async () => {
    expect(await answerTo(getWith(bytesOf.field(WireType.string, 1, bytesOf.string('k', 1_000_000))))).toBe(
      'ERR_PROTOCOL',
    );
  });

  test('a string of negative length', async () => {
    expect(await answerTo(getWith(bytesOf.field(WireType.string, 1, bytesOf.string('k', -1))))).toBe('ERR_PROTOCOL');
  });

  test.each([5, 65_536, 65_537, 2 ** 31 - 1, -1])('a list of %d elements that are not there', async (size) => {
    const needs = bytesOf.field(WireType.list, 2, bytesOf.list(WireType.struct, size, Buffer.alloc(0)));
    expect(await answerTo(getWith(keyField('k'), needs))).toBe('ERR_PROTOCOL');
  });

  test.each([WireType.list, WireType.set])(
    'an unknown collection (%d) of elements that are not there',
    async (type) => {
      const unknown = bytesOf.field(type, 50, bytesOf.list(WireType.i64, 2 ** 30, Buffer.alloc(16)));
      expect(await answerTo(getWith(keyField('k'), unknown))).toBe('ERR_PROTOCOL');
    },
  );

  test('an unknown map of entries that are not there', async () => {
    const map = Buffer.concat([Buffer.from([WireType.bool, WireType.bool]), bytesOf.i32(2 ** 31 - 1)]);
    expect(await answerTo(getWith(keyField('k'), bytesOf.field(WireType.map, 50, map)))).toBe('ERR_PROTOCOL');
  });
});

describe('bombs', () => {
  test.each([
    ['structs', Buffer.from([WireType.struct, 0, 9])],
    ['lists', Buffer.from([WireType.list, 0, 0, 0, 1])],
  ])('a million nested %s', async (_, opening) => {
    const type = opening[0] ?? 0;
    const nested = Buffer.concat([...Array.from({ length: 1_000_000 }, () => opening)]);
    expect(await answerTo(getWith(keyField('k'), bytesOf.field(type, 50, nested)))).toBe('ERR_PROTOCOL');
  });

  test('15 MB of empty structs as a vector take no memory to speak of', async () => {
    const size = 15_000_000;
    const needs = bytesOf.field(WireType.list, 2, bytesOf.list(WireType.struct, size, Buffer.alloc(size)));
    await expectLittleMemory(async () => {
      expect(await answerTo(getWith(keyField('k'), needs))).toBe('ERR_PROTOCOL');
    });
  });

  test('15 MB of empty structs in an unknown field are skipped', async () => {
    const size = 15_000_000;
    const unknown = bytesOf.field(WireType.list, 50, bytesOf.list(WireType.struct, size, Buffer.alloc(size)));
    await expectLittleMemory(async () => {
      expect(await answerTo(getWith(keyField('k'), unknown))).toEqual({ kind: 'absent' });
    });
  });

  test('connections that claim the largest frame and send nothing take no memory to speak of', async () => {
    await expectLittleMemory(async () => {
      const claims = await Promise.all(Array.from({ length: 100 }, () => RawClient.connect(address)));
      for (const claim of claims) claim.send(frame(Buffer.from([1]), 16 * 1024 * 1024));
      expect(await answerTo(getWith(keyField('k')))).toEqual({ kind: 'absent' });
      for (const claim of claims) claim.close();
    });
  });
});

/** In this process, which holds both sides: far less than the 1.5 GB that such input has cost elsewhere. */
async function expectLittleMemory(run: () => Promise<void>): Promise<void> {
  const before = process.memoryUsage().rss;
  await run();
  expect(process.memoryUsage().rss - before).toBeLessThan(250 * 1024 * 1024);
}

describe('wrong types', () => {
  test.each([2, 3, 4, 6, 8, 10, 12, 13, 14, 15, 16])('wire type %d for a key', async (type) => {
    expect(await answerTo(getWith(bytesOf.field(type, 1, Buffer.alloc(40))))).toBe('ERR_PROTOCOL');
  });

  test.each([0, 1, 5, 7, 9, 17, 255])('wire type %d for an unknown field', async (type) => {
    expect(await answerTo(getWith(keyField('k'), bytesOf.field(type, 50, Buffer.alloc(40))))).toBe('ERR_PROTOCOL');
  });

  test('a list of strings for a vector', async () => {
    const needs = bytesOf.field(WireType.list, 2, bytesOf.list(WireType.string, 1, bytesOf.string('x')));
    expect(await answerTo(getWith(keyField('k'), needs))).toBe('ERR_PROTOCOL');
  });

  test('a string for the request', async () => {
    expect(await answerTo(getCall(Buffer.concat([keyField('k'), bytesOf.stop])))).toBe('ERR_PROTOCOL');
  });
});

describe('keys', () => {
  test.each([
    ['empty', '', 'ERR_INVALID_KEY'],
    ['too long', 'k'.repeat(4097), 'ERR_INVALID_KEY'],
    ['not UTF-8', Buffer.from([0xc3, 0x28]), 'ERR_INVALID_KEY'],
    ['__proto__', '__proto__', { kind: 'absent' }],
    ['constructor', 'constructor', { kind: 'absent' }],
  ])('%s', async (_, key, expected) => {
    expect(await answerTo(getWith(keyField(key)))).toEqual(expected);
  });
});

describe('a slow sender', () => {
  test('is answered though every byte comes alone', async () => {
    for (const byte of callFrame(METHODS.get, { key: 'k', needs: null }, 3)) {
      client.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(readReply(await client.frame(), METHODS.get)).toMatchObject({ sequenceId: 3, value: { kind: 'absent' } });
  });

  test('is answered though frames share their chunks', async () => {
    const calls = Buffer.concat(CALLS.map((call) => call.frame));
    for (let at = 0; at < calls.length; at += 37) {
      client.send(calls.subarray(at, at + 37));
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const { method } of CALLS) expect(readReply(await client.frame(), method).name).toBe(method.name);
  });
});
