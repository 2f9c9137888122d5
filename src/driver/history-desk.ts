import type { BaristaError } from '../base/errors.js';
import type { Origin } from '../base/ids.js';
import { type Done, fail, succeed } from '../base/outcome.js';
import type { Clock } from '../base/time.js';
import type { ConflictsReply, ConflictsRequest } from '../bayou/conflict-messages.js';
import type { HistoryReply, HistoryRequest } from '../bayou/history-messages.js';
import type { HistoryService } from '../bayou/ports.js';
import type { Replica } from '../bayou/replica.js';
import type { VersionVector } from '../bayou/version-vector.js';
import { type KvOperation, kvMachine } from '../machine/kv.js';
import type { FlushGate } from './flush-gate.js';
import { outcomeOf } from './outcome-of.js';

export interface HistoryDeskParts {
  readonly core: () => Replica<KvOperation, Uint8Array>;
  readonly gate: FlushGate;
  readonly clock: Clock;
  /** Why nothing can be read. */
  readonly outage: () => BaristaError | null;
  /** What neighbours are known to hold. */
  readonly peers: () => Iterable<readonly [Origin, VersionVector]>;
}

/** Answers who asks what became of writes. */
export class HistoryDesk implements HistoryService<KvOperation> {
  readonly #parts: HistoryDeskParts;

  constructor(parts: HistoryDeskParts) {
    this.#parts = parts;
  }

  history(request: HistoryRequest, done: Done<HistoryReply<KvOperation>>): void {
    const { core, gate, clock, outage, peers } = this.#parts;
    const refusal = outage() ?? gate.overload();
    if (refusal !== null) return done(fail(refusal));
    const reply = core().reader.history(request, peers(), clock.now());
    // It says of each write that it is on disk here.
    gate.answer(done, succeed(reply), 'anything', reply.kind === 'history' ? bytesOf(reply) : 0);
  }

  conflicts(request: ConflictsRequest, done: Done<ConflictsReply<KvOperation>>): void {
    const { core, gate, outage } = this.#parts;
    const refusal = outage() ?? gate.overload();
    if (refusal !== null) return done(fail(refusal));
    const reply = core().reader.conflicts(request);
    const bytes = reply.kind === 'conflicts' ? sizeOf(reply.conflicts) : 0;
    // What others wrote is durable with them.
    gate.answer(done, outcomeOf<ConflictsReply<KvOperation>>(reply), 'own writes', bytes);
  }
}

function bytesOf({ base, writes }: Extract<HistoryReply<KvOperation>, { kind: 'history' }>): number {
  return sizeOf(base === null ? writes : [base, ...writes]);
}

function sizeOf(entries: readonly { readonly operation: KvOperation }[]): number {
  return entries.reduce((sum, { operation }) => sum + kvMachine.sizeOf(operation), 0);
}
