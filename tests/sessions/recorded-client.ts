import type { ErrorCode } from '../../src/base/errors.js';
import { type ClientId, incarnationOf, type ReplicaId, replicaIdOf } from '../../src/base/ids.js';
import { type Done, type Outcome, succeed } from '../../src/base/outcome.js';
import type { Status } from '../../src/bayou/admin-messages.js';
import type { ReadReply, ReadRequest, WriteReply } from '../../src/bayou/messages.js';
import type { ClientConnection } from '../../src/bayou/ports.js';
import type { ReadManyReply, ReadManyRequest } from '../../src/bayou/read-messages.js';
import { type Guarantee, Session } from '../../src/bayou/session.js';
import type { Submission } from '../../src/bayou/submission.js';
import type { VersionVector } from '../../src/bayou/version-vector.js';
import type { AcceptStamp } from '../../src/bayou/write.js';
import type { HistoryEvent, ReadEvent, Stamp, Vector, WriteEvent } from '../../src/check/history.js';
import { Client } from '../../src/client/client.js';
import type { KvOperation } from '../../src/machine/kv.js';

type Connection = ClientConnection<KvOperation, Uint8Array>;
type Read = ReadReply<Uint8Array>;
type ReadMany = ReadManyReply<Uint8Array>;
type Reply = Read | ReadMany | WriteReply;

/** A connection that can also be asked for the replica's status, and answers in the order in which it is asked. */
export type ClientLine = Connection & { status(timeoutMs: number, done: Done<Status>): void };

export interface ClientRecording {
  /** Its own in the whole history. */
  readonly id: string;
  readonly guarantees: readonly Guarantee[];
  /** How long it waits for one replica before it tries the next. */
  readonly timeoutMs: number;
  /** Milliseconds of the observer's clock, never going back. */
  readonly now: () => number;
  readonly record: (event: HistoryEvent) => void;
  /** True to ask around each read what the replica claims to hold, so that the history can tell. */
  readonly asksSeen: boolean;
}

/** What one replica answered to the operation under way. */
interface Attempt {
  readonly replica: string;
  readonly outcome: Outcome<Reply>;
  /** What the replica claimed to hold in the step that answered, if that is known. */
  readonly seen: VersionVector | null;
}

/** Codes of refusals that come before anything is written. After any other failure the write may be there. */
const NOTHING_WRITTEN: ReadonlySet<ErrorCode> = new Set([
  'ERR_CLIENT_TIME',
  'ERR_CLOCK_DRIFT',
  'ERR_CLOCK_EXHAUSTED',
  'ERR_COPIED',
  'ERR_OVERLOADED',
]);

/** The real client, each of its operations written down for a history. Values are text. */
export class RecordedClient {
  readonly #recording: ClientRecording;
  readonly #client: Client;
  #attempts: Attempt[] = [];
  #clientTime = 0;
  /** Counts the reads of several keys. */
  #together = 0;
  #busy = false;

  constructor(recording: ClientRecording) {
    const { id, guarantees, timeoutMs, record } = recording;
    this.#recording = recording;
    this.#client = new Client(new Session<KvOperation>(id as ClientId, guarantees), timeoutMs);
    record({ type: 'session', client: id, guarantees });
  }

  get id(): string {
    return this.#recording.id;
  }

  attach(replica: string, line: ClientLine): void {
    const answered = (outcome: Attempt['outcome'], seen: VersionVector | null): void => {
      this.#attempts.push({ replica, outcome, seen });
    };
    this.#client.attach(replica as ReplicaId, observed(line, this.#recording.asksSeen, answered));
  }

  detach(replica: string): void {
    this.#client.detach(replica as ReplicaId);
  }

  close(): void {
    this.#client.close();
  }

  put(key: string, value: string): Promise<WriteEvent> {
    return this.#write(key, value);
  }

  delete(key: string): Promise<WriteEvent> {
    return this.#write(key, null);
  }

  async get(key: string): Promise<ReadEvent> {
    const { outcome, seen, ...operation } = await this.#operate<Read>((done) => this.#client.read(key, done));
    const claimed = seen === null ? {} : { seen: vectorOf(seen) };
    this.#busy = false;
    return this.#recorded({ type: 'read', key, ...operation, ...readOutcome(outcome), ...claimed });
  }

  /** All in one state. */
  async getMany(keys: readonly string[]): Promise<readonly ReadEvent[]> {
    const {
      outcome,
      seen: _,
      ...operation
    } = await this.#operate<ReadMany>((done) => this.#client.readMany(keys, done));
    this.#together += 1;
    this.#busy = false;
    return keys.map((key, i) => {
      const together = this.#together;
      return this.#recorded({ type: 'read', key, ...operation, ...readOutcome(oneOf(outcome, i)), together });
    });
  }

  /** Several keys as one write: values, or null for a delete. */
  async batch(values: ReadonlyMap<string, string | null>): Promise<readonly WriteEvent[]> {
    const parts = [...values].map(([key, value]) => ({ key, operation: operationOf(value) }));
    const written = await this.#submit((done) => this.#client.batch(parts, done));
    return [...values].map(([key, value]) => this.#recorded({ type: 'write', key, value, ...written, part: true }));
  }

  async #write(key: string, value: string | null): Promise<WriteEvent> {
    const written = await this.#submit((done) => this.#client.write(key, operationOf(value), done));
    return this.#recorded({ type: 'write', key, value, ...written });
  }

