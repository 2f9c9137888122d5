import type { KvOperation } from '../src/machine/kv.js';
import { get, keyOf, put, putRequest, valueFor } from './load.js';
import { median, type Row, report, seconds } from './measure.js';
import { linkBoth, type Server, startServer, sync } from './servers.js';

/*
 * Increments of one key, accepted by five replicas and exchanged until all of them show the sum: what one costs in all, by how many
 * the log has already; beside puts of as many keys in the same logs, exchanged as they are, and beside the same when the log was
 * short. All replicas are processes of their own with storage in memory, so that no disk is measured.
 */

const REPLICAS = 5;
/** Increments in the log when a batch is measured. */
const LOGS = [1_000, 10_000, 100_000];
const ROUNDS = 5;
const EACH = 200;
const WARM_UP = 4_000;
const IN_FLIGHT = 64;
const TIMEOUT_MS = 600_000;
const HOT = 'hot';
const BY_ONE: KvOperation = { kind: 'increment', by: 1 };

/** Makes so many calls, many in flight. */
function all(count: number, call: (i: number, done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let [next, left] = [0, count];
    const more = (): void => {
      if (next >= count) return;
      call(next++, (error) => {
        if (error !== null) return reject(error);
        left -= 1;
        if (left === 0) resolve();
        else more();
      });
    };
    for (let i = 0; i < IN_FLIGHT; i++) more();
  });
}

function increment(server: Server, count: number, key = HOT): Promise<void> {
  return all(count, (_, done) => {
    const request = { ...putRequest(`c-${server.id}`, key, new Uint8Array()), operation: BY_ONE };
    server.connection.write(request, TIMEOUT_MS, (outcome) => done(outcome.ok ? null : outcome.error));
  });
}

let nextKey = 0;
function putKeys(server: Server, count: number): Promise<void> {
  return all(count, (_, done) => {
    const i = nextKey++;
    put(server.connection, `p-${server.id}`, keyOf(i), valueFor(i)).then(
      () => done(null),
      (error: Error) => done(error),
    );
  });
}

/** Round a ring and back: all hold the same then. */
async function exchange(servers: readonly Server[]): Promise<void> {
  for (const [i, server] of servers.entries()) if (i > 0) await sync(server, servers[i - 1] as Server);
  for (const [i, server] of [...servers].reverse().entries()) {
    if (i > 0) await sync(server, servers[servers.length - i] as Server);
  }
}

async function expectSum(servers: readonly Server[], sum: number): Promise<void> {
  for (const { id, connection } of servers) {
    const reply = await get(connection, HOT);
    const shown = reply.kind === 'found' ? new TextDecoder().decode(reply.value) : reply.kind;
    if (shown !== String(sum)) throw new Error(`${id} shows ${shown}, not ${sum}`);
  }
}

async function main(): Promise<void> {
  const servers: Server[] = [];
  for (let i = 0; i < REPLICAS; i++) servers.push(await startServer({ id: `r${i}`, dataDir: null }));
  for (const [i, server] of servers.entries()) if (i > 0) await linkBoth(servers[i - 1] as Server, server);
  // Code that has run for a while is not the code that began.
  for (const server of servers) await increment(server, WARM_UP, 'warm');
  for (const server of servers) await putKeys(server, WARM_UP);
  await exchange(servers);
  const batch = REPLICAS * EACH;
  let sum = 0;
  const rows: Row[] = [];
  let first: number | null = null;
  for (const log of LOGS) {
    const lacking = Math.max(0, Math.floor((log - sum) / REPLICAS));
    for (const server of servers) await increment(server, lacking);
    sum += lacking * REPLICAS;
    await exchange(servers);
    await expectSum(servers, sum);
    const times: { readonly increments: number; readonly puts: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const increments = await seconds(async () => {
        await Promise.all(servers.map((server) => increment(server, EACH)));
        await exchange(servers);
        sum += batch;
        await expectSum(servers, sum);
      });
      const puts = await seconds(async () => {
        await Promise.all(servers.map((server) => putKeys(server, EACH)));
        await exchange(servers);
      });
      times.push({ increments, puts });
    }
    const each = (time: number): number => (time / batch) * 1e6;
    const [increments, puts] = [
      median(times.map(({ increments }) => each(increments))),
      median(times.map(({ puts }) => each(puts))),
    ];
    const measure = `an increment, ${log.toLocaleString('en-US')} in the log`;
    rows.push({ measure, barista: us(increments), beside: `a put ${us(puts)}`, ratio: (increments / puts).toFixed(2) });
    first ??= increments;
    if (log !== LOGS[0]) {
      const ratio = (increments / first).toFixed(2);
      rows.push({
        measure,
        barista: us(increments),
        beside: `${LOGS[0]?.toLocaleString('en-US')} in it ${us(first)}`,
        ratio,
      });
    }
  }
  for (const server of servers) await server.kill();
  report('hot', rows);
}

function us(microseconds: number): string {
  return `${microseconds.toFixed(0)} µs`;
}

await main();
