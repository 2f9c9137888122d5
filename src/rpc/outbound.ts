import type { Socket } from 'node:net';
import type { BinaryWriter } from './binary-writer.js';

/** The sending half of a connection: frames gather in the writer and leave in one system call. */
export class Outbound {
  readonly writer: BinaryWriter;
  readonly #socket: Socket;

  constructor(socket: Socket, writer: BinaryWriter) {
    this.#socket = socket;
    this.writer = writer;
  }

  get unsentBytes(): number {
    return this.writer.length + this.#socket.writableLength;
  }

  flush(): void {
    if (this.writer.length === 0) return;
    const socket = this.#socket;
    if (socket.writable) socket.write(this.writer.frames());
    // When nothing is queued, the kernel has copied it all, and the memory is free for the next frames.
    this.writer.release(socket.writableLength > 0);
  }
}
