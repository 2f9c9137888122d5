import type { Socket } from 'node:net';
import type { Random } from '../../src/base/random.js';
import { FramePosition } from './frame-position.js';

/** What a link does to the bytes of one direction. */
export interface Conditions {
  readonly delayMs: number;
  /** Null: as many as come. */
  readonly bytesPerSecond: number | null;
  /** True: takes the bytes and passes nothing on, as half of a link does that has lost the other. */
  readonly swallows: boolean;
  /** `split`: in pieces of a few bytes; `coalesce`: what comes within a moment in one piece. */
  readonly chunks: 'as they come' | 'split' | 'coalesce';
  /** True: the next bytes break off in the middle of a frame, and the connection with them. */
  readonly cutsInFrame: boolean;
}

export const CLEAR: Conditions = {
  delayMs: 0,
  bytesPerSecond: null,
  swallows: false,
  chunks: 'as they come',
  cutsInFrame: false,
};

/** A byte that has waited for so long does not arrive any more: the connection is cut. So nothing is taken very late. */
const AGE_MS_MAX = 1_500;
/** Beyond this no more is read, and the sender's own buffers fill. */
const QUEUED_BYTES_MAX = 256 * 1024;
const TICK_MS = 10;
const SPLIT_BYTES_MAX = 40;
/** A larger piece is not split finely, or it would take all the time there is. */
const SPLIT_TOTAL_MAX = 4 * 1024;
const COALESCE_MS = 25;

export interface PipeEvents {
  /** The connection is to end at once. */
  cut(): void;
  /** A frame was cut in its middle. */
  cutInFrame(): void;
}

/** One direction of a connection through the proxy. */
export class Pipe {
  /** True once it took bytes that it never passed on: what follows could not be understood any more. */
  hasSwallowed = false;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #conditions: () => Conditions;
  readonly #random: Random;
  readonly #events: PipeEvents;
  readonly #position = new FramePosition();
  readonly #queue: { bytes: Buffer; readonly cameAt: number; readonly dueAt: number }[] = [];
  #queuedBytes = 0;
  #credit = 0;
  #creditAt = performance.now();
  #timer: NodeJS.Timeout | null = null;
  #draining = false;
  #over = false;

  constructor(from: Socket, to: Socket, conditions: () => Conditions, random: Random, events: PipeEvents) {
    this.#from = from;
    this.#to = to;
    this.#conditions = conditions;
    this.#random = random;
    this.#events = events;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
  }

  close(): void {
    this.#over = true;
    this.#queue.length = 0;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #take(bytes: Buffer): void {
    const { swallows, delayMs, chunks } = this.#conditions();
    if (this.#over) return;
    if (swallows || this.hasSwallowed) {
      this.hasSwallowed = true;
      return;
    }
    const now = performance.now();
    const dueAt = now + delayMs + (chunks === 'coalesce' ? COALESCE_MS : 0);
    this.#queue.push({ bytes, cameAt: now, dueAt });
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > QUEUED_BYTES_MAX) this.#from.pause();
    this.#pump();
  }

  #pump(): void {
    while (!this.#over && !this.#draining) {
      const head = this.#queue[0];
      if (head === undefined) return;
      const now = performance.now();
      if (now - head.cameAt > AGE_MS_MAX) return this.#events.cut();
      const allowed = head.dueAt > now ? 0 : this.#allowed(now);
      if (allowed === 0) return this.#later(Math.min(Math.max(head.dueAt - now, TICK_MS), AGE_MS_MAX));
      const piece = this.#piece(allowed, now);
      if (this.#conditions().cutsInFrame && this.#cutIn(piece)) return;
      this.#position.pass(piece);
      this.#write(piece);
      if (this.#queue.length > 0 && this.#conditions().chunks === 'split') return this.#later(0);
    }
  }

  /** Takes from the queue what goes in one piece. */
  #piece(allowed: number, now: number): Buffer {
    const { chunks } = this.#conditions();
    let limit = allowed;
    if (chunks === 'split' && this.#queuedBytes <= SPLIT_TOTAL_MAX) {
      limit = Math.min(limit, 1 + this.#random.below(SPLIT_BYTES_MAX));
    }
    const taken: Buffer[] = [];
    for (let head = this.#queue[0]; head !== undefined && limit > 0 && head.dueAt <= now; head = this.#queue[0]) {
      const part = head.bytes.subarray(0, limit);
      taken.push(part);
      limit -= part.length;
      if (part.length < head.bytes.length) head.bytes = head.bytes.subarray(part.length);
      else this.#queue.shift();
      if (chunks !== 'coalesce') break;
    }
    const piece = taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken);
    this.#queuedBytes -= piece.length;
    this.#credit -= piece.length;
    if (this.#queuedBytes <= QUEUED_BYTES_MAX && this.#from.isPaused()) this.#from.resume();
    return piece;
  }

  #cutIn(piece: Buffer): boolean {
    const length = this.#position.cutWithin(piece, this.#random.below(piece.length));
    if (length === null) return false;
    this.#over = true;
    this.#events.cutInFrame();
    // What came before the cut arrives.
    if (length === 0) this.#events.cut();
    else this.#to.write(piece.subarray(0, length), () => this.#events.cut());
    return true;
  }

  #write(piece: Buffer): void {
    if (this.#to.write(piece)) return;
    this.#draining = true;
    this.#to.once('drain', () => {
      this.#draining = false;
      this.#pump();
    });
  }

  #allowed(now: number): number {
    const { bytesPerSecond } = this.#conditions();
    if (bytesPerSecond === null) return Number.MAX_SAFE_INTEGER;
    const earned = ((now - this.#creditAt) / 1_000) * bytesPerSecond;
    this.#creditAt = now;
    this.#credit = Math.min(Math.max(this.#credit, -bytesPerSecond) + earned, bytesPerSecond / 4);
    return Math.max(Math.floor(this.#credit), 0);
  }

  #later(ms: number): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#pump();
    }, ms);
  }
}
