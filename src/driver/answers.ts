import { BaristaError, toBaristaError } from '../base/errors.js';
import { compareIds, type Origin, type ReplicaId } from '../base/ids.js';
import type { Log } from '../base/log.js';
import { type Done, fail, succeed } from '../base/outcome.js';
import type { Clock, Timers } from '../base/time.js';
import {
  type LogReply,
  type LogRequest,
  PAGE_BYTES_MAX,
  type Status,
  type StoreReply,
  type StoreRequest,
} from '../bayou/admin-messages.js';
import type { HoldsReply, HoldsRequest, WriteState, WriteStateRequest } from '../bayou/hold-messages.js';
import type { ReadReply, ReadRequest } from '../bayou/messages.js';
import type { FoundValue, ReadManyReply, ReadManyRequest, ScanReply, ScanRequest } from '../bayou/read-messages.js';
import type { Replica } from '../bayou/replica.js';
import type { VersionVector } from '../bayou/version-vector.js';
import type { WatchReply, WatchRequest } from '../bayou/watch-messages.js';
import { hasSameStamp, type Write } from '../bayou/write.js';
import type { KvOperation } from '../machine/kv.js';
import type { FlushGate } from './flush-gate.js';
import { HistoryDesk } from './history-desk.js';
import type { Link } from './link.js';
import { outcomeOf } from './outcome-of.js';
import { takePage } from './page.js';
import type { DriverSettings } from './settings.js';
import { Waits } from './waits.js';
import { WatchDesk } from './watch-desk.js';

/** What the values of one reply that is not a page take together. */
const VALUES_BYTES_MAX = 8 * 1024 * 1024;

type Core = Replica<KvOperation, Uint8Array>;
type StoredEntry = StoreReply<Uint8Array>['entries'][number];

export interface AnswersParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly settings: DriverSettings;
  readonly gate: FlushGate;
  readonly log: Log;
  /** Why nothing can be read. */
  readonly outage: () => BaristaError | null;
  readonly links: ReadonlyMap<ReplicaId, Link<KvOperation>>;
  /** Has the neighbours asked what they hold, since somebody waits for that. */
  readonly askNeighbours: () => void;
}

/** What the driver answers from what the replica holds, changing nothing: at once, when it is durable, or when it has come. */
export class Answers {
  readonly histories: HistoryDesk;
  readonly #links: ReadonlyMap<ReplicaId, Link<KvOperation>>;
  readonly #outage: () => BaristaError | null;
  readonly #gate: FlushGate;
  readonly #clock: Clock;
  readonly #waits: Waits;
  readonly #watches: WatchDesk;
  readonly #log: Log;
  /** The merge procedures that the log was told are lacking. */
  readonly #lacks = new Set<string>();
  #core: Core;
  #awaitingStable = 0;

  constructor(core: Core, parts: AnswersParts) {
    this.#core = core;
    this.#outage = parts.outage;
    this.#gate = parts.gate;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#waits = new Waits(parts.timers, parts.settings, parts.askNeighbours);
    this.#watches = new WatchDesk(core, parts);
    this.#links = parts.links;
    this.histories = new HistoryDesk({
      ...parts,
      core: () => this.#core,
      peers: () => vectorsOf(this.#links.values()),
    });
  }

  /** Goes on over another core. */
  open(core: Core): void {
    this.#core = core;
    this.#watches.open(core);
  }

  /** Something may have come, or been heard of, that somebody waits for. */
  changed(): void {
    this.#waits.changed();
    this.#watches.changed();
    for (const procedure of this.#core.lacks) {
      if (this.#lacks.has(procedure)) continue;
      this.#lacks.add(procedure);
      const what =
        'reads of what rests on a merge procedure that is not here are refused, and nothing after it is folded';
      this.#log.warn({ code: 'ERR_PROCEDURE', procedure }, what);
    }
  }

  /** Answers all that wait with what is so now, and lets go of every timer. */
  close(): void {
    this.#waits.close();
    this.#watches.close();
  }

  /** True while somebody waits for a write to become stable. */
  get awaitsStable(): boolean {
    return this.#awaitingStable > 0;
  }

  read(request: ReadRequest, done: Done<ReadReply<Uint8Array>>): void {
    const refusal = this.#outage() ?? this.#gate.overload();
    if (refusal !== null) return done(fail(refusal));
    // What others wrote is durable with them.
    const reply = this.#core.read(request, this.#clock.now());
    this.#gate.answer(done, outcomeOf(reply), 'own writes', reply.kind === 'found' ? reply.value.length : 0);
  }

  readMany(request: ReadManyRequest, done: Done<ReadManyReply<Uint8Array>>): void {
    const refusal = this.#outage() ?? this.#gate.overload();
    if (refusal !== null) return done(fail(refusal));
    const reply = this.#core.reader.readMany(request, this.#clock.now());
    const bytes = reply.kind === 'values' ? bytesOf(reply.values) : 0;
    if (bytes > VALUES_BYTES_MAX) {
      const message = `the values of ${request.keys.length} keys take ${bytes} bytes, the limit is ${VALUES_BYTES_MAX}`;
      return done(fail(new BaristaError('ERR_FRAME_TOO_LARGE', message)));
    }
    this.#gate.answer(done, outcomeOf(reply), 'own writes', bytes);
  }

  scan(request: ScanRequest, done: Done<ScanReply<Uint8Array>>): void {
    const refusal = this.#outage() ?? this.#gate.overload();
    if (refusal !== null) return done(fail(refusal));
    const reply = this.#core.reader.scan(request, this.#clock.now());
    this.#gate.answer(done, outcomeOf(reply), 'own writes', reply.kind === 'page' ? bytesOf(reply.entries) : 0);
  }

  holds({ needs, budgetMs }: HoldsRequest, done: Done<HoldsReply>): void {
    const look = () => {
      const missing = this.#core.reader.missing(needs);
      return { value: { missing }, isEnough: missing === null };
    };
    this.#wait(budgetMs, look, done);
  }

  writeState({ stamp, holders, stable, budgetMs }: WriteStateRequest, done: Done<WriteState>): void {
    const look = () => {
      const value = this.#core.reader.stateOf(stamp, vectorsOf(this.#links.values()));
      return { value, isEnough: value.holders.length >= holders && (value.stable || !stable) };
    };
    if (stable) this.#awaitingStable += 1;
    this.#wait(budgetMs, look, (outcome) => {
      if (stable) this.#awaitingStable -= 1;
      done(outcome);
    });
  }

