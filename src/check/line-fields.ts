import { TIME_MAX } from '../base/limits.js';
import { carriedByMerge } from './merge.js';

/** What a field must be; said so when it is not. */
interface Field {
  readonly is: (value: unknown) => boolean;
  readonly what: string;
  /** True if the line may lack it. */
  readonly isOptional?: true;
}

type Line = Readonly<Record<string, unknown>>;

export interface Fields {
  readonly fields: Readonly<Record<string, Field>>;
  /** What is wrong with the fields together, or null. */
  readonly rule?: (line: Line) => string | null;
}

export type LineType = 'history' | 'session' | 'write' | 'read' | 'state' | 'life';

const GUARANTEES = ['read-your-writes', 'monotonic-reads', 'writes-follow-reads', 'monotonic-writes'];

const text: Field = { is: (value) => typeof value === 'string', what: 'a text' };
const name: Field = { is: (value) => typeof value === 'string' && value !== '', what: 'a text that is not empty' };
const flag: Field = { is: (value) => typeof value === 'boolean', what: 'true or false' };
const moment: Field = { is: Number.isFinite, what: 'a number of milliseconds' };
const time: Field = { is: isTime, what: `a whole number from 0 to ${TIME_MAX}` };
const stamp: Field = { is: isStamp, what: 'a stamp: [accept time, replica, incarnation]' };
const vector: Field = { is: isVector, what: 'a vector: a list of stamps' };
const marked: Field = { is: (value) => value === true, what: 'true, or left out', isOptional: true };

const operation = { client: name, key: name, begin: moment, end: orNull(moment), replica: orNull(name) };
const code = optional(name);
const CHANGES = ['increment', 'append', 'setAdd', 'setRemove', 'putIfAbsent', 'merge'];

/** The fields of each type of line, all of them. */
export const LINES: Readonly<Record<LineType, Fields>> = {
  history: {
    fields: {
      version: { is: (value) => value === 1, what: '1' },
      tieBreak: oneOf('higher', 'lower'),
      retryWindow: time,
    },
  },
  session: {
    fields: { client: name, guarantees: listOf((value) => GUARANTEES.includes(value as string), 'guarantees') },
  },
  write: {
    fields: {
      ...operation,
      clientTime: time,
      value: orNull(text),
      change: optional(oneOf(...CHANGES)),
      outcome: oneOf('accepted', 'missing', 'failed', 'unknown'),
      stamp: optional(stamp),
      code,
      repeated: marked,
      part: marked,
    },
    rule: (line) =>
      wrongOperation(line) ?? wrongChange(line) ?? wrongIfNot(line, 'stamp', line['outcome'] === 'accepted'),
  },
  read: {
    fields: {
      ...operation,
      outcome: oneOf('found', 'absent', 'missing', 'failed'),
      value: optional(text),
      stamp: optional(stamp),
      seen: optional(vector),
      code,
      together: optional(time),
    },
    rule: (line) => {
      const found = line['outcome'] === 'found';
      return wrongOperation(line) ?? wrongIfNot(line, 'stamp', found) ?? wrongIfNot(line, 'value', found);
    },
  },
  state: {
    fields: {
      at: moment,
      replica: name,
      incarnation: time,
      seen: vector,
      received: listOf(isVector, 'vectors'),
      base: time,
      stable: time,
      log: listOf(isLogged, 'writes'),
      store: listOf(isEntry, 'entries: [key, value, stamp]'),
      final: flag,
    },
  },
  life: {
    fields: { at: moment, replica: name, incarnation: time, event: oneOf('start', 'end', 'retired', 'lost') },
  },
};

const LOGGED: Fields = {
  fields: {
    stamp,
    client: name,
    clientTime: time,
    key: name,
    value: orNull(text),
    change: optional(oneOf(...CHANGES, 'total')),
    resubmitted: marked,
    part: marked,
  },
  rule: wrongChange,
};

/** What is wrong with a line, or a part of it; null if nothing is. */
export function wrongField(line: Line, { fields, rule }: Fields): string | null {
  for (const field in line) {
    if (field === 'type') continue;
    if (!Object.hasOwn(fields, field)) return `there is no field ${JSON.stringify(field)}`;
  }
  for (const field in fields) {
    const { is, what, isOptional } = fields[field] as Field;
    if (!Object.hasOwn(line, field)) {
      if (isOptional === true) continue;
      return `${field} is missing`;
    }
    if (!is(line[field])) return `${field} is not ${what}`;
  }
  return rule?.(line) ?? null;
}

function wrongChange({ change, value }: Line): string | null {
  if (change === undefined) return null;
  if (value === null) return 'value is null, and a change carries one';
  if (change === 'merge') return carriedByMerge(value as string) === null ? 'value is not the JSON of a merge' : null;
  return change !== 'increment' || isInteger(value as string) ? null : 'value is not the whole number of an increment';
}

function isInteger(value: string): boolean {
  return /^(0|-?[1-9]\d*)$/.test(value) && Number.isSafeInteger(Number(value));
}

function wrongOperation({ begin, end, outcome }: Line): string | null {
  const isAnswered = outcome === 'accepted' || outcome === 'found' || outcome === 'absent';
  if (end === null) return isAnswered ? `it was answered (${outcome}), so end is not null` : null;
  return (end as number) < (begin as number) ? 'end is before begin' : null;
}

function wrongIfNot(line: Line, field: string, isExpected: boolean): string | null {
  if (Object.hasOwn(line, field) === isExpected) return null;
  return `${field} is ${isExpected ? 'missing' : 'out of place'}, as outcome is ${JSON.stringify(line['outcome'])}`;
}

function isTime(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isStamp(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [acceptTime, replica, incarnation] = value;
  return isTime(acceptTime) && typeof replica === 'string' && replica !== '' && isTime(incarnation);
}

function isVector(value: unknown): boolean {
  return Array.isArray(value) && value.every(isStamp);
}

function isLogged(value: unknown): boolean {
  return typeof value === 'object' && value !== null && wrongField(value as Line, LOGGED) === null;
}

function isEntry(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [key, shown, at] = value;
  return typeof key === 'string' && key !== '' && typeof shown === 'string' && isStamp(at);
}

function listOf(is: (value: unknown) => boolean, what: string): Field {
  return { is: (value) => Array.isArray(value) && value.every(is), what: `a list of ${what}` };
}

function oneOf(...words: readonly string[]): Field {
  return { is: (value) => words.includes(value as string), what: `one of ${words.join(', ')}` };
}

function orNull({ is, what }: Field): Field {
  return { is: (value) => value === null || is(value), what: `${what}, or null` };
}

function optional({ is, what }: Field): Field {
  return { is, what, isOptional: true };
}
