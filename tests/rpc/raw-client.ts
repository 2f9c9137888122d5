import { connect, type Socket } from 'node:net';
import type { Address } from '../../src/base/address.js';
import { BinaryReader } from '../../src/rpc/binary-reader.js';
import { applicationException } from '../../src/rpc/failure-codec.js';
import { MessageHeader } from '../../src/rpc/message-header.js';
import type { ReplyForm } from '../../src/rpc/services.js';
import { MessageType } from '../../src/rpc/thrift.js';

/** A TCP connection that sends any bytes and cuts what comes back into frames. */
export class RawClient {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #closed = false;
  #wake = (): void => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static connect({ host, port }: Address): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true }, () => resolve(new RawClient(socket)));
      socket.once('error', reject);
    });
  }

  send(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The payload of the next frame; null if the connection ended before. */
  async frame(): Promise<Buffer | null> {
    for (;;) {
      const length = this.#received.length < 4 ? Number.POSITIVE_INFINITY : this.#received.readInt32BE(0);
      if (this.#received.length >= 4 + length) {
        const payload = this.#received.subarray(4, 4 + length);
        this.#received = this.#received.subarray(4 + length);
        return payload;
      }
      if (this.#closed) return null;
      await this.#change();
    }
  }

  async ended(): Promise<void> {
    while (!this.#closed) await this.#change();
  }

  close(): void {
    this.socket.destroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

export interface RawReply {
  readonly type: number;
  readonly name: string;
  readonly sequenceId: number;
  /** The reply's value, or the code of its error. */
  readonly value: unknown;
}

/** Reads a reply to a method, or Thrift's own exception. */
export function readReply(payload: Buffer | null, form: ReplyForm<unknown>): RawReply {
  if (payload === null) throw new Error('the connection ended without a reply');
  const reader = new BinaryReader();
  const header = new MessageHeader();
  reader.reset(payload, 0, payload.length);
  header.read(reader);
  const { type, sequenceId } = header;
  const name = header.nameIn(reader);
  if (type === MessageType.exception) return { type, name, sequenceId, value: applicationException.read(reader).code };
  const outcome = form.result.read(reader);
  return { type, name, sequenceId, value: outcome.ok ? outcome.value : outcome.error.code };
}
