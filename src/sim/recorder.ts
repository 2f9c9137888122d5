import type { HistoryEvent } from '../check/history.js';
import { EventHash } from './event-hash.js';
import type { Scheduler } from './scheduler.js';

/** How a client's operations ended. */
export interface OperationCounts {
  accepted: number;
  found: number;
  absent: number;
  missing: number;
  failed: number;
  unknown: number;
}

/** Of failures that repeat without end so many are kept. */
const FAILURES_MAX = 50;

/** What is written down of a run while it goes on: its hash, its counts, its history and what went wrong in it. */
export class Recorder {
  readonly hash = new EventHash();
  readonly operations: OperationCounts = { accepted: 0, found: 0, absent: 0, missing: 0, failed: 0, unknown: 0 };
  /** How often each kind of fault took effect. */
  readonly faults = new Map<string, number>();
  /** How often replicas, or clients, met each error code. */
  readonly codes = new Map<string, number>();
  readonly failures: string[] = [];
  messages = 0;
  readonly #scheduler: Scheduler;
  readonly #sink: (event: HistoryEvent) => void;

  constructor(scheduler: Scheduler, sink: (event: HistoryEvent) => void) {
    this.#scheduler = scheduler;
    this.#sink = sink;
  }

  /** Virtual milliseconds, whole. */
  get now(): number {
    return this.#scheduler.now;
  }

  history(event: HistoryEvent): void {
    this.#sink(event);
  }

  /** Something happened: `what` and the numbers tell it from others. */
  event(what: number, who: number, detail: number): void {
    this.hash.add(this.#scheduler.now);
    this.hash.add(what * 65_536 + who);
    this.hash.add(detail);
  }

  fault(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  code(code: string): void {
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
  }

  /** What should not happen, whatever the faults. */
  failed(what: string): void {
    this.hash.addText(what);
    if (this.failures.length < FAILURES_MAX) this.failures.push(`at ${this.#scheduler.now} ms: ${what}`);
  }
}
