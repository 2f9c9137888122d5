import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../../src/base/address.js';
import type { PullRequest } from '../../src/bayou/messages.js';
import { BinaryReader } from '../../src/rpc/binary-reader.js';
import { FrameSplitter } from '../../src/rpc/frame-splitter.js';
import { FRAME_BYTES_MAX } from '../../src/rpc/limits.js';
import { MessageHeader } from '../../src/rpc/message-header.js';
import { METHODS } from '../../src/rpc/services.js';
import { MessageType } from '../../src/rpc/thrift.js';
import { frame, message } from '../rpc/wire.js';
import { struct, type Value } from './values.js';

/** A pull that a replica sent, and the ways to answer it. */
export interface AskedPull {
  readonly request: PullRequest;
  readonly sequenceId: number;
  readonly socket: Socket;
  /** How many this peer has been asked before. */
  readonly count: number;
  batch(batch: Value): void;
}

/** A batch as the reply to a pull. */
export function replyFrame(batch: Value, sequenceId: number): Buffer {
  return frame(message('pull', struct({ 0: batch }).bytes, sequenceId, MessageType.reply));
}

/** A peer that listens, reads what a replica pulls, and answers however the test says. */
export class FakePeer {
  answer: (asked: AskedPull) => void;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  asked = 0;

  private constructor(answer: (asked: AskedPull) => void) {
    this.answer = answer;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async listen(answer: (asked: AskedPull) => void): Promise<FakePeer> {
    const peer = new FakePeer(answer);
    peer.#server.listen(0, '127.0.0.1');
    await once(peer.#server, 'listening');
    return peer;
  }

  get address(): Address {
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('it does not listen');
    return { host: '127.0.0.1', port: bound.port };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    const splitter = new FrameSplitter(FRAME_BYTES_MAX);
    const reader = new BinaryReader();
    const header = new MessageHeader();
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      splitter.push(chunk);
      while (splitter.next(reader)) {
        header.read(reader);
        if (!header.isNamed(reader, METHODS.pull.callName)) continue;
        const request = METHODS.pull.arguments.read(reader);
        const { sequenceId } = header;
        const batch = (value: Value): void => void socket.write(replyFrame(value, sequenceId));
        this.answer({ request, sequenceId, socket, count: this.asked++, batch });
      }
    });
  }
}
