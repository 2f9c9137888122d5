import { type ClientId, type Origin, originOf, type ReplicaId } from '../base/ids.js';
import type { Random } from '../base/random.js';
import type { PullBatch, PullRequest } from '../bayou/messages.js';
import type { Write } from '../bayou/write.js';
import type { KvOperation } from '../machine/kv.js';

/*
 * What a peer may say that is not so, and that whoever hears it can tell. Each lie must be refused with nothing changed.
 *
 * Not told are lies that nobody could detect: a peer that makes up writes of its own or of a third, or withholds some
 * while it claims them. Replicas of a cluster trust each other as far as that (docs/PROTOCOL.md).
 */

type Batch = PullBatch<KvOperation>;

/** Accept times that nobody reaches. */
const FAR = 5_000_000_000_000_000;

/** Gives what is said in place of the batch; null if it cannot be made into this lie. */
type Lie = (batch: Batch, request: PullRequest) => Batch | null;

/** Answers to a pull. */
const LIES: Readonly<Record<string, Lie>> = {
  'answers as another replica': (batch) => ({ ...batch, from: originOf('nobody' as ReplicaId, 1) }),
  'claims stamps that the requester never gave': (batch, { from, seen }) => {
    const claimed = batch.seen.clone();
    claimed.raise(from, seen.get(from) + FAR);
    return { ...batch, seen: claimed };
  },
  'sends a write that the requester never gave': (batch, { from, seen }) => {
    const forged = madeUp(from, seen.get(from) + FAR);
    const claimed = batch.seen.clone();
    claimed.raise(from, forged.acceptTime);
    return { ...batch, writes: [forged], store: null, seen: claimed };
  },
  'sends writes out of order': (batch) => {
    if (batch.writes.length < 2) return null;
    return { ...batch, writes: [...batch.writes].reverse() };
  },
  'sends a write twice': (batch) => {
    const [first] = batch.writes;
    return first === undefined ? null : { ...batch, writes: [first, ...batch.writes] };
  },
  'sends a write that its vector does not cover': (batch) => {
    return { ...batch, store: null, writes: [...batch.writes, madeUp(batch.from, FAR)] };
  },
  'sends what the requester has': (batch, request) => {
    const [origin, time] = [...request.seen.entries()].find(([, known]) => known > 0) ?? [];
    if (origin === undefined || time === undefined || !batch.seen.covers(origin, time)) return null;
    return { ...batch, resumed: false, store: null, writes: [madeUp(origin, time)] };
  },
  'goes on with a transfer that was not named': (batch, { resume }) => {
    return resume === null ? { ...batch, resumed: true } : null;
  },
  'says that more is left and sends nothing': (batch) => ({ ...batch, writes: [], store: null, more: true }),
  'sends a part of its base store beside writes': (batch) => {
    const page = { time: 1, vector: batch.seen, after: null, entries: [], upTo: null };
    return { ...batch, writes: [madeUp(batch.from, 1)], store: page, more: true };
  },
  'sends keys of its base store out of order': (batch) => {
    const { store } = batch;
    if (store === null || store.entries.length < 2) return null;
    return { ...batch, store: { ...store, entries: [...store.entries].reverse() } };
  },
};

/** What an asker may say in a pull request. */
const REQUEST_LIES: Readonly<Record<string, (request: PullRequest, to: Origin) => PullRequest>> = {
  'asks as one of another cluster': (request) => ({ ...request, terms: { ...request.terms, cluster: 'another' } }),
  'asks with another tie-break': (request) => {
    const { terms } = request;
    return { ...request, terms: { ...terms, tieBreak: terms.tieBreak === 'higher' ? 'lower' : 'higher' } };
  },
  'asks with another retry window': (request) => {
    const { terms } = request;
    return { ...request, terms: { ...terms, retryWindowMs: terms.retryWindowMs + 1 } };
  },
  'asks for somebody else': (request) => ({ ...request, to: 'nobody' as ReplicaId }),
  'asks as the one it asks': (request, to) => ({ ...request, from: to }),
  'claims stamps that the asked one never gave': (request, to) => {
    const claimed = request.seen.clone();
    claimed.raise(to, request.seen.get(to) + FAR);
    return { ...request, seen: claimed };
  },
};

export interface Told<T> {
  readonly what: string;
  readonly said: T;
}

/** A lie in place of the batch; null if the one that was drawn does not fit. */
export function lieAbout(batch: Batch, request: PullRequest, random: Random): Told<Batch> | null {
  const [what, lie] = pick(Object.entries(LIES), random);
  const said = lie(batch, request);
  return said === null ? null : { what, said };
}

/** A lie in place of the request to the replica that is `to` now. */
export function lieInAsking(request: PullRequest, to: Origin, random: Random): Told<PullRequest> {
  const [what, lie] = pick(Object.entries(REQUEST_LIES), random);
  return { what, said: lie(request, to) };
}

function madeUp(origin: Origin, acceptTime: number): Write<KvOperation> {
  const operation = { kind: 'put', value: new Uint8Array([0x6c, 0x69, 0x65]) } as const;
  return { origin, acceptTime, client: 'liar' as ClientId, clientTime: 1, key: 'lie', operation };
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[random.below(from.length)] as T;
}
