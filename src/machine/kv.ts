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
const NOTHING = new Uint8Array();

/** How operations stand on disk. */
export const kvOperationCodec = {
  kindOf: (operation: KvOperation): number => (operation.kind === 'put' ? PUT : DELETE),
  bodyOf: (operation: KvOperation): Uint8Array => (operation.kind === 'put' ? operation.value : NOTHING),
  decode(kind: number, body: Uint8Array): KvOperation {
    if (kind === PUT) return { kind: 'put', value: body };
    if (kind === DELETE && body.length === 0) return { kind: 'delete' };
    throw new RangeError(`no operation is of kind ${kind}`);
  },
} as const;

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
