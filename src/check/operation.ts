import type { ChangeName, GuaranteeName } from './history.js';
import { namePlace, type Place } from './place.js';

/** One who reads and writes, in one session. */
export interface Client {
  readonly id: string;
  guarantees: ReadonlySet<GuaranteeName>;
  /** What it did, one thing after the other. */
  readonly steps: Step[];
}

/** What (client, client time) names: one operation, at every place it has in the order. */
export interface Operation {
  readonly client: Client;
  readonly clientTime: number;
  readonly key: string;
  readonly value: string | null;
  /** Null: a put or a delete. */
  readonly change: ChangeName | null;
  /** What the client was told; null if the history has the write only from logs. */
  outcome: 'accepted' | 'missing' | 'failed' | 'unknown' | null;
  /** When the client sent it; before all else if the history does not say. */
  begin: number;
  /** When the client was told that it was accepted; after all else if it was not. */
  acceptedAt: number;
  /** The stamp the client was told. */
  accepted: Place | null;
  /** True if more than one replica may have accepted it. */
  repeated: boolean;
  /** The last, in the order, of what its client had read and written before. */
  after: Place | null;
  /** Every stamp of it that turned up. */
  readonly places: Place[];
  /** True for a part of a batch: there are others of its client and client time, on other keys. */
  readonly isPart: boolean;
}

/** True if both are parts of one batch. */
export function areOneBatch(a: Operation, b: Operation): boolean {
  return a.isPart && b.isPart && a.client === b.client && a.clientTime === b.clientTime;
}

/** The name that its client gave it; the parts of a batch have one. */
export function nameOperation({ client, clientTime }: Operation): string {
  return `${clientTime} ${client.id}`;
}

export function mayBeWritten(outcome: Operation['outcome']): boolean {
  return outcome !== 'missing' && outcome !== 'failed';
}

export interface WriteStep {
  readonly kind: 'write';
  readonly operation: Operation;
  /** False if the client had sent the operation before: it may stand before what came between. */
  readonly isFirst: boolean;
  /** Null unless this step was told that it was accepted. */
  readonly accepted: Place | null;
  readonly begin: number;
  readonly end: number | null;
  readonly replica: string | null;
}

export interface ReadStep {
  readonly kind: 'read';
  readonly client: Client;
  readonly key: string;
  readonly begin: number;
  readonly end: number | null;
  readonly replica: string | null;
  readonly outcome: 'found' | 'absent';
  /** What was found; null if the key was absent. */
  readonly found: Place | null;
  /** The value that was found. */
  readonly value: string | null;
  readonly seen: readonly number[] | null;
  /** Names the read of several keys that it is one of; null if it is one by itself. */
  readonly together: number | null;
}

export type Step = WriteStep | ReadStep;

export function describeOperation(operation: Operation): string {
  const { client, clientTime, places } = operation;
  const what = `the ${describeChange(operation)}`;
  const where = places.length === 0 ? '' : `, stamped ${places.map(namePlace).join(' and ')}`;
  return `${what} (${client.id}:${clientTime}${where})`;
}

export function describeChange({ key, value, change }: Pick<Operation, 'key' | 'value' | 'change'>): string {
  if (change !== null) return `${change} of ${key} by ${quoted(value)}`;
  return value === null ? `delete of ${key}` : `put of ${key} = ${quoted(value)}`;
}

export function describePlace(place: Place): string {
  if (place.operation !== null) return `${describeOperation(place.operation)} at ${namePlace(place)}`;
  return `${place.key} = ${quoted(place.value)}, stamped ${namePlace(place)}`;
}

export function describeRead({ client, key, begin, end, replica, found, value }: ReadStep): string {
  const what = found === null ? 'nothing' : `${quoted(value)} of ${namePlace(found)}`;
  return `the read of ${key} by ${client.id}, ${begin} to ${end ?? '?'} ms, at ${replica ?? '?'}, which returned ${what}`;
}

const QUOTED_MAX = 60;

/** A value as a message has it; null: deleted. */
export function quoted(value: string | null): string {
  if (value === null) return 'deleted';
  return JSON.stringify(value.length > QUOTED_MAX ? `${value.slice(0, QUOTED_MAX)}…` : value);
}
