import type { ClientId } from '../base/ids.js';
import { countBefore } from '../base/search.js';
import type { Folding, StateMachine } from '../base/state-machine.js';
import { VersionVector } from './version-vector.js';
import { type AcceptStamp, nameOperation, nameStamp, type StampOrder, type Write } from './write.js';

/*
 * A key's history: its live writes in the log, ascending in the total order; before them stands the key's base, what the
 * writes come to that were folded and left the log. The store is the fold of each key's base and history, so all that a
 * late write can change is found here, and its cost is that of the live writes on its key.
 */

/** What the rules for one key need to know. */
export interface KeyRules<Op, Value> {
  readonly machine: StateMachine<Op, Value>;
  /** For how much accept time after an operation took effect a repeat of it takes none. */
  readonly retryWindow: number;
}

/** Where `stamp` stands, or would stand, in `history`. */
export function positionOf<Op>(history: readonly Write<Op>[], stamp: AcceptStamp, order: StampOrder): number {
  return countBefore(history.length, (at) => order(history[at] as AcceptStamp, stamp) < 0);
}

/**
 * True if `later` takes no effect behind `earlier`, a write of the same client on the same key that does. A retry that two
 * replicas accepted carries one (client, clientTime) and takes effect at its lowest stamp. That first one may have been
 * pruned since, but only behind a later blind write of the same client on the same key: so a blind one also yields to those,
 * and a replica that has seen the first and one that never will agree.
 *
 * What was accepted anew yields to no first stamp. Blind, it takes effect again, and that is all that shows; another one
 * must count once, and so yields to what was accepted anew before it.
 *
 * Only within the retry window: so what is older than that may be forgotten, and all replicas still agree.
 */
export function yieldsTo<Op, Value>(later: Write<Op>, earlier: Write<Op>, rules: KeyRules<Op, Value>): boolean {
  if (later.acceptTime - earlier.acceptTime >= rules.retryWindow) return false;
  const { isBlind } = rules.machine;
  if (earlier.clientTime !== later.clientTime) {
    return earlier.clientTime > later.clientTime && isBlind(later.operation) && isBlind(earlier.operation);
  }
  return later.resubmitted !== true || (earlier.resubmitted === true && !isBlind(later.operation));
}

/**
 * True if `write`, which is not blind, takes no effect since `later`, the same operation accepted anew, stands after it within
 * the retry window. A first stamp that some replicas have and others never will must not count there.
 */
function isTakenAnew<Op, Value>(
  write: Write<Op>,
  later: Write<Op>,
  { machine, retryWindow }: KeyRules<Op, Value>,
): boolean {
  return (
    write.resubmitted !== true &&
    later.acceptTime > write.acceptTime &&
    later.acceptTime - write.acceptTime < retryWindow &&
    !machine.isBlind(write.operation)
  );
}

/** Which of some writes on one key take effect. */
export class Effects<Op, Value> {
  readonly #rules: KeyRules<Op, Value>;
  /** By name, the writes that are operations accepted anew. */
  readonly #anew = new Map<string, Write<Op>[]>();
  /** By client, its writes that took effect so far, and the highest of their client times. */
  readonly #clients = new Map<ClientId, { highest: number; readonly effective: Write<Op>[] }>();

  /** `history`: all that may bear on them, in order. */
  constructor(history: readonly Write<Op>[], rules: KeyRules<Op, Value>) {
    this.#rules = rules;
    for (const write of history) {
      if (write.resubmitted !== true) continue;
      const copies = this.#anew.get(nameOperation(write));
      if (copies === undefined) this.#anew.set(nameOperation(write), [write]);
      else copies.push(write);
    }
  }

  /** True if the write takes effect. Asked of each in order, from the first. */
  take(write: Write<Op>): boolean {
    return !this.#isTakenAnew(write) && this.#isFirst(write);
  }

  #isTakenAnew(write: Write<Op>): boolean {
    if (this.#anew.size === 0) return false;
    return this.#anew.get(nameOperation(write))?.some((later) => isTakenAnew(write, later, this.#rules)) === true;
  }

