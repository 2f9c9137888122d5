import type { Cancel } from '../base/time.js';

interface Event {
  readonly time: number;
  readonly sequence: number;
  run: (() => void) | null;
}

/** Virtual time: events run one after another, by time and then in the order they were scheduled. */
export class Scheduler {
  readonly #heap: Event[] = [];
  #sequence = 0;
  #now = 0;

  /** Virtual milliseconds since the world began. */
  get now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): Cancel {
    const event: Event = { time: this.#now + Math.max(0, delayMs), sequence: this.#sequence++, run };
    this.#push(event);
    return () => {
      event.run = null;
    };
  }

  /** Runs the next event; false if there is none. */
  step(): boolean {
    for (;;) {
      const event = this.#pop();
      if (event === undefined) return false;
      if (event.run === null) continue;
      this.#now = event.time;
      event.run();
      return true;
    }
  }

  /** Runs every event up to `time`, at most `eventsMax`; it is `time` then. False if more are left. */
  runUntil(time: number, eventsMax = Number.POSITIVE_INFINITY): boolean {
    for (let left = eventsMax; (this.#heap[0]?.time ?? Number.POSITIVE_INFINITY) <= time; left--) {
      if (left === 0) return false;
      const event = this.#pop() as Event;
      if (event.run === null) continue;
      this.#now = event.time;
      event.run();
    }
    this.#now = Math.max(this.#now, time);
    return true;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = heap[parent] as Event;
      if (!before(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (!before(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function before(a: Event, b: Event): boolean {
  return a.time < b.time || (a.time === b.time && a.sequence < b.sequence);
}
