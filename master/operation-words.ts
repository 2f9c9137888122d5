import { BaristaError } from '../src/base/errors.js';
import { TTL_MS_MAX } from '../src/base/limits.js';
import type { BatchPart } from '../src/bayou/messages.js';
import type { KvOperation } from '../src/machine/kv.js';
import { quoted } from './format.js';
import { lexLine } from './script.js';

const encoder = new TextEncoder();

export interface OperationForm {
  /** How it is written. Of more words than the key, the last is the rest of the line; but for a number. */
  readonly usage: string;
  /** Of the command that writes it alone. */
  readonly help: string;
  readonly of: (...carried: readonly string[]) => KvOperation;
}

/** The operations: each a part of a batch, or with a client before its key a command that writes it alone. */
export const OPERATION_FORMS: readonly OperationForm[] = [
  {
    usage: 'put KEY VALUE',
    help: 'writes at a replica the client is linked to; the value is the rest of the line',
    of: (text) => ({ kind: 'put', value: encoder.encode(text) }),
  },
  { usage: 'delete KEY', help: 'likewise, a delete', of: () => ({ kind: 'delete' }) },
  {
    usage: 'increment KEY NUMBER',
    help: 'adds a whole number to that of the key, 0 if there is none; no effect on what is no number',
    of: (text = '') => ({ kind: 'increment', by: wholeNumber(text) }),
  },
  {
    usage: 'append KEY VALUE',
    help: 'puts the rest of the line after what the key holds',
    of: (text) => ({ kind: 'append', bytes: encoder.encode(text) }),
  },
  {
    usage: 'setAdd KEY MEMBER',
    help: 'adds the rest of the line to a set, which is a JSON array of strings; no effect on what is none',
    of: (member = '') => ({ kind: 'setAdd', member }),
  },
  {
    usage: 'setRemove KEY MEMBER',
    help: 'removes it from the set',
    of: (member = '') => ({ kind: 'setRemove', member }),
  },
  {
    usage: 'putIfAbsent KEY VALUE',
    help: 'as put, where the key is absent; no effect where it is not',
    of: (text) => ({ kind: 'putIfAbsent', value: encoder.encode(text) }),
  },
  {
    usage: 'putFor KEY TTL VALUE',
    help: 'as put, for so many milliseconds; with a logical clock, accept times',
    of: (ttl, text) => ({ kind: 'put', value: encoder.encode(text), ttlMs: ttlFrom(ttl) }),
  },
  {
    usage: 'putIfAbsentFor KEY TTL VALUE',
    help: 'likewise, where the key is absent',
    of: (ttl, text) => ({ kind: 'putIfAbsent', value: encoder.encode(text), ttlMs: ttlFrom(ttl) }),
  },
  {
    usage: 'merge KEY PROCEDURE VALUE',
    help: 'has the merge procedure, like keep-both@1, make one value of what the key holds and the value',
    of: (procedure, text) => mergeOf(null, procedure, text),
  },
  {
    usage: 'mergeFrom KEY EXPECTED PROCEDURE VALUE',
    help: 'as put where the key holds EXPECTED ("": is absent) as the write takes effect; as merge where it does not',
    of: (expected, procedure, text) => mergeOf(expectedFrom(expected), procedure, text),
  },
];

const BY_NAME: ReadonlyMap<string, OperationForm> = new Map(
  OPERATION_FORMS.map((form) => [wordsOf(form)[0] as string, form]),
);

/** An operation as a part of a batch, written as a command of a script without its client; null for a blank line or a comment. */
export function partFrom(text: string): BatchPart<KvOperation> | null {
  const words = lexLine(text, ([name = '']) => restAt(BY_NAME.get(name)));
  const [name, key, ...carried] = words;
  if (name === undefined) return null;
  const form = BY_NAME.get(name);
  if (form === undefined) {
    throw new BaristaError(
      'ERR_SYNTAX',
      `${quoted(name)} is no operation of a batch: ${[...BY_NAME.keys()].join(', ')}`,
    );
  }
  if (key === undefined || words.length !== wordsOf(form).length) {
    throw new BaristaError('ERR_SYNTAX', `${quoted(text)} is no operation of a batch, as in: ${form.usage}`);
  }
  return { key, operation: form.of(...carried) };
}

/** What a key is incremented by. */
function wholeNumber(text: string): number {
  const number = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new BaristaError('ERR_SYNTAX', `increment takes a whole number within 2^53 - 1, not ${quoted(text)}`);
}

/** For how long a value stays. */
function ttlFrom(text = ''): number {
  const ms = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  if (ms >= 1 && ms <= TTL_MS_MAX) return ms;
  throw new BaristaError('ERR_SYNTAX', `a time to live is a whole number from 1 to ${TTL_MS_MAX}, not ${quoted(text)}`);
}

/** What a merge expects; an empty word: that the key is absent. */
function expectedFrom(word = ''): Uint8Array | 'absent' {
  return word === '' ? 'absent' : encoder.encode(word);
}

function mergeOf(expects: Uint8Array | 'absent' | null, procedure = '', text = ''): KvOperation {
  return { kind: 'merge', procedure, expects, value: encoder.encode(text) };
}

export function wordsOf({ usage }: OperationForm): readonly string[] {
  return usage.split(' ');
}

/** The place of the word that takes the rest of the line; -1 if none does. */
export function restAt(form: OperationForm | undefined): number {
  if (form === undefined) return -1;
  const words = wordsOf(form);
  const last = words.at(-1);
  return last === 'VALUE' || last === 'MEMBER' ? words.length - 1 : -1;
}
