import type { Random } from '../../src/base/random.js';
import { type Change, cursorBehind, START, type WatchCursor, type WatchReply } from '../../src/bayou/watch-messages.js';
import { type AcceptStamp, stampOrder } from '../../src/bayou/write.js';
import { kvMachine } from '../../src/machine/kv.js';
import { decodeWatchCursor, encodeWatchCursor } from '../../src/session/watch-cursor.js';
import { nameOf } from './membership-judge.js';
import type { Node } from './membership-node.js';

const order = stampOrder('higher');
/** Of one watch, at the end. */
const STEPS_MAX = 10_000;

/** What one watch was told, as a program gathers it. */
class Watcher {
  readonly #random: Random;
  readonly #prefix: string;
  #cursor: WatchCursor = START;
  /** What stands under each key by what it was told; absent keys are not in it. */
  #values = new Map<string, { readonly text: string; readonly expires: number }>();
  /** By key, the stamps it was told of, or that stood there when it began. */
  #told = new Map<string, Map<string, AcceptStamp>>();
  /** How often it had to begin again. */
  restarts = 0;
  changes = 0;
  reordered = 0;

  constructor(random: Random, prefix: string) {
    this.#random = random;
    this.#prefix = prefix;
  }

  /** Asks a replica for what comes next, and takes some of it, or all. What is wrong with it; null if nothing. */
  ask(node: Node, now: number): { readonly wrong: string | null; readonly isAtEnd: boolean } {
    const changesMax = 1 + this.#random.below(5);
    const from = { kind: 'cursor', cursor: this.#travelled() } as const;
    const request = { prefix: this.#prefix, from, needs: null, changesMax, budgetMs: 0, name: null };
    const reply = node.replica.reader.watch(request, now);
    if (reply.kind === 'missing') return { wrong: null, isAtEnd: false };
    if (reply.kind === 'refused') {
      this.#restart();
      return { wrong: reply.code === 'ERR_FOLDED' ? null : reply.message, isAtEnd: false };
    }
    const wrong = this.#take(node, reply);
    return { wrong, isAtEnd: reply.changes.length === 0 && !reply.more };
  }

  /** From now on, with all that stood there taken for told. */
  beginNow(node: Node, now: number): void {
    this.#restart();
    if (node.replica.isBehind) return;
    const reply = node.replica.reader.watch(
      { prefix: this.#prefix, from: { kind: 'now' }, needs: null, changesMax: 1, budgetMs: 0, name: null },
      now,
    );
    if (reply.kind !== 'changes') throw new Error(reply.kind);
    for (let steps = 0; ; steps++) {
      if (steps > STEPS_MAX) throw new Error('a watch from the start does not end');
      if (this.ask(node, now).isAtEnd) break;
    }
    this.#cursor = reply.cursor;
  }

  /** What is wrong with what it was told in all, when there is nothing left to tell. */
  judge(node: Node, now: number): string | null {
    const there = [...node.replica.entries(null, now)].filter(({ key }) => key.startsWith(this.#prefix));
    const expected = there.map(({ key, value }) => `${key}=${value.join()}`).sort();
    const asOf = node.replica.reading(now);
    const left = [...this.#values].filter(([, { expires }]) => expires > asOf);
    const told = left.map(([key, { text }]) => `${key}=${text}`).sort();
    if (told.join(' ') === expected.join(' ')) return null;
    return `who watched "${this.#prefix}" has ${told.join(' ')}, where ${node.id} has ${expected.join(' ')}`;
  }

  /** As a string, through another process. */
  #travelled(): WatchCursor {
    const scope = { cluster: 'test', prefix: this.#prefix };
    return decodeWatchCursor(encodeWatchCursor(this.#cursor, scope), scope);
  }

  #restart(): void {
    this.restarts += 1;
    this.#cursor = START;
    this.#values = new Map();
    this.#told = new Map();
  }

  #take(node: Node, reply: Extract<WatchReply<Uint8Array>, { kind: 'changes' }>): string | null {
    // The program may end after any of them, and go on from there.
    const taken = this.#random.below(4) === 0 ? this.#random.below(reply.changes.length + 1) : reply.changes.length;
    const before = new Map([...this.#told].map(([key, stamps]) => [key, new Map(stamps)]));
    let position = this.#cursor;
    for (const [i, change] of reply.changes.slice(0, taken).entries()) {
      const wrong = this.#check(node, change, [...(before.get(change.key)?.values() ?? [])]);
      if (wrong !== null) return wrong;
      position = cursorBehind(position, reply.cursor, change, reply.changes[i + 1]);
    }
    this.#cursor = taken === reply.changes.length ? reply.cursor : position;
    this.#forgetPart(reply, taken);
    return null;
  }

  /** Who stopped within a batch is told it again from its first part. */
  #forgetPart({ changes, cursor }: Extract<WatchReply<Uint8Array>, { kind: 'changes' }>, taken: number): void {
    const next = changes[taken];
    if (next === undefined || cursor.store !== null) return;
    for (const { key, stamp } of changes.slice(0, taken)) {
      if (order(stamp, next.stamp) === 0) this.#told.get(key)?.delete(nameOf(stamp));
    }
  }

  #check(node: Node, change: Change<Uint8Array>, before: readonly AcceptStamp[]): string | null {
    const { key, stamp, value, standing, stands, reordered } = change;
    const what = `${nameOf(stamp)} of ${key}`;
    if (!key.startsWith(this.#prefix)) return `${what} was told to who watches "${this.#prefix}"`;
    const told = this.#told.get(key) ?? new Map<string, AcceptStamp>();
    if (told.has(nameOf(stamp))) return `${what} was told twice`;
    told.set(nameOf(stamp), stamp);
    this.#told.set(key, told);
    const history = node.storage.history(key);
    const write = history.find((held) => order(held, stamp) === 0);
    if (order(standing, stamp) < 0) return `${what} was told as standing behind what it overwrites`;
    // Of operations that read what is there several may count.
    const areBlind = history.every(({ operation }) => kvMachine.isBlind(operation));
    if (areBlind && stands !== (order(standing, stamp) === 0)) {
      return `${what} stands: ${stands}, behind ${nameOf(standing)}`;
    }
    const overtaken = before.filter((other) => order(other, stamp) > 0);
    if (reordered && overtaken.length === 0 && write?.resubmitted !== true) return `${what} was not reordered`;
    const held = history.map(nameOf);
    if (!reordered && write !== undefined && overtaken.some((other) => held.includes(nameOf(other)))) {
      return `${what} was told as if it had come in order`;
    }
    if (value === null) this.#values.delete(key);
    else this.#values.set(key, { text: value.join(), expires: change.expires ?? Number.POSITIVE_INFINITY });
    this.changes += 1;
    if (reordered) this.reordered += 1;
    return null;
  }
}

/** Who watches the replicas of a history, now at one of them, now at another. */
export class Watchers {
  readonly #random: Random;
  readonly #watchers: readonly Watcher[];

  constructor(random: Random) {
    this.#random = random;
    this.#watchers = ['', 'k', 'k0'].map((prefix) => new Watcher(random, prefix));
  }

  /** How much was told, for who wants to know that it was worth while. */
  get tally(): { readonly changes: number; readonly reordered: number; readonly restarts: number } {
    const sum = (of: 'changes' | 'reordered' | 'restarts') => this.#watchers.reduce((all, it) => all + it[of], 0);
    return { changes: sum('changes'), reordered: sum('reordered'), restarts: sum('restarts') };
  }

  /** One of them may ask one of the replicas that can answer: what it shows is durable. */
  step(nodes: readonly Node[], now: number): string | null {
    const node = this.#pick(nodes);
    if (node.storage.dirty || this.#random.below(3) === 0) return null;
    const watcher = this.#pick(this.#watchers);
    if (this.#random.below(60) === 0) watcher.beginNow(node, now);
    return watcher.ask(node, now).wrong;
  }

  /** When all is calm each is told the rest, by whomever, and then has what is there. */
  finish(nodes: readonly Node[], now: number): string | null {
    for (const watcher of this.#watchers) {
      for (let steps = 0; ; steps++) {
        if (steps > STEPS_MAX) return 'a watch does not end';
        const { wrong, isAtEnd } = watcher.ask(this.#pick(nodes), now);
        if (wrong !== null) return wrong;
        if (isAtEnd) break;
      }
      const wrong = watcher.judge(this.#pick(nodes), now);
      if (wrong !== null) return wrong;
    }
    return null;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }
}
