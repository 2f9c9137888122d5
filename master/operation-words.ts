import { BaristaError } from '../src/base/errors.js';
import type { BatchPart } from '../src/bayou/messages.js';
import type { KvOperation } from '../src/machine/kv.js';
import { quoted } from './format.js';
import { lexLine } from './script.js';

const encoder = new TextEncoder();

interface Form {
  /** How it is written. Of more words than the key, the last is the rest of the line; but for a number. */
  readonly usage: string;
  readonly of: (...carried: readonly string[]) => KvOperation;
}

/** The operations of a batch, as the commands that write one of them alone. */
const FORMS: readonly Form[] = [
  { usage: 'put KEY VALUE', of: (text) => ({ kind: 'put', value: encoder.encode(text) }) },
  { usage: 'delete KEY', of: () => ({ kind: 'delete' }) },
  { usage: 'increment KEY NUMBER', of: (text = '') => ({ kind: 'increment', by: wholeNumber(text) }) },
  { usage: 'append KEY VALUE', of: (text) => ({ kind: 'append', bytes: encoder.encode(text) }) },
  { usage: 'setAdd KEY MEMBER', of: (member = '') => ({ kind: 'setAdd', member }) },
  { usage: 'setRemove KEY MEMBER', of: (member = '') => ({ kind: 'setRemove', member }) },
  { usage: 'putIfAbsent KEY VALUE', of: (text) => ({ kind: 'putIfAbsent', value: encoder.encode(text) }) },
  { usage: 'merge KEY PROCEDURE VALUE', of: (procedure, text) => mergeOf(null, procedure, text) },
  {
    usage: 'mergeFrom KEY EXPECTED PROCEDURE VALUE',
    of: (expected, procedure, text) => mergeOf(expectedFrom(expected), procedure, text),
  },
];

const BY_NAME: ReadonlyMap<string, Form> = new Map(FORMS.map((form) => [wordsOf(form)[0] as string, form]));

export const OPERATION_USAGES: readonly string[] = FORMS.map(({ usage }) => usage);

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
export function wholeNumber(text: string): number {
  const number = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new BaristaError('ERR_SYNTAX', `increment takes a whole number within 2^53 - 1, not ${quoted(text)}`);
}

/** What a merge expects; an empty word: that the key is absent. */
export function expectedFrom(word = ''): Uint8Array | 'absent' {
  return word === '' ? 'absent' : encoder.encode(word);
}

function mergeOf(expects: Uint8Array | 'absent' | null, procedure = '', text = ''): KvOperation {
  return { kind: 'merge', procedure, expects, value: encoder.encode(text) };
}

function wordsOf({ usage }: Form): readonly string[] {
  return usage.split(' ');
}

function restAt(form: Form | undefined): number {
  if (form === undefined) return -1;
  const words = wordsOf(form);
  const last = words.at(-1);
  return last === 'VALUE' || last === 'MEMBER' ? words.length - 1 : -1;
}
