import type { StateMachine } from '../base/state-machine.js';

export type KvOperation = { readonly kind: 'put'; readonly value: Uint8Array } | { readonly kind: 'delete' };

/** The key-value store: the last write of a key is its value. */
export const kvMachine: StateMachine<KvOperation, Uint8Array> = {
  isBlind: () => true,
  apply: (_before, operation) => (operation.kind === 'put' ? operation.value : undefined),
  sizeOf: (operation) => (operation.kind === 'put' ? operation.value.length : 0),
  equal: (a, b) => a.kind === b.kind && (a.kind === 'delete' || b.kind === 'delete' || sameBytes(a.value, b.value)),
};

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
