import { randomBytes } from 'node:crypto';
import { BaristaError } from '../base/errors.js';
import type { ClientId } from '../base/ids.js';
import type { ConflictsFrom, ConflictsReply, Conflict as CoreConflict } from '../bayou/conflict-messages.js';
import type { HistoryReply } from '../bayou/history-messages.js';
import type { ReadReply, WriteReply } from '../bayou/messages.js';
import {
  READ_KEYS_MAX,
  type ReadManyReply,
  type ScanEntry,
  type ScanReply,
  type ScanRequest,
} from '../bayou/read-messages.js';
import { DEFAULT_GUARANTEES, GUARANTEES, type Guarantee, Session as Needs } from '../bayou/session.js';
import { partsOf, type Submission } from '../bayou/submission.js';
import { VersionVector } from '../bayou/version-vector.js';
import type { Change as CoreChange, WatchFrom, WatchReply } from '../bayou/watch-messages.js';
import { type KvOperation, kvMachine } from '../machine/kv.js';
import { checkText } from './check-text.js';
import { conflictsFrom } from './conflict-cursor.js';
import { checkedMs, Deadline } from './deadline.js';
import {
  CONFLICTS_PAGE,
  SLICE_MS,
  TIMEOUT_MS,
  TIMEOUT_MS_MAX,
  WAIT_MS,
  WATCH_CHANGES,
  WATCH_TIMEOUT_MS,
} from './limits.js';
import { decodeOperation, encodeOperation, encodeParts, lasting } from './operations.js';
import type { Ask, AskOptions, Pin, Route } from './route.js';
import { isInRange, positionOf } from './scan-range.js';
import type {
  Batch,
  BatchPart,
  CallOptions,
  Change,
  Conflicts,
  ConflictsOptions,
  Found,
  History,
  HistoryOptions,
  Loss,
  MergeOptions,
  Missing,
  OnMissing,
  Operation,
  PutOptions,
  Read,
  ReadMany,
  Scan,
  ScanOptions,
  Session,
  SessionOptions,
  Stamp,
  Watch,
  WatchOptions,
  Write,
} from './session.js';
import { SessionConflicts } from './session-conflicts.js';
import { historyOf, historyRequestOf, restoring, shownBy } from './session-history.js';
import { SessionScan } from './session-scan.js';
import { SessionWatch } from './session-watch.js';
import { checkedStamp } from './stamp.js';
import { decodeToken, encodeToken } from './token.js';
import { decodeValue, utf8, type ValueCodec } from './value-codec.js';
import { watchBeginning } from './watch-beginning.js';
import { accepted, refusedFor } from './write-progress.js';

const ON_MISSING: readonly OnMissing[] = ['wait', 'try-another', 'report'];

/** What no key ever needed. */
const ANOTHER = new VersionVector();

const NOTHING = new VersionVector();

/** How long a replica may take to forget a watch. */
const FORGET_MS = 1_000;

type Defaults = Required<Pick<CallOptions, 'timeoutMs' | 'onMissing' | 'waitMs'>>;

/** A session over a route; without a codec its values are text. */
export function openSession<V>(route: Route, options: SessionOptions<V>): Session<V> {
  // With no codec, V is string: that is its default.
  const codec = options.codec ?? (utf8 as unknown as ValueCodec<V>);
  return new ReplicaSession(route, codec, options);
}

/** A watch of its own, that asks for nothing but what it was told. */
export function openWatch<V>(
  route: Route,
  prefix: string,
  { codec, ...options }: WatchOptions & { readonly codec?: ValueCodec<V> },
): Watch<V> {
  return openSession<V>(route, { guarantees: [], ...(codec === undefined ? {} : { codec }) }).watch(prefix, options);
}

/** Conflicts as a session of their own has them. */
export function openConflicts<V>(
  route: Route,
  { codec, ...options }: ConflictsOptions & { readonly codec?: ValueCodec<V> },
): Conflicts<V> {
  return openSession<V>(route, { guarantees: [], ...(codec === undefined ? {} : { codec }) }).conflicts(options);
}

/** What it has seen and written is kept by the session of the protocol. */
class ReplicaSession<V> implements Session<V> {
  readonly #route: Route;
  readonly #needs: Needs<KvOperation>;
  readonly #codec: ValueCodec<V>;
  readonly #defaults: Defaults;

