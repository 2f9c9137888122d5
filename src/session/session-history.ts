import { BaristaError } from '../base/errors.js';
import type { NoEffect } from '../bayou/fates.js';
import type {
  PastBase as CoreBase,
  PastWrite as CoreWrite,
  HistoryReply,
  HistoryRequest,
} from '../bayou/history-messages.js';
import { VersionVector } from '../bayou/version-vector.js';
import { nameStamp } from '../bayou/write.js';
import { type KvOperation, kvMachine } from '../machine/kv.js';
import { HISTORY_WRITES } from './limits.js';
import { decodeOperation } from './operations.js';
import type { History, HistoryOptions, PastBase, PastWrite, Stamp } from './session.js';
import { checkedStamp } from './stamp.js';
import { decodeValue, type ValueCodec } from './value-codec.js';

/** Of what took no effect for these reasons nothing counts elsewhere. */
const LOST: ReadonlySet<NoEffect> = new Set(['met', 'inapplicable']);

type Page = Extract<HistoryReply<KvOperation>, { kind: 'history' }>;

/** What a program asks for. Throws ERR_OPTION for a limit or a stamp that is none. */
export function historyRequestOf(key: string, { after, limit }: HistoryOptions): Omit<HistoryRequest, 'needs'> {
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1)) {
    throw new BaristaError('ERR_OPTION', `limit is ${limit}, not a whole number from 1`);
  }
  return {
    key,
    after: after === undefined ? null : checkedStamp(after, 'a history goes on behind a stamp'),
    only: null,
    writesMax: Math.min(limit ?? HISTORY_WRITES, 0x7fff_ffff),
  };
}

/** A page as the program gets it. Throws ERR_INVALID_VALUE for a value that the codec cannot read. */
export function historyOf<V>(codec: ValueCodec<V>, key: string, { base, writes, more }: Page): History<V> {
  return {
    kind: 'history',
    base: base === null ? null : baseOf(codec, key, base),
    writes: writes.map((write) => writeOf(codec, key, write)),
    cursor: more ? (writes.at(-1)?.stamp ?? null) : null,
  };
}

/** The last write that a page shows, and of each origin the last: what has then been read. Null if it shows none. */
export function shownBy({ base, writes }: Page): { readonly last: Stamp; readonly all: VersionVector } | null {
  const stamps = [...(base === null ? [] : [base.stamp]), ...writes.map(({ stamp }) => stamp)];
  const last = stamps.at(-1);
  if (last === undefined) return null;
  const all = new VersionVector();
  for (const { origin, acceptTime } of stamps) all.raise(origin, acceptTime);
  return { last, all };
}

function writeOf<V>(codec: ValueCodec<V>, key: string, write: CoreWrite<KvOperation>): PastWrite<V> {
  const { stamp, client, operation, fate, stage, resubmitted } = write;
  return { stamp, client, operation: decodeOperation(codec, key, operation), fate, stage, resubmitted };
}

function baseOf<V>(codec: ValueCodec<V>, key: string, base: CoreBase<KvOperation>): PastBase<V> {
  const { stamp, client, operation, fate } = base;
  const folding = kvMachine.begin(undefined);
  folding.apply(operation, stamp.acceptTime);
  const bytes = folding.value();
  const value = bytes === undefined ? undefined : decodeValue(codec, key, bytes);
  return { stamp, client, value, isTotal: kvMachine.isTotal(operation), fate };
}

/**
 * What puts the write back. Throws ERR_GONE if the page, which was asked for it alone, has it not; ERR_OPTION if it would count
 * twice.
 */
export function restoring({ base, writes }: Page, key: string, stamp: Stamp): KvOperation {
  const [write = base] = writes;
  if (write === null) {
    throw new BaristaError(
      'ERR_GONE',
      `the log has no write ${nameStamp(stamp)} on ${JSON.stringify(key)}, or no more`,
    );
  }
  const { operation, fate } = write;
  switch (operation.kind) {
    case 'put':
    case 'putIfAbsent':
    case 'merge':
    case 'total':
      return { kind: 'put', value: operation.value };
    case 'delete':
      return operation;
    default: {
      const isLost =
        fate.kind === 'overwritten' || fate.kind === 'expired' || (fate.kind === 'no-effect' && LOST.has(fate.rule));
      if (isLost) return operation;
      const what = `the ${operation.kind} ${nameStamp(stamp)} is not lost, but ${fate.kind === 'no-effect' ? fate.rule : fate.kind}`;
      throw new BaristaError('ERR_OPTION', `${what}: made again it would count twice`);
    }
  }
}
