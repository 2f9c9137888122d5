import { bytesOf, textOf } from '../base/text.js';
import type { Merge, MergeCall } from './procedures.js';

/*
 * The merge procedures that every replica has. What one does under a name and version never changes: another behaviour is
 * another version. Each reads texts in UTF-8, and leaves the key as it is where it finds something else.
 */

/** How deep JSON may be that they read: so that none meets the end of a stack, which is not the same everywhere. */
const DEPTH_MAX = 100;

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

const UNCHANGED = undefined;

/** What was there first stays. */
const firstWins: Merge = () => UNCHANGED;

/**
 * Keeps the texts that were written apart from each other, in the order of their writes, each once: `{"kept":["12","14"]}`.
 * Whoever settles it expects that, and puts one text.
 */
const keepBoth: Merge = ({ value, current }) => {
  const added = textOf(value);
  const there = current === undefined ? '' : textOf(current);
  if (added === null || there === null) return UNCHANGED;
  if (current === undefined) return value;
  const kept = keptOf(there) ?? [there];
  if (kept.includes(added)) return UNCHANGED;
  return bytesOf(JSON.stringify({ kept: [...kept, added] }));
};

function keptOf(text: string): readonly string[] | null {
  const value = parsed(text);
  if (!isObject(value) || Object.keys(value).length !== 1) return null;
  const kept = value['kept'];
  return Array.isArray(kept) && kept.every((item): item is string => typeof item === 'string') ? kept : null;
}

/** The greater of two numbers, or the less, as JSON writes them. */
function outermost(isBeyond: (a: number, b: number) => boolean): Merge {
  return ({ value, current }) => {
    const written = numberOf(value);
    if (written === null) return UNCHANGED;
    if (current === undefined) return value;
    const there = numberOf(current);
    return there !== null && isBeyond(written, there) ? value : UNCHANGED;
  };
}

/** RFC 7396: `value` is the patch, an absent key an empty object. */
const jsonMergePatch: Merge = ({ value, current }) => {
  const patch = jsonOf(value);
  const target = current === undefined ? {} : jsonOf(current);
  if (patch === undefined || target === undefined) return UNCHANGED;
  return bytesOf(JSON.stringify(patchedBy(target, patch)));
};

function patchedBy(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const names = new Map<string, Json>(isObject(target) ? Object.entries(target) : []);
  for (const [name, part] of Object.entries(patch)) {
    if (part === null) names.delete(name);
    else names.set(name, patchedBy(names.get(name) ?? null, part));
  }
  return Object.fromEntries(names);
}

/** Adds an element, which is JSON, to the end of a JSON array. */
const addToList: Merge = ({ value, current }) => {
  const element = jsonOf(value);
  const list = current === undefined ? [] : jsonOf(current);
  if (element === undefined || !Array.isArray(list)) return UNCHANGED;
  return bytesOf(JSON.stringify([...list, element]));
};

/**
 * Books the first slot that is free: `value` is `{"who": ..., "slots": ["mon-9", "tue-9"]}`, in the order of preference; under the
 * key is an object of slots and who has them. If none is free nothing is booked. (The meeting room of Terry et al., SOSP 1995, section 4.)
 */
const firstFreeSlot: Merge = ({ value, current }: MergeCall) => {
  const booking = jsonOf(value);
  const booked = current === undefined ? {} : jsonOf(current);
  if (!isObject(booking) || !isObject(booked) || !Object.hasOwn(booking, 'who')) return UNCHANGED;
  const { who = null, slots } = booking;
  if (!Array.isArray(slots)) return UNCHANGED;
  const free = slots.find((slot) => typeof slot === 'string' && !Object.hasOwn(booked, slot));
  if (typeof free !== 'string') return UNCHANGED;
  return bytesOf(JSON.stringify(Object.fromEntries([...Object.entries(booked), [free, who]])));
};

export const READY_PROCEDURES: readonly (readonly [name: string, merge: Merge])[] = [
  ['first-wins@1', firstWins],
  ['keep-both@1', keepBoth],
  ['highest@1', outermost((a, b) => a > b)],
  ['lowest@1', outermost((a, b) => a < b)],
  ['json-merge-patch@1', jsonMergePatch],
  ['add-to-list@1', addToList],
  ['first-free-slot@1', firstFreeSlot],
];

function isObject(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function numberOf(bytes: Uint8Array): number | null {
  const value = jsonOf(bytes);
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** Undefined if it is none, or too deep. */
function jsonOf(bytes: Uint8Array): Json | undefined {
  const text = textOf(bytes);
  return text === null ? undefined : parsed(text);
}

function parsed(text: string): Json | undefined {
  if (depthOf(text) > DEPTH_MAX) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

/** How deep arrays and objects are within each other, in a text that is JSON. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === '[' || token === '{') deepest = Math.max(deepest, ++depth);
    else if (token === ']' || token === '}') depth -= 1;
  }
  return deepest;
}
