import { BaristaError } from '../base/errors.js';
import {
  type Change as CoreChange,
  cursorBehind,
  type WatchCursor,
  type WatchFrom,
  type WatchReply,
} from '../bayou/watch-messages.js';
import { WATCH_SLICE_MS } from './limits.js';
import type { Change, Watch } from './session.js';
import { encodeWatchCursor } from './watch-cursor.js';

type Reply = WatchReply<Uint8Array>;

export interface WatchSteps<V> {
  /** Asks for what comes next; the answer may wait for so long. Rejects when the signal fires. */
  ask(from: WatchFrom, budgetMs: number, signal: AbortSignal): Promise<Reply>;
  /** The change as the program gets it; it has then been read. */
  read(change: CoreChange<Uint8Array>): Change<V>;
  /** Has the replica forget a request that still waits there. Nobody waits for that. */
  forget(from: WatchFrom): void;
}

export interface WatchScope {
  readonly cluster: string;
  readonly prefix: string;
  readonly signal: AbortSignal | undefined;
}

/** A watch: asks, gives one change after the other, and asks again when the last one was taken. */
export class SessionWatch<V> implements Watch<V> {
  readonly #steps: WatchSteps<V>;
  readonly #scope: WatchScope;
  readonly #beginning: Promise<void>;
  /** Where it stands, behind the change that was given last. */
  #position: WatchCursor | null;
  /** Aborts what is under way. One for all requests: they are dear. */
  readonly #ending = new AbortController();
  #isClosed = false;
  #isIterated = false;

  /** Asks at once where it begins, unless that is a cursor. */
  constructor(steps: WatchSteps<V>, from: WatchFrom, scope: WatchScope) {
    this.#steps = steps;
    this.#scope = scope;
    this.#position = from.kind === 'cursor' ? from.cursor : null;
    this.#beginning = from.kind === 'cursor' ? Promise.resolve() : this.#begin(from);
    // It is told to who goes through the changes.
    this.#beginning.catch(() => undefined);
  }

  get cursor(): string | null {
    return this.#position === null ? null : encodeWatchCursor(this.#position, this.#scope);
  }

  begun(): Promise<void> {
    return this.#beginning;
  }

  close(): void {
    this.#isClosed = true;
    this.#ending.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Change<V>, undefined> {
    if (this.#isIterated) {
      throw new BaristaError('ERR_OPTION', 'a watch is gone through once: begin another from its cursor');
    }
    this.#isIterated = true;
    try {
      await this.#beginning;
      while (!this.#isClosed) {
        const position = this.#position as WatchCursor;
        const { changes, cursor } = await this.#ask({ kind: 'cursor', cursor: position }, WATCH_SLICE_MS);
        let before = position;
        for (const [i, change] of changes.entries()) {
          const given = this.#steps.read(change);
          before = cursorBehind(before, cursor, change, changes[i + 1]);
          this.#position = before;
          yield given;
          if (this.#isClosed) return undefined;
        }
        this.#position = cursor;
      }
    } catch (thrown) {
      if (!this.#isClosed) throw thrown;
    }
    return undefined;
  }

  async #begin(from: WatchFrom): Promise<void> {
    const { cursor } = await this.#ask(from, 0);
    this.#position = cursor;
  }

  async #ask(from: WatchFrom, budgetMs: number): Promise<Extract<Reply, { kind: 'changes' }>> {
    const { signal } = this.#scope;
    const ending = this.#ending;
    const abort = (): void => ending.abort(signal?.reason);
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort);
    try {
      const reply = await this.#steps.ask(from, budgetMs, ending.signal);
      if (reply.kind === 'changes') return reply;
      throw new BaristaError('ERR_DEP', `the watch cannot go on: no replica that answered holds ${reply.missing}`);
    } finally {
      signal?.removeEventListener('abort', abort);
      if (ending.signal.aborted && budgetMs > 0) this.#steps.forget(from);
    }
  }
}
