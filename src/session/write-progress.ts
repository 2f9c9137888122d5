import { BaristaError } from '../base/errors.js';
import type { WriteState } from '../bayou/hold-messages.js';
import { nameStamp } from '../bayou/write.js';
import { checkedMs, Deadline } from './deadline.js';
import { GRACE_MS, SLICE_MS, STATE_TIMEOUT_MS, TIMEOUT_MS_MAX } from './limits.js';
import type { Route } from './route.js';
import type { Missing, Stamp, StateOptions, WriteProgress } from './session.js';

/** On so many replicas, and stable or not. */
export interface Wanted {
  readonly holders: number;
  readonly stable: boolean;
}

/** What was accepted under a stamp, and can be waited for. */
export function accepted(
  route: Route,
  stamp: Stamp,
): WriteProgress & { readonly kind: 'accepted'; readonly stamp: Stamp } {
  const until = (wanted: Wanted, options: StateOptions = {}) => waitUntil(route, stamp, wanted, options);
  return {
    kind: 'accepted',
    stamp,
    replicated: async (replicas, options) => {
      if (!Number.isInteger(replicas) || replicas < 1 || replicas > 0x7fff_ffff) {
        throw new BaristaError(
          'ERR_OPTION',
          `a write is replicated on a number of replicas from 1, not on ${replicas}`,
        );
      }
      return until({ holders: replicas, stable: false }, options);
    },
    stable: (options) => until({ holders: 0, stable: true }, options),
    state: (options) => until({ holders: 0, stable: false }, options),
  };
}

export function refusedFor(missing: Missing): WriteProgress & Missing {
  const fail = async (): Promise<never> => {
    const lacking = missing.missing.map(nameStamp).join(', ');
    throw new BaristaError('ERR_DEP', `the write was not made: the replica lacks ${lacking}`);
  };
  return { ...missing, replicated: fail, stable: fail, state: fail };
}

/** Waits until a write is known to have come so far. Rejects with ERR_TIMEOUT, which says how far it has. */
export async function waitUntil(
  route: Route,
  stamp: Stamp,
  wanted: Wanted,
  options: StateOptions,
): Promise<WriteState> {
  const timeoutMs = checkedMs('timeoutMs', options.timeoutMs ?? STATE_TIMEOUT_MS);
  const until = performance.now() + timeoutMs;
  // The last answer, which says how far the write has come, may still arrive.
  const deadline = new Deadline(Math.min(timeoutMs + GRACE_MS, TIMEOUT_MS_MAX), options.signal);
  for (;;) {
    const budgetMs = Math.ceil(Math.min(Math.max(until - performance.now(), 0), SLICE_MS));
    const state = await route.ask<WriteState>(
      (connection, timeoutMs, done) => connection.writeState({ stamp, ...wanted, budgetMs }, timeoutMs, done),
      { what: 'the state of a write', deadline, waitsMs: budgetMs },
    );
    if (state.holders.length >= wanted.holders && (state.stable || !wanted.stable)) return state;
    if (performance.now() >= until) throw notThere(stamp, wanted, state, timeoutMs);
  }
}

function notThere(stamp: Stamp, { holders, stable }: Wanted, state: WriteState, timeoutMs: number): BaristaError {
  const goal = stable ? 'stable' : `on ${holders} replicas`;
  const message = `after ${timeoutMs} ms the write ${nameStamp(stamp)} is not known to be ${goal}`;
  const here = `it is on ${state.holders.join(', ') || 'none'}`;
  return new BaristaError(
    'ERR_TIMEOUT',
    `${message}: ${here}, and not known to be on ${state.waitsFor.join(', ') || 'others'}`,
  );
}
