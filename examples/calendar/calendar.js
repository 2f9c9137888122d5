#!/usr/bin/env node
import { basename, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { openReplica } from 'barista';
import { book, room, wish } from './rooms.js';

/*
 * A calendar of meeting rooms on each laptop, online or not. A booking says which times will do; where two want the same one, the
 * one that stands first has it, and the other has its next: on every laptop alike, as soon as it has both.
 *
 *   node calendar.js DIR --listen 7070 [--peer 127.0.0.1:7071]
 *
 * DIR is where it keeps its data, its name the laptop's. Then a line for each thing to do; a time is like mon-9:30+60:
 *
 *   book ROOM TITLE TIME...  asks for the room at the first of these times that is free; prints what it has for now
 *   show ROOM                its meetings, and what found no place
 *   sure ROOM                waits until the last booking is stable: then no other can come to stand before it
 */

const USAGE = 'usage: node calendar.js DIR --listen PORT|HOST:PORT [--peer HOST:PORT]...';
const HELP = 'book ROOM TITLE TIME..., show ROOM, sure ROOM';
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri'];
const DAY_MINUTES = 24 * 60;

/** Minutes since the week began, from and to. */
function timeOf(word) {
  const [, day = '', hour, minute = '0', length = '60'] =
    /^(\w{3})-(\d{1,2})(?::(\d\d))?(?:\+(\d{1,3}))?$/.exec(word) ?? [];
  if (!DAYS.includes(day)) throw new Error(`${word} is no time: they are like mon-9:30+60`);
  const from = DAYS.indexOf(day) * DAY_MINUTES + Number(hour) * 60 + Number(minute);
  return { from, to: from + Number(length) };
}

function nameOf({ from, to }) {
  const minutes = from % DAY_MINUTES;
  const clock = `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}`;
  return `${DAYS[Math.floor(from / DAY_MINUTES)]}-${clock}+${to - from}`;
}

class Calendar {
  #rooms;
  #wishes;
  #last = new Map();

  constructor(replica) {
    this.#rooms = replica.session({ codec: room });
    this.#wishes = replica.session({ codec: wish });
  }

  async do(line) {
    const [command, room, ...words] = line.trim().split(/\s+/);
    const isKnown = command === 'book' ? words.length >= 2 : ['show', 'sure'].includes(command) && words.length === 0;
    if (!isKnown || room === undefined) throw new Error(HELP);
    return this[command](room, ...words);
  }

  // The write says what is wanted, and the procedure where that goes: at each laptop, whatever comes to stand before it.
  async book(name, title, ...words) {
    const times = words.map(timeOf);
    this.#last.set(name, await this.#wishes.merge(`room/${name}`, { title, times }, 'book-room@1'));
    const { meetings } = await this.#read(name);
    const had = meetings.find((meeting) => meeting.title === title);
    return [had === undefined ? `${title}: no place` : `${title}: ${nameOf(had)}`];
  }

  async show(name) {
    const { meetings, unplaced } = await this.#read(name);
    return [...meetings.map((it) => `${nameOf(it)} ${it.title}`), ...unplaced.map((title) => `no place: ${title}`)];
  }

  async sure(name) {
    const last = this.#last.get(name);
    if (last === undefined) return ['there is no booking'];
    await last.stable();
    return ['sure'];
  }

  async #read(name) {
    const read = await this.#rooms.get(`room/${name}`);
    return read.kind === 'found' ? read.value : { meetings: [], unplaced: [] };
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { listen: { type: 'string' }, peer: { type: 'string', multiple: true, default: [] } },
    allowPositionals: true,
  });
  const [dir, ...more] = positionals;
  if (dir === undefined || more.length > 0 || values.listen === undefined) throw new Error(USAGE);
  const listen = /^\d+$/.test(values.listen) ? Number(values.listen) : values.listen;
  const name = basename(resolve(dir));
  const options = { id: name, dataDir: dir, listen, peers: values.peer, cluster: 'calendar', procedures: [book] };
  const replica = await openReplica(options);
  try {
    console.log(`${name} at ${replica.address.host}:${replica.address.port}`);
    const calendar = new Calendar(replica);
    for await (const line of createInterface({ input: process.stdin })) {
      const lines = await calendar.do(line).catch((error) => [`? ${error.message}`]);
      for (const said of [...lines, '.']) console.log(said);
    }
  } finally {
    await replica.close();
  }
}

main().catch((error) => {
  console.error(error.code === undefined ? error.message : `${error.code}: ${error.message}. ${error.advice}`);
  process.exitCode = 1;
});
