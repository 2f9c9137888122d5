import type { Fate, NoEffect, WriteName } from '../bayou/fates.js';
import type { HistoryReply, HistoryRequest, PastBase, PastWrite, Stage } from '../bayou/history-messages.js';
import type { KvOperation } from '../machine/kv.js';
import { type Missing, missingReply } from './client-codec.js';
import { operation } from './operation-codec.js';
import { clientId, elementsMax, key, procedureName } from './scalars.js';
import { bool, type Codec, enumeration, list, structOf, unionOf } from './schema.js';
import { acceptStamp, versionVector } from './stamp-codec.js';

/* The messages of KeyValue:history. */

export const historyRequest: Codec<HistoryRequest> = structOf<HistoryRequest>('HistoryRequest')
  .required(1, 'key', key, (request) => request.key)
  .optional(2, 'after', acceptStamp, (request) => request.after)
  .optional(3, 'only', acceptStamp, (request) => request.only)
  .required(4, 'writesMax', elementsMax, (request) => request.writesMax)
  .optional(5, 'needs', versionVector, (request) => request.needs)
  .build((key, after, only, writesMax, needs) => ({ key, after, only, writesMax, needs }));

export const writeName: Codec<WriteName> = structOf<WriteName>('WriteName')
  .required(1, 'stamp', acceptStamp, (name) => name.stamp)
  .required(2, 'client', clientId, (name) => name.client)
  .build((stamp, client) => ({ stamp, client }));

const noEffectRule: Codec<NoEffect> = enumeration<NoEffect>('NoEffectRule', {
  repeat: ['REPEAT', 1],
  outdated: ['OUTDATED', 2],
  anew: ['ANEW', 3],
  met: ['MET', 4],
  inapplicable: ['INAPPLICABLE', 5],
});

type Of<Kind extends Fate['kind']> = Extract<Fate, { kind: Kind }>;

const stands: Codec<Of<'stands'>> = structOf<Of<'stands'>>('Stands').build(() => ({ kind: 'stands' }));

const overwritten: Codec<Of<'overwritten'>> = structOf<Of<'overwritten'>>('Overwritten')
  .required(1, 'by', writeName, (fate) => fate.by)
  .build((by) => ({ kind: 'overwritten', by }));

const noEffect: Codec<Of<'no-effect'>> = structOf<Of<'no-effect'>>('NoEffect')
  .required(1, 'rule', noEffectRule, (fate) => fate.rule)
  .optional(2, 'by', writeName, (fate) => fate.by)
  .build((rule, by) => ({ kind: 'no-effect', rule, by }));

const unknownFate: Codec<Of<'unknown'>> = structOf<Of<'unknown'>>('UnknownFate')
  .required(1, 'lacks', procedureName, (fate) => fate.lacks)
  .build((lacks) => ({ kind: 'unknown', lacks }));

const expired: Codec<Of<'expired'>> = structOf<Of<'expired'>>('Expired').build(() => ({ kind: 'expired' }));

const fate: Codec<Fate> = unionOf<Fate>('Fate')
  .arm(1, 'stands', stands, (it) => it.kind === 'stands')
  .arm(2, 'overwritten', overwritten, (it) => it.kind === 'overwritten')
  .arm(3, 'noEffect', noEffect, (it) => it.kind === 'no-effect')
  .arm(4, 'unknown', unknownFate, (it) => it.kind === 'unknown')
  .arm(5, 'expired', expired, (it) => it.kind === 'expired')
  .build();

const stage: Codec<Stage> = enumeration<Stage>('Stage', {
  received: ['RECEIVED', 1],
  accepted: ['ACCEPTED', 2],
  stable: ['STABLE', 3],
});

const pastWrite: Codec<PastWrite<KvOperation>> = structOf<PastWrite<KvOperation>>('PastWrite')
  .required(1, 'stamp', acceptStamp, (write) => write.stamp)
  .required(2, 'client', clientId, (write) => write.client)
  .required(3, 'operation', operation, (write) => write.operation)
  .required(4, 'fate', fate, (write) => write.fate)
  .required(5, 'stage', stage, (write) => write.stage)
  .optional(6, 'resubmitted', bool, (write) => (write.resubmitted ? true : null))
  .build((stamp, client, operation, fate, stage, resubmitted) => {
    return { stamp, client, operation, fate, stage, resubmitted: resubmitted === true };
  });

const pastBase: Codec<PastBase<KvOperation>> = structOf<PastBase<KvOperation>>('PastBase')
  .required(1, 'stamp', acceptStamp, (base) => base.stamp)
  .required(2, 'client', clientId, (base) => base.client)
  .required(3, 'operation', operation, (base) => base.operation)
  .required(4, 'fate', fate, (base) => base.fate)
  .build((stamp, client, operation, fate) => ({ stamp, client, operation, fate }));

type Page = Extract<HistoryReply<KvOperation>, { kind: 'history' }>;

const historyPage: Codec<Page> = structOf<Page>('HistoryPage')
  .optional(1, 'base', pastBase, (page) => page.base)
  .required(2, 'writes', list(pastWrite), (page) => page.writes)
  .required(3, 'more', bool, (page) => page.more)
  .build((base, writes, more) => ({ kind: 'history', base, writes, more }));

export const historyReply: Codec<HistoryReply<KvOperation>> = unionOf<Page | Missing>('HistoryReply')
  .arm(1, 'page', historyPage, (it) => it.kind === 'history')
  .arm(2, 'missing', missingReply, (it) => it.kind === 'missing')
  .build();
