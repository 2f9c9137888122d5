import { setTimeout as delay } from 'node:timers/promises';
import { logPages, storePages } from '../../master/pages.js';
import type { Admin, ClientLine } from '../../master/world.js';
import { incarnationOf, replicaIdOf } from '../../src/base/ids.js';
import { promised } from '../../src/base/outcome.js';
import type { LogReply, Status, StoreReply } from '../../src/bayou/admin-messages.js';
import type { ReadReply } from '../../src/bayou/messages.js';
import type { AcceptStamp, Write } from '../../src/bayou/write.js';
import type { LoggedWrite, StateEvent } from '../../src/check/history.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { stampOf, vectorOf } from './recorded-client.js';

const TIMEOUT_MS = 10_000;
const PATIENCE_MS = 60_000;

export interface StateRecording {
  readonly now: () => number;
  readonly final: boolean;
}

/**
 * All that a replica shows, as it was in one step: taken page by page until nothing has changed meanwhile, and nothing is
 * there of a transfer that has not ended.
 */
export async function stateOf(line: Admin & ClientLine, { now, final }: StateRecording): Promise<StateEvent> {
  const limit = performance.now() + PATIENCE_MS;
  while (performance.now() < limit) {
    const before = await statusOf(line);
    const log = await logOf(line);
    const store = await storeOf(line);
    const after = await statusOf(line);
    if (store !== null && isSame(before, after) && [...log, ...store.map(([, , at]) => at)].every(isCovered(after))) {
      const { origin, seen, base, stable } = after;
      return {
        type: 'state',
        at: now(),
        replica: replicaIdOf(origin),
        incarnation: incarnationOf(origin),
        seen: vectorOf(seen),
        received: [],
        base,
        stable,
        log: log.map(logged),
        store: store.map(([key, value, stamp]) => [key, value, stampOf(stamp)]),
        final,
      };
    }
    await delay(20);
  }
  throw new Error('a replica went on changing');
}

export function statusOf(line: Pick<Admin, 'status'>): Promise<Status> {
  return promised<Status>((done) => line.status(TIMEOUT_MS, done));
}

function isSame(before: Status, after: Status): boolean {
  const { origin, writes, base, stable } = before;
  return (
    origin === after.origin &&
    writes === after.writes &&
    base === after.base &&
    stable === after.stable &&
    before.seen.equals(after.seen)
  );
}

function isCovered({ seen }: Status) {
  return ({ origin, acceptTime }: AcceptStamp): boolean => seen.covers(origin, acceptTime);
}

async function logOf(line: Admin): Promise<Write<KvOperation>[]> {
  const log: Write<KvOperation>[] = [];
  const pages = logPages((request) => promised<LogReply<KvOperation>>((done) => line.log(request, TIMEOUT_MS, done)));
  for await (const page of pages) log.push(...page);
  return log;
}

/** Null if a key changed between its page and the read that tells its stamp. */
async function storeOf(line: Admin & ClientLine): Promise<(readonly [string, string, AcceptStamp])[] | null> {
  const entries: (readonly [string, string, AcceptStamp])[] = [];
  const pages = storePages((request) =>
    promised<StoreReply<Uint8Array>>((done) => line.store(request, TIMEOUT_MS, done)),
  );
  for await (const page of pages) {
    const reads = page.map(({ key }) =>
      promised<ReadReply<Uint8Array>>((done) => line.read({ key, needs: null }, TIMEOUT_MS, done)),
    );
    for (const [i, read] of (await Promise.all(reads)).entries()) {
      const entry = page[i];
      if (entry === undefined || read.kind !== 'found') return null;
      const value = text(read.value);
      if (value !== text(entry.value)) return null;
      entries.push([entry.key, value, read.stamp]);
    }
  }
  return entries;
}

function logged({ client, clientTime, key, operation, resubmitted, part, ...stamp }: Write<KvOperation>): LoggedWrite {
  return {
    stamp: stampOf(stamp),
    client,
    clientTime,
    key,
    value: operation.kind === 'put' ? text(operation.value) : null,
    ...(resubmitted === true ? { resubmitted } : {}),
    ...(part === true ? { part } : {}),
  };
}

function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}
