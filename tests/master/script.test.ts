import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { restAt } from '../../master/commands.js';
import { lexLine } from '../../master/script.js';
import { BaristaError } from '../../src/base/errors.js';

const lex = (line: string): string[] => lexLine(line, restAt);

function messageOf(line: string): string {
  try {
    lex(line);
  } catch (thrown) {
    if (thrown instanceof BaristaError && thrown.code === 'ERR_SYNTAX') return thrown.message;
    throw thrown;
  }
  return 'no error';
}

describe('a line of a script', () => {
  it.each([
    ['', []],
    [' \t\r', []],
    ['# get c k', []],
    ['  #comment', []],
    ['get c k', ['get', 'c', 'k']],
    ['\tget\u00a0c\u3000\u2003k\r', ['get', 'c', 'k']],
    ['\ufeffget c k', ['get', 'c', 'k']],
    ['get c k # why', ['get', 'c', 'k']],
    ['get c k#1', ['get', 'c', 'k#1']],
    ['get c "#1"', ['get', 'c', '#1']],
    ['get c "a key"', ['get', 'c', 'a key']],
    ["get c 'a \\n key'", ['get', 'c', 'a \\n key']],
    [String.raw`get c "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, ['get', 'c', '"\\/\b\f\n\r\té😀']],
    [`get c o'clock a"b`, ['get', 'c', "o'clock", 'a"b']],
    [`"get" '' ""`, ['get', '', '']],
  ])('is split at white space, with quotes and comments: %j', (line, words) => {
    expect(lex(line)).toEqual(words);
  });

  it.each([
    ['put c k v', 'v'],
    ['put c k  two  words \t', 'two  words'],
    ['put c k v # no comment', 'v # no comment'],
    ['put c k # v', '# v'],
    ['put c k ""', ''],
    ["put c k '  a '", '  a '],
    ['put c k "a\\tb" ', 'a\tb'],
    ['put c k "a" "b"', '"a" "b"'],
    ['put c k "a" # raw', '"a" # raw'],
    ['put c k "never closed', '"never closed'],
    ["put c k 'tis the season", "'tis the season"],
    ['"put" c "k" v w', 'v w'],
  ])('keeps the rest as the value of put: %j', (line, value) => {
    expect(lex(line)).toEqual(['put', 'c', 'k', value]);
  });

  it.each([
    ['get c "a b', 'column 7: the quote " is never closed'],
    ["get c 'a b", "column 7: the quote ' is never closed"],
    ['get c "a\\', 'column 7: the quote " is never closed'],
    ['get c "a"b', 'column 10: a closing quote must be followed by white space'],
    ['get ☕😀 "\\x"', 'column 9: \\x is not an escape of JSON'],
    ['get c "\\u12g4"', 'column 8: \\u is not an escape of JSON'],
    ['get c "\\ud800"', 'column 7: half of a surrogate pair is not text'],
    ['put c k "a\\q"', 'column 11: \\q is not an escape of JSON'],
  ])('is refused with the column: %j', (line, message) => {
    expect(messageOf(line)).toBe(message);
  });

  it('gives back any words that were written as JSON, with any white space between', () => {
    const word = fc.string({ unit: 'grapheme' });
    const space = fc.constantFrom(' ', '\t', '\u00a0', ' \u2028 ');
    fc.assert(
      fc.property(fc.array(word), space, (words, between) => {
        const line = ['get', ...words.map((text) => JSON.stringify(text))].join(between);
        expect(lex(line)).toEqual(['get', ...words]);
      }),
    );
  });

  it('either has words or is refused, whatever it holds', () => {
    const units = fc.array(fc.oneof(fc.constantFrom(0x20, 0x22, 0x23, 0x27, 0x5c, 0x75), fc.nat(0xffff)));
    const text = units.map((codes) => String.fromCharCode(...codes));
    fc.assert(fc.property(text, (line) => void messageOf(line)));
    fc.assert(fc.property(text, (line) => void messageOf(`put c k ${line}`)));
  });
});