  watch(request: WatchRequest, done: Done<WatchReply<Uint8Array>>): void {
    this.#watches.watch(request, done);
  }

  status(done: Done<Status>): void {
    const outage = this.#outage();
    if (outage !== null) return done(fail(outage));
    const links = [...this.#links.values()]
      .map(({ peer, address, lastError, drift, progress }) => ({ peer, address, lastError, drift, progress }))
      .sort((a, b) => compareIds(a.peer, b.peer));
    const { origin, terms, logSize: writes, base, stable, waitsFor, retired, lacks } = this.#core;
    const seen = this.#core.seen();
    this.#gate.answer(done, succeed({ origin, terms, seen, writes, base, stable, waitsFor, retired, links, lacks }));
  }

  store(request: StoreRequest, done: Done<StoreReply<Uint8Array>>): void {
    const outage = this.#outage();
    if (outage !== null) return done(fail(outage));
    const entries = this.#core.entries(request.after, this.#clock.now());
    let page: ReturnType<typeof takePage<StoredEntry>>;
    try {
      page = takePage(entries, request.entriesMax, PAGE_BYTES_MAX, bytesOfEntry);
    } catch (thrown) {
      return done(fail(toBaristaError(thrown)));
    }
    const { items, more } = page;
    const bytes = items.reduce((sum, entry) => sum + bytesOfEntry(entry), 0);
    this.#gate.answer(done, succeed({ entries: items, more }), 'anything', bytes);
  }

  log(request: LogRequest, done: Done<LogReply<KvOperation>>): void {
    const outage = this.#outage();
    if (outage !== null) return done(fail(outage));
    const replica = this.#core;
    const bytesOfWrite = (write: Write<KvOperation>): number => replica.bytesOf(write);
    // The next page begins behind a stamp.
    const page = takePage(replica.log(request.after), request.writesMax, PAGE_BYTES_MAX, bytesOfWrite, hasSameStamp);
    const bytes = page.items.reduce((sum, write) => sum + replica.bytesOf(write), 0);
    this.#gate.answer(done, succeed({ entries: page.items, more: page.more }), 'anything', bytes);
  }

  #wait<T>(budgetMs: number, look: () => { readonly value: T; readonly isEnough: boolean }, done: Done<T>): void {
    const refusal = this.#outage() ?? this.#gate.overload();
    if (refusal !== null) return done(fail(refusal));
    const overload = this.#waits.wait(budgetMs, look, (value) => this.#gate.answer(done, succeed(value)));
    if (overload !== null) done(fail(overload));
  }
}

function bytesOfEntry({ key, value }: StoredEntry): number {
  return key.length + value.length;
}

function* vectorsOf(links: Iterable<Link<KvOperation>>): Generator<readonly [Origin, VersionVector]> {
  for (const { held } of links) if (held !== null) yield held;
}

function bytesOf(values: readonly (FoundValue<Uint8Array> | null)[]): number {
  return values.reduce((sum, found) => sum + (found?.value.length ?? 0), 0);
}
