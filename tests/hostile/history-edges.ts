import { answered, type BadInput, badInput } from './bad-input.js';
import { TARGET_ID } from './target.js';
import { callWith, i32, stamp, text } from './values.js';

/** Requests for what became of writes that may be, but mean what cannot be; and those that may be. */
export const HISTORY_EDGES: readonly BadInput[] = [
  badInput(
    'history',
    'of a key there never was',
    () => callWith('history', { 1: text('no such key'), 2: null, 3: null, 5: null }),
    answered({ kind: 'history', base: null, writes: [], more: false }),
  ),
  badInput(
    'history',
    'behind all there can be',
    () => callWith('history', { 1: text('key 0'), 2: stamp(TARGET_ID, Number.MAX_SAFE_INTEGER), 3: null, 5: null }),
    answered({ kind: 'history', writes: [] }),
  ),
  badInput(
    'history',
    'of a write that was never made',
    () => callWith('history', { 1: text('key 0'), 3: stamp('nobody', 1), 5: null }),
    answered({ kind: 'history', writes: [] }),
  ),
  badInput(
    'history',
    'of 2^31 - 1 writes',
    () => callWith('history', { 1: text('key 0'), 2: null, 3: null, 4: i32(2 ** 31 - 1), 5: null }),
    answered({ kind: 'history', more: false }),
  ),
  badInput(
    'history',
    'that needs what there is not',
    () => callWith('history', { 1: text('key 0') }),
    answered({ kind: 'missing' }),
  ),
];
