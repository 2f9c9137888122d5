import type { ChangeName } from './history.js';
import { carriedByMerge, type Merges } from './merge.js';
import type { Place } from './place.js';

/** What replicas do with longer values, in bytes. */
const VALUE_BYTES_MAX = 1024 * 1024;

type Change = Pick<Place, 'value' | 'change'>;

/** What a key holds, null if nothing, and the last of the writes that changed it. */
export interface Fold<P extends Change> {
  readonly value: string | null;
  readonly last: P | null;
}

/**
 * What writes on one key come to, one after the other, by what docs/GUARANTEES.md says of each operation: written anew from
 * that, and in the plainest way.
 */
export function fold<P extends Change>(
  writes: readonly P[],
  merges: Merges,
  from: Fold<P> = { value: null, last: null },
): Fold<P> {
  let { value, last } = from;
  for (const write of writes) {
    const next = after(value, write, merges);
    if (next === undefined) continue;
    value = next;
    last = write;
  }
  return { value, last };
}

/** What the key holds after the write; undefined if it takes no effect. */
function after(before: string | null, { value, change }: Change, merges: Merges): string | null | undefined {
  if (change === null || change === 'total') return value;
  const next = change === 'merge' ? merged(before, value ?? '', merges) : changed(before, change, value ?? '');
  return next !== null && bytesOf(next) <= VALUE_BYTES_MAX ? next : undefined;
}

/** Null if it takes no effect. */
function merged(before: string | null, carried: string, merges: Merges): string | null {
  const merge = carriedByMerge(carried);
  if (merge === null) return null;
  const { procedure, value, expects } = merge;
  if (expects === before) return value;
  const result = merges(procedure)?.({ value, expected: expects ?? undefined, current: before ?? undefined });
  return result === undefined || result === before ? null : result;
}

/** Null if it takes no effect. */
function changed(before: string | null, change: Exclude<ChangeName, 'merge'>, carried: string): string | null {
  switch (change) {
    case 'putIfAbsent':
      return before === null ? carried : null;
    case 'append':
      return (before ?? '') + carried;
    case 'increment': {
      const number = before ?? '0';
      if (!isNumber(number)) return null;
      const sum = BigInt(number) + BigInt(carried);
      return isSafe(sum) ? `${sum}` : null;
    }
    case 'setAdd':
    case 'setRemove': {
      const members = before === null ? [] : membersOf(before);
      if (members === null || members.includes(carried) !== (change === 'setRemove')) return null;
      const left = change === 'setAdd' ? [...members, carried] : members.filter((member) => member !== carried);
      return JSON.stringify(left.sort(byCodePoint));
    }
  }
}

function isNumber(text: string): boolean {
  return /^(0|-?[1-9]\d*)$/.test(text) && isSafe(BigInt(text));
}

function isSafe(number: bigint): boolean {
  return number >= BigInt(Number.MIN_SAFE_INTEGER) && number <= BigInt(Number.MAX_SAFE_INTEGER);
}

/** Each once; null if it is no set. */
function membersOf(text: string): string[] | null {
  try {
    const array: unknown = JSON.parse(text);
    const isSet = Array.isArray(array) && array.every((member) => typeof member === 'string');
    return isSet ? [...new Set<string>(array)] : null;
  } catch {
    return null;
  }
}

function byCodePoint(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i]?.codePointAt(0) ?? 0) - (right[i]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

function bytesOf(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/** True if what the writes come to cannot be told: one needs a merge procedure that is not known. */
export function isUnknown(writes: readonly Change[], merges: Merges): boolean {
  return writes.some(({ change, value }) => {
    return change === 'merge' && merges(carriedByMerge(value ?? '')?.procedure ?? '') === undefined;
  });
}

/**
 * Those of the writes on one key, in order, that take effect. One takes none behind the same operation, or if it is a put or a
 * delete behind a later one of its client, within the retry window; what was accepted anew yields to no first stamp. Of a
 * change that was accepted anew only the first of those counts, and no other stamp within the window.
 */
export function effective(writes: readonly Place[], retryWindow: number): Place[] {
  const taken: Place[] = [];
  for (const [at, write] of writes.entries()) {
    const isChange = write.change !== null && write.change !== 'total';
    const isNear = (other: Place): boolean => Math.abs(other.time - write.time) < retryWindow;
    const isCopy = (other: Place): boolean => other.operation !== null && other.operation === write.operation;
    if (isChange && write.resubmitted !== true) {
      if (writes.slice(at + 1).some((other) => other.resubmitted === true && isCopy(other) && isNear(other))) continue;
    }
    const yields = (earlier: Place): boolean => {
      if (!isNear(earlier)) return false;
      if (isCopy(earlier)) return write.resubmitted !== true || (isChange && earlier.resubmitted === true);
      if (isChange || earlier.change !== null || earlier.operation === null || write.operation === null) return false;
      const [a, b] = [earlier.operation, write.operation];
      return a.client === b.client && a.clientTime > b.clientTime;
    };
    if (!taken.some(yields)) taken.push(write);
  }
  return taken;
}
