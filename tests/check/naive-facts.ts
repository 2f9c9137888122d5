import { compareIds } from '../../src/base/ids.js';
import type {
  History,
  HistoryEvent,
  LifeEvent,
  LoggedWrite,
  ReadEvent,
  Stamp,
  StateEvent,
  Vector,
  WriteEvent,
} from '../../src/check/history.js';

/*
 * What a history says, looked up by going through all of it each time: slow, and easy to compare with the definitions.
 */

export interface NaiveOperation {
  readonly client: string;
  readonly clientTime: number;
  readonly key: string;
  readonly value: string | null;
  readonly first: WriteEvent | null;
  readonly tries: readonly WriteEvent[];
  readonly stamps: readonly Stamp[];
  readonly part: true | undefined;
}

/** Names an operation; a part of a batch by its key too. */
interface Named {
  readonly client: string;
  readonly clientTime: number;
  readonly key: string;
  readonly part?: true | undefined;
}

export interface Sighting {
  readonly stamp: Stamp;
  readonly key: string;
  readonly value: string | null;
  readonly client?: string;
  readonly clientTime?: number;
  readonly part?: true | undefined;
  readonly resubmitted?: boolean;
}

export class NaiveFacts {
  readonly header: History['header'];
  readonly events: readonly HistoryEvent[];
  readonly writes: readonly WriteEvent[];
  readonly reads: readonly ReadEvent[];
  readonly states: readonly StateEvent[];
  readonly lives: readonly LifeEvent[];
  readonly sightings: readonly Sighting[];
  readonly operations: readonly NaiveOperation[];

  constructor({ header, events }: History) {
    this.header = header;
    this.events = Array.from(events, keyed);
    this.writes = this.events.filter((event) => event.type === 'write');
    this.reads = this.events.filter((event) => event.type === 'read').filter(isAnswered);
    this.states = this.events.filter((event) => event.type === 'state');
    this.lives = this.events.filter((event) => event.type === 'life');
    this.sightings = this.events.flatMap(sightingsOf);
    this.operations = this.#operations();
  }

  order(a: Stamp, b: Stamp): number {
    const direction = this.header.tieBreak === 'higher' ? 1 : -1;
    return a[0] - b[0] || direction * (compareIds(a[1], b[1]) || a[2] - b[2]);
  }

  guarantees(client: string): readonly string[] {
    const sessions = this.events.filter((event) => event.type === 'session');
    return sessions.findLast((session) => session.client === client)?.guarantees ?? [];
  }

  get clients(): readonly string[] {
    return [...new Set(this.events.flatMap((event) => ('client' in event ? [event.client] : [])))];
  }

  /** What the client did, one thing after the other. */
  steps(client: string): readonly (WriteEvent | ReadEvent)[] {
    return this.events.filter(
      (event) => (event.type === 'write' || (event.type === 'read' && isAnswered(event))) && event.client === client,
    ) as (WriteEvent | ReadEvent)[];
  }

  operationAt(stamp: Stamp): NaiveOperation | null {
    return this.operations.find(({ stamps }) => stamps.some((other) => same(other, stamp))) ?? null;
  }

  operationOf(name: Named): NaiveOperation {
    return this.operations.find((operation) => isSameName(operation, name)) as NaiveOperation;
  }

  /** The client's steps before the one at `at`, or before all that it is one of. */
  before(client: string, at: number): readonly (WriteEvent | ReadEvent)[] {
    const steps = this.steps(client);
    const step = steps[at];
    let first = at;
    while (step !== undefined && isOneWhole(steps[first - 1], step)) first -= 1;
    return steps.slice(0, first);
  }

  /** What may stand at a stamp that nothing says whose it is. */
  possibleAt(stamp: Stamp): readonly NaiveOperation[] {
    if (this.operationAt(stamp) !== null) return [];
    const sighting = this.sightings.find((it) => same(it.stamp, stamp));
    return this.operations.filter((it) => it.key === sighting?.key && it.value === sighting.value && mayBeThere(it));
  }

