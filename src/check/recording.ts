import type {
  Header,
  HistoryEvent,
  LifeEvent,
  LoggedWrite,
  ReadEvent,
  Stamp,
  StateEvent,
  WriteEvent,
} from './history.js';
import type { Merges } from './merge.js';
import {
  areOneBatch,
  type Client,
  describeChange,
  describeOperation,
  mayBeWritten,
  type Operation,
  quoted,
} from './operation.js';
import { Origins } from './origins.js';
import { namePlace, type Place, type PlaceOrder, placeOrder } from './place.js';
import type { Findings } from './report.js';
import type { State } from './state.js';

/** All that was done on one key. */
export interface KeyRecord {
  readonly operations: Operation[];
  readonly places: Place[];
  /** True if an operation on it reads what it changes, so that its values are not those that were sent. */
  isChanged: boolean;
}

/**
 * A history as the checks read it: each operation, stamp and vector once, and the events that name them. What names two
 * things by one name is found while it is made.
 */
export class Recording {
  readonly header: Header;
  readonly merges: Merges;
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
  /** By client and client time: several only of a batch. */
  readonly #byName = new Map<Client, Map<number, Operation[]>>();
  /** Of each client, the last in the order of what it has read and written. */
  readonly #last = new Map<Client, Place>();
  readonly #lastTimes = new Map<Client, number>();
  readonly #lastEnds = new Map<Client, number>();
  /** Of each client, what its last event was a part of, null if of nothing; and what it knew before that. */
  readonly #lastWhole = new Map<Client, { readonly name: string | null; readonly after: Place | null }>();

  constructor(header: Header, findings: Findings, merges: Merges) {
    this.header = header;
    this.merges = merges;
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
    const { clientTime, key, value, change = null, begin, end, replica } = event;
    const isPart = event.part === true;
    const operation = this.#operation(client, clientTime, { key, value, change, isPart });
    if (operation === null) return;
    const last = this.#lastTimes.get(client) ?? -1;
    const isFirst = operation.outcome === null;
    if (isFirst) {
      operation.outcome = event.outcome;
      operation.begin = begin;
      operation.after = this.#lastWhole.get(client)?.after ?? null;
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
      accepted = this.#place(event.stamp, { key, value, change });
      this.#stands(operation, accepted);
      operation.accepted ??= accepted;
      operation.acceptedAt = Math.min(operation.acceptedAt, end ?? begin);
      this.#passed(client, accepted);
    }
    client.steps.push({ kind: 'write', operation, isFirst, accepted, begin, end, replica });
  }

