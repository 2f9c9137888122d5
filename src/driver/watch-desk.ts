import { BaristaError } from '../base/errors.js';
import type { ClientId } from '../base/ids.js';
import { type Done, fail } from '../base/outcome.js';
import type { Cancel, Clock, Timers } from '../base/time.js';
import type { Refused } from '../bayou/messages.js';
import type { Replica } from '../bayou/replica.js';
import type { WatchCursor, WatchReply, WatchRequest } from '../bayou/watch-messages.js';
import type { KvOperation } from '../machine/kv.js';
import type { FlushGate } from './flush-gate.js';
import { outcomeOf } from './outcome-of.js';
import type { DriverSettings } from './settings.js';
import { Soon } from './soon.js';

type Core = Replica<KvOperation, Uint8Array>;
type Reply = WatchReply<Uint8Array> | Refused;
type Answer = Done<WatchReply<Uint8Array>>;

/** A watch that was told of all there is, and waits for more. */
interface Wait {
  /** Its needs are met. */
  readonly request: WatchRequest;
  /** Where it stood when it asked. */
  readonly begun: WatchCursor;
  readonly done: Answer;
  readonly cancel: Cancel;
  /**
   * Where it stands, if something may have come since. Null: nothing has come, so that it stands where the replica does; then it
   * costs nothing, however much is written under other keys.
   */
  from: WatchCursor | null;
}

export interface WatchDeskParts {
  readonly timers: Timers;
  readonly clock: Clock;
  readonly gate: FlushGate;
  /** Why nothing can be read. */
  readonly outage: () => BaristaError | null;
  readonly settings: Pick<DriverSettings, 'watchesMax' | 'waitMsMax'>;
}

/**
 * Answers who watches keys: at once with what there is, else when something comes, or when the budget is spent. Watches that
 * wait are found by the prefixes of a key that changes, and looked at only then.
 */
export class WatchDesk {
  readonly #parts: WatchDeskParts;
  #core: Core;
  readonly #waiting = new Set<Wait>();
  readonly #named = new Map<ClientId, Wait>();
  /** Those for which something may have come. */
  readonly #due = new Set<Wait>();
  /** The others, by prefix; */
  readonly #idle = new Map<string, Set<Wait>>();
  /** and how many of these prefixes there are of each length. */
  readonly #lengths = new Map<number, number>();
  readonly #lookSoon: Soon;

  constructor(core: Core, parts: WatchDeskParts) {
    this.#parts = parts;
    this.#core = core;
    this.#lookSoon = new Soon(parts.timers, () => this.#look());
    this.open(core);
  }

