import type { LogReply, LogRequest, StoreReply, StoreRequest } from '../src/bayou/admin-messages.js';
import type { AcceptStamp, Write } from '../src/bayou/write.js';
import type { KvOperation } from '../src/machine/kv.js';

const PAGE_ITEMS_MAX = 10_000;

type Entries = StoreReply<Uint8Array>['entries'];

/** The store of a replica, ascending by key, in pages: each is asked for when the one before has been dealt with. */
export async function* storePages(
  ask: (request: StoreRequest) => Promise<StoreReply<Uint8Array>>,
): AsyncGenerator<Entries> {
  for (let after: string | null = null, more = true; more; ) {
    const page: StoreReply<Uint8Array> = await ask({ after, entriesMax: PAGE_ITEMS_MAX });
    yield page.entries;
    more = page.more;
    after = page.entries.at(-1)?.key ?? after;
  }
}

/** Likewise its write log, in the total order. */
export async function* logPages(
  ask: (request: LogRequest) => Promise<LogReply<KvOperation>>,
): AsyncGenerator<readonly Write<KvOperation>[]> {
  for (let after: AcceptStamp | null = null, more = true; more; ) {
    const page: LogReply<KvOperation> = await ask({ after, writesMax: PAGE_ITEMS_MAX });
    yield page.entries;
    more = page.more;
    after = page.entries.at(-1) ?? after;
  }
}
