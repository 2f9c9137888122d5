import type { Change, WatchCursor, WatchFrom, WatchReply, WatchRequest } from '../bayou/watch-messages.js';
import { type Missing, missingReply, present } from './client-codec.js';
import { malformed } from './field-error.js';
import { clientId, elementsMax, key, milliseconds, time, value } from './scalars.js';
import { bool, type Codec, list, mapped, structOf, unionOf } from './schema.js';
import { acceptStamp, versionVector } from './stamp-codec.js';

/* The messages of KeyValue:watch. */

const watchCursor: Codec<WatchCursor> = structOf<WatchCursor>('WatchCursor')
  .required(1, 'told', versionVector, (cursor) => cursor.told)
  .required(2, 'target', versionVector, (cursor) => cursor.target)
  .optional(3, 'base', time, (cursor) => cursor.store?.time ?? null)
  .optional(4, 'after', key, (cursor) => cursor.store?.after ?? null)
  .build((told, target, base, after) => {
    if (base === null && after !== null) throw malformed('a key of a base store, without the base store');
    return { told, target, store: base === null ? null : { time: base, after } };
  });

type From<Kind extends WatchFrom['kind']> = Extract<WatchFrom, { kind: Kind }>;

export const fromNow: Codec<From<'now'>> = structOf<From<'now'>>('FromNow').build(() => ({ kind: 'now' }));

export const fromStamp: Codec<From<'stamp'>> = mapped(
  acceptStamp,
  (stamp) => ({ kind: 'stamp', stamp }),
  (from) => from.stamp,
);

const fromCursor: Codec<From<'cursor'>> = mapped(
  watchCursor,
  (cursor) => ({ kind: 'cursor', cursor }),
  (from) => from.cursor,
);

const watchFrom: Codec<WatchFrom> = unionOf<WatchFrom>('WatchFrom')
  .arm(1, 'now', fromNow, (from) => from.kind === 'now')
  .arm(2, 'stamp', fromStamp, (from) => from.kind === 'stamp')
  .arm(3, 'cursor', fromCursor, (from) => from.kind === 'cursor')
  .build();

export const watchRequest: Codec<WatchRequest> = structOf<WatchRequest>('WatchRequest')
  .optional(1, 'prefix', key, ({ prefix }) => (prefix === '' ? null : prefix))
  .required(2, 'position', watchFrom, (request) => request.from)
  .optional(3, 'needs', versionVector, (request) => request.needs)
  .required(4, 'changesMax', elementsMax, (request) => request.changesMax)
  .required(5, 'budgetMs', milliseconds, (request) => request.budgetMs)
  .optional(6, 'name', clientId, (request) => request.name)
  .build((prefix, from, needs, changesMax, budgetMs, name) => ({
    prefix: prefix ?? '',
    from,
    needs,
    changesMax,
    budgetMs,
    name,
  }));

const watchChange: Codec<Change<Uint8Array>> = structOf<Change<Uint8Array>>('WatchChange')
  .required(1, 'key', key, (change) => change.key)
  .required(2, 'stamp', acceptStamp, (change) => change.stamp)
  .required(3, 'client', clientId, (change) => change.client)
  .optional(4, 'value', value, (change) => change.value)
  .required(5, 'standing', acceptStamp, (change) => change.standing)
  .required(6, 'stands', bool, (change) => change.stands)
  .required(7, 'reordered', bool, (change) => change.reordered)
  .optional(8, 'lost', value, (change) => change.lost)
  .optional(9, 'basis', versionVector, (change) => change.basis ?? null)
  .optional(10, 'expires', time, (change) => change.expires ?? null)
  .build((key, stamp, client, value, standing, stands, reordered, lost, basis, expires) => ({
    key,
    stamp,
    client,
    value,
    standing,
    stands,
    reordered,
    lost,
    ...present({ basis, expires }),
  }));

type Changes = Extract<WatchReply<Uint8Array>, { kind: 'changes' }>;

const watchChanges: Codec<Changes> = structOf<Changes>('WatchChanges')
  .required(1, 'changes', list(watchChange), (reply) => reply.changes)
  .required(2, 'cursor', watchCursor, (reply) => reply.cursor)
  .required(3, 'more', bool, (reply) => reply.more)
  .build((changes, cursor, more) => ({ kind: 'changes', changes, cursor, more }));

export const watchReply: Codec<WatchReply<Uint8Array>> = unionOf<Changes | Missing>('WatchReply')
  .arm(1, 'changes', watchChanges, (reply) => reply.kind === 'changes')
  .arm(2, 'missing', missingReply, (reply) => reply.kind === 'missing')
  .build();
