import { BaristaError } from '../base/errors.js';
import { type Done, fail, type Outcome } from '../base/outcome.js';
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
  /** Those under way that are no watches. */
  #calls = 0;

  constructor(cluster: string, service: ReplicaService<KvOperation, Uint8Array>) {
    this.cluster = cluster;
    this.#connection = {
      write: (request, _timeoutMs, done) => service.write(request, done),
      read: (request, _timeoutMs, done) => service.read(request, done),
      readMany: (request, _timeoutMs, done) => service.readMany(request, done),
      scan: (request, _timeoutMs, done) => service.scan(request, done),
      holds: (request, _timeoutMs, done) => service.holds(request, done),
      writeState: (request, _timeoutMs, done) => service.writeState(request, done),
      watch: (request, _timeoutMs, done) => service.watch(request, done),
      history: (request, _timeoutMs, done) => service.histories.history(request, done),
      conflicts: (request, _timeoutMs, done) => service.histories.conflicts(request, done),
      exportBatch: (request, _timeoutMs, done) => service.bundles.exportBatch(request, done),
      beginImport: (offer, _timeoutMs, done) => service.bundles.beginImport(offer, done),
      importBatch: (batch, _timeoutMs, done) => service.bundles.importBatch(batch, done),
      close: () => this.close(),
    };
  }

  /** How many watches may wait is for the replica to say. */
  ask<T>(ask: Ask<T>, { what, deadline, isWatch = false }: AskOptions<T>): Promise<T> {
    return deadline.run<T>(what, (done) => {
      if (this.#closed) return done(fail(closed()));
      if (!isWatch && this.#calls >= CALLS_MAX) {
        return done(fail(new BaristaError('ERR_OVERLOADED', `${CALLS_MAX} calls of this replica are under way`)));
      }
      this.#call(ask, deadline.leftMs, isWatch, done);
    });
  }

  /** What is under way fails with ERR_CLOSED. */
  close(): void {
    this.#closed = true;
    for (const end of [...this.#pending]) end(closed());
  }

  #call<T>(ask: Ask<T>, timeoutMs: number, isWatch: boolean, done: Done<T>): void {
    const end = (outcome: Outcome<T>): void => {
      if (!this.#pending.delete(close)) return;
      if (!isWatch) this.#calls -= 1;
      done(outcome);
    };
    const close = (error: BaristaError): void => end(fail(error));
    this.#pending.add(close);
    if (!isWatch) this.#calls += 1;
    ask(this.#connection, timeoutMs, end);
  }
}

function closed(): BaristaError {
  return new BaristaError('ERR_CLOSED', 'the replica was closed');
}
