import { connect, type Socket } from 'node:net';
import type { Address } from '../base/address.js';
import { BaristaError } from '../base/errors.js';
import { BinaryReader } from './binary-reader.js';
import { BinaryWriter } from './binary-writer.js';
import { FrameSplitter } from './frame-splitter.js';
import { BATCH_BYTES_MAX } from './limits.js';
import { Outbound } from './outbound.js';

const READ_BUFFER_BYTES = 64 * 1024;

export interface ClientSocketEvents {
  /** A whole frame; the reader is good until this returns. */
  onFrame(reader: BinaryReader): void;
  /** The connection was refused or lost. Said at most once, and not after `destroy`. */
  onLost(error: BaristaError): void;
}

/** One TCP connection to a server, from the attempt to connect to its end: frames in, frames out. */
export class ClientSocket {
  readonly #address: Address;
  readonly #events: ClientSocketEvents;
  readonly #socket: Socket;
  readonly #splitter: FrameSplitter;
  readonly #reader = new BinaryReader();
  readonly #outbound: Outbound;
  #connected = false;
  #over = false;
  #receiving = false;
  #flushScheduled = false;

  constructor(address: Address, frameBytesMax: number, events: ClientSocketEvents) {
    this.#address = address;
    this.#events = events;
    this.#splitter = new FrameSplitter(frameBytesMax);
    const socket = connect({
      host: address.host,
      port: address.port,
      noDelay: true,
      // Reads into one buffer again and again: what a reply keeps is copied out of it.
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
        callback: (length, buffer) => {
          this.#receive(buffer as Buffer, length);
          return true;
        },
      },
    });
    this.#socket = socket;
    this.#outbound = new Outbound(socket, new BinaryWriter(frameBytesMax));
    let cause: Error | undefined;
    socket.on('error', (error) => {
      cause = error;
    });
    socket.on('connect', () => {
      this.#connected = true;
      this.#outbound.flush();
    });
    socket.on('end', () => this.#lose(this.#lost(undefined)));
    socket.on('close', () => this.#lose(this.#lost(cause)));
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  get writer(): BinaryWriter {
    return this.#outbound.writer;
  }

  get unsentBytes(): number {
    return this.#outbound.unsentBytes;
  }

  /** Sends what the writer holds, together with whatever else is written in this turn of the event loop. */
  flushSoon(): void {
    if (!this.#connected || this.#flushScheduled) return;
    // While frames are handed out, their receiver may answer with the next calls; they leave after the last frame.
    if (this.writer.length > BATCH_BYTES_MAX) this.#outbound.flush();
    if (this.#receiving) return;
    this.#flushScheduled = true;
    process.nextTick(() => {
      this.#flushScheduled = false;
      this.#outbound.flush();
    });
  }

  destroy(): void {
    this.#over = true;
    this.#socket.destroy();
  }

  #receive(bytes: Buffer, length: number): void {
    if (this.#over) return;
    this.#receiving = true;
    try {
      this.#splitter.push(bytes, length);
      while (this.#nextFrame()) this.#events.onFrame(this.#reader);
    } finally {
      this.#receiving = false;
    }
    this.#outbound.flush();
  }

  #nextFrame(): boolean {
    if (this.#over) return false;
    try {
      return this.#splitter.next(this.#reader);
    } catch (thrown) {
      if (!(thrown instanceof BaristaError)) throw thrown;
      this.#lose(thrown);
      return false;
    }
  }

  #lose(error: BaristaError): void {
    if (this.#over) return;
    this.destroy();
    this.#events.onLost(error);
  }

  #lost(cause: Error | undefined): BaristaError {
    const { host, port } = this.#address;
    const what = this.#connected ? `the connection to ${host}:${port} was lost` : `no connection to ${host}:${port}`;
    return new BaristaError('ERR_CONN', cause === undefined ? what : `${what}: ${cause.message}`, { cause });
  }
}
