import { expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { FramePosition } from './frame-position.js';

function frame(bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(4 + bodyBytes, 7);
  bytes.writeUInt32BE(bodyBytes);
  return bytes;
}

test('however a stream of frames is cut into chunks, it is known where one ends', () => {
  const random = seededRandom(1);
  for (let round = 0; round < 200; round++) {
    const frames = Array.from({ length: 5 }, () => frame(random.below(300)));
    const ends = new Set(frames.map((_, i) => Buffer.concat(frames.slice(0, i + 1)).length));
    const stream = Buffer.concat(frames);
    const position = new FramePosition();
    for (let at = 0; at < stream.length; ) {
      const length = Math.min(1 + random.below(50), stream.length - at);
      position.pass(stream.subarray(at, at + length));
      at += length;
      expect(position.isInFrame).toBe(!ends.has(at));
    }
  }
});

test('a cut is never between two frames', () => {
  const random = seededRandom(2);
  for (let round = 0; round < 500; round++) {
    const stream = Buffer.concat([frame(random.below(20)), frame(random.below(20))]);
    const wanted = random.below(stream.length);
    const length = new FramePosition().cutWithin(stream, wanted);
    if (length === null) continue;
    const after = new FramePosition();
    after.pass(stream.subarray(0, length));
    expect([after.isInFrame, length <= wanted]).toEqual([true, true]);
  }
});

test('where the bytes hold no middle of a frame there is nothing to cut', () => {
  expect(new FramePosition().cutWithin(Buffer.alloc(0), 0)).toBeNull();
  expect(new FramePosition().cutWithin(frame(3), 0)).toBeNull();
  expect(new FramePosition().cutWithin(frame(3), 1)).toBe(1);
});
