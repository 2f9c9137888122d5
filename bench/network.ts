import { ReplicaConnection } from '../src/rpc/client.js';
import { type KeyValuePeer, startEtcd, startRedis } from './key-value-peers.js';
import { KEY_BYTES, keyOf, putRequest, VALUE_BYTES, valueFor } from './load.js';
import { median, type Row, report } from './measure.js';
import { startProxy } from './proxy.js';
import { startRaw } from './raw-server.js';
import { type Call, roundTripRate, roundTrips } from './round-trips.js';
import { freshPath } from './scratch.js';
import { type Server, startServer } from './servers.js';

/*
 * Gets and durable puts over one connection, each server in a process of its own: a replica with a data directory; raw
 * sockets that send the same bytes, find the frames and, for a put, append and sync them; Redis with `appendfsync
 * always`; and etcd, one member, over gRPC.
 */

const IN_FLIGHT = [1, 64];
const KEYS = 10_000;
const ROUNDS = 5;
const ROUND_MS = 1_000;
const WARM_UP_MS = 1_000;
const TIMEOUT_MS = 60_000;

type Kind = 'get' | 'put';
type Side = Readonly<Record<Kind, Call>> & { close(): Promise<void> };

function barista(connection: ReplicaConnection): Readonly<Record<Kind, Call>> {
  let next = 0;
  return {
    get: (done) => {
      connection.read({ key: keyOf(next++ % KEYS), needs: null }, TIMEOUT_MS, (outcome) => {
        if (!outcome.ok) throw outcome.error;
        if (outcome.value.kind !== 'found') throw new Error('a key is not there');
        done();
      });
    },
    put: (done) => {
      const i = next++;
      connection.write(putRequest('c', keyOf(i % KEYS), valueFor(i)), TIMEOUT_MS, (outcome) => {
        if (!outcome.ok) throw outcome.error;
        done();
      });
    },
  };
}

function keyValue({ get, put, close }: KeyValuePeer): Side {
  let next = 0;
  return {
    get: (done) => get(keyOf(next++ % KEYS))(done),
    put: (done) => {
      const i = next++;
      put(keyOf(i % KEYS), valueFor(i))(done);
    },
    close,
  };
}

/** Raw sockets that send as many bytes as Barista does, each way; `gathers`: all of one turn together, as Barista does. */
async function raw(server: Server, gathers: boolean): Promise<Side> {
  const proxy = await startProxy(server.address);
  const connection = new ReplicaConnection({ address: proxy.address });
  const calls = barista(connection);
  const lengths = async (call: Call): Promise<readonly [number, number]> => {
    await roundTrips(1, 1, call);
    proxy.take();
    await roundTrips(100, 1, call);
    const { bytesTo, bytesFrom } = proxy.take();
    return [Math.round(bytesTo / 100), Math.round(bytesFrom / 100)];
  };
  const puts = await startRaw(...(await lengths(calls.put)), freshPath('raw'), gathers);
  const gets = await startRaw(...(await lengths(calls.get)), null, gathers);
  connection.close();
  proxy.close();
  return {
    get: gets.call,
    put: puts.call,
    close: async () => {
      await gets.close();
      await puts.close();
    },
  };
}

async function rates(sides: ReadonlyMap<string, Side>, kind: Kind, inFlight: number): Promise<Map<string, number[]>> {
  const measured = new Map<string, number[]>([...sides.keys()].map((name) => [name, []]));
  for (const side of sides.values()) await roundTripRate(side[kind], inFlight, WARM_UP_MS);
  // Round by round, so that what else the machine does falls on all alike.
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, side] of sides) measured.get(name)?.push(await roundTripRate(side[kind], inFlight, ROUND_MS));
  }
  return measured;
}

async function main(): Promise<void> {
  const server = await startServer({ id: 'a', dataDir: freshPath('a') });
  const ours: Side = { ...barista(server.connection), close: () => server.kill() };
  await roundTripRate(ours.put, 64, WARM_UP_MS);
  const sides = new Map<string, Side>([
    ['barista', ours],
    ['raw', await raw(server, false)],
    ['raw, gathered', await raw(server, true)],
  ]);
  const absent = new Map<string, string>();
  for (const [name, peer] of [
    ['redis', await startRedis()],
    ['etcd', await startEtcd()],
  ] as const) {
    if (typeof peer === 'string') absent.set(name, peer);
    else sides.set(name, keyValue(peer));
  }
  // Every key is there before it is asked for.
  for (const side of sides.values()) await roundTrips(KEYS, 64, side.put);
  const rows: Row[] = [];
  for (const kind of ['get', 'put'] as const) {
    for (const inFlight of IN_FLIGHT) {
      const measured = await rates(sides, kind, inFlight);
      const what = kind === 'put' ? 'durable put' : 'get';
      const measure = `${what}, ${inFlight} in flight (${KEY_BYTES} B key, ${VALUE_BYTES} B value)`;
      for (const [name, theirs] of measured) if (name !== 'barista') rows.push(row(measure, measured, name, theirs));
      for (const why of absent.values()) rows.push({ measure, barista: '', beside: why, ratio: '' });
    }
  }
  for (const side of sides.values()) await side.close();
  report('network', rows);
}

function row(measure: string, measured: ReadonlyMap<string, number[]>, name: string, theirs: readonly number[]): Row {
  const ours = measured.get('barista') ?? [];
  const rate = (values: readonly number[]): string => `${Math.round(median(values)).toLocaleString('en')}/s`;
  const ratio = median(ours.map((value, i) => value / (theirs[i] as number))).toFixed(2);
  return { measure, barista: rate(ours), beside: `${name} ${rate(theirs)}`, ratio };
}

await main();
