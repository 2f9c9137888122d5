import { answered, type BadInput, badInput, refusedWith } from './bad-input.js';
import { TARGET_ID } from './target.js';
import { callWith, entry, i32, stamp, struct, text, type Value, vector } from './values.js';

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
  badInput(
    'conflicts',
    'from nowhere',
    () => callWith('conflicts', { 2: struct({}), 3: null }),
    refusedWith('ERR_PROTOCOL'),
  ),
  badInput(
    'conflicts',
    'from two places',
    () => callWith('conflicts', { 2: struct({ 1: struct({}), 2: struct({}) }), 3: null }),
    refusedWith('ERR_PROTOCOL'),
  ),
  badInput(
    'conflicts',
    'told more than there is',
    () => callWith('conflicts', { 2: cursorOf(vector(entry(TARGET_ID, Number.MAX_SAFE_INTEGER)), vector()), 3: null }),
    answered({ kind: 'conflicts', conflicts: [] }),
  ),
  badInput(
    'conflicts',
    'towards what there is not',
    () => callWith('conflicts', { 2: cursorOf(vector(), vector(entry('nobody', 1))), 3: null }),
    answered({ kind: 'missing' }),
  ),
  badInput(
    'conflicts',
    'behind a loser that never was',
    () => callWith('conflicts', { 2: cursorOf(vector(), vector(), stamp('nobody', Number.MAX_SAFE_INTEGER)), 3: null }),
    answered({ kind: 'conflicts', conflicts: [] }),
  ),
];

function cursorOf(told: Value, target: Value, after?: Value): Value {
  return struct({ 4: struct({ 1: told, 2: target, ...(after === undefined ? {} : { 3: after }) }) });
}
