import type { Socket } from 'node:net';
import { BaristaError, toBaristaError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { fail, type Outcome } from '../base/outcome.js';
import { BinaryReader } from './binary-reader.js';
import { BinaryWriter } from './binary-writer.js';
import { type CompressReplies, isLoopback } from './compression.js';
import type { ConnectionTable, TableEntry } from './connection-table.js';
import type { Replier, ServedCall, ServedMethod } from './dispatch.js';
import { applicationException } from './failure-codec.js';
import { FieldError } from './field-error.js';
import { FrameSplitter } from './frame-splitter.js';
import { BATCH_BYTES_MAX, LINGER_MS_MAX, SERVED_CALLS_MAX, UNSENT_REPLIES_BYTES_MAX } from './limits.js';
import { MessageHeader, messageHead } from './message-header.js';
import { Outbound } from './outbound.js';
import type { ReplyForm } from './services.js';
import { MessageType } from './thrift.js';

export interface ConnectionSettings {
  /** The connection is one of it. */
  readonly table: ConnectionTable<ServerConnection>;
  readonly methods: readonly ServedMethod[];
  readonly frameBytesMax: number;
  readonly stallMsMax: number;
  readonly compressReplies: CompressReplies;
  readonly log: Log;
}

/**
 * One client of a server. Reads calls and hands them to the service; sends replies in the order they are given, those
 * of one turn together. What one client can hold of the server is bounded: it reads no further while the client has too
 * many calls open or too many replies unread, and ends with a client that stalls.
 */
export class ServerConnection implements Replier, TableEntry {
  readonly #socket: Socket;
  readonly #settings: ConnectionSettings;
  readonly #splitter: FrameSplitter;
  readonly #reader = new BinaryReader();
  readonly #header = new MessageHeader();
  readonly #outbound: Outbound;
  readonly #compresses: boolean;
  #callsOpen = 0;
  #working = false;
  #workScheduled = false;
  #paused = false;
  /** A last word was sent; what still arrives is thrown away. */
  #ended = false;
  #stallTimer: NodeJS.Timeout | null = null;

  constructor(socket: Socket, settings: ConnectionSettings) {
    this.#socket = socket;
    this.#settings = settings;
    this.#splitter = new FrameSplitter(settings.frameBytesMax);
    this.#outbound = new Outbound(socket, new BinaryWriter(settings.frameBytesMax));
    const { compressReplies } = settings;
    this.#compresses =
      compressReplies === 'always' || (compressReplies === 'unless-loopback' && !isLoopback(socket.remoteAddress));
    socket.on('data', (chunk: Buffer) => {
      if (this.#ended) return;
      this.#splitter.push(chunk);
      this.#work();
    });
    socket.on('drain', () => this.#work());
    // A reset by the client ends this connection and nothing else; 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#ended = true;
      this.#watchStall(false);
    });
  }

  /** Sends what was answered so far and ends the connection. */
  close(): void {
    this.#outbound.flush();
    if (this.#socket.writableLength > 0) this.#end();
    else this.#socket.destroy();
    this.#ended = true;
  }

  get isIdle(): boolean {
    return this.#callsOpen === 0;
  }

  evict(why: string): void {
    this.#settings.log.warn({ peer: this.#socket.remoteAddress ?? null }, why);
    this.#ended = true;
    this.#socket.destroy();
  }

  reply<Reply>(form: ReplyForm<Reply>, call: ServedCall, outcome: Outcome<Reply>): void {
    this.#callsOpen--;
    if (this.#ended) return;
    const problem = this.#tryReply(form, call, outcome);
    if (problem !== null) this.#tryReply(form, call, fail<Reply>(problem));
    if (this.#outbound.writer.length > BATCH_BYTES_MAX) {
      this.#outbound.flush();
      this.#countHeld();
    }
    this.#workSoon();
  }

  blame(message: string, thrown: unknown): void {
    const fields =
      thrown === undefined ? {} : { error: thrown instanceof Error ? (thrown.stack ?? '') : String(thrown) };
    this.#settings.log.warn({ ...fields, code: 'ERR_INTERNAL' }, message);
  }

  /** Null if the reply was written; else why not, and nothing of it stays. */
  #tryReply<Reply>(form: ReplyForm<Reply>, call: ServedCall, outcome: Outcome<Reply>): BaristaError | null {
    const { writer } = this.#outbound;
    writer.deflates = this.#compresses && call.inflates;
    try {
      writer.begin(form.replyHead, call.sequenceId);
      form.result.write(writer, outcome);
      writer.end();
      return null;
    } catch (thrown) {
      writer.abandon();
      const error =
        thrown instanceof FieldError ? thrown.toBaristaError('result', 'ERR_INTERNAL') : toBaristaError(thrown);
      if (error.code === 'ERR_INTERNAL') this.blame('a reply could not be encoded', error);
      return error;
    }
  }

  /** Replies given in one turn of the event loop leave together at its end. */
  #workSoon(): void {
    if (this.#working || this.#workScheduled) return;
    this.#workScheduled = true;
    process.nextTick(() => {
      this.#workScheduled = false;
      this.#work();
    });
  }

  /** Serves the calls that are here as far as the bounds allow, and sends what was answered. */
  #work(): void {
    if (this.#working || this.#ended) return;
    this.#working = true;
    let served = 0;
    try {
      while (!this.#isBlocked() && this.#splitter.next(this.#reader)) {
        served++;
        this.#serve();
      }
    } catch (thrown) {
      if (thrown instanceof FieldError) this.#refuse(thrown.toBaristaError('message'));
      else if (thrown instanceof BaristaError) this.#refuse(thrown);
      else throw thrown;
    } finally {
      this.#working = false;
    }
    this.#outbound.flush();
    if (served > 0) this.#settings.table.used(this);
    this.#countHeld();
    if (!this.#ended) this.#adjustFlow(served > 0);
  }

  #countHeld(): void {
    this.#settings.table.holds(this, this.#splitter.heldBytes + this.#outbound.unsentBytes);
  }

  #isBlocked(): boolean {
    return this.#ended || this.#callsOpen >= SERVED_CALLS_MAX || this.#isUnread();
  }

  #isUnread(): boolean {
    return this.#outbound.unsentBytes > UNSENT_REPLIES_BYTES_MAX;
  }

  #adjustFlow(progressed: boolean): void {
    const blocked = this.#isBlocked();
    if (blocked !== this.#paused) {
      this.#paused = blocked;
      if (blocked) this.#socket.pause();
      else this.#socket.resume();
    }
    if (progressed) this.#watchStall(false);
    this.#watchStall(blocked ? this.#isUnread() : this.#splitter.hasPartialFrame);
  }

  #watchStall(stalled: boolean): void {
    if (!stalled) {
      if (this.#stallTimer !== null) clearTimeout(this.#stallTimer);
      this.#stallTimer = null;
    } else if (this.#stallTimer === null) {
      const { stallMsMax, log } = this.#settings;
      this.#stallTimer = setTimeout(() => {
        log.warn({ stallMsMax }, 'a client stalled in the middle of a frame or left its replies unread');
        this.#socket.destroy();
      }, stallMsMax).unref();
    }
  }

  #serve(): void {
    const reader = this.#reader;
    const header = this.#header;
    header.read(reader);
    if (header.type === MessageType.oneway) {
      // No method is oneway, and a oneway message may not be answered, not even with an error.
      this.#settings.log.warn({ method: header.nameIn(reader) }, 'a oneway message was dropped');
      return;
    }
    if (header.type !== MessageType.call) {
      throw new BaristaError('ERR_PROTOCOL', `a message of type ${header.type} where calls are expected`);
    }
    for (const method of this.#settings.methods) {
      if (!header.isNamed(reader, method.name)) continue;
      this.#callsOpen++;
      method.serve(reader, header.sequenceId, this);
      return;
    }
    const error = new BaristaError('ERR_UNKNOWN_METHOD', `there is no method "${header.nameIn(reader)}"`);
    this.#writeException(header.methodIn(reader), header.sequenceId, error);
  }

  /** Says what was wrong with bytes after which nothing can be told apart, and ends the connection. */
  #refuse(error: BaristaError): void {
    this.#settings.log.warn({ code: error.code, peer: this.#socket.remoteAddress ?? null }, error.message);
    this.#writeException(new Uint8Array(), 0, error);
    this.#outbound.flush();
    this.#end();
  }

  #writeException(name: Uint8Array, sequenceId: number, error: BaristaError): void {
    const { writer } = this.#outbound;
    writer.begin(messageHead(MessageType.exception, name), sequenceId);
    applicationException.write(writer, error);
    writer.end();
  }

  /** Ends our side, and the connection soon after. Reading on until then keeps our last word from being reset away. */
  #end(): void {
    this.#ended = true;
    this.#watchStall(false);
    this.#socket.resume();
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS_MAX).unref();
  }
}
