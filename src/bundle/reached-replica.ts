import { type Done, type Outcome, succeed } from '../base/outcome.js';
import type { BundleOffer, ExportReply, ExportRequest, ImportReply } from '../bayou/bundle-messages.js';
import type { BundleConnection, PeerConnection } from '../bayou/ports.js';
import type { KvOperation } from '../machine/kv.js';
import type { BundleSource } from './export.js';
import type { BundleTarget } from './import.js';

/** A replica that is reached over a connection, as one that bundles are made of and taken by. */
export class ReachedReplica implements BundleSource, BundleTarget {
  readonly #connection: BundleConnection<KvOperation>;
  readonly #timeoutMs: number;

  /** `timeoutMs`: how long each call may take. */
  constructor(connection: BundleConnection<KvOperation>, timeoutMs: number) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  exportBatch(request: ExportRequest, done: Done<ExportReply<KvOperation>>): void {
    this.#connection.exportBatch(request, this.#timeoutMs, done);
  }

  /** The pull turned round: the replica's answers to our calls are what it asks of `way`. */
  pullThrough(offer: BundleOffer, way: PeerConnection<KvOperation>, done: Done<void>): void {
    const goOn = (reply: Outcome<ImportReply>): void => {
      if (!reply.ok) return done(reply);
      const { number, request } = reply.value;
      if (request === null) return done(succeed(undefined));
      way.pull(request, this.#timeoutMs, (batch) => {
        this.#connection.importBatch({ number, batch }, this.#timeoutMs, goOn);
      });
    };
    this.#connection.beginImport(offer, this.#timeoutMs, goOn);
  }
}
