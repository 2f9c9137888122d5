import { sameBytes } from '../base/bytes.js';
import { checkValue } from '../base/checks.js';
import { BaristaError } from '../base/errors.js';
import { DEFAULT_LIMITS, TTL_MS_MAX, utf8Length } from '../base/limits.js';
import type { StateMachine } from '../base/state-machine.js';
import { kvOperationCodec } from './kv-codec.js';
import { KvFolding } from './kv-folding.js';
import { isProcedureName, Procedures } from './procedures.js';

/** What a merge takes beside its value, what it expects, and the name of its procedure. */
const MERGE_BYTES = 6;
/** What a time to live takes, and when it ends. */
const TTL_BYTES = 16;

/** A time to live: for so many milliseconds after it was accepted. */
interface Lasting {
  /** A whole number from 1 to TTL_MS_MAX; absent if it stays until something else is written. */
  readonly ttlMs?: number;
  /** The accept time from which on it is gone; a replica says it of what it accepts, and then it stays. */
  readonly expires?: number;
}

export type KvOperation =
  /** The value, whatever was there. */
  | ({ readonly kind: 'put'; readonly value: Uint8Array } & Lasting)
  /** The key becomes absent. */
  | { readonly kind: 'delete' }
  /** Adds to a decimal number; an absent key counts as 0. `by` is a safe integer. */
  | { readonly kind: 'increment'; readonly by: number }
  /** Puts bytes after those of the value; an absent key counts as empty. */
  | { readonly kind: 'append'; readonly bytes: Uint8Array }
  /** Adds a member to a set; an absent key counts as the empty set. */
  | { readonly kind: 'setAdd'; readonly member: string }
  | { readonly kind: 'setRemove'; readonly member: string }
  /** The value, if the key is absent. */
  | ({ readonly kind: 'putIfAbsent'; readonly value: Uint8Array } & Lasting)
  /**
   * The value, if what is there is as expected: these bytes, or nothing; else what the procedure, `name@version`, makes of both.
   * With null nothing is expected, and the procedure decides always.
   */
  | {
      readonly kind: 'merge';
      readonly value: Uint8Array;
      readonly expects: Uint8Array | 'absent' | null;
      readonly procedure: string;
    }
  /** What folded operations came to: no client sends it. */
  | { readonly kind: 'total'; readonly value: Uint8Array; readonly expires?: number };

const { kindOf, bodyOf } = kvOperationCodec;

export { kvOperationCodec };

/**
 * The key-value store, with merge procedures. A put and a delete are blind; the others read the value that stands where they do, and change
 * nothing there if it is not of their kind, or the outcome would be out of bounds (docs/GUARANTEES.md, "Operations").
 */
export function kvMachineWith(procedures: Procedures): StateMachine<KvOperation, Uint8Array> {
  return {
    isBlind: ({ kind }) => kind === 'put' || kind === 'delete' || kind === 'total',
    begin: (before, expires) => new KvFolding(before, expires ?? null, procedures),
    accepted,
    lacks: (operation) => {
      if (operation.kind !== 'merge' || procedures.find(operation.procedure) !== undefined) return null;
      return operation.procedure;
    },
    total: (value, expires) => {
      if (value === undefined) return { kind: 'delete' };
      return expires === null ? { kind: 'total', value } : { kind: 'total', value, expires };
    },
    isTotal: ({ kind }) => kind === 'total',
    standsAlone: ({ kind }) => kind !== 'merge',
    sizeOf,
    sizeOfValue: (value) => value.length,
    equal: (a, b) => areSame(asSent(a), asSent(b)),
  };
}

/** A time to live ends so long after the first stamp, whichever stamps the operation gets later. */
function accepted(operation: KvOperation, after: (ms: number) => number): KvOperation {
  if (!mayLast(operation) || operation.ttlMs === undefined) return operation;
  return { ...operation, expires: after(operation.ttlMs) };
}

function areSame(a: KvOperation, b: KvOperation): boolean {
  return kindOf(a) === kindOf(b) && sameBytes(bodyOf(a), bodyOf(b));
}

/** A retry does not know when what it repeats was accepted. */
function asSent(operation: KvOperation): KvOperation {
  return mayLast(operation) && operation.ttlMs !== undefined ? { ...operation, expires: 0 } : operation;
}

function mayLast(operation: KvOperation): operation is Extract<KvOperation, { kind: 'put' | 'putIfAbsent' }> {
  return operation.kind === 'put' || operation.kind === 'putIfAbsent';
}

/** With the ready procedures, and no others. */
export const kvMachine = kvMachineWith(new Procedures());

function sizeOf(operation: KvOperation): number {
  switch (operation.kind) {
    case 'delete':
      return 0;
    case 'increment':
      return 8;
    case 'append':
      return operation.bytes.length;
    case 'setAdd':
    case 'setRemove':
      return operation.member.length;
    case 'merge':
      return mergeBytes(operation);
    case 'total':
      return operation.value.length;
    default:
      return operation.value.length + (operation.ttlMs === undefined ? 0 : TTL_BYTES);
  }
}

/** How long the operation is on disk. */
function mergeBytes({ procedure, expects, value }: Extract<KvOperation, { kind: 'merge' }>): number {
  return MERGE_BYTES + procedure.length + value.length + (expects instanceof Uint8Array ? expects.length : 0);
}

/** Why the operation cannot be taken from a program; null if it can. */
export function checkOperation(operation: KvOperation): BaristaError | null {
  switch (operation.kind) {
    case 'delete':
      return null;
    case 'increment':
      return Number.isSafeInteger(operation.by) ? null : wrong(`${operation.by} is no whole number within 2^53 - 1`);
    case 'append':
      return checkValue(operation.bytes);
    case 'setAdd':
    case 'setRemove': {
      const bytes = utf8Length(operation.member);
      if (bytes < 0) return wrong('the member holds half of a surrogate pair, which has no UTF-8 form');
      const { memberBytesMax } = DEFAULT_LIMITS;
      return bytes <= memberBytesMax ? null : wrong(`the member takes ${bytes} bytes, the limit is ${memberBytesMax}`);
    }
    case 'merge': {
      if (!isProcedureName(operation.procedure)) {
        return wrong(`${JSON.stringify(operation.procedure)} is no merge procedure: they are named as keep-both@1`);
      }
      const bytes = mergeBytes(operation);
      const { valueBytesMax } = DEFAULT_LIMITS;
      return bytes <= valueBytesMax
        ? null
        : wrong(
            `the value, what is expected and the procedure's name take ${bytes} bytes, the limit is ${valueBytesMax}`,
          );
    }
    case 'total':
      return wrong("a total stands for operations that were folded, and is no client's to send");
    default:
      return checkTtl(operation) ?? checkValue(operation.value);
  }
}

function checkTtl({ ttlMs, expires }: Lasting): BaristaError | null {
  if (expires !== undefined)
    return wrong("when a value expires is no client's to say: it says for how long it is to stay");
  if (ttlMs === undefined || (Number.isSafeInteger(ttlMs) && ttlMs >= 1 && ttlMs <= TTL_MS_MAX)) return null;
  return wrong(`a time to live of ${ttlMs} ms is no whole number from 1 to ${TTL_MS_MAX}`);
}

function wrong(message: string): BaristaError {
  return new BaristaError('ERR_INVALID_VALUE', message);
}
