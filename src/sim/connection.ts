import type { Done } from '../base/outcome.js';
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
import type { ConflictsReply, ConflictsRequest } from '../bayou/conflict-messages.js';
import type { HistoryReply, HistoryRequest } from '../bayou/history-messages.js';
import type { HoldsReply, HoldsRequest, WriteState, WriteStateRequest } from '../bayou/hold-messages.js';
import type { News, PullBatch, PullRequest, ReadReply, ReadRequest, WriteReply } from '../bayou/messages.js';
import type { AdminConnection, PeerConnection, SessionConnection } from '../bayou/ports.js';
import type { ReadManyReply, ReadManyRequest, ScanReply, ScanRequest } from '../bayou/read-messages.js';
import type { Submission } from '../bayou/submission.js';
import type { WatchReply, WatchRequest } from '../bayou/watch-messages.js';
import type { KvOperation } from '../machine/kv.js';
import type { Channel } from './network.js';

/** The faces of a replica over a simulated connection. */
export class SimConnection
  implements
    PeerConnection<KvOperation>,
    SessionConnection<KvOperation, Uint8Array>,
    AdminConnection<KvOperation, Uint8Array>
{
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  write(request: Submission<KvOperation>, timeoutMs: number, done: Done<WriteReply>): void {
    this.#channel.call('write', timeoutMs, (service, reply: Done<WriteReply>) => service.write(request, reply), done);
  }

  read(request: ReadRequest, timeoutMs: number, done: Done<ReadReply<Uint8Array>>): void {
    this.#channel.call(
      'read',
      timeoutMs,
      (service, reply: Done<ReadReply<Uint8Array>>) => service.read(request, reply),
      done,
    );
  }

  readMany(request: ReadManyRequest, timeoutMs: number, done: Done<ReadManyReply<Uint8Array>>): void {
    this.#channel.call(
      'readMany',
      timeoutMs,
      (service, reply: Done<ReadManyReply<Uint8Array>>) => service.readMany(request, reply),
      done,
    );
  }

  scan(request: ScanRequest, timeoutMs: number, done: Done<ScanReply<Uint8Array>>): void {
    this.#channel.call(
      'scan',
      timeoutMs,
      (service, reply: Done<ScanReply<Uint8Array>>) => service.scan(request, reply),
      done,
    );
  }

  holds(request: HoldsRequest, timeoutMs: number, done: Done<HoldsReply>): void {
    this.#channel.call('holds', timeoutMs, (service, reply: Done<HoldsReply>) => service.holds(request, reply), done);
  }

  writeState(request: WriteStateRequest, timeoutMs: number, done: Done<WriteState>): void {
    this.#channel.call(
      'writeState',
      timeoutMs,
      (service, reply: Done<WriteState>) => service.writeState(request, reply),
      done,
    );
  }

  watch(request: WatchRequest, timeoutMs: number, done: Done<WatchReply<Uint8Array>>): void {
    this.#channel.call(
      'watch',
      timeoutMs,
      (service, reply: Done<WatchReply<Uint8Array>>) => service.watch(request, reply),
      done,
    );
  }

  history(request: HistoryRequest, timeoutMs: number, done: Done<HistoryReply<KvOperation>>): void {
    this.#channel.call(
      'histories',
      timeoutMs,
      (service, reply: Done<HistoryReply<KvOperation>>) => service.histories.history(request, reply),
      done,
    );
  }

  conflicts(request: ConflictsRequest, timeoutMs: number, done: Done<ConflictsReply<KvOperation>>): void {
    this.#channel.call(
      'histories',
      timeoutMs,
      (service, reply: Done<ConflictsReply<KvOperation>>) => service.histories.conflicts(request, reply),
      done,
    );
  }

  pull(request: PullRequest, timeoutMs: number, done: Done<PullBatch<KvOperation>>): void {
    this.#channel.call(
      'pull',
      timeoutMs,
      (service, reply: Done<PullBatch<KvOperation>>) => service.pull(request, reply),
      done,
    );
  }

  news(news: News, timeoutMs: number, done: Done<void>): void {
    this.#channel.call('news', timeoutMs, (service, reply: Done<void>) => service.news(news, reply), done);
  }

  status(timeoutMs: number, done: Done<Status>): void {
    this.#channel.call('status', timeoutMs, (service, reply: Done<Status>) => service.status(reply), done);
  }

  link(request: LinkRequest, timeoutMs: number, done: Done<void>): void {
    this.#channel.call('link', timeoutMs, (service, reply: Done<void>) => service.link(request, reply), done);
  }

  unlink(request: UnlinkRequest, timeoutMs: number, done: Done<void>): void {
    this.#channel.call('unlink', timeoutMs, (service, reply: Done<void>) => service.unlink(request, reply), done);
  }

  stabilize(request: StabilizeRequest, timeoutMs: number, done: Done<StabilizeReply>): void {
    this.#channel.call(
      'stabilize',
      timeoutMs,
      (service, reply: Done<StabilizeReply>) => service.stabilize(request, reply),
      done,
    );
  }

  store(request: StoreRequest, timeoutMs: number, done: Done<StoreReply<Uint8Array>>): void {
    this.#channel.call(
      'store',
      timeoutMs,
      (service, reply: Done<StoreReply<Uint8Array>>) => service.store(request, reply),
      done,
    );
  }

  log(request: LogRequest, timeoutMs: number, done: Done<LogReply<KvOperation>>): void {
    this.#channel.call(
      'log',
      timeoutMs,
      (service, reply: Done<LogReply<KvOperation>>) => service.log(request, reply),
      done,
    );
  }

  retire(request: RetireRequest, timeoutMs: number, done: Done<void>): void {
    this.#channel.call('retire', timeoutMs, (service, reply: Done<void>) => service.retire(request, reply), done);
  }

  shutdown(timeoutMs: number, done: Done<void>): void {
    this.#channel.call('shutdown', timeoutMs, (service, reply: Done<void>) => service.shutdown(reply), done);
  }

  close(): void {
    this.#channel.close();
  }
}
