import { checkKey } from '../base/checks.js';
import { BaristaError, type ErrorCode } from '../base/errors.js';
import { compareIds, type ReplicaId } from '../base/ids.js';
import { type Done, fail, type Outcome, promised, succeed } from '../base/outcome.js';
import type { BatchPart, ReadReply, WriteReply } from '../bayou/messages.js';
import type { ClientConnection } from '../bayou/ports.js';
import type { ReadManyReply } from '../bayou/read-messages.js';
import type { Session } from '../bayou/session.js';
import { partsOf, type Submission } from '../bayou/submission.js';
import { checkOperation, type KvOperation, kvMachine } from '../machine/kv.js';
import { checkParts } from '../machine/kv-batch.js';

type Connection = ClientConnection<KvOperation, Uint8Array>;

interface Endpoint {
  readonly id: ReplicaId;
  readonly connection: Connection;
}

/** After these the next replica may still serve the request; a write then goes there under the same client time. */
const TRY_NEXT: ReadonlySet<ErrorCode> = new Set([
  'ERR_CONN',
  'ERR_TIMEOUT',
  'ERR_CLOSED',
  'ERR_OVERLOADED',
  'ERR_STORAGE',
  'ERR_PROCEDURE',
  'ERR_BEHIND',
]);

/** A replica that answers so is there, and says more than that none could be reached. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['ERR_OVERLOADED', 'ERR_STORAGE', 'ERR_PROCEDURE', 'ERR_BEHIND']);

/**
 * A client: one session over the replicas it is linked to. It tries them in the order of their ids and returns the first
 * answer that meets its session; `missing` (ERR_DEP) only if no replica that answered could. With none reachable it
 * rejects with ERR_CONN; a write may then have taken effect all the same.
 */
export class Client {
  readonly session: Session<KvOperation>;
  readonly #timeoutMs: number;
  readonly #endpoints: Endpoint[] = [];

  constructor(session: Session<KvOperation>, timeoutMs: number) {
    this.session = session;
    this.#timeoutMs = timeoutMs;
  }

  /** Links the client to a replica; an older connection to it is closed. */
  attach(id: ReplicaId, connection: Connection): void {
    this.detach(id);
    this.#endpoints.push({ id, connection });
    this.#endpoints.sort((a, b) => compareIds(a.id, b.id));
  }

  /** Cuts the link to a replica. Idempotent. */
  detach(id: ReplicaId): void {
    const at = this.#endpoints.findIndex((endpoint) => endpoint.id === id);
    if (at >= 0) this.#endpoints.splice(at, 1)[0]?.connection.close();
  }