  /** Goes on over another core, which may hold less than the one before: nobody stands where that one had brought him. */
  open(core: Core): void {
    this.#core = core;
    core.reader.observe((key) => this.#changing(key));
    this.#idle.clear();
    this.#lengths.clear();
    for (const wait of this.#waiting) this.#wake(wait, wait.begun);
    this.changed();
  }

  watch(request: WatchRequest, done: Answer): void {
    const { outage, gate, settings } = this.#parts;
    const earlier = request.name === null ? undefined : this.#named.get(request.name);
    if (earlier !== undefined) this.#end(earlier);
    const refusal = outage() ?? gate.overload();
    if (refusal !== null) return done(fail(refusal));
    const { from } = request;
    const reply = this.#core.reader.watch(request, this.#parts.clock.now());
    if (request.budgetMs === 0 || from.kind !== 'cursor' || !isAtEnd(reply)) return this.#answer(done, reply);
    if (this.#waiting.size >= settings.watchesMax) {
      return done(fail(new BaristaError('ERR_OVERLOADED', `${settings.watchesMax} watches already wait`)));
    }
    this.#wait({ ...request, needs: null }, this.#core.reader.watches.narrowed(from.cursor), done);
  }

  /** Something may have come that can be told. */
  changed(): void {
    if (this.#due.size > 0) this.#lookSoon.ask();
  }

  /** Answers all that wait with what is so now, and lets go of every timer. */
  close(): void {
    for (const wait of [...this.#waiting]) this.#end(wait);
  }

  #wait(request: WatchRequest, begun: WatchCursor, done: Answer): void {
    const { timers, settings } = this.#parts;
    const { name, budgetMs } = request;
    const wait: Wait = {
      request,
      begun,
      done,
      cancel: timers.after(Math.min(budgetMs, settings.waitMsMax), () => this.#end(wait)),
      from: null,
    };
    this.#waiting.add(wait);
    if (name !== null) this.#named.set(name, wait);
    // What a transfer has brought already is told once it is claimed.
    if (this.#core.reader.watches.hasUnclaimed) this.#wake(wait, begun);
    else this.#rest(wait);
  }

  #wake(wait: Wait, from: WatchCursor): void {
    wait.from = from;
    this.#due.add(wait);
  }

  /** Nothing has come for the watch that it was not told of. */
  #rest(wait: Wait): void {
    const { prefix } = wait.request;
    wait.from = null;
    this.#due.delete(wait);
    const waits = this.#idle.get(prefix);
    if (waits !== undefined) waits.add(wait);
    else {
      this.#idle.set(prefix, new Set([wait]));
      this.#lengths.set(prefix.length, (this.#lengths.get(prefix.length) ?? 0) + 1);
    }
  }

  #forgetIdle(prefix: string): void {
    if (!this.#idle.delete(prefix)) return;
    const left = (this.#lengths.get(prefix.length) ?? 1) - 1;
    if (left === 0) this.#lengths.delete(prefix.length);
    else this.#lengths.set(prefix.length, left);
  }

  /** The key is about to change: those that it is for stand where the replica does as yet. */
  #changing(key: string): void {
    let standing: WatchCursor | null = null;
    for (const length of this.#lengths.keys()) {
      if (length > key.length) continue;
      const prefix = key.slice(0, length);
      const waits = this.#idle.get(prefix);
      if (waits === undefined) continue;
      standing ??= this.#core.reader.watches.standing;
      for (const wait of waits) this.#wake(wait, standing);
      this.#forgetIdle(prefix);
    }
  }

  #look(): void {
    if (this.#parts.outage() !== null) return;
    const cuts = new Cuts(this.#core, this.#parts.clock.now());
    const { hasUnclaimed } = this.#core.reader.watches;
    for (const wait of [...this.#due]) {
      const { reply, isShared } = this.#reply(wait, cuts);
      if (!isAtEnd(reply)) this.#release(wait, reply, isShared);
      else if (hasUnclaimed) wait.from = reply.cursor;
      else this.#rest(wait);
    }
  }

  /** Answers with what is so now. */
  #end(wait: Wait): void {
    const { reply } = this.#reply(wait, new Cuts(this.#core, this.#parts.clock.now()));
    this.#release(wait, reply);
  }

  #reply({ from, request }: Wait, cuts: Cuts): Cut {
    if (from !== null && this.#parts.outage() === null) return cuts.next(request, from);
    return { reply: this.#core.reader.watches.upToDate(), isShared: false };
  }

  #release(wait: Wait, reply: Reply, isShared = false): void {
    const { prefix, name } = wait.request;
    wait.cancel();
    this.#waiting.delete(wait);
    this.#due.delete(wait);
    const idle = this.#idle.get(prefix);
    if (idle?.delete(wait) === true && idle.size === 0) this.#forgetIdle(prefix);
    if (name !== null && this.#named.get(name) === wait) this.#named.delete(name);
    this.#answer(wait.done, reply, isShared);
  }

  /** `isShared`: others hold what is in it as well. */
  #answer(done: Answer, reply: Reply, isShared = false): void {
    const outage = this.#parts.outage();
    if (outage !== null) return done(fail(outage));
    // What others wrote is durable with them.
    this.#parts.gate.answer(
      done,
      outcomeOf<WatchReply<Uint8Array>>(reply),
      'own writes',
      isShared ? 0 : bytesOf(reply),
    );
  }
}

interface Cut {
  readonly reply: Reply;
  /** True if another watch has the same reply. */
  readonly isShared: boolean;
}

/** Cuts of one state: watches that stand alike, and ask for the same, share one. */
class Cuts {
  readonly #core: Core;
  readonly #now: number;
  /** The last one for each prefix. */
  readonly #made = new Map<string, { readonly of: WatchCursor; readonly changesMax: number; readonly reply: Reply }>();

  constructor(core: Core, now: number) {
    this.#core = core;
    this.#now = now;
  }

  next(request: WatchRequest, of: WatchCursor): Cut {
    const { prefix, changesMax } = request;
    const made = this.#made.get(prefix);
    if (made?.changesMax === changesMax && isAlike(made.of, of)) return { reply: made.reply, isShared: true };
    const reply = this.#core.reader.watch({ ...request, from: { kind: 'cursor', cursor: of } }, this.#now);
    this.#made.set(prefix, { of, changesMax, reply });
    return { reply, isShared: false };
  }
}

function isAlike(a: WatchCursor, b: WatchCursor): boolean {
  if (a === b) return true;
  return a.store === null && b.store === null && a.told.equals(b.told) && a.target.equals(b.target);
}

/** True if nothing came, and nothing is left. */
function isAtEnd(reply: Reply): reply is Extract<Reply, { kind: 'changes' }> {
  return reply.kind === 'changes' && reply.changes.length === 0 && !reply.more;
}

function bytesOf(reply: Reply): number {
  if (reply.kind !== 'changes') return 0;
  return reply.changes.reduce((sum, { value, lost }) => sum + (value?.length ?? 0) + (lost?.length ?? 0), 0);
}
