import { expect, test } from 'vitest';
import { AsyncLoop } from '../../src/session/async-loop.js';

/** Gives the items one after the other: a function makes one, or a promise of one. */
function loopOver<T>(items: readonly (() => T | null | Promise<T | null>)[]): {
  loop: AsyncLoop<T>;
  ends: () => number;
} {
  let [at, ended] = [0, 0];
  const next = (): T | null | Promise<T | null> => items[at++]?.() ?? null;
  return { loop: new AsyncLoop({ next, end: () => void ended++ }), ends: () => ended };
}

const given = (value: number) => ({ done: false, value });
const done = { done: true, value: undefined };

test('items come in order, those that are there and those that are waited for', async () => {
  const late = async (value: number): Promise<number> => value;
  const { loop, ends } = loopOver([() => 1, () => late(2), () => 3, () => late(4)]);
  expect([await loop.next(), await loop.next(), await loop.next(), await loop.next()]).toEqual([1, 2, 3, 4].map(given));
  expect(ends()).toBe(0);
  expect([await loop.next(), await loop.next(), ends()]).toEqual([done, done, 1]);
});

test('what is asked for while an item is waited for comes in its turn', async () => {
  let come: (value: number) => void = () => undefined;
  const first = new Promise<number>((resolve) => {
    come = resolve;
  });
  const order: unknown[] = [];
  const { loop, ends } = loopOver([() => first, () => 2, () => Promise.resolve(3), () => 4]);
  const asked = [loop.next(), loop.next(), loop.next(), loop.return(), loop.next()];
  for (const each of asked) void each.then((result) => order.push(result));
  await Promise.resolve();
  expect([order, ends()]).toEqual([[], 0]);
  come(1);
  expect(await Promise.all(asked)).toEqual([given(1), given(2), given(3), done, done]);
  expect(order).toEqual([given(1), given(2), given(3), done, done]);
  expect(ends()).toBe(1);
});

test.each([
  ['at once', () => fail()],
  ['while it is waited for', () => Promise.resolve().then(fail)],
])('an item that fails %s ends the loop', async (_, item) => {
  const { loop, ends } = loopOver<number>([() => 1, item, () => 2]);
  expect(await loop.next()).toEqual(given(1));
  const asked = [loop.next(), loop.next()];
  await expect(asked[0]).rejects.toThrow('no such item');
  expect([await asked[1], await loop.next(), ends()]).toEqual([done, done, 1]);
});

test('a loop that is left ends its source once', async () => {
  const { loop, ends } = loopOver([() => 1, () => 2, () => 3]);
  const found: number[] = [];
  for await (const item of { [Symbol.asyncIterator]: () => loop }) {
    found.push(item);
    if (item === 2) break;
  }
  expect([found, ends(), await loop.return(), ends()]).toEqual([[1, 2], 1, done, 1]);
});

function fail(): never {
  throw new Error('no such item');
}
