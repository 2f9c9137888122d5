/** How a machine's operations stand on disk. */
export interface OperationCodec<Op> {
  encode(operation: Op): Uint8Array;
  /** `bytes` is the callee's to keep. Throws on what `encode` never made. */
  decode(bytes: Uint8Array): Op;
}