  async #submit(start: (done: Done<WriteReply>) => void) {
    this.#clientTime += 1;
    const clientTime = this.#clientTime;
    const { outcome, seen: _, ...rest } = await this.#operate<WriteReply>(start);
    // It may be at a replica that was tried in vain, whatever the last one says.
    const failed = this.#attempts.flatMap((attempt) => (attempt.outcome.ok ? [] : [attempt.outcome.error.code]));
    const sure = failed.every((code) => NOTHING_WRITTEN.has(code));
    const repeated = sure ? {} : ({ repeated: true } as const);
    this.#busy = false;
    return { ...rest, clientTime, ...writeOutcome(outcome, sure, failed), ...repeated };
  }

  async #operate<T extends Reply>(start: (done: Done<T>) => void) {
    if (this.#busy) throw new RangeError(`client ${this.id} does one thing at a time`);
    this.#busy = true;
    this.#attempts = [];
    const begin = this.#recording.now();
    const outcome = await new Promise<Outcome<T>>(start);
    // Who answered is who gave the very reply, or refusal, that the client passes on.
    const last = this.#attempts.find((attempt) => contentOf(attempt.outcome) === contentOf(outcome));
    const end = last === undefined ? null : this.#recording.now();
    return { client: this.id, begin, end, replica: last?.replica ?? null, outcome, seen: last?.seen ?? null };
  }

  #recorded<Event extends ReadEvent | WriteEvent>(event: Event): Event {
    this.#recording.record(event);
    return event;
  }
}

/** Passes everything on, and tells what was answered. */
function observed(
  line: ClientLine,
  asksSeen: boolean,
  answered: (outcome: Attempt['outcome'], seen: VersionVector | null) => void,
): Connection {
  return {
    write: (request: Submission<KvOperation>, timeoutMs: number, done: Done<WriteReply>) =>
      line.write(request, timeoutMs, (outcome) => {
        answered(outcome, null);
        done(outcome);
      }),
    read: (request: ReadRequest, timeoutMs: number, done: Done<Read>) => {
      const pass = (outcome: Outcome<Read>, seen: VersionVector | null): void => {
        answered(outcome, seen);
        done(outcome);
      };
      if (asksSeen) readAndAsk(line, request, timeoutMs, pass);
      else line.read(request, timeoutMs, (outcome) => pass(outcome, null));
    },
    readMany: (request: ReadManyRequest, timeoutMs: number, done: Done<ReadMany>) =>
      line.readMany(request, timeoutMs, (outcome) => {
        answered(outcome, null);
        done(outcome);
      }),
    close: () => line.close(),
  };
}

/**
 * Asks for the status before and after the read, all in one go. The replica takes its steps in the order asked for, and
 * what it claims never goes back: if it claims the same both times, it did so when it answered the read.
 */
function readAndAsk(
  line: ClientLine,
  request: ReadRequest,
  timeoutMs: number,
  done: (outcome: Outcome<Read>, seen: VersionVector | null) => void,
): void {
  const claims: (VersionVector | null)[] = [];
  let reply: Outcome<Read> | null = null;
  const settle = (): void => {
    if (reply === null || claims.length < 2) return;
    const [before, after] = claims;
    done(reply, before != null && after != null && before.equals(after) ? before : null);
  };
  const ask = (): void =>
    line.status(timeoutMs, (status) => {
      claims.push(status.ok ? status.value.seen : null);
      settle();
    });
  ask();
  line.read(request, timeoutMs, (outcome) => {
    reply = outcome;
    settle();
  });
  ask();
}

function operationOf(value: string | null): KvOperation {
  return value === null ? { kind: 'delete' } : { kind: 'put', value: new TextEncoder().encode(value) };
}

/** What a read of several keys says of one of them. */
function oneOf(outcome: Outcome<ReadMany>, place: number): Outcome<Read> {
  if (!outcome.ok || outcome.value.kind === 'missing') return outcome as Outcome<Read>;
  const found = outcome.value.values[place] ?? null;
  return succeed(found === null ? { kind: 'absent' } : { kind: 'found', ...found });
}

function contentOf(outcome: Outcome<Reply>): object {
  return outcome.ok ? outcome.value : outcome.error;
}

function readOutcome(outcome: Outcome<Read>): Pick<ReadEvent, 'outcome' | 'value' | 'stamp' | 'code'> {
  if (!outcome.ok) return { outcome: 'failed', code: outcome.error.code };
  const { value: reply } = outcome;
  if (reply.kind !== 'found') return { outcome: reply.kind };
  return { outcome: 'found', value: new TextDecoder().decode(reply.value), stamp: stampOf(reply.stamp) };
}

/** `sure`: no replica that was tried may have it, unless it said so. */
function writeOutcome(
  outcome: Outcome<WriteReply>,
  sure: boolean,
  failed: readonly ErrorCode[],
): Pick<WriteEvent, 'outcome' | 'stamp' | 'code'> {
  if (outcome.ok && outcome.value.kind === 'accepted') {
    return { outcome: 'accepted', stamp: stampOf(outcome.value.stamp) };
  }
  if (outcome.ok && sure) return { outcome: 'missing' };
  const code = outcome.ok ? (failed.find((each) => !NOTHING_WRITTEN.has(each)) ?? 'ERR_DEP') : outcome.error.code;
  return { outcome: sure ? 'failed' : 'unknown', code };
}

export function stampOf({ acceptTime, origin }: AcceptStamp): Stamp {
  return [acceptTime, replicaIdOf(origin), incarnationOf(origin)];
}

export function vectorOf(vector: VersionVector): Vector {
  return vector.sorted().map(([origin, acceptTime]) => stampOf({ origin, acceptTime }));
}
