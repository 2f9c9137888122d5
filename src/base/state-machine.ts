/**
 * What a log drives. A machine folds the operations on one key, in the total order, into that key's value; the log
 * knows no more of it than this, so another machine is another room.
 */
export interface StateMachine<Op, Value> {
  /** True if the operation overwrites its key without reading it, so that what stood before may be dropped. */
  isBlind(operation: Op): boolean;
  /** The key's value after `operation`; undefined means absent. Pure. */
  apply(before: Value | undefined, operation: Op): Value | undefined;
  /** About how many bytes the operation takes, for bounding batches. */
  sizeOf(operation: Op): number;
  /** True if two operations are the same: a retry carries the same operation under the same client time. */
  equal(a: Op, b: Op): boolean;
}
