import { expect, test } from 'vitest';
import { conversationsWith } from './conversation.js';

/* The tills of examples/ and their hub, each in a process of its own, over the package as it is built. */

const start = conversationsWith('tills/till.js');

test('tills that sell apart from each other come to one stock', { timeout: 240_000 }, async () => {
  const hub = await start('hub', '0');
  const first = await start('till-1', '0', hub.address);
  const second = await start('till-2', '0', hub.address);
  await hub.do('restock espresso 10');
  for (const till of [first, second]) await till.until('stock', ['espresso 10']);
  await hub.kill();

  expect(await first.do('sell espresso 2')).toEqual([expect.stringMatching(/^order \w+-1: 2 espresso$/)]);
  await second.do('sell espresso 3');
  await second.do('sell espresso 1');
  expect(await first.do('stock')).toEqual(['espresso 8']);
  expect(await second.do('stock')).toEqual(['espresso 6']);
  // A till that was switched off in the middle of the day.
  await first.kill();
  const again = await start('till-1', first.address, hub.address);
  expect(await again.do('stock')).toEqual(['espresso 8']);

  const back = await start('hub', hub.address);
  for (const till of [back, again, second]) {
    await till.until('stock', ['espresso 4']);
    await till.until('orders', ['till-1 2', 'till-2 4']);
  }
  await again.do('sell espresso 1');
  expect(await again.do('safe')).toEqual(['safe']);
  for (const till of [back, again, second]) expect(await till.end()).toBe(0);
});

test('what it does not understand it says, and goes on', { timeout: 60_000 }, async () => {
  const till = await start('till', '0');
  expect(await till.do('sell espresso')).toEqual([expect.stringMatching(/^\? restock ITEM COUNT/)]);
  expect(await till.do('sell espresso none')).toEqual(['? none is no count']);
  expect(await till.do('stock')).toEqual([]);
  expect(await till.end()).toBe(0);
});
