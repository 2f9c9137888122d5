import type { Header, HistoryEvent, LifeEvent, LoggedWrite, ReadEvent, StateEvent, WriteEvent } from './history.js';
import { type Client, describeOperation, mayBeWritten, type Operation, quoted } from './operation.js';
import { Origins } from './origins.js';
import { namePlace, type Place, type PlaceOrder, placeOrder } from './place.js';
import type { Findings } from './report.js';
import type { State } from './state.js';

/** All that was done on one key. */
export interface KeyRecord {
  readonly operations: Operation[];
  readonly places: Place[];
}

/**
 * A history as the checks read it: each operation, stamp and vector once, and the events that name them. What names two
 * things by one name is found while it is made.
 */
export class Recording {
  readonly header: Header;
  readonly order: PlaceOrder;
  readonly origins = new Origins();
  readonly clients = new Map<string, Client>();
  readonly keys = new Map<string, KeyRecord>();
  readonly operations: Operation[] = [];
  readonly states: State[] = [];
  readonly lives: LifeEvent[] = [];
  reads = 0;
  writes = 0;
  readonly #findings: Findings;
  readonly #byName = new Map<Client, Map<number, Operation>>();
  /** Of each client, the last in the order of what it has read and written. */
  readonly #last = new Map<Client, Place>();
  readonly #lastTimes = new Map<Client, number>();
  readonly #lastEnds = new Map<Client, number>();

  constructor(header: Header, findings: Findings) {
    this.header = header;
    this.order = placeOrder(header.tieBreak);
    this.#findings = findings;
  }

  /** The next event, in the order of the history. */
  take(event: HistoryEvent): void {
    switch (event.type) {
      case 'session':
        this.#client(event.client).guarantees = new Set(event.guarantees);
        break;
      case 'write':
        this.#takeWrite(event);
        break;
      case 'read':
        this.#takeRead(event);
        break;
      case 'state':
        this.#takeState(event);
        break;
      case 'life':
        this.origins.at(event.replica, event.incarnation);
        this.lives.push(event);
        break;
    }
  }

