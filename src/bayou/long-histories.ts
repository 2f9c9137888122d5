import type { ClientId } from '../base/ids.js';
import {
  Effects,
  type Folded,
  type FoldPoint,
  foldHistory,
  isSuperseded,
  KeyFold,
  type KeyRules,
  startOf,
  type Unknown,
} from './key-history.js';
import type { KeyEntry, ReplicaStorage } from './ports.js';
import { hasSameStamp, type Write } from './write.js';

/** From so many writes on a history is long: below, to fold it whole costs less than to keep anything of it. */
const LONG_MIN = 64;
/** How far the last mark is from the one before; each further one is twice as far. */
const MARK_GAP = 64;
/** About what all that is kept takes at most. What is used least is let go first. */
const KEPT_BYTES_MAX = 128 * 1024 * 1024;
/** About what is kept for each write, and for each mark beside its value. */
const WRITE_BYTES = 100;
const MARK_BYTES = 200;

/** The value before the write at `position`. */
interface Mark<Op, Value> {
  readonly position: number;
  readonly point: FoldPoint<Op, Value>;
  readonly bytes: number;
}

/** What is kept of one long history. */
interface Kept<Op, Value> {
  /** By client and client time: the writes of that name, in order. */
  readonly names: Map<ClientId, Map<number, readonly Write<Op>[]>>;
  /** By client, the highest client time that it ever had here. */
  readonly highest: Map<ClientId, number>;
  /** How many writes are blind. */
  blinds: number;
  writes: number;
  /** Ascending. */
  marks: Mark<Op, Value>[];
  bytes: number;
}

/**
 * Keeps of long histories what makes it cheap to read them and to recognise a repeat: the writes by their names, and the
 * values that they come to at a few places, the closer together the nearer to the end, where most writes come. So a read
 * costs in proportion to what came since the last one, or how far from the end it came; and is always what the whole history
 * folds to. Bounded, in memory, and made anew when it is asked for.
 */
export class LongHistories<Op, Value> {
  readonly #storage: Pick<ReplicaStorage<Op>, 'history' | 'base'>;
  readonly #rules: KeyRules<Op, Value>;
  /** The one used last is the last. */
  readonly #kept = new Map<string, Kept<Op, Value>>();
  #bytes = 0;

  constructor(storage: Pick<ReplicaStorage<Op>, 'history' | 'base'>, rules: KeyRules<Op, Value>) {
    this.#storage = storage;
    this.#rules = rules;
  }

