import type { BadInput } from './bad-input.js';
import { BAD_PARTS } from './bad-parts.js';
import { COLLECTIONS, UNKNOWN_FIELDS } from './collections.js';
import { BROKEN_FIELDS, NUMBER_EDGES, SPECIAL, STRANGERS, TEXTS } from './fields.js';
import { EVERY_METHOD, FRAMING } from './framing.js';

/** Everything a client, a peer or an operator should not send, by family. */
export const CATALOGUE: readonly (readonly [family: string, inputs: readonly BadInput[]])[] = [
  ['frames, headers and names', FRAMING],
  ['every method', EVERY_METHOD],
  ['fields that are missing, twice, or of another type', BROKEN_FIELDS],
  ['text', TEXTS],
  ['numbers', NUMBER_EDGES],
  ['names that mean something to the language', SPECIAL],
  ['strangers', STRANGERS],
  ['batches that are none', BAD_PARTS],
  ['collections', COLLECTIONS],
  ['fields that nobody knows', UNKNOWN_FIELDS],
];
