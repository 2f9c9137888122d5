import {
  type FoundValue,
  READ_KEYS_MAX,
  type ReadManyReply,
  type ReadManyRequest,
  type ScanEntry,
  type ScanReply,
  type ScanRequest,
} from '../bayou/read-messages.js';
import { absentReply, foundReply, type GetReply, type Missing, missingReply, present } from './client-codec.js';
import { malformed } from './field-error.js';
import { elementsMax, key, time, value } from './scalars.js';
import { bool, type Codec, list, mapped, structOf, unionOf } from './schema.js';
import { acceptStamp, versionVector } from './stamp-codec.js';

/* The messages of service KeyValue that read more than one key. */

export const getManyRequest: Codec<ReadManyRequest> = structOf<ReadManyRequest>('GetManyRequest')
  .required(1, 'keys', list(key), (request) => checkedKeys(request.keys))
  .optional(2, 'needs', versionVector, (request) => request.needs)
  .build((keys, needs) => ({ keys: checkedKeys(keys), needs }));

function checkedKeys(keys: readonly string[]): readonly string[] {
  if (keys.length > READ_KEYS_MAX) throw malformed(`${keys.length} keys, where ${READ_KEYS_MAX} are allowed`);
  return keys;
}

type Lookup = Exclude<GetReply, { kind: 'missing' }>;

const lookup: Codec<Lookup> = unionOf<Lookup>('Lookup')
  .arm(1, 'found', foundReply, (reply) => reply.kind === 'found')
  .arm(2, 'absent', absentReply, (reply) => reply.kind === 'absent')
  .build();

type Values = Extract<ReadManyReply<Uint8Array>, { kind: 'values' }>;

const foundOrNull = mapped<Lookup, FoundValue<Uint8Array> | null>(
  lookup,
  (reply) => {
    if (reply.kind === 'absent') return null;
    const { kind: _, ...found } = reply;
    return found;
  },
  (found) => (found === null ? { kind: 'absent' } : { kind: 'found', ...found }),
);

const lookups: Codec<Values> = structOf<Values>('Lookups')
  .required(1, 'lookups', list(foundOrNull), (reply) => reply.values)
  .build((values) => ({ kind: 'values', values }));

export const getManyReply: Codec<ReadManyReply<Uint8Array>> = unionOf<Values | Missing>('GetManyReply')
  .arm(1, 'values', lookups, (reply) => reply.kind === 'values')
  .arm(2, 'missing', missingReply, (reply) => reply.kind === 'missing')
  .build();

export const scanRequest: Codec<ScanRequest> = structOf<ScanRequest>('ScanRequest')
  .optional(1, 'atLeast', key, (request) => request.range.from)
  .optional(2, 'below', key, (request) => request.range.before)
  .required(3, 'reverse', bool, (request) => request.reverse)
  .optional(4, 'after', key, (request) => request.after)
  .required(5, 'entriesMax', elementsMax, (request) => request.entriesMax)
  .required(6, 'hold', bool, (request) => request.hold)
  .optional(7, 'snapshot', time, (request) => request.snapshot)
  .optional(8, 'needs', versionVector, (request) => request.needs)
  .build((from, before, reverse, after, entriesMax, hold, snapshot, needs) => ({
    range: { from, before },
    reverse,
    after,
    entriesMax,
    hold,
    snapshot,
    needs,
  }));

type Entry = ScanEntry<Uint8Array>;

const scanEntry: Codec<Entry> = structOf<Entry>('ScanEntry')
  .required(1, 'key', key, (entry) => entry.key)
  .required(2, 'value', value, (entry) => entry.value)
  .required(3, 'stamp', acceptStamp, (entry) => entry.stamp)
  .optional(4, 'basis', versionVector, (entry) => entry.basis ?? null)
  .optional(5, 'expires', time, (entry) => entry.expires ?? null)
  .build((key, value, stamp, basis, expires) => ({ key, value, stamp, ...present({ basis, expires }) }));

type Page = Extract<ScanReply<Uint8Array>, { kind: 'page' }>;

const scanPage: Codec<Page> = structOf<Page>('ScanPage')
  .required(1, 'entries', list(scanEntry), (page) => page.entries)
  .optional(2, 'upTo', key, (page) => page.upTo)
  .optional(3, 'snapshot', time, (page) => page.snapshot)
  .build((entries, upTo, snapshot) => ({ kind: 'page', entries, upTo, snapshot }));

export const scanReply: Codec<ScanReply<Uint8Array>> = unionOf<Page | Missing>('ScanReply')
  .arm(1, 'page', scanPage, (reply) => reply.kind === 'page')
  .arm(2, 'missing', missingReply, (reply) => reply.kind === 'missing')
  .build();