  /** The last, in the order, of what the client knew before it sent the operation. */
  after({ client, first }: NaiveOperation): Stamp | null {
    if (first === null) return null;
    const steps = this.steps(client);
    const known = this.before(client, steps.indexOf(first)).flatMap(({ stamp }) =>
      stamp === undefined ? [] : [stamp],
    );
    return known.sort((a, b) => this.order(a, b)).at(-1) ?? null;
  }

  /** True if the operation stands after `shown`, wherever it stands. */
  isBefore(shown: Stamp, operation: NaiveOperation): boolean {
    if (operation.stamps.length === 0 || operation.stamps.some((stamp) => this.order(shown, stamp) >= 0)) return false;
    if (this.possibleAt(shown).includes(operation)) return false;
    if (!isRepeated(operation)) return true;
    const after = this.after(operation);
    return after !== null && this.order(shown, after) <= 0;
  }

  isBeforeStamp(shown: Stamp, stamp: Stamp): boolean {
    if (same(shown, stamp)) return false;
    const operation = this.operationAt(stamp);
    if (operation !== null) return this.isBefore(shown, operation);
    const possible = this.possibleAt(stamp);
    if (possible.length > 0) return possible.every((it) => this.isBefore(shown, it));
    return this.order(shown, stamp) < 0;
  }

  mayBeDeleted(put: NaiveOperation, by: number): boolean {
    return this.operations.some((it) => {
      if (it.key !== put.key || it.value !== null || !mayBeThere(it) || (it.first?.begin ?? -1) > by) return false;
      if (isRepeated(it) || it.stamps.length === 0) return true;
      return it.stamps.some((stamp) => this.isDeparted(stamp) || !this.isBefore(stamp, put));
    });
  }

  mayStampBeDeleted(stamp: Stamp, by: number): boolean {
    const operation = this.operationAt(stamp);
    if (operation !== null) return this.mayBeDeleted(operation, by);
    const possible = this.possibleAt(stamp);
    return possible.length === 0 || possible.some((it) => this.mayBeDeleted(it, by));
  }

  isDeparted([, replica, incarnation]: Stamp): boolean {
    const named: (readonly [string, number])[] = [
      ...this.sightings.map(({ stamp }) => [stamp[1], stamp[2]] as const),
      ...this.states.flatMap(({ seen }) => seen.map(([, r, i]) => [r, i] as const)),
      ...this.reads.flatMap(({ seen }) => (seen ?? []).map(([, r, i]) => [r, i] as const)),
      ...[...this.states, ...this.lives].map((event) => [event.replica, event.incarnation] as const),
    ];
    if (named.some(([other, later]) => other === replica && later > incarnation)) return true;
    return this.lives.some((it) => it.event === 'retired' && it.replica === replica && it.incarnation === incarnation);
  }

  isLost(replica: string, incarnation: number, from: number, to: number): boolean {
    return this.lives.some(
      (it) =>
        it.event === 'lost' && it.replica === replica && it.incarnation === incarnation && it.at >= from && it.at <= to,
    );
  }

  /** As logs have the stamp; null if none has it. */
  resubmitted(stamp: Stamp): boolean | null {
    return this.sightings.findLast((it) => same(it.stamp, stamp) && it.resubmitted !== undefined)?.resubmitted ?? null;
  }

  #operations(): NaiveOperation[] {
    const named: (WriteEvent | LoggedWrite)[] = this.events.flatMap((event): (WriteEvent | LoggedWrite)[] => {
      if (event.type === 'write') return [event];
      return event.type === 'state' ? [...event.log] : [];
    });
    const operations = named
      .filter((it, at) => named.findIndex((other) => isSameName(it, other)) === at)
      .map(({ client, clientTime, key, value, part }) => {
        const tries = this.writes.filter((write) => isSameName(write, { client, clientTime, key, part }));
        const its = this.sightings.filter(
          (it) => it.client === client && it.clientTime === clientTime && (part !== true || it.key === key),
        );
        const stamps = unique(its.map(({ stamp }) => stamp));
        return { client, clientTime, key, value, first: tries[0] ?? null, tries, stamps, part };
      });
    // A stamp that only reads and stores have shown is that of the one operation that it can be.
    const unknown = unique(this.sightings.map(({ stamp }) => stamp)).filter(
      (stamp) => !operations.some(({ stamps }) => stamps.some((other) => same(other, stamp))),
    );
    return operations.map((operation) => {
      const its = unknown.filter((stamp) => {
        const sighting = this.sightings.find((it) => same(it.stamp, stamp));
        const possible = operations.filter(
          (it) => it.key === sighting?.key && it.value === sighting.value && mayBeThere(it),
        );
        return possible.length === 1 && possible[0] === operation;
      });
      return { ...operation, stamps: [...operation.stamps, ...its] };
    });
  }
}

