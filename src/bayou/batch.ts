import type { ReplicaStorage } from './ports.js';
import type { VersionVector } from './version-vector.js';
import { type AcceptStamp, hasSameStamp, type StampOrder, type Write } from './write.js';

export interface BatchLimits {
  readonly writesMax: number;
  readonly bytesMax: number;
}

/** What a responder sends at most, whatever the requester asks for. */
const BATCH_WRITES_MAX = 16_384;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The next writes that `seen` covers and `base` does not, in stamp order: the merge of each origin's run, entered by
 * search, so that the cost is that of what the requester misses. At least one if any is left; and all writes of a stamp, since
 * who has one of them is taken to have them all.
 */
export function cutBatch<Op>(
  storage: ReplicaStorage<Op>,
  seen: VersionVector,
  base: VersionVector,
  limits: BatchLimits,
  order: StampOrder,
  bytesOf: (write: Write<Op>) => number,
): { readonly writes: readonly Write<Op>[]; readonly more: boolean } {
  const merge = new RunMerge<Op>(order);
  for (const [origin, time] of seen.entries()) {
    const known = base.get(origin);
    if (known < time) merge.add(storage.run(origin, known, time));
  }
  const writesMax = Math.min(limits.writesMax, BATCH_WRITES_MAX);
  const bytesMax = Math.min(limits.bytesMax, BATCH_BYTES_MAX);
  const writes: Write<Op>[] = [];
  let bytes = 0;
  for (;;) {
    const next = merge.peek();
    if (next === undefined) return { writes, more: false };
    bytes += bytesOf(next);
    const last = writes.at(-1);
    const isFull = writes.length >= writesMax || bytes > bytesMax;
    if (last !== undefined && isFull && !hasSameStamp(last, next)) return { writes, more: true };
    writes.push(next);
    merge.advance();
  }
}

/** The first `writesMax` of `writes`, which are in stamp order, and all others with the stamp of the last of them. */
export function firstWhole<W extends AcceptStamp>(writes: readonly W[], writesMax: number): readonly W[] {
  let end = Math.min(writesMax, writes.length);
  while (end > 0 && end < writes.length && hasSameStamp(writes[end - 1] as W, writes[end] as W)) end += 1;
  return writes.slice(0, end);
}

interface Head<Op> {
  write: Write<Op>;
  readonly rest: Iterator<Write<Op>>;
}

/**
 * Merges runs, each in order, into one order: a binary heap of their first writes. Writes of one stamp are of one run, and come
 * one after the other.
 */
export class RunMerge<Op> {
  readonly #heap: Head<Op>[] = [];
  readonly #order: StampOrder;

  constructor(order: StampOrder) {
    this.#order = order;
  }

  add(run: Iterator<Write<Op>>): void {
    const first = run.next();
    if (first.done === true) return;
    this.#heap.push({ write: first.value, rest: run });
    this.#siftUp(this.#heap.length - 1);
  }

  /** The first write left, undefined if none. */
  peek(): Write<Op> | undefined {
    return this.#heap[0]?.write;
  }

  advance(): void {
    const top = this.#heap[0];
    if (top === undefined) return;
    const next = top.rest.next();
    if (next.done !== true) {
      top.write = next.value;
    } else {
      const last = this.#heap.pop() as Head<Op>;
      if (this.#heap.length === 0) return;
      this.#heap[0] = last;
    }
    this.#siftDown();
  }

  #siftUp(from: number): void {
    const heap = this.#heap;
    let child = from;
    while (child > 0) {
      const parent = (child - 1) >>> 1;
      if (!this.#swapIfBefore(heap, child, parent)) return;
      child = parent;
    }
  }

  #siftDown(): void {
    const heap = this.#heap;
    let parent = 0;
    for (;;) {
      const left = 2 * parent + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const least = right < heap.length && this.#before(heap, right, left) ? right : left;
      if (!this.#swapIfBefore(heap, least, parent)) return;
      parent = least;
    }
  }

  #before(heap: Head<Op>[], a: number, b: number): boolean {
    return this.#order((heap[a] as Head<Op>).write, (heap[b] as Head<Op>).write) < 0;
  }

  #swapIfBefore(heap: Head<Op>[], child: number, parent: number): boolean {
    if (!this.#before(heap, child, parent)) return false;
    const moved = heap[child] as Head<Op>;
    heap[child] = heap[parent] as Head<Op>;
    heap[parent] = moved;
    return true;
  }
}
