import { compareKeys, compareKeysDown } from '../base/ids.js';
import { isRefused, type Refused, refused } from './messages.js';
import type { ReplicaStorage } from './ports.js';
import type { KeyRange, ScanEntry, ScanReply, ScanRequest } from './read-messages.js';
import type { VersionVector } from './version-vector.js';

/** Entries of one page, whatever is asked for; */
const PAGE_ENTRIES_MAX = 4_096;
/** keys that are looked at for it, whether there is something under them or not; */
const PAGE_KEYS_MAX = 8_192;
/** and bytes after which no more are added. */
const PAGE_BYTES_MAX = 1024 * 1024;

/** States that are held at a time; beyond, the one that was left longest ago is let go of. */
const SNAPSHOTS_MAX = 64;
/** So is one that nobody asked for so long, in milliseconds. */
const SNAPSHOT_IDLE_MS = 60_000;
/** What they keep together of what was changed since, about; beyond, likewise. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;
/** What a kept key takes beside its text and value, about. */
const KEPT_BYTES_MIN = 128;

/** Null: nothing; or why it cannot be told. */
type Kept<Value> = Omit<ScanEntry<Value>, 'key'> | Refused | null;

/** A state that is held for the rest of a scan: what is there now, but for what was changed since, which is kept. */
interface Snapshot<Value> {
  readonly range: KeyRange;
  readonly reverse: boolean;
  /** What could be claimed in it: of batches, nothing else is shown. */
  readonly seen: VersionVector;
  /** The accept time that it shows: what expires by then is gone. */
  readonly asOf: number;
  /** Keys up to here are not asked for any more. */
  position: string;
  readonly kept: Map<string, Kept<Value>>;
  bytes: number;
  usedAt: number;
}

export interface SnapshotParts<Value> {
  /** What is under the key now, of batches as far as `seen` covers them; but for what expires by the accept time `asOf`. */
  readonly read: (key: string, seen: VersionVector, asOf: number) => Kept<Value>;
  /** What can be claimed now. */
  readonly seen: () => VersionVector;
  readonly keys: () => Pick<ReplicaStorage<never>, 'keys' | 'keysDown'>;
  /** Which accept time it is. */
  readonly reading: (now: number) => number;
  /** A number for a new state that was never given before. */
  readonly name: (now: number) => number;
}

/**
 * Ranges of keys, page by page, each page of one state, and if that is asked for all of one: before a key changes, each scan
 * that has not come to it yet keeps what is under it. So a scan costs what changes meanwhile, and nothing is copied.
 */
export class Snapshots<Value> {
  readonly #parts: SnapshotParts<Value>;
  /** By number, those left longest ago first. */
  readonly #open = new Map<number, Snapshot<Value>>();
  #bytes = 0;

  constructor(parts: SnapshotParts<Value>) {
    this.#parts = parts;
  }

