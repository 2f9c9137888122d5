import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { ResultStream } from '../../src/cli/result-stream.js';

/** Takes one write at a time, each when the test lets it. */
class SlowStream extends Writable {
  readonly written: string[] = [];
  readonly #held: (() => void)[] = [];
  constructor() {
    super({ highWaterMark: 10, decodeStrings: false });
  }
  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    this.#held.push(done);
  }
  letGo(): void {
    this.#held.shift()?.();
  }
}

describe('results', () => {
  it('are gathered until they are flushed', () => {
    const stream = new SlowStream();
    const results = new ResultStream(stream);
    results.print('a');
    results.print('b');
    expect(stream.written).toEqual([]);
    results.flush();
    expect(stream.written).toEqual(['a\nb\n']);
    results.flush();
    expect(stream.written).toHaveLength(1);
  });

  it('are shown soon even if nobody flushes', async () => {
    const stream = new SlowStream();
    new ResultStream(stream).print('a');
    await expect.poll(() => stream.written).toEqual(['a\n']);
  });

  it('wait for a slow reader', async () => {
    const stream = new SlowStream();
    const results = new ResultStream(stream);
    results.print('short');
    results.flush();
    expect(results.drained()).toBeUndefined();
    results.print('longer than that');
    results.flush();
    let drained = false;
    const waiting = results.drained()?.then(() => {
      drained = true;
    });
    stream.letGo();
    await new Promise(setImmediate);
    expect(drained).toBe(false);
    stream.letGo();
    await waiting;
    expect(results.drained()).toBeUndefined();
  });

  it('wait no longer for a reader that is gone', async () => {
    const stream = new SlowStream();
    const results = new ResultStream(stream);
    results.print('longer than ten characters');
    results.flush();
    const waiting = results.drained();
    stream.destroy();
    await waiting;
    await results.end();
  });
});
