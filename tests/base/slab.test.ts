import { expect, test } from 'vitest';
import { Slab } from '../../src/base/slab.js';

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

test('copies keep what they were made of, however many there are and whatever is written to others', () => {
  const slab = new Slab();
  const lengths = Array.from({ length: 5_000 }, (_, i) => (i * 37) % 1_500);
  const copies = lengths.map((length, i) => slab.copyOf(bytes(length, i % 251)));
  for (const [i, copy] of copies.entries()) if (i % 2 === 0) copy.fill(255);
  for (const [i, copy] of copies.entries()) {
    const length = lengths[i] as number;
    expect(Buffer.compare(copy, bytes(length, i % 2 === 0 ? 255 : i % 251))).toBe(0);
    if (length <= 1_024) expect(copy.byteOffset % 8).toBe(0);
  }
});

test('a part is copied, of short and of long bytes', () => {
  const slab = new Slab();
  const all = Uint8Array.from({ length: 4_096 }, (_, i) => i);
  for (const length of [0, 1, 128, 129, 1_024, 1_025, 4_000]) {
    expect(slab.copyOf(all, 7, length)).toEqual(all.slice(7, 7 + length));
  }
});

test('short copies share buffers, each of which is prepared; long ones have their own', () => {
  const prepared: ArrayBuffer[] = [];
  const slab = new Slab((buffer) => prepared.push(buffer));
  const [a, b, long] = [slab.copyOf(bytes(10, 1)), slab.copyOf(bytes(10, 2)), slab.copyOf(bytes(2_000, 3))];
  expect([a.buffer === b.buffer, prepared.length, prepared[0] === a.buffer]).toEqual([true, 1, true]);
  expect([long.buffer === a.buffer, long.buffer.byteLength]).toEqual([false, 2_000]);
});
