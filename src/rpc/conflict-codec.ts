import type {
  Concurrent,
  Conflict,
  ConflictCursor,
  ConflictsFrom,
  ConflictsReply,
  ConflictsRequest,
  LossRule,
} from '../bayou/conflict-messages.js';
import type { KvOperation } from '../machine/kv.js';
import { type Missing, missingReply } from './client-codec.js';
import { writeName } from './history-codec.js';
import { operation } from './operation-codec.js';
import { elementsMax, key } from './scalars.js';
import { bool, type Codec, enumeration, list, mapped, structOf, unionOf } from './schema.js';
import { acceptStamp, versionVector } from './stamp-codec.js';
import { fromNow, fromStamp } from './watch-codec.js';

/* The messages of KeyValue:conflicts. */

const conflictCursor: Codec<ConflictCursor> = structOf<ConflictCursor>('ConflictCursor')
  .required(1, 'told', versionVector, (cursor) => cursor.told)
  .required(2, 'target', versionVector, (cursor) => cursor.target)
  .optional(3, 'after', acceptStamp, (cursor) => cursor.after)
  .build((told, target, after) => ({ told, target, after }));

type From<Kind extends ConflictsFrom['kind']> = Extract<ConflictsFrom, { kind: Kind }>;

const fromStart: Codec<From<'start'>> = structOf<From<'start'>>('FromStart').build(() => ({ kind: 'start' }));
const fromCursor: Codec<From<'cursor'>> = mapped(
  conflictCursor,
  (cursor) => ({ kind: 'cursor', cursor }),
  (from) => from.cursor,
);

const conflictsFrom: Codec<ConflictsFrom> = unionOf<ConflictsFrom>('ConflictsFrom')
  .arm(1, 'start', fromStart, (from) => from.kind === 'start')
  .arm(2, 'now', fromNow, (from) => from.kind === 'now')
  .arm(3, 'stamp', fromStamp, (from) => from.kind === 'stamp')
  .arm(4, 'cursor', fromCursor, (from) => from.kind === 'cursor')
  .build();

export const conflictsRequest: Codec<ConflictsRequest> = structOf<ConflictsRequest>('ConflictsRequest')
  .optional(1, 'prefix', key, ({ prefix }) => (prefix === '' ? null : prefix))
  .required(2, 'position', conflictsFrom, (request) => request.from)
  .optional(3, 'needs', versionVector, (request) => request.needs)
  .required(4, 'conflictsMax', elementsMax, (request) => request.conflictsMax)
  .build((prefix, from, needs, conflictsMax) => ({ prefix: prefix ?? '', from, needs, conflictsMax }));

const lossRule: Codec<LossRule> = enumeration<LossRule>('LossRule', {
  overwritten: ['OVERWRITTEN', 1],
  inapplicable: ['INAPPLICABLE', 2],
});

const concurrent: Codec<Concurrent> = enumeration<Concurrent>('Concurrent', {
  yes: ['YES', 1],
  no: ['NO', 2],
  unknown: ['UNKNOWN', 3],
});

const conflict: Codec<Conflict<KvOperation>> = structOf<Conflict<KvOperation>>('Conflict')
  .required(1, 'key', key, (it) => it.key)
  .required(2, 'lost', writeName, (it) => it.lost)
  .required(3, 'operation', operation, (it) => it.operation)
  .required(4, 'rule', lossRule, (it) => it.rule)
  .optional(5, 'winner', writeName, (it) => it.winner)
  .required(6, 'concurrent', concurrent, (it) => it.concurrent)
  .build((key, lost, operation, rule, winner, concurrent) => ({ key, lost, operation, rule, winner, concurrent }));

type Told = Extract<ConflictsReply<KvOperation>, { kind: 'conflicts' }>;

const conflicts: Codec<Told> = structOf<Told>('Conflicts')
  .required(1, 'conflicts', list(conflict), (reply) => reply.conflicts)
  .required(2, 'cursor', conflictCursor, (reply) => reply.cursor)
  .required(3, 'more', bool, (reply) => reply.more)
  .build((conflicts, cursor, more) => ({ kind: 'conflicts', conflicts, cursor, more }));

export const conflictsReply: Codec<ConflictsReply<KvOperation>> = unionOf<Told | Missing>('ConflictsReply')
  .arm(1, 'conflicts', conflicts, (reply) => reply.kind === 'conflicts')
  .arm(2, 'missing', missingReply, (reply) => reply.kind === 'missing')
  .build();
