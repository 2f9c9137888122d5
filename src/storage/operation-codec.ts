/** How a machine's operations stand on disk: a kind, and what it carries. */
export interface OperationCodec<Op> {
  /** A whole number from 0; never another for the same kind of operation. */
  kindOf(operation: Op): number;
  /** Not copied; empty if the operation carries nothing. */
  bodyOf(operation: Op): Uint8Array;
  /** `body` is the callee's to keep. Throws a RangeError for what no operation is. */
  decode(kind: number, body: Uint8Array): Op;
  /** The accept time from which on what the operation leaves under its key is gone; null if it stays. */
  expiresOf(operation: Op): number | null;
}
