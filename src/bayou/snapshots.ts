import { compareKeys, compareKeysDown } from '../base/ids.js';
import { isRefused, type Refused, refused } from './messages.js';
import type { KeyEntry, ReplicaStorage } from './ports.js';
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

type Cut<Value> = Pick<Extract<ScanReply<Value>, { kind: 'page' }>, 'entries' | 'upTo'>;

export interface SnapshotParts<Op, Value> {
  /** What is under the key now, of batches as far as `seen` covers them; but for what expires by the accept time `asOf`. */
  readonly read: (key: string, seen: VersionVector, asOf: number) => Kept<Value>;
  /** What can be claimed now. */
  readonly seen: () => VersionVector;
  /** The same, where it is known what is under the key. */
  readonly readEntry: (key: string, entry: KeyEntry<Op>, seen: VersionVector, asOf: number) => Kept<Value>;
  readonly walk: ReplicaStorage<Op>['walk'];
  /** Which accept time it is. */
  readonly reading: (now: number) => number;
  /** A number for a new state that was never given before. */
  readonly name: (now: number) => number;
}

/**
 * Ranges of keys, page by page, each page of one state, and if that is asked for all of one: before a key changes, each scan
 * that has not come to it yet keeps what is under it. So a scan costs what changes meanwhile, and nothing is copied.
 */
export class Snapshots<Op, Value> {
  readonly #parts: SnapshotParts<Op, Value>;
  /** By number, those left longest ago first. */
  readonly #open = new Map<number, Snapshot<Value>>();
  #bytes = 0;

  constructor(parts: SnapshotParts<Op, Value>) {
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
  ): Cut<Value> | Refused {
    const { range, reverse, after } = request;
    const compare = reverse ? compareKeysDown : compareKeys;
    const page = new Page<Value>(Math.min(request.entriesMax, PAGE_ENTRIES_MAX));
    const were = [...kept.keys()].filter((key) => isToCome(request, after, key)).sort(compare);
    let at = 0;
    /** Those that were there, and come before `key`; all if that is null. */
    const takeKept = (key: string | null): boolean => {
      for (let was = were[at]; was !== undefined && (key === null || compare(was, key) < 0); was = were[++at]) {
        if (!page.hasRoom() || !page.take(was, kept.get(was) ?? null)) return false;
      }
      return true;
    };
    // Whether the first key of the range is there, only a look tells.
    if (!reverse && after === null && range.from !== null && isToCome(request, null, range.from)) {
      if (!page.take(range.from, this.#parts.read(range.from, seen, asOf))) return page.cut;
    }
    const end = reverse ? range.from : range.before;
    const isPast = (key: string): boolean =>
      end !== null && (reverse ? compareKeys(key, end) < 0 : compareKeys(key, end) >= 0);
    this.#parts.walk(after ?? (reverse ? range.before : range.from), reverse, (key, entry) => {
      if (isPast(key) || !takeKept(key) || !page.hasRoom()) return false;
      const isKept = were[at] === key;
      if (isKept) at += 1;
      return page.take(key, isKept ? (kept.get(key) ?? null) : this.#parts.readEntry(key, entry, seen, asOf));
    });
    takeKept(null);
    return page.cut;
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

/** A page in the making. */
class Page<Value> {
  readonly #entriesMax: number;
  readonly #entries: ScanEntry<Value>[] = [];
  #bytes = 0;
  #looked = 0;
  #last: string | null = null;
  #refused: Refused | null = null;
  #isCut = false;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  /** Asked when there is another key. */
  hasRoom(): boolean {
    this.#isCut ||=
      this.#entries.length >= this.#entriesMax || this.#looked >= PAGE_KEYS_MAX || this.#bytes >= PAGE_BYTES_MAX;
    return !this.#isCut;
  }

  /** Takes what is under the next key. False if that cannot be told: what is before it is given first. */
  take(key: string, found: Kept<Value>): boolean {
    if (found !== null && isRefused(found)) {
      if (this.#looked === 0) this.#refused = found;
      this.#isCut = true;
      return false;
    }
    this.#looked += 1;
    this.#last = key;
    if (found === null) return true;
    const { value, stamp, expires, basis } = found;
    this.#entries.push(expires === undefined && basis === undefined ? { key, value, stamp } : { key, ...found });
    this.#bytes += bytesOf(key, found);
    return true;
  }

  get cut(): Cut<Value> | Refused {
    return this.#refused ?? { entries: this.#entries, upTo: this.#isCut ? this.#last : null };
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