  #takeRead(event: ReadEvent): void {
    this.reads += 1;
    const { key, begin, end, replica, outcome, together = null } = event;
    const client = this.#actor(event);
    if (outcome !== 'found' && outcome !== 'absent') return;
    const seen = event.seen === undefined ? null : this.origins.claims(event.seen);
    const found = outcome === 'found' && event.stamp !== undefined ? event.stamp : null;
    const value = event.value ?? null;
    const place = found === null ? null : this.#shown(found, key, value);
    client.steps.push({ kind: 'read', client, key, begin, end, replica, outcome, found: place, value, seen, together });
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
      store: event.store.map(([key, value, stamp]) => this.#shown(stamp, key, value)),
      values: event.store.map(([, value]) => value),
      final,
    });
  }

  #logged({ stamp, client, clientTime, key, value, resubmitted, part, ...write }: LoggedWrite): Place {
    const change = write.change ?? null;
    const place = this.#place(stamp, { key, value, change });
    if (change !== 'total') {
      const what = { key, value, change, isPart: part === true };
      const operation = this.#operation(this.#client(client), clientTime, what);
      if (operation !== null) this.#stands(operation, place);
    }
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
  #actor(event: WriteEvent | ReadEvent): Client {
    const { client: id, begin, end } = event;
    const client = this.#client(id);
    const name = wholeOf(event);
    const isPart = name !== null && this.#lastWhole.get(client)?.name === name;
    if (!isPart) this.#lastWhole.set(client, { name, after: this.#last.get(client) ?? null });
    const lastEnd = this.#lastEnds.get(client) ?? Number.NEGATIVE_INFINITY;
    if (begin < lastEnd && !isPart) {
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
      key = { operations: [], places: [], isChanged: false };
      this.keys.set(name, key);
    }
    return key;
  }

  /** The operation of that name; null if the name is another one's. */
  #operation(
    client: Client,
    clientTime: number,
    what: Pick<Operation, 'key' | 'value' | 'change' | 'isPart'>,
  ): Operation | null {
    const { key, value, change, isPart } = what;
    const named = this.#byName.get(client)?.get(clientTime) ?? [];
    const known = named.find((other) => other.key === key) ?? named.find((other) => !(other.isPart && isPart));
    if (known === undefined) {
      const operation: Operation = {
        client,
        clientTime,
        key,
        value,
        change,
        outcome: null,
        begin: Number.NEGATIVE_INFINITY,
        acceptedAt: Number.POSITIVE_INFINITY,
        accepted: null,
        repeated: false,
        after: null,
        places: [],
        isPart,
      };
      this.#byName.get(client)?.set(clientTime, [...named, operation]);
      this.operations.push(operation);
      const record = this.#key(key);
      record.operations.push(operation);
      record.isChanged ||= change !== null;
      return operation;
    }
    const isSame = known.key === key && known.value === value && known.change === change;
    if (isSame && known.isPart === isPart) return known;
    this.#findings.violated('operations', () => {
      const other = describeChange(what);
      return `${client.id}:${clientTime} names two operations: ${describeOperation(known)}, and a ${other}`;
    });
    return null;
  }

  /** The place of a write that a client was told of, or that a log has. */
  #place(stamp: Stamp, { key, value, change }: Pick<Place, 'key' | 'value' | 'change'>): Place {
    const place = this.#at(stamp, key, value);
    if (place.isShown && (change !== null || (place.value === value && place.other === null))) {
      place.isShown = false;
      place.value = value;
      place.change = change;
    } else if (place.value !== value || place.change !== change) {
      this.#standsForTwo(place, key, value);
    }
    return place;
  }

  /** The place that reads and stores say a value is from. What reads its key may leave another value each time. */
  #shown(stamp: Stamp, key: string, value: string | null): Place {
    const place = this.#at(stamp, key, value);
    if (place.change === null && place.value !== value) {
      if (place.isShown) place.other = value;
      else this.#standsForTwo(place, key, value);
    }
    return place;
  }

  #at([time, replica, incarnation]: Stamp, key: string, value: string | null): Place {
    this.#findings.looked('stamps');
    const origin = this.origins.at(replica, incarnation);
    const places = this.origins.placesOf(origin);
    const same = places.get(time) ?? [];
    let place = same.find((other) => other.key === key);
    if (place === undefined) {
      place = {
        origin,
        time,
        key,
        value,
        change: null,
        isShown: true,
        other: null,
        operation: null,
        mayBe: [],
        resubmitted: null,
      };
      places.set(time, [...same, place]);
      this.#key(key).places.push(place);
    }
    return place;
  }

  #standsForTwo(there: Place, key: string, value: string | null): void {
    this.#findings.violated('stamps', () => {
      const shown = (of: string, what: string | null) => `${of} = ${quoted(what)}`;
      return `the stamp ${namePlace(there)} stands for two writes: ${shown(there.key, there.value)}, and ${shown(key, value)}`;
    });
  }

  /** Takes note that `place` is a stamp of `operation`. */
  #stands(operation: Operation, place: Place): void {
    if (place.operation === operation) return;
    if (place.operation === null) {
      if (!place.isShown && (place.value !== operation.value || place.change !== operation.change)) return;
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
      const unknown = places.filter(({ operation, change }) => operation === null && change === null);
      if (unknown.length === 0) continue;
      const sent = operations.filter(({ outcome }) => mayBeWritten(outcome));
      if (sent.some(({ change }) => change !== null)) {
        // What is shown need not be what any of them carries.
        for (const place of unknown) place.mayBe = sent;
        continue;
      }
      for (const place of unknown) if (place.other !== null) this.#standsForTwo(place, place.key, place.other);
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
    for (const origin of this.origins.all) {
      for (const places of this.origins.placesOf(origin).values()) if (places.length > 1) this.#areOneBatch(places);
    }
  }

  /** Of several keys under one stamp, none may be known to be of another write than the others are of. */
  #areOneBatch(places: readonly Place[]): void {
    const [first, ...others] = places.filter(({ operation }) => operation !== null) as [Place?, ...Place[]];
    if (first?.operation == null) return;
    const strange =
      others.find(({ operation }) => operation !== null && !areOneBatch(first.operation as Operation, operation)) ??
      (first.operation.isPart ? undefined : places.find((place) => place !== first));
    if (strange !== undefined) this.#standsForTwo(first, strange.key, strange.value);
  }
}

/** What the event is a part of: a batch, or a read of several keys; null if it is one by itself. */
function wholeOf(event: WriteEvent | ReadEvent): string | null {
  if (event.type === 'write') return event.part === true ? `write ${event.clientTime} ${event.begin}` : null;
  return event.together === undefined ? null : `read ${event.together}`;
}
