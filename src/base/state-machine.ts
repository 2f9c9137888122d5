/**
 * What a log drives. A machine folds the operations on one key, in the total order, into that key's value; the log
 * knows no more of it than this, so another machine is another room.
 */
export interface StateMachine<Op, Value> {
  /** True if the operation overwrites its key without reading it, so that what stood before may be dropped. */
  isBlind(operation: Op): boolean;
  /** Folds operations from `before` on, which ends at the accept time `expires`, if that is given; undefined means that the key is absent. */
  begin(before: Value | undefined, expires?: number | null): Folding<Op, Value>;
  /** The operation as the log keeps it. `after`: which accept time comes so many milliseconds after its first stamp's. */
  accepted(operation: Op, after: (ms: number) => number): Op;
  /**
   * What this replica would need to apply the operation and has not, by its name; null if it can. Another replica may have it:
   * nothing is ever made of the operation that others would not make of it.
   */
  lacks(operation: Op): string | null;
  /** True if what the operation makes of an absent key every replica can tell. */
  standsAlone(operation: Op): boolean;
  /**
   * Sets the value, which ends at the accept time `expires`, or with null never; and was sent by no client: it stands for operations that
   * were folded. Blind. Of undefined, an operation that leaves the key absent.
   */
  total(value: Value | undefined, expires: number | null): Op;
  isTotal(operation: Op): boolean;
  /** About how many bytes the operation takes, for bounding batches. */
  sizeOf(operation: Op): number;
  /** About how many bytes the value takes. */
  sizeOfValue(value: Value): number;
  /** True if two operations are the same: a retry carries the same operation under the same client time. */
  equal(a: Op, b: Op): boolean;
}

/** What operations on one key come to, one after the other. The same operations give the same value everywhere. */
export interface Folding<Op, Value> {
  /**
   * False if the operation, accepted at `acceptTime`, takes no effect here, and so changes nothing. A blind one always takes effect. What
   * has expired by then is gone.
   */
  apply(operation: Op, acceptTime: number): boolean;
  /** True if what the operation, which took no effect here, would bring about is so already. */
  isMet(operation: Op): boolean;
  /** The key's value; undefined if the key is absent. Not changed by what is applied later. */
  value(): Value | undefined;
  /** From this accept time on the key is absent, if nothing else is applied; null if it stays. */
  readonly expires: number | null;
  /** What it would take to tell the value; then `value` means nothing. Null if it is known. A blind operation ends it. */
  readonly lacks: string | null;
}
