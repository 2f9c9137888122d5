import type { Address } from '../base/address.js';
import type { AcceptStamp } from '../bayou/write.js';
import type { WriteGoal } from '../client/wait-for-write.js';
import type { Peer } from './option-values.js';

/** Where a value comes from; standard input carries any bytes. */
export type ValueOrigin = { readonly kind: 'word'; readonly text: string } | { readonly kind: 'standard-input' };

/** What a command asks of replicas. */
export type ClientTask =
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: ValueOrigin;
      readonly ifAbsent: boolean;
      /** Null: it stays. */
      readonly ttlMs: number | null;
    }
  | { readonly kind: 'increment'; readonly key: string; readonly by: number }
  | { readonly kind: 'append'; readonly key: string; readonly value: ValueOrigin }
  | {
      readonly kind: 'merge';
      readonly key: string;
      readonly value: ValueOrigin;
      /** `name@version`. */
      readonly procedure: string;
      /** What is expected to be there; null: nothing in particular. */
      readonly expects: { readonly kind: 'value'; readonly text: string } | { readonly kind: 'absent' } | null;
    }
  | { readonly kind: 'set-add'; readonly key: string; readonly member: string }
  | { readonly kind: 'set-remove'; readonly key: string; readonly member: string }
  /** Lines of standard input if there are no operations. */
  | { readonly kind: 'batch'; readonly operations: readonly string[] }
  | { readonly kind: 'get'; readonly key: string; readonly raw: boolean }
  | { readonly kind: 'delete'; readonly key: string }
  /** `from`: now, start, or a cursor. */
  | { readonly kind: 'watch'; readonly prefix: string; readonly from: string; readonly json: boolean }
  | { readonly kind: 'history'; readonly key: string; readonly json: boolean }
  | { readonly kind: 'restore'; readonly key: string; readonly stamp: AcceptStamp }
  /** `since`: start, now, a stamp in words, or a cursor. */
  | { readonly kind: 'conflicts'; readonly prefix: string; readonly since: string; readonly json: boolean }
  | { readonly kind: 'status'; readonly json: boolean }
  | { readonly kind: 'link'; readonly peer: Peer }
  | { readonly kind: 'unlink'; readonly peer: string }
  | { readonly kind: 'retire'; readonly id: string }
  | { readonly kind: 'compact' }
  | { readonly kind: 'store' }
  | { readonly kind: 'log' }
  /** `since`: a bundle, or a vector; null: nothing is left out. */
  | { readonly kind: 'export'; readonly path: string; readonly since: string | null }
  | { readonly kind: 'import'; readonly path: string };

/** What a command that speaks to running replicas was asked to do. */
export interface ClientRequest {
  /** In the order to try them; at least one. */
  readonly at: readonly Address[];
  /** How long one answer may take. */
  readonly timeoutMs: number;
  /** How far a write is to have come before the command ends; null: accepted. */
  readonly goal: WriteGoal | null;
  readonly task: ClientTask;
}
