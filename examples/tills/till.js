#!/usr/bin/env node
import { basename, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { json, openReplica } from 'barista';

/*
 * A till, or the hub in the back office: all sell from one stock, online or not, and come to the same count.
 *
 *   node till.js DIR --listen 7070 [--peer 127.0.0.1:7071]
 *
 * DIR is where it keeps its data, its name the till's. Then a line for each thing to do:
 *
 *   restock ITEM COUNT       there are so many more
 *   sell ITEM COUNT          writes an order; prints its receipt
 *   stock                    what is left of each item; below 0 is what was sold by several that were apart
 *   orders                   how many each till has sold
 *   safe                     waits until another till, or the hub, has the last order too
 */

const USAGE = 'usage: node till.js DIR --listen PORT|HOST:PORT [--peer HOST:PORT]...';
const HELP = 'restock ITEM COUNT, sell ITEM COUNT, stock, orders, safe';

/** A count on a line. */
function countOf(word) {
  const count = Number(word);
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`${word ?? 'nothing'} is no count`);
  return count;
}

async function* entries(session, prefix) {
  const scan = await session.scan({ prefix });
  if (scan.kind === 'missing') throw new Error('a till has all that it has seen');
  yield* scan;
}

class Till {
  #session;
  #name;
  #lastOrder = null;
  #orders = 0;

  constructor(replica, name) {
    this.#session = replica.session({ codec: json() });
    this.#name = name;
  }

  async restock(item, count) {
    await this.#session.increment(`stock/${item}`, countOf(count));
    return [];
  }

  // What changes the stock says by how much: so it counts wherever it comes late. An order has a key of its own.
  async sell(item, count) {
    const number = `${Date.now().toString(36)}-${++this.#orders}`;
    const sold = countOf(count);
    await this.#session.increment(`stock/${item}`, -sold);
    this.#lastOrder = await this.#session.put(`order/${this.#name}/${number}`, { item, count: sold });
    return [`order ${number}: ${sold} ${item}`];
  }

  async stock() {
    const lines = [];
    for await (const { key, value } of entries(this.#session, 'stock/')) lines.push(`${key.slice(6)} ${value}`);
    return lines;
  }

  async orders() {
    const sold = new Map();
    for await (const { key, value } of entries(this.#session, 'order/')) {
      const till = key.split('/')[1];
      sold.set(till, (sold.get(till) ?? 0) + value.count);
    }
    return [...sold].map(([till, count]) => `${till} ${count}`);
  }

  async safe() {
    if (this.#lastOrder === null) return ['there is no order'];
    await this.#lastOrder.replicated(2);
    return ['safe'];
  }

  async do(line) {
    const [command, ...words] = line.trim().split(/\s+/);
    const takes = { restock: 2, sell: 2, stock: 0, orders: 0, safe: 0 }[command];
    if (takes !== words.length || words[0]?.includes('/')) throw new Error(HELP);
    return this[command](...words);
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
  const replica = await openReplica({ id: name, dataDir: dir, listen, peers: values.peer, cluster: 'tills' });
  try {
    console.log(`${name} at ${replica.address.host}:${replica.address.port}`);
    const till = new Till(replica, name);
    for await (const line of createInterface({ input: process.stdin })) {
      const lines = await till.do(line).catch((error) => [`? ${error.message}`]);
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
