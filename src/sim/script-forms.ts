import { BaristaError } from '../base/errors.js';

/** How a value is written as words of a script's line, and read back. */
export interface Form<T> {
  /** The words, for help: `CLIENT KEY`. */
  readonly usage: string;
  write(value: T): readonly string[];
  /** Takes its words off the front; refuses what is no such value. */
  read(words: WordReader): T;
}

/** The words of one line, from left to right. */
export class WordReader {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#words.length;
  }

  take(usage: string): string {
    const word = this.#words[this.#at++];
    if (word === undefined) throw new BaristaError('ERR_SYNTAX', `${usage} is missing`);
    return word;
  }

  /** Refuses words that nobody took. */
  end(): void {
    const word = this.#words[this.#at];
    if (word !== undefined) throw new BaristaError('ERR_SYNTAX', `${JSON.stringify(word)} is one word too many`);
  }
}

/** One word; `parse` answers undefined if it is none of `what`. */
export function word<T>(
  usage: string,
  what: string,
  parse: (text: string) => T | undefined,
  print: (value: T) => string = String,
): Form<T> {
  return {
    usage,
    write: (value) => [print(value)],
    read(words) {
      const text = words.take(usage);
      const value = parse(text);
      if (value !== undefined) return value;
      throw new BaristaError('ERR_SYNTAX', `${JSON.stringify(text)} is not ${what}`);
    },
  };
}

/** One word that `check` lets pass. */
export function text(usage: string, check: (text: string) => BaristaError | null): Form<string> {
  return word(usage, 'a word', (value) => {
    const wrong = check(value);
    if (wrong !== null) throw wrong;
    return value;
  });
}

export function whole(usage: string, min: number, max: number = Number.MAX_SAFE_INTEGER): Form<number> {
  const what = `a whole number from ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`}`;
  return word(usage, what, (written) => {
    const number = /^-?\d{1,16}$/.test(written) ? Number(written) : Number.NaN;
    return number >= min && number <= max ? number : undefined;
  });
}

/** From 0 to 1. */
export function chance(usage: string): Form<number> {
  return word(usage, 'a chance from 0 to 1', (written) => {
    const number = /^\d+(\.\d+)?(e-\d+)?$/.test(written) ? Number(written) : Number.NaN;
    return number <= 1 ? number : undefined;
  });
}

export function choice<const T extends string>(...choices: readonly T[]): Form<T> {
  const usage = choices.join('|');
  return word(usage, choices.join(' or '), (written) => choices.find((known) => known === written));
}

/** One of two words for true and false. */
export function flag(yes: string, no: string): Form<boolean> {
  const form = choice(yes, no);
  return {
    usage: form.usage,
    write: (value) => [value ? yes : no],
    read: (words) => form.read(words) === yes,
  };
}

/** A set of a few known words with commas between, or `none`. */
export function subset<const T extends string>(usage: string, choices: readonly T[]): Form<readonly T[]> {
  const what = `"none", or some of ${choices.join(', ')} with commas between`;
  const parse = (written: string): readonly T[] | undefined => {
    if (written === 'none') return [];
    const names = written.split(',');
    const chosen = names.map((name) => choices.find((known) => known === name)).filter((known) => known !== undefined);
    return chosen.length === names.length ? chosen : undefined;
  };
  return word(usage, what, parse, (chosen) => (chosen.length === 0 ? 'none' : chosen.join(',')));
}

/** The same with a word for null. */
export function orNull<T>(form: Form<T>, otherwise: string): Form<T | null> {
  return {
    usage: `${form.usage}|${otherwise}`,
    write: (value) => (value === null ? [otherwise] : form.write(value)),
    read(words) {
      const written = words.take(form.usage);
      return written === otherwise ? null : form.read(new WordReader([written]));
    },
  };
}

export function pair<A, B>(first: Form<A>, second: Form<B>): Form<readonly [A, B]> {
  return {
    usage: `${first.usage} ${second.usage}`,
    write: ([a, b]) => [...first.write(a), ...second.write(b)],
    read: (words) => [first.read(words), second.read(words)],
  };
}

type Fields<T> = { readonly [F in keyof T]: Form<T[F]> };

/** Its fields one after another, in the order of the table. */
export function record<T extends object>(table: Fields<T>): Form<T> {
  const fields = Object.entries(table) as [keyof T & string, Form<unknown>][];
  return {
    usage: fields.map(([, form]) => form.usage).join(' '),
    write: (value) => fields.flatMap(([name, form]) => form.write(value[name])),
    read: (words) => Object.fromEntries(fields.map(([name, form]) => [name, form.read(words)])) as T,
  };
}

/** For each kind of a union, the fields of that member. */
export type Kinds<T extends { readonly kind: string }> = {
  readonly [K in T['kind']]: Fields<Omit<Extract<T, { readonly kind: K }>, 'kind'>>;
};

/** Its kind, then the fields of that kind. */
export function union<T extends { readonly kind: string }>(what: string, table: Kinds<T>): Form<T> & Usages {
  const forms = new Map(
    Object.entries<Fields<object>>(table).map(([kind, fields]) => [kind, record<object>(fields)] as const),
  );
  return {
    usage: what,
    usages: [...forms].map(([kind, form]) => usageOf(kind, form)),
    write(value) {
      const { kind, ...fields } = value;
      return [kind, ...(forms.get(kind)?.write(fields) ?? [])];
    },
    read(words) {
      const kind = words.take(what);
      const form = forms.get(kind);
      if (form !== undefined) return { kind, ...named(usageOf(kind, form), () => form.read(words)) } as T;
      const known = [...forms.keys()].join(', ');
      throw new BaristaError('ERR_SYNTAX', `${JSON.stringify(kind)} is no ${what}; there are ${known}`);
    },
  };
}

export interface Usages {
  /** A line for each kind: `get CLIENT KEY`. */
  readonly usages: readonly string[];
}

/** Reads; what is wrong is told together with how it is written. */
export function named<T>(usage: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof BaristaError) || thrown.code !== 'ERR_SYNTAX') throw thrown;
    throw new BaristaError('ERR_SYNTAX', `${usage}: ${thrown.message}`);
  }
}

function usageOf(kind: string, form: Form<object>): string {
  return `${kind} ${form.usage}`.trimEnd();
}