  #takeWrite(event: WriteEvent): void {
    this.writes += 1;
    this.#findings.looked('operations');
    const client = this.#actor(event);
    const { clientTime, key, value, begin, end, replica } = event;
    const operation = this.#operation(client, clientTime, key, value);
    if (operation === null) return;
    const last = this.#lastTimes.get(client) ?? -1;
    const isFirst = operation.outcome === null;
    if (isFirst) {
      operation.outcome = event.outcome;
      operation.begin = begin;
      operation.after = this.#last.get(client) ?? null;
      if (clientTime < last) {
        this.#findings.violated(
          'operations',
          () => `client ${client.id} counted back: its time ${last} was used before ${describeOperation(operation)}`,
        );
      }
    } else if (mayBeWritten(event.outcome) && operation.outcome !== 'accepted') operation.outcome = event.outcome;
    this.#lastTimes.set(client, Math.max(last, clientTime));
    operation.repeated ||= !isFirst || event.repeated === true;
    let accepted: Place | null = null;
    if (event.outcome === 'accepted' && event.stamp !== undefined) {
      accepted = this.#place(event.stamp, key, value);
      this.#stands(operation, accepted);
      operation.accepted ??= accepted;
      operation.acceptedAt = Math.min(operation.acceptedAt, end ?? begin);
      this.#passed(client, accepted);
    }
    client.steps.push({ kind: 'write', operation, isFirst, accepted, begin, end, replica });
  }

  #takeRead(event: ReadEvent): void {
    this.reads += 1;
    const { key, begin, end, replica, outcome } = event;
    const client = this.#actor(event);
    if (outcome !== 'found' && outcome !== 'absent') return;
    const seen = event.seen === undefined ? null : this.origins.claims(event.seen);
    const found = outcome === 'found' && event.stamp !== undefined ? event.stamp : null;
    const place = found === null ? null : this.#place(found, key, event.value ?? null);
    client.steps.push({ kind: 'read', client, key, begin, end, replica, outcome, found: place, seen });
    this.#key(key);
    if (place !== null) this.#passed(client, place);
  }

  #takeState(event: StateEvent): void {
    const { at, replica, incarnation, base, stable, final } = event;
    this.states.push({
      at,
      origin: this.origins.at(replica, incarnation),
      seen: this.origins.claims(event.seen),
      // `received` is left out: a transfer that was given up leaves writes that no vector tells of, so nothing rests on it.
      base,
      stable,
      log: event.log.map((write) => this.#logged(write)),
      store: event.store.map(([key, value, stamp]) => this.#place(stamp, key, value)),
      final,
    });
  }

  #logged({ stamp, client, clientTime, key, value, resubmitted }: LoggedWrite): Place {
    const place = this.#place(stamp, key, value);
    const operation = this.#operation(this.#client(client), clientTime, key, value);
    if (operation !== null) this.#stands(operation, place);
    place.resubmitted = resubmitted === true;
    return place;
  }

  #client(id: string): Client {
    let client = this.clients.get(id);
    if (client === undefined) {
      client = { id, guarantees: new Set(), steps: [] };
      this.clients.set(id, client);
      this.#byName.set(client, new Map());
    }
    return client;
  }

  /** The client of an operation, which does one thing after the other. */
  #actor({ client: id, begin, end }: WriteEvent | ReadEvent): Client {
    const client = this.#client(id);
    const lastEnd = this.#lastEnds.get(client) ?? Number.NEGATIVE_INFINITY;
    if (begin < lastEnd) {
      this.#findings.violated('operations', () => {
        return `client ${id} began an operation at ${begin} ms, before its last one ended, at ${lastEnd} ms`;
      });
    }
    this.#lastEnds.set(client, Math.max(lastEnd, end ?? begin));
    return client;
  }

  #key(name: string): KeyRecord {
    let key = this.keys.get(name);
    if (key === undefined) {
      key = { operations: [], places: [] };
      this.keys.set(name, key);
    }
    return key;
  }

  /** The operation of that name; null if the name is another one's. */
  #operation(client: Client, clientTime: number, key: string, value: string | null): Operation | null {
    const known = this.#byName.get(client)?.get(clientTime);
    if (known === undefined) {
      const operation: Operation = {
        client,
        clientTime,
        key,
        value,
        outcome: null,
        begin: Number.NEGATIVE_INFINITY,
        acceptedAt: Number.POSITIVE_INFINITY,
        accepted: null,
        repeated: false,
        after: null,
        places: [],
      };
      this.#byName.get(client)?.set(clientTime, operation);
      this.operations.push(operation);
      this.#key(key).operations.push(operation);
      return operation;
    }
    if (known.key === key && known.value === value) return known;
    this.#findings.violated('operations', () => {
      const other = value === null ? `a delete of ${key}` : `a put of ${key} = ${quoted(value)}`;
      return `${client.id}:${clientTime} names two operations: ${describeOperation(known)}, and ${other}`;
    });
    return null;
  }

  #place(stamp: readonly [number, string, number], key: string, value: string | null): Place {
    const [time, replica, incarnation] = stamp;
    this.#findings.looked('stamps');
    const origin = this.origins.at(replica, incarnation);
    const places = this.origins.placesOf(origin);
    let place = places.get(time);
    if (place === undefined) {
      place = { origin, time, key, value, operation: null, mayBe: [], resubmitted: null };
      places.set(time, place);
      this.#key(key).places.push(place);
    } else if (place.key !== key || place.value !== value) {
      const there = place;
      this.#findings.violated('stamps', () => {
        const shown = (of: string, what: string | null) => `${of} = ${quoted(what)}`;
        return `the stamp ${namePlace(there)} stands for two writes: ${shown(there.key, there.value)}, and ${shown(key, value)}`;
      });
    }
    return place;
  }

  /** Takes note that `place` is a stamp of `operation`. */
  #stands(operation: Operation, place: Place): void {
    if (place.operation === operation) return;
    if (place.operation === null) {
      if (place.key !== operation.key || place.value !== operation.value) return;
      place.operation = operation;
      operation.places.push(place);
      return;
    }
    const other = place.operation;
    this.#findings.violated('stamps', () => {
      return `the stamp ${namePlace(place)} was given twice: to ${describeOperation(other)} and to ${describeOperation(operation)}`;
    });
  }

  #passed(client: Client, place: Place): void {
    const last = this.#last.get(client);
    if (last === undefined || this.order(last, place) < 0) this.#last.set(client, place);
  }

  /** No more events. A stamp that only reads and stores have shown is that of the one operation that it can be. */
  end(): void {
    for (const { places, operations } of this.keys.values()) {
      const unknown = places.filter(({ operation }) => operation === null);
      if (unknown.length === 0) continue;
      const byValue = new Map<string | null, Operation[]>();
      for (const operation of operations) {
        const same = byValue.get(operation.value);
        if (same === undefined) byValue.set(operation.value, [operation]);
        else same.push(operation);
      }
      for (const place of unknown) {
        const possible = (byValue.get(place.value) ?? []).filter(({ outcome }) => mayBeWritten(outcome));
        const [only] = possible;
        if (only !== undefined && possible.length === 1) this.#stands(only, place);
        else place.mayBe = possible;
      }
    }
  }
}
