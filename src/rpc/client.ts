import type { Address } from '../base/address.js';
import { BaristaError, toBaristaError } from '../base/errors.js';
import { type Done, fail, type Outcome } from '../base/outcome.js';
import type {
  LinkRequest,
  LogReply,
  LogRequest,
  RetireRequest,
  StabilizeReply,
  StabilizeRequest,
  Status,
  StoreReply,
  StoreRequest,
  UnlinkRequest,
} from '../bayou/admin-messages.js';
import type { BundleOffer, ExportReply, ExportRequest, ImportBatch, ImportReply } from '../bayou/bundle-messages.js';
import type { ConflictsReply, ConflictsRequest } from '../bayou/conflict-messages.js';
import type { HistoryReply, HistoryRequest } from '../bayou/history-messages.js';
import type { HoldsReply, HoldsRequest, WriteState, WriteStateRequest } from '../bayou/hold-messages.js';
import type { News, PullBatch, PullRequest, ReadReply, ReadRequest, WriteReply } from '../bayou/messages.js';
import type { AdminConnection, BundleConnection, PeerConnection, SessionConnection } from '../bayou/ports.js';
import type { ReadManyReply, ReadManyRequest, ScanReply, ScanRequest } from '../bayou/read-messages.js';
import { isBatch, type Submission } from '../bayou/submission.js';
import type { WatchReply, WatchRequest } from '../bayou/watch-messages.js';
import type { KvOperation } from '../machine/kv.js';
import type { BinaryReader } from './binary-reader.js';
import { ClientSocket } from './client-socket.js';
import { applicationException } from './failure-codec.js';
import { FieldError, malformed } from './field-error.js';
import { CALLS_IN_FLIGHT_MAX, FRAME_BYTES_MAX, SILENT_TIMEOUTS_MAX, UNSENT_REQUESTS_BYTES_MAX } from './limits.js';
import { MessageHeader } from './message-header.js';
import { type PendingCall, PendingCalls, pendingCall } from './pending-calls.js';
import { METHODS, type Method } from './services.js';
import { MessageType } from './thrift.js';

export interface ReplicaConnectionOptions {
  readonly address: Address;
  /** Defaults are in limits.ts, which says what each bounds. */
  readonly frameBytesMax?: number;
  readonly callsInFlightMax?: number;
}

/**
 * A replica as its peers, clients and operators reach it: one TCP connection, made at the first call and again at the
 * next call after it was lost. Any number of calls share it; each answers once, and never before its method returns.
 * A call that was sent and lost may have taken effect; who retries a write does so under the same client time.
 */
