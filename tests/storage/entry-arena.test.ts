import { expect, test } from 'vitest';
import { EntryArena } from '../../src/storage/entry-arena.js';

/** Short ones, one that fills a piece, and some that are longer than any piece is otherwise. */
const LENGTHS = [0, 1, 100, 65_536, 3, 5_000_000, 7, 1_000_000, 4_200_000, 2, 9_000_000, 5];

function filled(arena: EntryArena, from: number): number[] {
  return LENGTHS.map((length, i) => {
    const writer = arena.begin();
    writer.bytes(new Uint8Array(length).fill(from + i));
    return arena.keep();
  });
}

function isThere(arena: EntryArena, entry: number, length: number, byte: number): boolean {
  const { bytes, start, end } = arena.at(entry);
  const body = bytes.subarray(end - length, end);
  return end - start - length <= 4 && body.length === length && body.every((one) => one === byte);
}

test('entries of any length are found by their numbers, also those taken over', () => {
  const [arena, other] = [new EntryArena(), new EntryArena()];
  const [mine, theirs] = [filled(arena, 0), filled(other, 100)];
  const moved = arena.absorb(other);
  const later = filled(arena, 200);
  const all = [
    { entries: mine, from: 0 },
    { entries: theirs.map((entry) => entry + moved), from: 100 },
    { entries: later, from: 200 },
  ];
  for (const { entries, from } of all) {
    for (const [i, length] of LENGTHS.entries()) {
      expect(isThere(arena, entries[i] as number, length, from + i), `${length} bytes, number ${from + i}`).toBe(true);
    }
  }
});

test('behind a long one of many parts, as of a key with a long history, the next is found too', () => {
  const arena = new EntryArena();
  const writer = arena.begin();
  for (let part = 0; part < 3; part++) writer.bytes(new Uint8Array(3_000_000));
  const entries = [arena.keep(), ...filled(arena, 0)];
  for (const [i, length] of LENGTHS.entries()) expect(isThere(arena, entries[i + 1] as number, length, i)).toBe(true);
});
