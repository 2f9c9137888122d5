import type { StateMachine } from '../base/state-machine.js';

export type KvOperation = { readonly kind: 'put'; readonly value: Uint8Array } | { readonly kind: 'delete' };

/** The key-value store: the last write of a key is its value. */
export const kvMachine: StateMachine<KvOperation, Uint8Array> = {
  isBlind: () => true,
  apply: (_before, operation) => (operation.kind === 'put' ? operation.value : undefined),
  sizeOf: (operation) => (operation.kind === 'put' ? operation.value.length : 0),
  equal: (a, b) => a.kind === b.kind && (a.kind === 'delete' || b.kind === 'delete' || sameBytes(a.value, b.value)),
};

const PUT = 1;
const DELETE = 2;

/** How operations stand on disk: a byte for the kind, then the value. */
export const kvOperationCodec = {
  encode(operation: KvOperation): Uint8Array {
    if (operation.kind === 'delete') return Uint8Array.of(DELETE);
    const bytes = new Uint8Array(operation.value.length + 1);
    bytes[0] = PUT;
    bytes.set(operation.value, 1);
    return bytes;
  },
  decode(bytes: Uint8Array): KvOperation {
    if (bytes[0] === PUT) return { kind: 'put', value: bytes.subarray(1) };
    if (bytes[0] === DELETE && bytes.length === 1) return { kind: 'delete' };
    throw new RangeError(`no operation begins with ${bytes[0]}`);
  },
} as const;

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
