import type { ClientId } from '../base/ids.js';
import { Effects, type KeyRules, yieldsTo } from './key-history.js';
import { type AcceptStamp, stampOf, type Write } from './write.js';

/** A write, and who wrote it. */
export interface WriteName {
  readonly stamp: AcceptStamp;
  readonly client: ClientId;
}

/**
 * Why a write changed nothing where it stands:
 *
 * - `repeat`: the operation took effect under another stamp already, `by`;
 * - `outdated`: its client overwrote it with a later operation, `by`, which stands before this repeat of it;
 * - `anew`: a replica that rejoined accepted it anew, as `by`;
 * - `met`: what it would bring about is so already, as `by` left it: a member that is in the set, or not in it;
 * - `inapplicable`: it does not apply to what it finds there, which is as `by` left it; or its merge procedure leaves that so.
 */
export type NoEffect = 'repeat' | 'outdated' | 'anew' | 'met' | 'inapplicable';

/** What became of a write on its key. */
export type Fate =
  /** It has a part in what is under the key. */
  | { readonly kind: 'stands' }
  /** It took effect; the next write after it that takes effect and reads nothing is `by`. */
  | { readonly kind: 'overwritten'; readonly by: WriteName }
  /** It took effect, and its time to live, or that of what it changed, has ended. */
  | { readonly kind: 'expired' }
  /** `by`: null only where nothing ever was. */
  | { readonly kind: 'no-effect'; readonly rule: NoEffect; readonly by: WriteName | null }
  /** It rests on a merge procedure, of this name, which this replica has not; or is such a merge itself. */
  | { readonly kind: 'unknown'; readonly lacks: string };

const STANDS: Fate = { kind: 'stands' };
const EXPIRED: Fate = { kind: 'expired' };

/** What became of the writes of one key. */
export interface KeyFates {
  /** Of the key's base; null if there is none. */
  readonly base: Fate | null;
  /** Of each write of the history, in its order. */
  readonly writes: readonly Fate[];
}

/**
 * What became of each write on a key by the accept time `asOf`, in one pass: as `foldHistory` counts them, it says why. By default as of
 * the last of them.
 */
export function fatesOf<Op, Value>(
  base: Write<Op> | null,
  history: readonly Write<Op>[],
  rules: KeyRules<Op, Value>,
  asOf = 0,
): KeyFates {
  const { machine } = rules;
  const effects = new Effects(history, rules);
  const folding = machine.begin(undefined);
  if (base !== null) folding.apply(base.operation, base.acceptTime);
  /** Who left the value as it is. */
  let last = base;
  let ofBase = base === null ? null : STANDS;
  const fates: Fate[] = [];
  let standing: number[] = [];
  const effective = new Map<ClientId, Write<Op>[]>();
  const leave = (fate: Fate): void => {
    for (const before of standing) fates[before] = fate;
    if (ofBase === STANDS) ofBase = fate;
    standing = [];
  };
  const expireBy = (acceptTime: number): void => {
    if (folding.expires !== null && folding.expires <= acceptTime) leave(EXPIRED);
  };
  for (const [position, write] of history.entries()) {
    const own = effective.get(write.client) ?? [];
    if (!effects.take(write)) {
      fates.push(whyYielded(write, own, history, rules));
      continue;
    }
    own.push(write);
    effective.set(write.client, own);
    expireBy(write.acceptTime);
    if (machine.isBlind(write.operation)) leave({ kind: 'overwritten', by: nameOf(write) });
    const hasChanged = folding.apply(write.operation, write.acceptTime);
    if (folding.lacks !== null) {
      fates.push({ kind: 'unknown', lacks: folding.lacks });
    } else if (hasChanged) {
      last = write;
      standing.push(position);
      fates.push(STANDS);
    } else {
      const rule = folding.isMet(write.operation) ? 'met' : 'inapplicable';
      fates.push({ kind: 'no-effect', rule, by: last === null ? null : nameOf(last) });
    }
  }
  expireBy(asOf);
  return { base: ofBase, writes: fates };
}

/** `own`: the writes of its client that take effect before it. */
function whyYielded<Op, Value>(
  write: Write<Op>,
  own: readonly Write<Op>[],
  history: readonly Write<Op>[],
  rules: KeyRules<Op, Value>,
): Fate {
  const earlier = own.findLast((other) => yieldsTo(write, other, rules));
  if (earlier !== undefined) {
    const rule = earlier.clientTime === write.clientTime ? 'repeat' : 'outdated';
    return { kind: 'no-effect', rule, by: nameOf(earlier) };
  }
  const anew = history.find((other) => other.acceptTime > write.acceptTime && isTakenAnew(write, other));
  return { kind: 'no-effect', rule: 'anew', by: anew === undefined ? null : nameOf(anew) };
}

function isTakenAnew(write: Write<unknown>, later: Write<unknown>): boolean {
  return later.resubmitted === true && later.client === write.client && later.clientTime === write.clientTime;
}

export function nameOf(write: Write<unknown>): WriteName {
  return { stamp: stampOf(write), client: write.client };
}
