import { BaristaError } from '../src/base/errors.js';
import { utf8Length } from '../src/base/limits.js';

/** For the first words of a line, the place (0 is the first) of the word that keeps the rest of the line; -1 if none does. */
export type RestAt = (words: readonly string[]) => number;

const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const DOUBLE_QUOTE = 0x22;
const HASH = 0x23;
const SINGLE_QUOTE = 0x27;
const BACKSLASH = 0x5c;

/**
 * Splits a line of a script into words; none if it is blank or a comment.
 *
 * - White space separates words, whichever Unicode knows, so that a pasted no-break space does no harm; a byte order
 *   mark counts as white space.
 * - A word that begins with `"` is a JSON string, one that begins with `'` is literal up to the next `'`. Quotes and
 *   `#` inside a word mean nothing.
 * - `#` at the beginning of a word starts a comment.
 * - The word at `restAt` is the rest of the line, trimmed and otherwise raw, quotes and `#` included; unless it is one
 *   quoted word and nothing else, which is unquoted, so that a value can be empty or keep spaces at its ends.
 */
export function lexLine(line: string, restAt: RestAt): string[] {
  const words: string[] = [];
  let rest = -1;
  let at = skipSpace(line, 0);
  while (at < line.length) {
    if (words.length === rest) {
      words.push(restOfLine(line, at));
      break;
    }
    const first = line.charCodeAt(at);
    if (first === HASH) break;
    let end: number;
    let word: string;
    if (first === DOUBLE_QUOTE || first === SINGLE_QUOTE) {
      const close = closingQuote(line, at);
      if (close < 0) throw syntaxError(line, at, `the quote ${line.charAt(at)} is never closed`);
      end = close + 1;
      if (end < line.length && !isSpace(line.charCodeAt(end))) {
        throw syntaxError(line, end, 'a closing quote must be followed by white space');
      }
      word = unquote(line, at, close);
    } else {
      end = wordEnd(line, at);
      word = line.slice(at, end);
    }
    words.push(word);
    rest = restAt(words);
    at = skipSpace(line, end);
  }
  return words;
}

function restOfLine(line: string, start: number): string {
  let end = line.length;
  while (end > start && isSpace(line.charCodeAt(end - 1))) end--;
  const first = line.charCodeAt(start);
  const quoted = first === DOUBLE_QUOTE || first === SINGLE_QUOTE;
  if (quoted && closingQuote(line, start) === end - 1) return unquote(line, start, end - 1);
  return line.slice(start, end);
}

function closingQuote(line: string, open: number): number {
  const quote = line.charCodeAt(open);
  if (quote === SINGLE_QUOTE) return line.indexOf("'", open + 1);
  for (let at = open + 1; at < line.length; at++) {
    const unit = line.charCodeAt(at);
    if (unit === quote) return at;
    if (unit === BACKSLASH) at++;
  }
  return -1;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

function unquote(line: string, open: number, close: number): string {
  const body = line.slice(open + 1, close);
  if (line.charCodeAt(open) === SINGLE_QUOTE || !body.includes('\\')) return body;
  const text = body.replace(
    /\\(?:u([0-9a-fA-F]{4})|(.))/gsu,
    (written, hex: string | undefined, letter: string, at: number) => {
      const meant = hex === undefined ? ESCAPES.get(letter) : String.fromCharCode(Number.parseInt(hex, 16));
      if (meant === undefined) throw syntaxError(line, open + 1 + at, `${written} is not an escape of JSON`);
      return meant;
    },
  );
  // Such text has no UTF-8 form, and would be stored as something else.
  if (utf8Length(text) < 0) throw syntaxError(line, open, 'half of a surrogate pair is not text');
  return text;
}

function skipSpace(line: string, start: number): number {
  let at = start;
  while (at < line.length && isSpace(line.charCodeAt(at))) at++;
  return at;
}

function wordEnd(line: string, start: number): number {
  let at = start;
  while (at < line.length && !isSpace(line.charCodeAt(at))) at++;
  return at;
}

function isSpace(unit: number): boolean {
  if (unit < 0x80) return unit === SPACE || (unit >= TAB && unit <= CARRIAGE_RETURN);
  return isWideSpace(unit);
}

function isWideSpace(unit: number): boolean {
  if (unit >= 0x2000 && unit <= 0x200a) return true;
  switch (unit) {
    case 0x85: // next line
    case 0xa0: // no-break space
    case 0x1680: // Ogham space mark
    case 0x2028: // line separator
    case 0x2029: // paragraph separator
    case 0x202f: // narrow no-break space
    case 0x205f: // medium mathematical space
    case 0x3000: // ideographic space
    case 0xfeff: // byte order mark
      return true;
    default:
      return false;
  }
}

/** Columns count characters from 1, as editors do. */
function syntaxError(line: string, at: number, message: string): BaristaError {
  const column = Array.from(line.slice(0, at)).length + 1;
  return new BaristaError('ERR_SYNTAX', `column ${column}: ${message}`);
}
