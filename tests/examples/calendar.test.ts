import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { conversationsWith } from './conversation.js';

/* The calendar of examples/, on laptops that are apart for a while, over the package as it is built. */

const start = conversationsWith('calendar/calendar.js');

test('who want one room at one time have it one after the other, on every laptop alike', {
  timeout: 240_000,
}, async () => {
  const office = await start('office', '0');
  const ana = await start('ana', '0', office.address);
  const ben = await start('ben', '0', office.address);
  expect(await office.do('book atlas standup mon-9+30')).toEqual(['standup: mon-9:00+30']);
  for (const laptop of [ana, ben]) await laptop.until('show atlas', ['mon-9:00+30 standup']);
  await office.kill();

  // Each has what it wants, as far as it knows.
  expect(await ana.do('book atlas budget mon-9 mon-10 tue-9')).toEqual(['budget: mon-10:00+60']);
  expect(await ben.do('book atlas design mon-10 mon-11')).toEqual(['design: mon-10:00+60']);
  expect(await ben.do('book atlas tea mon-10:30+15')).toEqual(['tea: no place']);
  await ana.kill();
  const again = await start('ana', ana.address, office.address);
  expect(await again.do('show atlas')).toEqual(['mon-9:00+30 standup', 'mon-10:00+60 budget']);

  const back = await start('office', office.address);
  const together = ['mon-9:00+30 standup', 'mon-10:00+60 budget', 'mon-11:00+60 design', 'no place: tea'];
  for (const laptop of [back, again, ben]) await laptop.until('show atlas', together);
  expect(await ben.do('book atlas tea mon-12+15')).toEqual(['tea: mon-12:00+15']);
  expect(await ben.do('sure atlas')).toEqual(['sure']);
  for (const laptop of [back, again, ben]) expect(await laptop.end()).toBe(0);
});

test('what it does not understand it says, and goes on', { timeout: 60_000 }, async () => {
  const laptop = await start('laptop', '0');
  expect(await laptop.do('book atlas budget')).toEqual([expect.stringMatching(/^\? book ROOM TITLE TIME/)]);
  expect(await laptop.do('book atlas budget soon')).toEqual(['? soon is no time: they are like mon-9:30+60']);
  expect(await laptop.do('sure atlas')).toEqual(['there is no booking']);
  expect(await laptop.do('show atlas')).toEqual([]);
  expect(await laptop.end()).toBe(0);
});

test('its procedure stands up to a simulation', { timeout: 240_000 }, async () => {
  const cli = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
  const rooms = fileURLToPath(new URL('../../examples/calendar/rooms.js', import.meta.url));
  const { stdout } = await execa(process.execPath, [
    cli,
    'sim',
    '--seed',
    '3',
    '--hours',
    '0.05',
    '--procedures',
    rooms,
  ]);
  expect(stdout).toMatch(/^seed 3 ok\n/);
  expect(stdout).toMatch(/store [1-9]/);
});
