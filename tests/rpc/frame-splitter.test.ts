import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BinaryReader } from '../../src/rpc/binary-reader.js';
import { FrameSplitter } from '../../src/rpc/frame-splitter.js';
import { frame } from './wire.js';

test('frames come out whole and in order, however the stream is cut', () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.constantFrom(4096, 5000, 70_000).map((length) => new Uint8Array(length).fill(7)),
  );
  // Repeated from the start until the stream is used up.
  const cuts = fc.array(fc.constantFrom(1, 2, 3, 4, 5, 100, 3000, 10_000, 65_536), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(payload, { maxLength: 8 }), cuts, (payloads, lengths) => {
      const stream = Buffer.concat(payloads.map((bytes) => frame(bytes)));
      const splitter = new FrameSplitter(100_000);
      const reader = new BinaryReader();
      const found: Buffer[] = [];
      // One buffer for all chunks, as a socket may read into: nothing may be looked at after it is overwritten.
      const shared = Buffer.alloc(65_536);
      let at = 0;
      for (let i = 0; at < stream.length; i++) {
        // Mostly small cuts of large frames say nothing new.
        const wanted = Math.max(lengths[i % lengths.length] ?? 1, i > 500 ? 5000 : 1);
        const length = stream.copy(shared, 0, at, at + wanted);
        at += length;
        splitter.push(shared, length);
        while (splitter.next(reader)) found.push(frame(reader.bytes(reader.remaining)));
        shared.fill(0xee, 0, length);
      }
      expect(Buffer.concat(found).equals(stream)).toBe(true);
      expect(splitter.hasPartialFrame).toBe(false);
    }),
    { numRuns: 100 },
  );
});

test('a length no frame may have is refused, also when its prefix comes in pieces', () => {
  for (const length of [-1, 101, 2 ** 31 - 1]) {
    for (const first of [1, 3, 4]) {
      const splitter = new FrameSplitter(100);
      const reader = new BinaryReader();
      const bytes = frame(Buffer.alloc(0), length);
      expect(() => {
        for (const chunk of [bytes.subarray(0, first), bytes.subarray(first)]) {
          splitter.push(chunk);
          splitter.next(reader);
        }
      }).toThrowError(expect.objectContaining({ code: length < 0 ? 'ERR_PROTOCOL' : 'ERR_FRAME_TOO_LARGE' }));
    }
  }
});
