import type { ClientId } from '../../base/ids.js';
import type { ReadRequest, WriteRequest } from '../../bayou/messages.js';
import { type Guarantee, Session } from '../../bayou/session.js';
import { VersionVector } from '../../bayou/version-vector.js';
import type { AcceptStamp } from '../../bayou/write.js';
import { type KvOperation, kvMachine } from '../../machine/kv.js';
import { canonical } from './canonical.js';
import { Interner } from './interner.js';

/** One line of a client's program. */
export interface Line {
  readonly kind: 'put' | 'delete' | 'get';
  readonly key: string;
}

export interface ClientSetup {
  readonly programs: readonly (readonly Line[])[];
  readonly keys: readonly string[];
  /** What the sessions ask for. */
  readonly guarantees: readonly Guarantee[];
  /** What is checked. */
  readonly promised: readonly Guarantee[];
}

export type OwnRequest = WriteRequest<KvOperation>;

/** A request that the client no longer waits for, and that may still arrive. */
interface Late {
  readonly request: OwnRequest;
  readonly needs: VersionVector;
  readonly replica: number;
}

/** What happened to the session, in order: it is made anew from that. */
type SessionEvent =
  | { readonly kind: 'write'; readonly line: Line }
  | { readonly kind: 'wrote' | 'found'; readonly key: string; readonly stamp: AcceptStamp };

export interface ClientState {
  readonly index: number;
  /** The line of the program that is to be done. */
  readonly at: number;
  /** The request of that line, if it is a write and was made. */
  readonly pending: OwnRequest | null;
  readonly late: readonly Late[];
  /** Of each key, the last value that the client must not lose from sight. */
  readonly last: ReadonlyMap<string, AcceptStamp>;
  /** The highest accept time the client has seen or written. */
  readonly highest: number;
  /** What the replica that takes its next write must hold. */
  readonly needs: VersionVector;
  readonly events: readonly SessionEvent[];
  /** What the session asks of a replica that reads each key. */
  readonly reads: ReadonlyMap<string, ReadRequest>;
}

/** The states that clients can be in, each with a real session, numbered; and what moves them. */
export class ClientStates {
  readonly #setup: ClientSetup;
  readonly #states = new Interner<ClientState>();

  constructor(setup: ClientSetup) {
    this.#setup = setup;
  }

  get size(): number {
    return this.#states.size;
  }

  at(state: number): ClientState {
    return this.#states.at(state);
  }

  start(index: number): number {
    return this.#numberOf({
      index,
      at: 0,
      pending: null,
      late: [],
      last: new Map(),
      highest: 0,
      needs: new VersionVector(),
      events: [],
    });
  }

  /** Null when the program is done. */
  line(state: number): Line | null {
    const { index, at } = this.at(state);
    return this.#setup.programs[index]?.[at] ?? null;
  }

  /** The request of the line at hand, which is a write, is made, if it was not yet. */
  begin(state: number): { readonly state: number; readonly request: OwnRequest } {
    const client = this.at(state);
    if (client.pending !== null) return { state, request: client.pending };
    const line = this.line(state);
    if (line === null) throw new RangeError('the program is done');
    const request = sessionOf(client, this.#setup).write(line.key, operationOf(client, line));
    return {
      request,
      state: this.#numberOf({ ...client, pending: request, events: [...client.events, { kind: 'write', line }] }),
    };
  }

  /** The write at hand was accepted. */
  wrote(state: number, stamp: AcceptStamp): number {
    const client = this.at(state);
    const key = client.pending?.key ?? '';
    const { promised } = this.#setup;
    return this.#next(client, key, stamp, {
      kind: 'wrote',
      isKept: promised.includes('read-your-writes'),
      isNeeded: promised.includes('monotonic-writes'),
    });
  }

  /** The read at hand was answered; null: the key is absent. */
  found(state: number, stamp: AcceptStamp | null): number {
    const client = this.at(state);
    if (stamp === null) return this.#numberOf({ ...client, at: client.at + 1 });
    const { promised } = this.#setup;
    return this.#next(client, this.line(state)?.key ?? '', stamp, {
      kind: 'found',
      isKept: promised.includes('monotonic-reads'),
      isNeeded: promised.includes('writes-follow-reads'),
    });
  }

  /** The client no longer waits for the answer to its pending request from this replica. */
  gaveUp(state: number, replica: number): number {
    const client = this.at(state);
    const { pending: request, needs } = client;
    if (request === null) throw new RangeError('nothing is pending');
    return this.#numberOf({ ...client, late: [...client.late, { request, needs, replica }] });
  }

  /** The late request arrived. */
  arrived(state: number, late: Late): number {
    const client = this.at(state);
    return this.#numberOf({ ...client, late: client.late.filter((other) => other !== late) });
  }

  #next(
    client: ClientState,
    key: string,
    stamp: AcceptStamp,
    what: { readonly kind: 'wrote' | 'found'; readonly isKept: boolean; readonly isNeeded: boolean },
  ): number {
    const needs = client.needs.clone();
    if (what.isNeeded) needs.raise(stamp.origin, stamp.acceptTime);
    return this.#numberOf({
      ...client,
      at: client.at + 1,
      pending: null,
      last: what.isKept ? new Map(client.last).set(key, stamp) : client.last,
      highest: Math.max(client.highest, stamp.acceptTime),
      needs,
      events: [...client.events, { kind: what.kind, key, stamp }],
    });
  }

  /** All that a session will ever ask shows in what it would ask now: so that names its state. */
  #numberOf(client: Omit<ClientState, 'reads'>): number {
    const { index, at, pending, late, last, highest, needs } = client;
    const session = sessionOf(client, this.#setup);
    const reads = new Map(this.#setup.keys.map((key) => [key, session.read(key)]));
    const kept = [index, at, pending, late.map(canonical).sort(), [...last].map(canonical).sort(), highest, needs];
    const asks = [...reads.values(), session.write('', { kind: 'delete' })];
    return this.#states.numberOf(canonical([kept, asks]), () => ({ ...client, reads }));
  }
}

function sessionOf({ index, events }: Omit<ClientState, 'reads'>, { guarantees }: ClientSetup): Session<KvOperation> {
  const session = new Session<KvOperation>(clientId(index), guarantees);
  for (const event of events) {
    if (event.kind === 'write') session.write(event.line.key, { kind: 'delete' });
    else if (event.kind === 'wrote') session.wrote(event.key, event.stamp, kvMachine.isBlind({ kind: 'delete' }));
    else session.found(event.key, event.stamp);
  }
  return session;
}

/** Each put has a value of its own. */
function operationOf({ index, at }: ClientState, { kind }: Line): KvOperation {
  return kind === 'delete' ? { kind } : { kind: 'put', value: new Uint8Array([index, at]) };
}

export function clientId(index: number): ClientId {
  return `c${index + 1}` as ClientId;
}