  /** What is under `key` is about to change. */
  changing(key: string): void {
    if (this.#open.size === 0) return;
    for (const snapshot of this.#open.values()) {
      if (snapshot.kept.has(key) || !isToCome(snapshot, snapshot.position, key)) continue;
      const now = this.#parts.read(key, snapshot.seen, snapshot.asOf);
      snapshot.kept.set(key, now);
      const bytes = bytesOf(key, now);
      snapshot.bytes += bytes;
      this.#bytes += bytes;
    }
    while (this.#bytes > KEPT_BYTES_MAX) this.#letGoOfOldest();
  }

  /** The next page; ERR_SNAPSHOT if its state is not held any more. `now` is the wall clock in milliseconds. */
  scan(request: ScanRequest, now: number): ScanReply<Value> | Refused {
    for (const [number, { usedAt }] of this.#open) if (now - usedAt > SNAPSHOT_IDLE_MS) this.#letGo(number);
    const { snapshot: number, hold } = request;
    const held = number === null ? null : this.#find(number, request);
    if (held === undefined) return refused('ERR_SNAPSHOT', 'the state that the scan began in is not held any more');
    const asOf = held?.asOf ?? this.#parts.reading(now);
    const page = this.#cut(request, { seen: this.#parts.seen(), asOf, kept: new Map(), ...held });
    if (isRefused(page)) return page;
    if (!hold || page.upTo === null) {
      if (number !== null) this.#letGo(number);
      return { kind: 'page', ...page, snapshot: null };
    }
    if (held !== null) held.usedAt = now;
    return { kind: 'page', ...page, snapshot: number ?? this.#hold(request, page.upTo, asOf, now) };
  }

  #hold({ range, reverse }: ScanRequest, position: string, asOf: number, now: number): number {
    if (this.#open.size >= SNAPSHOTS_MAX) this.#letGoOfOldest();
    const number = this.#parts.name(now);
    const seen = this.#parts.seen().clone();
    this.#open.set(number, { range, reverse, seen, asOf, position, kept: new Map(), bytes: 0, usedAt: now });
    return number;
  }

  /** The snapshot, with what it keeps for the page that is asked for; undefined if it is not there, or is another's. */
  #find(number: number, { range, reverse, after }: ScanRequest): Snapshot<Value> | undefined {
    const snapshot = this.#open.get(number);
    if (snapshot === undefined || after === null) return undefined;
    const isSame =
      snapshot.reverse === reverse && snapshot.range.from === range.from && snapshot.range.before === range.before;
    const isPassed = after !== snapshot.position && !isToCome(snapshot, snapshot.position, after);
    if (!isSame || isPassed) return undefined;
    this.#open.delete(number);
    this.#open.set(number, snapshot);
    snapshot.position = after;
    for (const [key, kept] of snapshot.kept) {
      if (isToCome(snapshot, after, key)) continue;
      snapshot.kept.delete(key);
      const bytes = bytesOf(key, kept);
      snapshot.bytes -= bytes;
      this.#bytes -= bytes;
    }
    return snapshot;
  }

  #cut(
    request: ScanRequest,
    { seen, asOf, kept }: Pick<Snapshot<Value>, 'seen' | 'asOf' | 'kept'>,
  ): { readonly entries: readonly ScanEntry<Value>[]; readonly upTo: string | null } | Refused {
    const entriesMax = Math.min(request.entriesMax, PAGE_ENTRIES_MAX);
    const entries: ScanEntry<Value>[] = [];
    let bytes = 0;
    let looked = 0;
    let upTo: string | null = null;
    for (const key of this.#keysOf(request, kept)) {
      if (entries.length >= entriesMax || looked >= PAGE_KEYS_MAX || bytes >= PAGE_BYTES_MAX) return { entries, upTo };
      const known = kept.get(key);
      const found = known === undefined ? this.#parts.read(key, seen, asOf) : known;
      // What is before it is given first.
      if (found !== null && isRefused(found)) return looked === 0 ? found : { entries, upTo };
      looked += 1;
      upTo = key;
      if (found === null) continue;
      entries.push({ key, ...found });
      bytes += bytesOf(key, found);
    }
    return { entries, upTo: null };
  }

  /** The keys of the range that are to come, in order: those that are here, and those that were. */
  *#keysOf({ range, reverse, after }: ScanRequest, kept: ReadonlyMap<string, unknown>): Generator<string, undefined> {
    const compare = reverse ? compareKeysDown : compareKeys;
    const source = this.#parts.keys();
    const isLeft = (key: string): boolean => isToCome({ range, reverse }, after, key);
    const were = [...kept.keys()].filter(isLeft).sort(compare);
    // Whether the first key of the range is there, only a look tells.
    if (!reverse && after === null && range.from !== null && isLeft(range.from)) yield range.from;
    const here = reverse
      ? source.keysDown(after ?? range.before ?? undefined)
      : source.keys(after ?? range.from ?? undefined);
    let at = 0;
    try {
      for (let next = here.next(); next.done !== true && isLeft(next.value); next = here.next()) {
        for (let was = were[at]; was !== undefined && compare(was, next.value) <= 0; was = were[++at]) {
          if (was !== next.value) yield was;
        }
        yield next.value;
      }
    } finally {
      here.return?.();
    }
    while (at < were.length) yield were[at++] as string;
    return undefined;
  }

  #letGoOfOldest(): void {
    const [oldest] = this.#open.keys();
    if (oldest !== undefined) this.#letGo(oldest);
  }

  #letGo(number: number): void {
    this.#bytes -= this.#open.get(number)?.bytes ?? 0;
    this.#open.delete(number);
  }
}

/** True if the scan, which has passed the keys up to `position`, will come to `key`. */
function isToCome(
  { range, reverse }: Pick<ScanRequest, 'range' | 'reverse'>,
  position: string | null,
  key: string,
): boolean {
  if (range.from !== null && compareKeys(key, range.from) < 0) return false;
  if (range.before !== null && compareKeys(key, range.before) >= 0) return false;
  return position === null || (reverse ? compareKeysDown : compareKeys)(key, position) > 0;
}

function bytesOf<Value>(key: string, kept: Kept<Value>): number {
  const value = kept === null || isRefused(kept) ? null : kept.value;
  return KEPT_BYTES_MIN + 2 * key.length + (ArrayBuffer.isView(value) ? value.byteLength : 0);
}