  /** Throws ERR_TOKEN for a token that is not good here, ERR_OPTION for an option that is not. */
  constructor(route: Route, codec: ValueCodec<V>, options: SessionOptions<V>) {
    this.#route = route;
    this.#codec = codec;
    const timeoutMs = checkedMs('timeoutMs', options.timeoutMs ?? TIMEOUT_MS);
    this.#defaults = {
      timeoutMs,
      onMissing: checkedOnMissing(options.onMissing ?? 'wait'),
      waitMs: checkedMs('waitMs', options.waitMs ?? Math.min(WAIT_MS, timeoutMs)),
    };
    this.#needs = openNeeds(route.cluster, options);
  }

  get guarantees(): readonly Guarantee[] {
    return this.#needs.state.guarantees;
  }

  async get(key: string, options: CallOptions = {}): Promise<Read<V>> {
    checkText(key);
    const before = this.#needs.needsOf(key);
    const request = this.#needs.read(key);
    const reply = await this.#serve<ReadReply<Uint8Array>>('get', options, (connection, timeoutMs, done) =>
      connection.read(request, timeoutMs, done),
    );
    if (reply.kind === 'absent') return reply;
    if (reply.kind === 'missing') return missingOf(reply.missing);
    const value = decodeValue(this.#codec, key, reply.value);
    this.#needs.found(key, reply.stamp, before, reply.basis);
    return { kind: 'found', value, ...markOf(reply) };
  }

  async getMany(keys: readonly string[], options: CallOptions = {}): Promise<ReadMany<V>> {
    if (!Array.isArray(keys) || keys.length > READ_KEYS_MAX) {
      throw new BaristaError('ERR_OPTION', `getMany takes at most ${READ_KEYS_MAX} keys, in an array`);
    }
    const asked = keys.slice();
    for (const key of asked) checkText(key);
    const before = asked.map((key) => this.#needs.needsOf(key));
    const request = { keys: asked, needs: this.#needs.readMany(asked) };
    const reply = await this.#serve<ReadManyReply<Uint8Array>>('getMany', options, (connection, timeoutMs, done) =>
      connection.readMany(request, timeoutMs, done),
    );
    if (reply.kind === 'missing') return missingOf(reply.missing);
    const values = new Map<string, Found<V>>();
    for (const [i, key] of asked.entries()) {
      const found = reply.values[i] ?? null;
      if (found === null || values.has(key)) continue;
      values.set(key, { value: decodeValue(this.#codec, key, found.value), ...markOf(found) });
      this.#needs.found(key, found.stamp, before[i] ?? null, found.basis);
    }
    return { kind: 'found', values };
  }

  async scan(options: ScanOptions = {}): Promise<Scan<V> | Missing> {
    const position = positionOf(options);
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    if (!(limit === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 1))) {
      throw new BaristaError('ERR_OPTION', `limit is ${limit}, not a whole number from 1`);
    }
    const pin: Pin = { to: null };
    const hold = options.snapshot !== false;
    const steps = {
      page: async (asked: Omit<ScanRequest, 'needs'>) => {
        const needs = this.#needs.readRange((key) => isInRange(asked.range, key));
        const request = { ...asked, needs };
        const reply = await this.#serve<ScanReply<Uint8Array>>(
          'scan',
          options,
          (connection, timeoutMs, done) => connection.scan(request, timeoutMs, done),
          hold ? { pin } : {},
        );
        return reply.kind === 'missing' ? missingOf(reply.missing) : reply;
      },
      read: ({ key, value, basis, ...found }: ScanEntry<Uint8Array>) => {
        const { stamp } = found;
        const entry = { key, value: decodeValue(this.#codec, key, value), ...markOf(found) };
        // The state may be older than what was read since, so this adds to what the key needs.
        this.#needs.found(key, stamp, ANOTHER, basis);
        return entry;
      },
    };
    return SessionScan.begin<V>(steps, position, { limit, hold });
  }

  put(key: string, value: V, { ttlMs, ...options }: PutOptions = {}): Promise<Write> {
    return this.write(key, { kind: 'put', value, ...lasting(ttlMs) }, options);
  }

  delete(key: string, options?: CallOptions): Promise<Write> {
    return this.write(key, { kind: 'delete' }, options);
  }

  increment(key: string, by = 1, options?: CallOptions): Promise<Write> {
    return this.write(key, { kind: 'increment', by }, options);
  }

  append(key: string, value: V, options?: CallOptions): Promise<Write> {
    return this.write(key, { kind: 'append', value }, options);
  }

  addToSet(key: string, member: string, options?: CallOptions): Promise<Write> {
    return this.write(key, { kind: 'setAdd', member }, options);
  }

  removeFromSet(key: string, member: string, options?: CallOptions): Promise<Write> {
    return this.write(key, { kind: 'setRemove', member }, options);
  }

  putIfAbsent(key: string, value: V, { ttlMs, ...options }: PutOptions = {}): Promise<Write> {
    return this.write(key, { kind: 'putIfAbsent', value, ...lasting(ttlMs) }, options);
  }

  merge(key: string, value: V, procedure: string, options: MergeOptions<V> = {}): Promise<Write> {
    const { expects, expectsAbsent, ...limits } = options;
    const expected = { ...(expects === undefined ? {} : { expects }), ...(expectsAbsent ? { expectsAbsent } : {}) };
    return this.write(key, { kind: 'merge', value, procedure, ...expected }, limits);
  }

  async write(key: string, operation: Operation<V>, options: CallOptions = {}): Promise<Write> {
    checkText(key);
    return this.#write(key, encodeOperation(this.#codec, operation), options);
  }

  async #write(key: string, encoded: KvOperation, options: CallOptions): Promise<Write> {
    const submitted = await this.#submit(encoded.kind, this.#needs.write(key, encoded), options);
    return { ...submitted, key };
  }

  async batch(parts: readonly BatchPart<V>[], options: CallOptions = {}): Promise<Batch> {
    const encoded = encodeParts(this.#codec, parts);
    const submitted = await this.#submit('batch', this.#needs.batch(encoded), options);
    return { ...submitted, keys: encoded.map(({ key }) => key) };
  }

  async #submit(what: string, request: Submission<KvOperation>, options: CallOptions) {
    const parts = partsOf(request).map((part) => ({ ...part, before: this.#needs.needsOf(part.key) }));
    const reply = await this.#serve<WriteReply>(
      what,
      options,
      (connection, timeoutMs, done) => connection.write(request, timeoutMs, done),
      { isWrite: true },
    );
    if (reply.kind === 'missing') return refusedFor(missingOf(reply.missing));
    for (const { key, operation, before } of parts) {
      this.#needs.wrote(key, reply.stamp, kvMachine.isBlind(operation), before);
    }
    return accepted(this.#route, reply.stamp);
  }

  watch(prefix: string, options: WatchOptions = {}): Watch<V> {
    const { cluster } = this.#route;
    const { signal } = options;
    const timeoutMs = checkedMs('timeoutMs', options.timeoutMs ?? WATCH_TIMEOUT_MS);
    const waitMs = checkedMs('waitMs', options.waitMs ?? timeoutMs);
    const onMissing = checkedOnMissing(options.onMissing ?? this.#defaults.onMissing);
    const beginning = watchBeginning(options.from, { cluster, prefix });
    // Checks the signal.
    void new Deadline(timeoutMs, signal);
    // What it needs is looked at where it begins: from then on it is told what comes.
    let needs = beginning.needs ?? this.#needs.readRange((key) => key.startsWith(prefix));
    const name = randomBytes(12).toString('base64url') as ClientId;
    const requestOf = (from: WatchFrom, budgetMs: number) => {
      return { prefix, from, needs, changesMax: WATCH_CHANGES, budgetMs, name };
    };
    const ask = async (from: WatchFrom, budgetMs: number, ending: AbortSignal): Promise<WatchReply<Uint8Array>> => {
      const request = requestOf(from, budgetMs);
      const limits = { timeoutMs: Math.min(timeoutMs + budgetMs, TIMEOUT_MS_MAX), waitMs, onMissing, signal: ending };
      const reply = await this.#serve<WatchReply<Uint8Array>>(
        'watch',
        limits,
        (connection, timeoutMs, done) => connection.watch(request, timeoutMs, done),
        { waitsMs: budgetMs, isWatch: true },
      );
      if (reply.kind === 'changes') needs = null;
      return reply;
    };
    const forget = (from: WatchFrom): void => {
      const request = requestOf(from, 0);
      const how = { what: 'watch', deadline: new Deadline(FORGET_MS, undefined), isWatch: true };
      this.#route.ask((connection, ms, done) => connection.watch(request, ms, done), how).catch(() => undefined);
    };
    return new SessionWatch<V>({ ask, read: (change) => this.#readChange(change), forget }, beginning.from, {
      cluster,
      prefix,
      signal,
    });
  }

  #readChange(change: CoreChange<Uint8Array>): Change<V> {
    const { key, stamp, client, standing, stands, reordered } = change;
    const decoded = (bytes: Uint8Array | null) => (bytes === null ? undefined : decodeValue(this.#codec, key, bytes));
    const value = decoded(change.value);
    const lost = decoded(change.lost);
    this.#needs.found(key, standing, ANOTHER, change.basis);
    const { expires } = change;
    return {
      key,
      value,
      stamp,
      client,
      standing,
      stands,
      reordered,
      lost,
      ...(expires === undefined ? {} : { expires }),
    };
  }

  async history(key: string, options: HistoryOptions = {}): Promise<History<V> | Missing> {
    checkText(key);
    const request = { ...historyRequestOf(key, options), needs: this.#needs.read(key).needs };
    const reply = await this.#serve<HistoryReply<KvOperation>>('history', options, (connection, timeoutMs, done) =>
      connection.history(request, timeoutMs, done),
    );
    if (reply.kind === 'missing') return missingOf(reply.missing);
    const history = historyOf(this.#codec, key, reply);
    const shown = shownBy(reply);
    if (shown !== null) this.#needs.found(key, shown.last, ANOTHER, shown.all);
    return history;
  }

  async restore(key: string, stamp: Stamp, options: CallOptions = {}): Promise<Write> {
    checkText(key);
    const only = checkedStamp(stamp, 'a write is put back by its stamp');
    const { signal, timeoutMs = this.#defaults.timeoutMs } = options;
    const deadline = new Deadline(timeoutMs, signal);
    // So that a replica which it has not reached yet is not taken for one that has it no more.
    const needs = new VersionVector([[only.origin, only.acceptTime]]);
    needs.merge(this.#needs.read(key).needs ?? NOTHING);
    const request = { key, after: null, only, writesMax: 1, needs };
    const reply = await this.#serve<HistoryReply<KvOperation>>('restore', options, (connection, ms, done) =>
      connection.history(request, ms, done),
    );
    if (reply.kind === 'missing') return { ...refusedFor(missingOf(reply.missing)), key };
    const operation = restoring(reply, key, only);
    const fate = (reply.writes[0] ?? reply.base)?.fate;
    // It is to stand after what it lost to, wherever it is accepted.
    const known = fate !== undefined && 'by' in fate && fate.by !== null ? [only, fate.by.stamp] : [only];
    for (const shown of known) this.#needs.found(key, shown, ANOTHER);
    deadline.check('restore');
    return this.#write(key, operation, { ...options, timeoutMs: deadline.leftMs });
  }

  conflicts(options: ConflictsOptions = {}): Conflicts<V> {
    const { prefix = '' } = options;
    const scope = { cluster: this.#route.cluster, prefix };
    const from = conflictsFrom(options.since, scope);
    const ask = (from: ConflictsFrom): Promise<ConflictsReply<KvOperation>> => {
      const needs = this.#needs.readRange((key) => key.startsWith(prefix));
      const request = { prefix, from, needs, conflictsMax: CONFLICTS_PAGE };
      return this.#serve('conflicts', options, (connection, timeoutMs, done) =>
        connection.conflicts(request, timeoutMs, done),
      );
    };
    return new SessionConflicts<V>({ ask, read: (conflict) => this.#readConflict(conflict) }, from, scope);
  }

  #readConflict(conflict: CoreConflict<KvOperation>): Loss<V> {
    const { key, lost, winner } = conflict;
    const operation = decodeOperation(this.#codec, key, conflict.operation);
    for (const shown of [lost, winner]) if (shown !== null) this.#needs.found(key, shown.stamp, ANOTHER);
    return { ...conflict, operation };
  }

  token(): string {
    return encodeToken(this.#needs.state, this.#route.cluster);
  }

  /** Makes a request as `onMissing` says, until it is answered or its time is over. */
  async #serve<T extends { readonly kind: string }>(
    what: string,
    options: CallOptions,
    ask: Ask<T>,
    how: Omit<AskOptions<T>, 'what' | 'deadline' | 'isEnough'> = {},
  ): Promise<T> {
    const deadline = new Deadline(options.timeoutMs ?? this.#defaults.timeoutMs, options.signal);
    const onMissing = checkedOnMissing(options.onMissing ?? this.#defaults.onMissing);
    const waitMs = checkedMs('waitMs', options.waitMs ?? this.#defaults.waitMs);
    const request = { what, deadline, ...how };
    if (onMissing === 'report') return this.#route.ask(ask, request);
    const another = { ...request, isEnough: (reply: T) => reply.kind !== 'missing' };
    if (onMissing === 'try-another') return this.#route.ask(ask, another);
    const until = performance.now() + waitMs;
    for (;;) {
      // Who watches roams.
      const reply = await this.#route.ask(ask, how.isWatch === true ? another : request);
      if (!isMissing(reply)) return reply;
      const leftMs = until - performance.now();
      if (leftMs <= 0) return reply;
      deadline.check(what);
      const budgetMs = Math.min(leftMs, deadline.leftMs, SLICE_MS);
      await this.#waitFor(reply.missing, Math.ceil(budgetMs), deadline, how.pin);
    }
  }

  #waitFor(needs: VersionVector, budgetMs: number, deadline: Deadline, pin: Pin | undefined): Promise<unknown> {
    return this.#route.ask((connection, timeoutMs, done) => connection.holds({ needs, budgetMs }, timeoutMs, done), {
      what: 'waiting for what is missing',
      deadline,
      waitsMs: budgetMs,
      ...(pin === undefined ? {} : { pin }),
    });
  }
}

/** What is told of a value beside it. */
function markOf({ stamp, expires }: Omit<Found<unknown>, 'value'>): Omit<Found<never>, 'value'> {
  return expires === undefined ? { stamp } : { stamp, expires };
}

function isMissing(reply: { readonly kind: string }): reply is { readonly kind: 'missing'; missing: VersionVector } {
  return reply.kind === 'missing';
}

function missingOf(missing: VersionVector): Missing {
  const stamps: Stamp[] = missing.sorted().map(([origin, acceptTime]) => ({ origin, acceptTime }));
  return { kind: 'missing', code: 'ERR_DEP', missing: stamps };
}

/**
 * Always under a client id of its own: two sessions that go on from one token, or the one that gave it, never name two writes
 * alike.
 */
function openNeeds<V>(cluster: string, { token, guarantees }: SessionOptions<V>): Needs<KvOperation> {
  const client = randomBytes(12).toString('base64url') as ClientId;
  if (token === undefined) return new Needs(client, guaranteesOf(guarantees));
  if (guarantees !== undefined) {
    throw new BaristaError('ERR_OPTION', 'a session that goes on from a token keeps its guarantees: leave them out');
  }
  return Needs.resume(client, decodeToken(token, cluster));
}

function guaranteesOf(asked: SessionOptions['guarantees']): readonly Guarantee[] {
  if (asked === undefined) return DEFAULT_GUARANTEES;
  const wrong = asked.find((guarantee) => guarantee !== 'causal' && !GUARANTEES.includes(guarantee));
  if (wrong !== undefined) {
    throw new BaristaError(
      'ERR_OPTION',
      `there is no guarantee "${wrong}"; there are ${GUARANTEES.join(', ')} and causal`,
    );
  }
  return GUARANTEES.filter((guarantee) => asked.includes(guarantee) || asked.includes('causal'));
}

function checkedOnMissing(onMissing: OnMissing): OnMissing {
  if (ON_MISSING.includes(onMissing)) return onMissing;
  throw new BaristaError('ERR_OPTION', `onMissing is ${onMissing}, where ${ON_MISSING.join(', ')} are allowed`);
}
