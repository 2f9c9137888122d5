import { BaristaError } from '../base/errors.js';
import {
  type ConflictCursor,
  type ConflictsFrom,
  type ConflictsReply,
  type Conflict as CoreConflict,
  cursorBehindLoser,
} from '../bayou/conflict-messages.js';
import type { KvOperation } from '../machine/kv.js';
import { encodeConflictCursor } from './conflict-cursor.js';
import type { CursorScope } from './position-bytes.js';
import type { Conflicts, Loss } from './session.js';

type Reply = ConflictsReply<KvOperation>;

export interface ConflictSteps<V> {
  /** Asks for what comes next. */
  ask(from: ConflictsFrom): Promise<Reply>;
  /** The conflict as the program gets it; it has then been read. */
  read(conflict: CoreConflict<KvOperation>): Loss<V>;
}

/** Goes through the conflicts that there are: asks, gives one after the other, and asks again when the last one was taken. */
export class SessionConflicts<V> implements Conflicts<V> {
  readonly #steps: ConflictSteps<V>;
  readonly #scope: CursorScope;
  readonly #from: ConflictsFrom;
  /** Behind the conflict that was given last. */
  #position: ConflictCursor | null;
  #isIterated = false;

  constructor(steps: ConflictSteps<V>, from: ConflictsFrom, scope: CursorScope) {
    this.#steps = steps;
    this.#scope = scope;
    this.#from = from;
    this.#position = from.kind === 'cursor' ? from.cursor : null;
  }

  get cursor(): string | null {
    return this.#position === null ? null : encodeConflictCursor(this.#position, this.#scope);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Loss<V>, undefined> {
    if (this.#isIterated) {
      throw new BaristaError('ERR_OPTION', 'conflicts are gone through once: ask again since their cursor');
    }
    this.#isIterated = true;
    this.#position ??= (await this.#ask(this.#from)).cursor;
    for (let more = true; more; ) {
      const before: ConflictCursor = this.#position;
      const reply = await this.#ask({ kind: 'cursor', cursor: before });
      for (const conflict of reply.conflicts) {
        const given = this.#steps.read(conflict);
        this.#position = cursorBehindLoser(before, reply.cursor, conflict.lost.stamp);
        yield given;
      }
      this.#position = reply.cursor;
      more = reply.more;
    }
    return undefined;
  }

  async #ask(from: ConflictsFrom): Promise<Extract<Reply, { kind: 'conflicts' }>> {
    const reply = await this.#steps.ask(from);
    if (reply.kind === 'conflicts') return reply;
    throw new BaristaError('ERR_DEP', `no replica that answered holds what is needed: ${reply.missing}`);
  }
}
