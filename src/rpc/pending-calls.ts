import type { BaristaError } from '../base/errors.js';
import { type Done, fail, type Outcome } from '../base/outcome.js';
import type { BinaryReader } from './binary-reader.js';
import { malformed } from './field-error.js';
import type { MessageHeader } from './message-header.js';
import type { Method } from './services.js';

/** A call that waits for its reply. */
export interface PendingCall<Reply> {
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
  readonly timeoutMs: number;
  readonly methodName: string;
  /** Reads the reply that `header` begins. */
  decode(header: MessageHeader, reader: BinaryReader): Outcome<Reply>;
  settle(outcome: Outcome<Reply>): void;
}

export function pendingCall<Request, Reply>(
  method: Method<Request, Reply>,
  timeoutMs: number,
  done: Done<Reply>,
): PendingCall<Reply> {
  return new Call(method, timeoutMs, done);
}

class Call<Request, Reply> implements PendingCall<Reply> {
  readonly deadline: number;
  readonly timeoutMs: number;
  readonly #method: Method<Request, Reply>;
  readonly #done: Done<Reply>;

  constructor(method: Method<Request, Reply>, timeoutMs: number, done: Done<Reply>) {
    this.#method = method;
    this.#done = done;
    this.timeoutMs = timeoutMs;
    this.deadline = performance.now() + timeoutMs;
  }

  get methodName(): string {
    return this.#method.name;
  }

  decode(header: MessageHeader, reader: BinaryReader): Outcome<Reply> {
    if (!header.isNamed(reader, this.#method.replyName)) throw malformed('the reply to another method');
    const outcome = this.#method.result.read(reader);
    if (reader.remaining > 0) throw malformed(`${reader.remaining} bytes after the end of the reply`);
    return outcome;
  }

  settle(outcome: Outcome<Reply>): void {
    this.#done(outcome);
  }
}

/**
 * The calls in flight on one connection, by sequence id. One timer stands for all: set to the earliest deadline, left
 * alone when calls are answered, so that a call that is answered in time touches no timer.
 */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall<unknown>>();
  readonly #onTimeouts: (calls: readonly PendingCall<unknown>[]) => void;
  #timer: NodeJS.Timeout | null = null;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(onTimeouts: (calls: readonly PendingCall<unknown>[]) => void) {
    this.#onTimeouts = onTimeouts;
  }

  get size(): number {
    return this.#calls.size;
  }

  add(sequenceId: number, call: PendingCall<unknown>): void {
    this.#calls.set(sequenceId, call);
    if (call.deadline < this.#timerAt) this.#arm(call.deadline);
  }

  take(sequenceId: number): PendingCall<unknown> | undefined {
    const call = this.#calls.get(sequenceId);
    if (call !== undefined) this.#calls.delete(sequenceId);
    return call;
  }

  failAll(error: BaristaError): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#disarm();
    for (const call of calls) call.settle(fail(error));
  }

  #arm(deadline: number): void {
    this.#disarm();
    this.#timerAt = deadline;
    const delayMs = Math.min(Math.ceil(deadline - performance.now()), 0x7fff_ffff);
    // What keeps the process alive while a call waits is its socket.
    this.#timer = setTimeout(() => this.#expire(), Math.max(delayMs, 1)).unref();
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #expire(): void {
    this.#disarm();
    const now = performance.now();
    const expired: PendingCall<unknown>[] = [];
    let earliest = Number.POSITIVE_INFINITY;
    for (const [sequenceId, call] of this.#calls) {
      if (call.deadline <= now) {
        this.#calls.delete(sequenceId);
        expired.push(call);
      } else if (call.deadline < earliest) earliest = call.deadline;
    }
    if (earliest < Number.POSITIVE_INFINITY) this.#arm(earliest);
    if (expired.length > 0) this.#onTimeouts(expired);
  }
}