export class ReplicaConnection
  implements
    PeerConnection<KvOperation>,
    SessionConnection<KvOperation, Uint8Array>,
    AdminConnection<KvOperation, Uint8Array>,
    BundleConnection<KvOperation>
{
  readonly #address: Address;
  readonly #frameBytesMax: number;
  readonly #callsInFlightMax: number;
  readonly #header = new MessageHeader();
  readonly #pending: PendingCalls;
  #socket: ClientSocket | null = null;
  #closed = false;
  /** The id of the last call on this socket; ids start at 1 on each. */
  #sequenceId = 0;
  #idsWrapped = false;
  #silentTimeouts = 0;

  constructor({ address, frameBytesMax, callsInFlightMax }: ReplicaConnectionOptions) {
    this.#address = address;
    this.#frameBytesMax = frameBytesMax ?? FRAME_BYTES_MAX;
    this.#callsInFlightMax = callsInFlightMax ?? CALLS_IN_FLIGHT_MAX;
    this.#pending = new PendingCalls((calls) => {
      this.#silentTimeouts += calls.length;
      this.#abandonIfSilent();
      for (const call of calls) {
        const message = `${this.#name()} did not answer ${call.methodName} within ${call.timeoutMs} ms`;
        call.settle(fail(new BaristaError('ERR_TIMEOUT', message)));
      }
    });
  }

  write(request: Submission<KvOperation>, timeoutMs: number, done: Done<WriteReply>): void {
    if (isBatch(request)) return this.#call(METHODS.batch, request, timeoutMs, done);
    const { operation } = request;
    const { kind } = operation;
    // What older replicas know too goes as they know it.
    const method =
      kind === 'put' && operation.ttlMs === undefined
        ? METHODS.put
        : kind === 'delete'
          ? METHODS.remove
          : METHODS.write;
    this.#call(method, request, timeoutMs, done);
  }

  read(request: ReadRequest, timeoutMs: number, done: Done<ReadReply<Uint8Array>>): void {
    this.#call(METHODS.get, request, timeoutMs, done);
  }

  readMany(request: ReadManyRequest, timeoutMs: number, done: Done<ReadManyReply<Uint8Array>>): void {
    this.#call(METHODS.getMany, request, timeoutMs, done);
  }

  scan(request: ScanRequest, timeoutMs: number, done: Done<ScanReply<Uint8Array>>): void {
    this.#call(METHODS.scan, request, timeoutMs, done);
  }

  holds(request: HoldsRequest, timeoutMs: number, done: Done<HoldsReply>): void {
    this.#call(METHODS.holds, request, timeoutMs, done);
  }

  writeState(request: WriteStateRequest, timeoutMs: number, done: Done<WriteState>): void {
    this.#call(METHODS.writeState, request, timeoutMs, done);
  }

  watch(request: WatchRequest, timeoutMs: number, done: Done<WatchReply<Uint8Array>>): void {
    this.#call(METHODS.watch, request, timeoutMs, done);
  }

  history(request: HistoryRequest, timeoutMs: number, done: Done<HistoryReply<KvOperation>>): void {
    this.#call(METHODS.history, request, timeoutMs, done);
  }

  conflicts(request: ConflictsRequest, timeoutMs: number, done: Done<ConflictsReply<KvOperation>>): void {
    this.#call(METHODS.conflicts, request, timeoutMs, done);
  }

  pull(request: PullRequest, timeoutMs: number, done: Done<PullBatch<KvOperation>>): void {
    this.#call(METHODS.pull, request, timeoutMs, done);
  }

  news(news: News, timeoutMs: number, done: Done<void>): void {
    this.#call(METHODS.news, news, timeoutMs, done);
  }

  status(timeoutMs: number, done: Done<Status>): void {
    this.#call(METHODS.status, undefined, timeoutMs, done);
  }

  link(request: LinkRequest, timeoutMs: number, done: Done<void>): void {
    this.#call(METHODS.link, request, timeoutMs, done);
  }

  unlink(request: UnlinkRequest, timeoutMs: number, done: Done<void>): void {
    this.#call(METHODS.unlink, request, timeoutMs, done);
  }

  stabilize(request: StabilizeRequest, timeoutMs: number, done: Done<StabilizeReply>): void {
    this.#call(METHODS.stabilize, request, timeoutMs, done);
  }

  store(request: StoreRequest, timeoutMs: number, done: Done<StoreReply<Uint8Array>>): void {
    this.#call(METHODS.store, request, timeoutMs, done);
  }

  log(request: LogRequest, timeoutMs: number, done: Done<LogReply<KvOperation>>): void {
    this.#call(METHODS.log, request, timeoutMs, done);
  }

  retire(request: RetireRequest, timeoutMs: number, done: Done<void>): void {
    this.#call(METHODS.retire, request, timeoutMs, done);
  }

  exportBatch(request: ExportRequest, timeoutMs: number, done: Done<ExportReply<KvOperation>>): void {
    this.#call(METHODS.exportBatch, request, timeoutMs, done);
  }

  beginImport(offer: BundleOffer, timeoutMs: number, done: Done<ImportReply>): void {
    this.#call(METHODS.beginImport, offer, timeoutMs, done);
  }

  importBatch(batch: ImportBatch<KvOperation>, timeoutMs: number, done: Done<ImportReply>): void {
    this.#call(METHODS.importBatch, batch, timeoutMs, done);
  }

  shutdown(timeoutMs: number, done: Done<void>): void {
    this.#call(METHODS.shutdown, undefined, timeoutMs, done);
  }

  close(): void {
    this.#closed = true;
    this.#drop(this.#closedError());
  }

  #call<Request, Reply>(method: Method<Request, Reply>, request: Request, timeoutMs: number, done: Done<Reply>): void {
    let error: BaristaError | null;
    if (this.#closed) error = this.#closedError();
    else if (this.#pending.size >= this.#callsInFlightMax) error = this.#overloaded('calls');
    else error = this.#send(method, request, timeoutMs, done);
    // Not before this method returns: a caller that tries again at once must not recurse.
    if (error !== null) process.nextTick(done, fail(error));
  }

  /** Null if the call is on its way; else why not, and nothing of it stays. */
  #send<Request, Reply>(
    method: Method<Request, Reply>,
    request: Request,
    timeoutMs: number,
    done: Done<Reply>,
  ): BaristaError | null {
    const socket = this.#socket ?? this.#connect();
    if (socket instanceof BaristaError) return socket;
    if (socket.unsentBytes > UNSENT_REQUESTS_BYTES_MAX) return this.#overloaded('bytes');
    const { writer } = socket;
    const sequenceId = this.#nextSequenceId();
    try {
      writer.begin(method.callHead, sequenceId);
      method.arguments.write(writer, request);
      writer.end();
    } catch (thrown) {
      writer.abandon();
      return thrown instanceof FieldError ? thrown.toBaristaError(method.name) : toBaristaError(thrown);
    }
    this.#pending.add(sequenceId, pendingCall(method, timeoutMs, done));
    socket.flushSoon();
    return null;
  }

  #connect(): ClientSocket | BaristaError {
    try {
      const socket: ClientSocket = new ClientSocket(this.#address, this.#frameBytesMax, {
        onFrame: (reader) => this.#receive(reader),
        onLost: (error) => this.#drop(error),
      });
      this.#socket = socket;
      this.#sequenceId = 0;
      this.#idsWrapped = false;
      this.#silentTimeouts = 0;
      return socket;
    } catch (thrown) {
      // An address that cannot be one, such as a port beyond 65,535.
      return new BaristaError('ERR_CONN', `no connection to ${this.#name()}: ${toBaristaError(thrown).message}`);
    }
  }

  /** Ends the socket, if there is one, and answers every call in flight with `error`. */
  #drop(error: BaristaError): void {
    this.#socket?.destroy();
    this.#socket = null;
    this.#pending.failAll(error);
  }

  #receive(reader: BinaryReader): void {
    this.#silentTimeouts = 0;
    const header = this.#header;
    let call: PendingCall<unknown> | undefined;
    let outcome: Outcome<unknown>;
    try {
      header.read(reader);
      call = this.#pending.take(header.sequenceId);
      if (call === undefined && this.#wasIssued(header.sequenceId)) return; // It came after its call timed out.
      if (header.type === MessageType.exception) outcome = fail(applicationException.read(reader));
      else if (header.type !== MessageType.reply) throw malformed(`a message of type ${header.type}`);
      else if (call === undefined) throw malformed(`the reply to call ${header.sequenceId}, which was not made`);
      else outcome = call.decode(header, reader);
    } catch (thrown) {
      if (!(thrown instanceof FieldError)) throw thrown;
      const error = thrown.toBaristaError(`reply of ${this.#name()}`, 'ERR_PROTOCOL');
      this.#drop(error);
      call?.settle(fail(error));
      return;
    }
    if (call !== undefined) call.settle(outcome);
    // An exception that answers no call says why the replica is about to end the connection.
    else if (!outcome.ok) this.#drop(outcome.error);
  }

  #nextSequenceId(): number {
    this.#idsWrapped ||= this.#sequenceId === 0x7fff_ffff;
    this.#sequenceId = this.#sequenceId === 0x7fff_ffff ? 1 : this.#sequenceId + 1;
    return this.#sequenceId;
  }

  #wasIssued(sequenceId: number): boolean {
    return sequenceId > 0 && (this.#idsWrapped || sequenceId <= this.#sequenceId);
  }

  #abandonIfSilent(): void {
    if (this.#socket === null || this.#pending.size > 0) return;
    if (this.#socket.isConnected && this.#silentTimeouts < SILENT_TIMEOUTS_MAX) return;
    this.#socket.destroy();
    this.#socket = null;
  }

  #overloaded(what: 'calls' | 'bytes'): BaristaError {
    const message = `too many ${what} wait for ${this.#name()}`;
    return new BaristaError('ERR_OVERLOADED', message);
  }

  #closedError(): BaristaError {
    return new BaristaError('ERR_CLOSED', `the connection to ${this.#name()} was closed`);
  }

  #name(): string {
    return `${this.#address.host}:${this.#address.port}`;
  }
}
