import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINE_BYTES_MAX, ScriptBytes } from '../../src/cli/script-bytes.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function* from(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function linesOf(...chunks: Uint8Array[]): Promise<string[]> {
  const source = new ScriptBytes(from(chunks));
  const lines: string[] = [];
  do {
    for (let line = source.take(); line !== null; line = source.take()) {
      lines.push(`${line.number} ${line.kind === 'text' ? line.text : `refused: ${line.error.message}`}`);
    }
  } while (await source.more());
  return lines;
}

describe('the bytes of a script', () => {
  it('are cut into numbered lines, with or without an end to the last', async () => {
    expect(await linesOf(bytes('a\n\nb\n'))).toEqual(['1 a', '2 ', '3 b']);
    expect(await linesOf(bytes('a\nb'))).toEqual(['1 a', '2 b']);
    expect(await linesOf()).toEqual([]);
    expect(await linesOf(bytes('\n'))).toEqual(['1 ']);
  });

  it('give a line as soon as its end is there', async () => {
    const source = new ScriptBytes(from([bytes('get c a\nget'), bytes(' c b\n')]));
    await source.more();
    expect(source.take()).toMatchObject({ text: 'get c a' });
    expect(source.take()).toBeNull();
    await source.more();
    expect(source.take()).toMatchObject({ text: 'get c b', number: 2 });
  });

  it('are the same lines wherever the chunks are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.nat(200)), async (texts, cuts) => {
        const lines = texts.map((text) => text.replaceAll('\n', ' '));
        const all = bytes(lines.map((line) => `${line}\n`).join(''));
        const places = [0, ...cuts.filter((cut) => cut < all.length).sort((a, b) => a - b), all.length];
        const chunks = places.slice(1).map((end, i) => all.subarray(places[i], end));
        expect(await linesOf(...chunks)).toEqual(lines.map((line, i) => `${i + 1} ${line}`));
      }),
    );
  });

  it('that are not UTF-8 cost their own line only', async () => {
    expect(await linesOf(bytes('a\n'), Uint8Array.of(0x67, 0xff, 0x0a), bytes('b\n'))).toEqual([
      '1 a',
      '2 refused: the line is not UTF-8',
      '3 b',
    ]);
    expect(await linesOf(Uint8Array.of(0xc3))).toEqual(['1 refused: the line is not UTF-8']);
  });

  it('of a line that is too long are dropped, not gathered', async () => {
    const piece = new Uint8Array(LINE_BYTES_MAX / 2).fill(0x61);
    const refused = `2 refused: the line is longer than ${LINE_BYTES_MAX} bytes`;
    expect(await linesOf(bytes('a\nb'), piece, piece, piece, piece, bytes('c\nd\n'))).toEqual(['1 a', refused, '3 d']);
    expect(await linesOf(bytes('a\nb'), piece, piece)).toEqual(['1 a', refused]);
    const longest = await linesOf(piece, piece, bytes('\nb'));
    expect(longest.map((line) => line.length)).toEqual([LINE_BYTES_MAX + 2, 3]);
  });
});
