#!/usr/bin/env node
import { basename, resolve } from 'node:path';
import { inspectBundle, json, openReplica } from 'barista';

/*
 * A field notebook: each observer has one, offline for weeks, and they exchange what they wrote by files.
 *
 *   node notebook.js DIR write PLACE TEXT    writes an observation; DIR is the notebook, its name the observer's
 *   node notebook.js DIR list [PLACE]        shows what all have written, as far as it is known here
 *   node notebook.js DIR give FILE [LAST]    writes FILE for another notebook; LAST, a file that both have, makes it short
 *   node notebook.js DIR take FILE           takes what another notebook gave
 */

const USAGE = 'usage: node notebook.js DIR write PLACE TEXT | list [PLACE] | give FILE [LAST] | take FILE';

const isObservation = (value) => typeof value?.text === 'string' && typeof value?.by === 'string';

const COMMANDS = {
  // An observation has a key of its own, so that two observers never overwrite each other's.
  write: async ({ session, observer }, place, text) => {
    await session.put(`seen/${place}/${new Date().toISOString()}/${observer}`, { text, by: observer });
    return [];
  },
  list: async ({ session }, place) => {
    const lines = [];
    const scan = await session.scan({ prefix: place === undefined ? 'seen/' : `seen/${place}/` });
    if (scan.kind === 'missing') throw new Error('a notebook holds all that it wrote');
    for await (const { key, value } of scan) {
      const [, where, when] = key.split('/');
      lines.push(`${when} ${where}: ${value.text} (${value.by})`);
    }
    return lines;
  },
  give: async ({ replica }, file, last) => {
    const since = last === undefined ? {} : { since: (await inspectBundle(last)).seen };
    const { entries } = await replica.exportBundle(file, since);
    return [`${entries} entries`];
  },
  take: async ({ replica }, file) => {
    const { from, entries } = await replica.importBundle(file);
    return [`${entries} entries from ${from.split('#')[0]}`];
  },
};

/** How many words each takes behind its name. */
const WORDS = { write: [2, 2], list: [0, 1], give: [1, 2], take: [1, 1] };

async function main([dir, command, ...words]) {
  const [min, max] = WORDS[command] ?? [];
  if (dir === undefined || min === undefined || words.length < min || words.length > max) throw new Error(USAGE);
  if (command !== 'give' && command !== 'take' && words[0]?.includes('/'))
    throw new Error('a place has no slash in it');
  const observer = basename(resolve(dir));
  const replica = await openReplica({ id: observer, dataDir: dir, cluster: 'notebooks' });
  try {
    const session = replica.session({ codec: json(isObservation) });
    for (const line of await COMMANDS[command]({ replica, session, observer }, ...words)) console.log(line);
  } finally {
    await replica.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.code === undefined ? error.message : `${error.code}: ${error.message}. ${error.advice}`);
  process.exitCode = 1;
});
