import { BinaryReader } from '../../src/rpc/binary-reader.js';
import { BinaryWriter } from '../../src/rpc/binary-writer.js';
import { FieldError, malformed } from '../../src/rpc/field-error.js';
import { FRAME_BYTES_MAX } from '../../src/rpc/limits.js';
import { messageHead } from '../../src/rpc/message-header.js';
import type { Codec } from '../../src/rpc/schema.js';
import type { Method } from '../../src/rpc/services.js';
import { MessageType } from '../../src/rpc/thrift.js';

/** The bytes of one value, without message or frame. */
export function encode<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new BinaryWriter(FRAME_BYTES_MAX);
  codec.write(writer, value);
  return Buffer.from(writer.frames());
}

/** Reads one value, which must take all the bytes. */
export function decode<T>(codec: Codec<T>, bytes: Buffer): T {
  const reader = new BinaryReader();
  reader.reset(bytes, 0, bytes.length);
  const value = codec.read(reader);
  if (reader.remaining > 0) throw malformed(`${reader.remaining} bytes are left`);
  return value;
}

/** "code at path" of the FieldError that `run` throws, or "ok". */
export function verdictOf(run: () => unknown): string {
  try {
    run();
    return 'ok';
  } catch (thrown) {
    if (!(thrown instanceof FieldError)) throw thrown;
    const { code, message } = thrown.toBaristaError('');
    return `${code} at ${message.slice(0, message.indexOf(': '))}`;
  }
}

/** A frame around any bytes; `length` is what its prefix says. */
export function frame(payload: Uint8Array, length = payload.length): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeInt32BE(length);
  return Buffer.concat([prefix, payload]);
}

/** A message around any body, without frame. */
export function message(name: string, body: Uint8Array, sequenceId = 1, type: number = MessageType.call): Buffer {
  const id = Buffer.alloc(4);
  id.writeInt32BE(sequenceId);
  return Buffer.concat([messageHead(type, Buffer.from(name)), id, body]);
}

/** A call as our client sends it. */
export function callFrame<Request>(method: Method<Request, unknown>, request: Request, sequenceId = 1): Buffer {
  return frame(message(`${method.service}:${method.name}`, encode(method.arguments, request), sequenceId));
}

/** Fields and values by hand, for what no codec of ours writes. */
export const bytesOf = {
  field: (type: number, id: number, value: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from([type, id >> 8, id & 0xff]), value]),
  i32: (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  },
  i64: (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    return bytes;
  },
  string: (value: Uint8Array | string, length = Buffer.from(value).length): Buffer =>
    Buffer.concat([bytesOf.i32(length), Buffer.from(value)]),
  list: (type: number, size: number, elements: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from([type]), bytesOf.i32(size), elements]),
  stop: Buffer.from([0]),
};
