import { BaristaError } from '../base/errors.js';
import { type Done, fail } from '../base/outcome.js';
import type { ReplicaService } from '../bayou/ports.js';
import type { KvOperation } from '../machine/kv.js';
import { CALLS_MAX } from './limits.js';
import type { Ask, AskOptions, Connection, Route } from './route.js';

/** The route to a replica in this process. */
export class LocalRoute implements Route {
  readonly cluster: string;
  readonly #connection: Connection;
  readonly #pending = new Set<(error: BaristaError) => void>();
  #closed = false;

  constructor(cluster: string, service: ReplicaService<KvOperation, Uint8Array>) {
    this.cluster = cluster;
    this.#connection = {
      write: (request, _timeoutMs, done) => service.write(request, done),
      read: (request, _timeoutMs, done) => service.read(request, done),
      readMany: (request, _timeoutMs, done) => service.readMany(request, done),
      scan: (request, _timeoutMs, done) => service.scan(request, done),
      holds: (request, _timeoutMs, done) => service.holds(request, done),
      writeState: (request, _timeoutMs, done) => service.writeState(request, done),
      exportBatch: (request, _timeoutMs, done) => service.bundles.exportBatch(request, done),
      beginImport: (offer, _timeoutMs, done) => service.bundles.beginImport(offer, done),
      importBatch: (batch, _timeoutMs, done) => service.bundles.importBatch(batch, done),
      close: () => this.close(),
    };
  }

  ask<T>(ask: Ask<T>, { what, deadline }: AskOptions<T>): Promise<T> {
    return deadline.run<T>(what, (done) => {
      if (this.#closed) return done(fail(closed()));
      if (this.#pending.size >= CALLS_MAX) {
        return done(fail(new BaristaError('ERR_OVERLOADED', `${CALLS_MAX} calls of this replica are under way`)));
      }
      this.#call(ask, deadline.leftMs, done);
    });
  }

  /** What is under way fails with ERR_CLOSED. */
  close(): void {
    this.#closed = true;
    for (const end of [...this.#pending]) end(closed());
  }

  #call<T>(ask: Ask<T>, timeoutMs: number, done: Done<T>): void {
    const end = (error: BaristaError): void => {
      if (this.#pending.delete(end)) done(fail(error));
    };
    this.#pending.add(end);
    ask(this.#connection, timeoutMs, (outcome) => {
      if (this.#pending.delete(end)) done(outcome);
    });
  }
}

function closed(): BaristaError {
  return new BaristaError('ERR_CLOSED', 'the replica was closed');
}