  /** True if it yields to none before it. */
  #isFirst(write: Write<Op>): boolean {
    const client = this.#clients.get(write.client);
    if (client === undefined) {
      this.#clients.set(write.client, { highest: write.clientTime, effective: [write] });
      return true;
    }
    const { highest, effective } = client;
    // It yields to none of them if its client time is past theirs.
    if (write.clientTime <= highest) {
      for (let i = effective.length - 1; i >= 0; i--) {
        const earlier = effective[i] as Write<Op>;
        if (write.acceptTime - earlier.acceptTime >= this.#rules.retryWindow) break;
        if (yieldsTo(write, earlier, this.#rules)) return false;
      }
    }
    client.highest = Math.max(highest, write.clientTime);
    effective.push(write);
    return true;
  }
}

/** True if the write at `position` takes no effect: it yields to one before it, or was accepted anew after it. */
export function isSuperseded<Op, Value>(
  history: readonly Write<Op>[],
  position: number,
  rules: KeyRules<Op, Value>,
): boolean {
  const write = history[position] as Write<Op>;
  if (!history.some((other) => other !== write && other.client === write.client)) return false;
  const own = history.filter(({ client }) => client === write.client);
  const effects = new Effects(own, rules);
  for (const other of own) {
    const isEffective = effects.take(other);
    if (other === write) return !isEffective;
  }
  return false;
}

export interface Folded<Op, Value> {
  readonly kind: 'value';
  readonly value: Value;
  /** The last write that changed the value. */
  readonly last: Write<Op>;
  /** From this accept time on the key is absent; null if the value stays. */
  readonly expires: number | null;
  /** Of each origin, the last write that the value rests on; null if that is `last` alone. */
  readonly basis: VersionVector | null;
}

/** True if it has expired by the accept time `asOf`. */
export function isOver({ expires }: Pick<Folded<never, unknown>, 'expires'>, asOf: number): boolean {
  return expires !== null && expires <= asOf;
}

/** What stands on the key this replica cannot tell, for want of what `lacks` names. */
export interface Unknown {
  readonly kind: 'unknown';
  readonly lacks: string;
}

/** That in words. */
export function lackingIs(key: string, { lacks }: Unknown): string {
  return `what is under ${JSON.stringify(key)} rests on the merge procedure ${lacks}, which this replica has not`;
}

/** The key's value, until it expires; null if the key is absent. Starts at the last blind write that takes effect. */
export function foldHistory<Op, Value>(
  base: Write<Op> | null,
  history: readonly Write<Op>[],
  rules: KeyRules<Op, Value>,
): Folded<Op, Value> | Unknown | null {
  const { machine } = rules;
  let first = history.length - 1;
  for (; first >= 0; first--) {
    const { operation } = history[first] as Write<Op>;
    if (machine.isBlind(operation) && !isSuperseded(history, first, rules)) break;
  }
  const start = first < 0 ? base : (history[first] as Write<Op>);
  if (start !== null && first === history.length - 1) return foldAlone(start, rules);
  const fold = new KeyFold(start === null ? null : startOf(start, rules), rules);
  if (first < history.length - 1) {
    const effects = new Effects(history, rules);
    for (const [i, write] of history.entries()) if (effects.take(write) && i > first) fold.take(write);
  }
  return fold.folded();
}

/** What the write comes to, before and after which nothing counts: most keys have one. */
function foldAlone<Op, Value>(write: Write<Op>, { machine }: KeyRules<Op, Value>): Folded<Op, Value> | Unknown | null {
  const folding = machine.begin(undefined);
  folding.apply(write.operation, write.acceptTime);
  const { lacks, expires } = folding;
  if (lacks !== null) return { kind: 'unknown', lacks };
  const value = folding.value();
  return value === undefined ? null : { kind: 'value', value, last: write, expires, basis: null };
}

/** Where a fold stands between two writes of a history. */
export interface FoldPoint<Op, Value> {
  readonly value: Value | undefined;
  readonly expires: number | null;
  /** Null before the first. */
  readonly last: Write<Op> | null;
  /** What the value rests on. */
  readonly basis: VersionVector;
  /** True if that is more than `last`. */
  readonly isMixed: boolean;
}

/** Just after `write`, before which nothing counts. */
export function startOf<Op, Value>(write: Write<Op>, { machine }: KeyRules<Op, Value>): FoldPoint<Op, Value> {
  const folding = machine.begin(undefined);
  folding.apply(write.operation, write.acceptTime);
  const basis = new VersionVector([[write.origin, write.acceptTime]]);
  return { value: folding.value(), expires: folding.expires, last: write, basis, isMixed: false };
}

/** Folds the writes on one key that take effect, from a point on. */
export class KeyFold<Op, Value> {
  readonly #folding: Folding<Op, Value>;
  readonly #basis: VersionVector;
  #last: Write<Op> | null;
  #isMixed: boolean;

  /** `from`: null for the beginning. */
  constructor(from: FoldPoint<Op, Value> | null, { machine }: KeyRules<Op, Value>) {
    this.#folding = machine.begin(from?.value, from?.expires);
    this.#basis = from?.basis.clone() ?? new VersionVector();
    this.#last = from?.last ?? null;
    this.#isMixed = from?.isMixed ?? false;
  }

  /** The next write that is not superseded. True if it changed the value. */
  take(write: Write<Op>): boolean {
    const hasChanged = this.#folding.apply(write.operation, write.acceptTime);
    this.#isMixed ||= this.#basis.size > 0;
    this.#basis.raise(write.origin, write.acceptTime);
    if (hasChanged) this.#last = write;
    return hasChanged;
  }

  point(): FoldPoint<Op, Value> {
    const { expires } = this.#folding;
    return {
      value: this.#folding.value(),
      expires,
      last: this.#last,
      basis: this.#basis.clone(),
      isMixed: this.#isMixed,
    };
  }

  /** What the folding would take to go on; null if it can. */
  get lacks(): string | null {
    return this.#folding.lacks;
  }

  folded(): Folded<Op, Value> | Unknown | null {
    const { lacks, expires } = this.#folding;
    if (lacks !== null) return { kind: 'unknown', lacks };
    const value = this.#folding.value();
    if (value === undefined || this.#last === null) return null;
    return { kind: 'value', value, last: this.#last, expires, basis: this.#isMixed ? this.#basis : null };
  }
}

/**
 * Those of `writes` in `history` that are worth accepting anew: one that is not blind counts each time, so only where it
 * takes effect.
 */
export function worthAnew<Op, Value>(
  writes: readonly Write<Op>[],
  history: readonly Write<Op>[],
  rules: KeyRules<Op, Value>,
): readonly Write<Op>[] {
  if (writes.every(({ operation }) => rules.machine.isBlind(operation))) return writes;
  const effects = new Effects(history, rules);
  // By name: what a run shows of a write may be another copy of it.
  const effective = new Set(history.filter((write) => effects.take(write)).map(nameStamp));
  return writes.filter((write) => rules.machine.isBlind(write.operation) || effective.has(nameStamp(write)));
}