export function isRepeated({ tries }: NaiveOperation): boolean {
  return tries.length > 1 || tries.some(({ repeated }) => repeated === true);
}

/** The stamp the client was told, and when. */
export function acknowledged({ tries }: NaiveOperation): { readonly stamp: Stamp; readonly at: number } | null {
  const told = tries.filter(({ outcome }) => outcome === 'accepted');
  const [first] = told;
  if (first?.stamp === undefined) return null;
  return { stamp: first.stamp, at: Math.min(...told.map(({ begin, end }) => end ?? begin)) };
}

export function mayBeThere({ tries }: Pick<NaiveOperation, 'tries'>): boolean {
  return tries.length === 0 || tries.some(({ outcome }) => outcome === 'accepted' || outcome === 'unknown');
}

/** The same place: under one stamp a batch has one on each of its keys. */
export function same(a: Stamp, b: Stamp): boolean {
  return isSameStamp(a, b) && (a as readonly unknown[])[3] === (b as readonly unknown[])[3];
}

export function isSameStamp(a: Stamp, b: Stamp): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
}

/** True if both are of one batch, or of one read of several keys. */
export function isOneWhole(a: WriteEvent | ReadEvent | undefined, b: WriteEvent | ReadEvent): boolean {
  if (a?.type === 'read') return b.type === 'read' && a.together !== undefined && a.together === b.together;
  if (a?.part !== true || b.type !== 'write' || b.part !== true) return false;
  return a.clientTime === b.clientTime && a.begin === b.begin;
}

/** The event, with the key in each stamp that it has: so that each is one place. */
function keyed<Event extends HistoryEvent>(event: Event): Event {
  const at = (stamp: Stamp, key: string): Stamp => [...stamp, key] as unknown as Stamp;
  if ('stamp' in event && event.stamp !== undefined) return { ...event, stamp: at(event.stamp, event.key) };
  if (event.type !== 'state') return event;
  const log = event.log.map((write) => ({ ...write, stamp: at(write.stamp, write.key) }));
  const store = event.store.map(([key, value, stamp]) => [key, value, at(stamp, key)] as const);
  return { ...event, log, store };
}

export function timeOf(vector: Vector, [, replica, incarnation]: Stamp): number {
  return Math.max(0, ...vector.filter(([, r, i]) => r === replica && i === incarnation).map(([time]) => time));
}

export function covers(vector: Vector, stamp: Stamp): boolean {
  return timeOf(vector, stamp) >= stamp[0];
}

function unique(stamps: readonly Stamp[]): Stamp[] {
  return stamps.filter((stamp, at) => stamps.findIndex((other) => same(stamp, other)) === at);
}

export function isSameName(a: Named, b: Named): boolean {
  const areParts = a.part === true && b.part === true;
  return a.client === b.client && a.clientTime === b.clientTime && (!areParts || a.key === b.key);
}

function isAnswered({ outcome }: ReadEvent): boolean {
  return outcome === 'found' || outcome === 'absent';
}

function sightingsOf(event: HistoryEvent): Sighting[] {
  if (event.type === 'write') {
    const { stamp, key, value, client, clientTime, part } = event;
    return stamp === undefined ? [] : [{ stamp, key, value, client, clientTime, part }];
  }
  if (event.type === 'read') {
    const { stamp, key, value } = event;
    return stamp === undefined ? [] : [{ stamp, key, value: value ?? null }];
  }
  if (event.type !== 'state') return [];
  return [
    ...event.log.map((write) => ({ ...write, resubmitted: write.resubmitted === true })),
    ...event.store.map(([key, value, stamp]) => ({ key, value, stamp })),
  ];
}
