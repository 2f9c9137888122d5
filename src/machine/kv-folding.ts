import { sameBytes } from '../base/bytes.js';
import { compareKeys } from '../base/ids.js';
import { DEFAULT_LIMITS, utf8Length } from '../base/limits.js';
import type { Folding } from '../base/state-machine.js';
import { bytesOf, textOf } from '../base/text.js';
import type { KvOperation } from './kv.js';
import type { Procedures } from './procedures.js';

const { valueBytesMax } = DEFAULT_LIMITS;
const BUFFER_MIN = 64;

/** A value as the operations on it that came last left it; its bytes are made when they are asked for. */
type Form =
  | { readonly kind: 'absent' }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'number'; readonly value: number }
  /** `bytes`: how long the set is as a value. */
  | { readonly kind: 'set'; readonly members: Set<string>; bytes: number }
  | { readonly kind: 'buffer'; readonly buffer: Uint8Array; length: number }
  /** What it is only a replica can tell that has the procedure. */
  | { readonly kind: 'unknown'; readonly lacks: string };

const ABSENT: Form = { kind: 'absent' };

/** Folds operations on one key. A long run of one kind costs what the operations take, not the value each time. */
export class KvFolding implements Folding<KvOperation, Uint8Array> {
  #form: Form;
  #expires: number | null;
  readonly #procedures: Procedures;

  constructor(before: Uint8Array | undefined, expires: number | null, procedures: Procedures) {
    this.#procedures = procedures;
    this.#form = before === undefined ? ABSENT : { kind: 'bytes', value: before };
    this.#expires = expires;
  }

  get expires(): number | null {
    return this.#expires;
  }

  apply(operation: KvOperation, acceptTime: number): boolean {
    if (this.#expires !== null && this.#expires <= acceptTime) this.#begin(ABSENT, null);
    switch (operation.kind) {
      case 'put':
      case 'total':
        return this.#begin({ kind: 'bytes', value: operation.value }, operation.expires ?? null);
      case 'delete':
        return this.#begin(ABSENT, null);
      default:
        // Nothing is guessed: whatever it changes, what is there is not known.
        return this.#form.kind === 'unknown' || this.#change(operation);
    }
  }

  get lacks(): string | null {
    return this.#form.kind === 'unknown' ? this.#form.lacks : null;
  }

  #change(operation: Exclude<KvOperation, { kind: 'put' | 'total' | 'delete' }>): boolean {
    switch (operation.kind) {
      case 'putIfAbsent':
        return (
          this.#form.kind === 'absent' &&
          this.#begin({ kind: 'bytes', value: operation.value }, operation.expires ?? null)
        );
      case 'increment':
        return this.#increment(operation.by);
      case 'append':
        return this.#append(operation.bytes);
      case 'setAdd':
        return this.#add(operation.member);
      case 'setRemove':
        return this.#remove(operation.member);
      case 'merge':
        return this.#merge(operation);
    }
  }

  isMet(operation: KvOperation): boolean {
    if (operation.kind !== 'setAdd' && operation.kind !== 'setRemove') return false;
    const set = this.#set();
    return set !== null && set.members.has(operation.member) === (operation.kind === 'setAdd');
  }

  value(): Uint8Array | undefined {
    const form = this.#form;
    switch (form.kind) {
      case 'absent':
      case 'unknown':
        return undefined;
      case 'bytes':
        return form.value;
      case 'number':
        return bytesOf(String(form.value));
      case 'set':
        return bytesOf(JSON.stringify([...form.members].sort(compareKeys)));
      case 'buffer':
        return form.buffer.slice(0, form.length);
    }
  }

  /** Whatever was there, and when it was to end, is no more. */
  #begin(form: Form, expires: number | null): true {
    this.#expires = expires;
    return this.#become(form);
  }

  /** When it ends stays as it was. */
  #become(form: Form): true {
    this.#form = form;
    return true;
  }

  #increment(by: number): boolean {
    const before = this.#number();
    if (before === null) return false;
    const sum = before + by;
    return Number.isSafeInteger(sum) && this.#become({ kind: 'number', value: sum });
  }

  #number(): number | null {
    const form = this.#form;
    if (form.kind === 'number') return form.value;
    if (form.kind === 'absent') return 0;
    return form.kind === 'set' ? null : integerOf(this.value() ?? new Uint8Array());
  }

  #append(bytes: Uint8Array): boolean {
    const before = this.#form.kind === 'buffer' ? this.#form : null;
    const value = before === null ? (this.value() ?? new Uint8Array()) : before.buffer;
    const length = before?.length ?? value.length;
    const sum = length + bytes.length;
    if (sum > valueBytesMax) return false;
    let buffer = value;
    if (before === null || sum > value.length) {
      buffer = new Uint8Array(Math.max(BUFFER_MIN, Math.min(valueBytesMax, 2 * sum)));
      buffer.set(before === null ? value : value.subarray(0, length));
    }
    buffer.set(bytes, length);
    return this.#become({ kind: 'buffer', buffer, length: sum });
  }

  #add(member: string): boolean {
    const set = this.#set();
    if (set === null || set.members.has(member)) return false;
    const bytes = set.bytes + memberBytes(member) + (set.members.size === 0 ? 0 : 1);
    if (bytes > valueBytesMax) return false;
    set.members.add(member);
    set.bytes = bytes;
    return this.#become(set);
  }

  #remove(member: string): boolean {
    const set = this.#set();
    if (set === null || !set.members.delete(member)) return false;
    set.bytes -= memberBytes(member) + (set.members.size === 0 ? 0 : 1);
    return this.#become(set);
  }

  #merge({ value, expects, procedure }: Extract<KvOperation, { kind: 'merge' }>): boolean {
    const current = this.value();
    const expected = expects instanceof Uint8Array ? expects : undefined;
    if (expects !== null && sameBytes(current, expected)) return this.#become({ kind: 'bytes', value });
    const merge = this.#procedures.find(procedure);
    if (merge === undefined) return this.#become({ kind: 'unknown', lacks: procedure });
    const merged = merge({ value, expected, current });
    if (merged === undefined || merged.length > valueBytesMax || sameBytes(merged, current)) return false;
    return this.#become({ kind: 'bytes', value: merged });
  }

  /** Null if the value is no set. */
  #set(): Extract<Form, { kind: 'set' }> | null {
    if (this.#form.kind === 'set') return this.#form;
    const members = this.#form.kind === 'absent' ? new Set<string>() : membersOf(this.value() ?? new Uint8Array());
    if (members === null) return null;
    let bytes = 2 + Math.max(0, members.size - 1);
    for (const member of members) bytes += memberBytes(member);
    return { kind: 'set', members, bytes };
  }
}

/** The number that a value is in decimal digits, as `String` writes it; null if it is none, or beyond 2^53 - 1. */
export function integerOf(value: Uint8Array): number | null {
  // A sign and sixteen digits.
  if (value.length > 17) return null;
  const text = String.fromCharCode(...value);
  const number = /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : null;
}

/** The members of a value that is a JSON array of strings, in any order and spacing; null if it is none. */
function membersOf(value: Uint8Array): Set<string> | null {
  const text = textOf(value);
  if (text === null) return null;
  let array: unknown;
  try {
    array = JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return null;
    throw thrown;
  }
  if (!Array.isArray(array) || !array.every((member): member is string => typeof member === 'string')) return null;
  return new Set(array);
}

/** As it stands in the array. */
function memberBytes(member: string): number {
  return utf8Length(JSON.stringify(member));
}