  read(key: string): Folded<Op, Value> | Unknown | null {
    const kept = this.#of(key);
    if (kept === null) return foldHistory(this.#storage.base(key), this.#storage.history(key), this.#rules);
    return this.#read(key, kept);
  }

  /** The same, where it is known what is under the key. */
  readEntry(key: string, { base, history }: KeyEntry<Op>): Folded<Op, Value> | Unknown | null {
    return history.length < LONG_MIN ? foldHistory(base, history, this.#rules) : this.read(key);
  }

  /** The client's writes on the key under that client time, in order; `isPast`: it may have some under a later one. */
  named(
    key: string,
    client: ClientId,
    clientTime: number,
  ): { readonly writes: readonly Write<Op>[]; readonly isPast: boolean } {
    const kept = this.#of(key);
    if (kept !== null) {
      const writes = kept.names.get(client)?.get(clientTime) ?? [];
      return { writes, isPast: (kept.highest.get(client) ?? 0) > clientTime };
    }
    let writes: readonly Write<Op>[] = [];
    let isPast = false;
    for (const write of this.#storage.history(key)) {
      if (write.client !== client) continue;
      if (write.clientTime === clientTime) writes = [...writes, write];
      else isPast ||= write.clientTime > clientTime;
    }
    return { writes, isPast };
  }

  /** False if no write on the key is blind, as far as that is known without looking at each. */
  mayHaveBlind(key: string): boolean {
    return this.#kept.get(key)?.blinds !== 0;
  }

  /** The write now stands at `position`. */
  inserted(write: Write<Op>, position: number): void {
    const kept = this.#kept.get(write.key);
    if (kept === undefined) return;
    this.#name(kept, write, false);
    this.#weigh(kept, WRITE_BYTES);
    // What is accepted anew takes their effect from writes before it.
    this.#forgetMarks(kept, write.resubmitted === true ? 0 : position);
  }

  /** The write stood at `position`. */
  removed(write: Write<Op>, position: number): void {
    const kept = this.#kept.get(write.key);
    if (kept === undefined) return;
    const times = kept.names.get(write.client);
    const left = times?.get(write.clientTime)?.filter((other) => !hasSameStamp(other, write)) ?? [];
    if (left.length > 0) times?.set(write.clientTime, left);
    else times?.delete(write.clientTime);
    kept.writes -= 1;
    if (this.#rules.machine.isBlind(write.operation)) kept.blinds -= 1;
    this.#weigh(kept, -WRITE_BYTES);
    this.#forgetMarks(kept, write.resubmitted === true ? 0 : position);
    if (kept.writes === 0) this.#drop(write.key, kept);
  }

  /** The base of the key is another one. */
  based(key: string): void {
    const kept = this.#kept.get(key);
    if (kept !== undefined) this.#forgetMarks(kept, 0);
  }

  #of(key: string): Kept<Op, Value> | null {
    let kept = this.#kept.get(key);
    if (kept === undefined) {
      const history = this.#storage.history(key);
      if (history.length < LONG_MIN || history.length * WRITE_BYTES > KEPT_BYTES_MAX) return null;
      kept = { names: new Map(), highest: new Map(), blinds: 0, writes: 0, marks: [], bytes: 0 };
      for (const write of history) this.#name(kept, write, true);
      this.#weigh(kept, history.length * WRITE_BYTES);
    } else {
      this.#kept.delete(key);
    }
    this.#kept.set(key, kept);
    for (const [other, least] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES_MAX || other === key) break;
      this.#drop(other, least);
    }
    return kept;
  }

  /** `isLast`: it stands after all that were named. */
  #name(kept: Kept<Op, Value>, write: Write<Op>, isLast: boolean): void {
    const { client, clientTime } = write;
    let times = kept.names.get(client);
    if (times === undefined) {
      times = new Map();
      kept.names.set(client, times);
    }
    const copies = times.get(clientTime);
    // Of one name there are several only where it was sent again.
    if (copies === undefined) times.set(clientTime, [write]);
    else times.set(clientTime, isLast ? [...copies, write] : this.#inOrder(write.key, [...copies, write]));
    kept.highest.set(client, Math.max(kept.highest.get(client) ?? 0, clientTime));
    kept.writes += 1;
    if (this.#rules.machine.isBlind(write.operation)) kept.blinds += 1;
  }

  /** As they stand in the history, which has them all by now. */
  #inOrder(key: string, copies: readonly Write<Op>[]): readonly Write<Op>[] {
    return this.#storage.history(key).filter((write) => copies.some((copy) => hasSameStamp(copy, write)));
  }

  #read(key: string, kept: Kept<Op, Value>): Folded<Op, Value> | Unknown | null {
    const history = this.#storage.history(key);
    const mark = kept.marks.at(-1) ?? null;
    let from = mark?.position ?? 0;
    let point = mark?.point ?? null;
    const base = this.#storage.base(key);
    if (point === null && base !== null) point = startOf(base, this.#rules);
    const start = kept.blinds === 0 ? -1 : this.#lastBlind(history, from, kept);
    if (start >= 0) {
      point = startOf(history[start] as Write<Op>, this.#rules);
      from = start + 1;
    }
    const fold = new KeyFold(point, this.#rules);
    const places = placesOfMarks(from, history.length);
    for (let i = from; i < history.length; i++) {
      if (places.at(-1) === i) {
        places.pop();
        if (fold.lacks === null) this.#mark(kept, i, fold.point());
      }
      if (this.#takesEffect(history, i, kept)) fold.take(history[i] as Write<Op>);
    }
    if (history.length - from >= MARK_GAP && fold.lacks === null) this.#mark(kept, history.length, fold.point());
    return fold.folded();
  }

  /** Where the last blind write that takes effect stands, from `from` on; -1 if there is none. */
  #lastBlind(history: readonly Write<Op>[], from: number, kept: Kept<Op, Value>): number {
    for (let i = history.length - 1; i >= from; i--) {
      const { operation } = history[i] as Write<Op>;
      if (this.#rules.machine.isBlind(operation) && this.#takesEffect(history, i, kept)) return i;
    }
    return -1;
  }

  /** As `isSuperseded` has it, which is asked where its name alone does not tell. */
  #takesEffect(history: readonly Write<Op>[], position: number, kept: Kept<Op, Value>): boolean {
    const write = history[position] as Write<Op>;
    const copies = kept.names.get(write.client)?.get(write.clientTime) ?? [];
    const { isBlind } = this.#rules.machine;
    if (isBlind(write.operation)) {
      if (copies.length === 1 && write.clientTime >= (kept.highest.get(write.client) ?? 0)) return true;
      return !isSuperseded(history, position, this.#rules);
    }
    if (copies.length === 1) return true;
    // Only its like can keep it from taking effect, and theirs can keep those.
    if (copies.some(({ operation }) => isBlind(operation))) return !isSuperseded(history, position, this.#rules);
    const effects = new Effects(copies, this.#rules);
    for (const copy of copies) {
      const isEffective = effects.take(copy);
      if (hasSameStamp(copy, write)) return isEffective;
    }
    return false;
  }

  #mark(kept: Kept<Op, Value>, position: number, point: FoldPoint<Op, Value>): void {
    const bytes = MARK_BYTES + (point.value === undefined ? 0 : this.#rules.machine.sizeOfValue(point.value));
    const marks = [...kept.marks, { position, point, bytes }];
    // The further from the end, the further apart.
    const spaced: Mark<Op, Value>[] = [];
    let gap = 0;
    for (const mark of marks.reverse()) {
      const last = spaced.at(-1);
      if (last !== undefined && last.position - mark.position < gap) continue;
      if (last !== undefined) gap = gap === 0 ? MARK_GAP : 2 * gap;
      spaced.push(mark);
    }
    this.#setMarks(kept, spaced.reverse());
  }

  /** Those after `position` count no more. */
  #forgetMarks(kept: Kept<Op, Value>, position: number): void {
    if (kept.marks.length === 0 || (kept.marks.at(-1)?.position ?? 0) <= position) return;
    this.#setMarks(
      kept,
      kept.marks.filter((mark) => mark.position <= position),
    );
  }

  #setMarks(kept: Kept<Op, Value>, marks: Mark<Op, Value>[]): void {
    const bytesOf = (of: readonly Mark<Op, Value>[]): number => of.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#weigh(kept, bytesOf(marks) - bytesOf(kept.marks));
    kept.marks = marks;
  }

  #weigh(kept: Kept<Op, Value>, bytes: number): void {
    kept.bytes += bytes;
    this.#bytes += bytes;
  }

  #drop(key: string, kept: Kept<Op, Value>): void {
    this.#kept.delete(key);
    this.#bytes -= kept.bytes;
  }
}

/** Where to mark between `from` and `length`: the last of them first, each further one twice as far from the one after it. */
function placesOfMarks(from: number, length: number): number[] {
  const places: number[] = [];
  for (let gap = MARK_GAP, at = length - gap; at > from; gap *= 2, at -= gap) places.push(at);
  return places;
}