  close(): void {
    for (const { connection } of this.#endpoints.splice(0)) connection.close();
  }

  put(key: string, value: Uint8Array): Promise<WriteReply> {
    return promised((done) => this.write(key, { kind: 'put', value }, done));
  }

  delete(key: string): Promise<WriteReply> {
    return promised((done) => this.write(key, { kind: 'delete' }, done));
  }

  /** Adds to a decimal number; `by` is a safe integer. Where the value is none, or would be none, it takes no effect. */
  increment(key: string, by: number): Promise<WriteReply> {
    return promised((done) => this.write(key, { kind: 'increment', by }, done));
  }

  /** Puts bytes after those of the value; takes no effect where it would be too long. */
  append(key: string, bytes: Uint8Array): Promise<WriteReply> {
    return promised((done) => this.write(key, { kind: 'append', bytes }, done));
  }

  /** Adds a member to a set: a value that is a JSON array of strings, ascending by code point. */
  setAdd(key: string, member: string): Promise<WriteReply> {
    return promised((done) => this.write(key, { kind: 'setAdd', member }, done));
  }

  setRemove(key: string, member: string): Promise<WriteReply> {
    return promised((done) => this.write(key, { kind: 'setRemove', member }, done));
  }

  /** Takes effect where the key is absent; it is accepted in any case. */
  putIfAbsent(key: string, value: Uint8Array): Promise<WriteReply> {
    return promised((done) => this.write(key, { kind: 'putIfAbsent', value }, done));
  }

  get(key: string): Promise<ReadReply<Uint8Array>> {
    return promised((done) => this.read(key, done));
  }

  write(key: string, operation: KvOperation, done: Done<WriteReply>): void {
    const wrong = checkKey(key) ?? checkOperation(operation);
    if (wrong !== null) return done(fail(wrong));
    this.#submit(this.session.write(key, operation), done);
  }

  /** Several keys as one atomic write. */
  batch(parts: readonly BatchPart<KvOperation>[], done: Done<WriteReply>): void {
    for (const { key, operation } of parts) {
      const wrong = checkKey(key) ?? checkOperation(operation);
      if (wrong !== null) return done(fail(wrong));
    }
    const wrong = checkParts(parts);
    if (wrong !== null) return done(fail(wrong));
    this.#submit(this.session.batch(parts), done);
  }

  #submit(request: Submission<KvOperation>, done: Done<WriteReply>): void {
    this.#tryEach<WriteReply>(
      (connection, answer) => connection.write(request, this.#timeoutMs, answer),
      (outcome) => {
        if (outcome.ok && outcome.value.kind === 'accepted') {
          const { stamp } = outcome.value;
          for (const { key, operation } of partsOf(request)) {
            this.session.wrote(key, stamp, kvMachine.isBlind(operation));
          }
        }
        done(outcome);
      },
    );
  }

  read(key: string, done: Done<ReadReply<Uint8Array>>): void {
    const wrong = checkKey(key);
    if (wrong !== null) return done(fail(wrong));
    const request = this.session.read(key);
    this.#tryEach<ReadReply<Uint8Array>>(
      (connection, answer) => connection.read(request, this.#timeoutMs, answer),
      (outcome) => {
        if (outcome.ok && outcome.value.kind === 'found') {
          this.session.found(key, outcome.value.stamp, undefined, outcome.value.basis);
        }
        done(outcome);
      },
    );
  }

  /** Several keys, as they are in one state. */
  readMany(keys: readonly string[], done: Done<ReadManyReply<Uint8Array>>): void {
    const wrong = keys.map(checkKey).find((error) => error !== null);
    if (wrong !== undefined) return done(fail(wrong));
    const request = { keys, needs: this.session.readMany(keys) };
    this.#tryEach<ReadManyReply<Uint8Array>>(
      (connection, answer) => connection.readMany(request, this.#timeoutMs, answer),
      (outcome) => {
        if (outcome.ok && outcome.value.kind === 'values') {
          for (const [i, found] of outcome.value.values.entries()) {
            if (found !== null) this.session.found(keys[i] as string, found.stamp, undefined, found.basis);
          }
        }
        done(outcome);
      },
    );
  }

  #tryEach<T extends { readonly kind: string }>(
    call: (connection: Connection, answer: Done<T>) => void,
    done: Done<T>,
  ): void {
    const endpoints = [...this.#endpoints];
    let lacking: T | null = null;
    let lastError: BaristaError | null = null;
    let refusal: BaristaError | null = null;
    const tryNext = (at: number): void => {
      const endpoint = endpoints[at];
      if (endpoint === undefined) {
        return done(lacking === null ? fail(refusal ?? unreachable(lastError)) : succeed(lacking));
      }
      call(endpoint.connection, (outcome: Outcome<T>) => {
        if (outcome.ok && outcome.value.kind === 'missing') lacking = outcome.value;
        else if (outcome.ok || !TRY_NEXT.has(outcome.error.code)) return done(outcome);
        else if (REFUSALS.has(outcome.error.code)) refusal = outcome.error;
        else lastError = outcome.error;
        tryNext(at + 1);
      });
    };
    tryNext(0);
  }
}

function unreachable(cause: BaristaError | null): BaristaError {
  if (cause === null) return new BaristaError('ERR_CONN', 'the client is linked to no replica');
  return new BaristaError('ERR_CONN', `no linked replica could be reached: ${cause.message}`, { cause });
}
