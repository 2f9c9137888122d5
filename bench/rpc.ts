import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { originOf, type ReplicaId } from '../src/base/ids.js';
import { promised, succeed } from '../src/base/outcome.js';
import type { ReplicaService } from '../src/bayou/ports.js';
import type { KvOperation } from '../src/machine/kv.js';
import { ReplicaConnection } from '../src/rpc/client.js';
import { type Listener, listen } from '../src/rpc/server.js';
import { median, type Row, report } from './measure.js';
import { type Call, eachFrame, roundTripRate } from './round-trips.js';

/*
 * Round trips of one `get` over TCP on this machine, the server in a process of its own: raw sockets that send the same
 * bytes and do no more than find the frames, Barista's transport and codec, and the stock Thrift runtime.
 */

const KINDS = ['raw', 'ours', 'stock'] as const;
type Kind = (typeof KINDS)[number];

const IN_FLIGHT = [1, 64];
const ROUNDS = 5;
const ROUND_MS = 700;
const WARM_UP_MS = 500;

const HOST = '127.0.0.1';
const KEY = 'some-key';
const VALUE = new Uint8Array(100).fill(120);
const ORIGIN = originOf('r1' as ReplicaId, 1);

// ------------------------------------------------------------------------------------------------------ the stock runtime

interface StockThrift {
  readonly TFramedTransport: unknown;
  readonly TBinaryProtocol: unknown;
  readonly MultiplexedProcessor: new () => { registerProcessor(name: string, processor: object): void };
  readonly Multiplexer: new () => {
    createClient(name: string, module: StockModule, connection: object): StockKeyValue;
  };
  createMultiplexServer(processor: object, options: object): Server;
  createConnection(host: string, port: number, options: object): { end(): void };
}
type StockStruct = new (fields: object) => object;
interface StockModule {
  readonly Processor: new (handler: object) => object;
}
interface StockKeyValue {
  get(request: object): Promise<object>;
}

const require = createRequire(import.meta.url);
const generated = (name: string): unknown =>
  require(fileURLToPath(new URL(`../../src/rpc/generated/${name}.js`, import.meta.url)));

function stockThrift(): { thrift: StockThrift; options: object } {
  const thrift = require('thrift') as StockThrift;
  return { thrift, options: { transport: thrift.TFramedTransport, protocol: thrift.TBinaryProtocol } };
}

function stockClass(name: string): StockStruct {
  const Struct = (generated('barista_types') as Readonly<Record<string, StockStruct>>)[name];
  if (Struct === undefined) throw new Error(`no ${name}`);
  return Struct;
}

// ------------------------------------------------------------------------------------------------------------- servers

const SERVERS: Record<Kind, () => Promise<number>> = {
  raw: () => {
    // As long as a reply of the other two.
    const reply = Buffer.alloc(4 + 170);
    reply.writeInt32BE(170);
    const server = createServer({ noDelay: true }, (socket) => {
      let rest: Buffer = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        rest = eachFrame(rest, chunk, () => socket.write(reply));
      });
    });
    return listening(server);
  },
  ours: async () => {
    const reply = { kind: 'found' as const, value: VALUE, stamp: { origin: ORIGIN, acceptTime: 2 ** 50 } };
    const service: Partial<ReplicaService<KvOperation, Uint8Array>> = { read: (_, done) => done(succeed(reply)) };
    const listener = await promised<Listener>((done) =>
      listen({ host: HOST, port: 0, service: service as ReplicaService<KvOperation, Uint8Array> }, done),
    );
    return listener.address.port;
  },
  stock: () => {
    const { thrift, options } = stockThrift();
    const stamp = { acceptTime: 2 ** 50, origin: { id: 'r1', incarnation: 1 } };
    const GetReply = stockClass('GetReply');
    const reply = new GetReply({ found: { value: Buffer.from(VALUE), stamp } });
    const handler = { get: (_: object, done: (error: null, reply: object) => void) => done(null, reply) };
    const processor = new thrift.MultiplexedProcessor();
    const { Processor } = generated('KeyValue') as StockModule;
    processor.registerProcessor('KeyValue', new Processor(handler));
    return listening(thrift.createMultiplexServer(processor, options));
  },
};

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, HOST, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : 0);
    });
  });
}

// ------------------------------------------------------------------------------------------------------------- clients

interface Client {
  readonly call: Call;
  readonly close: () => void;
}

const CLIENTS: Record<Kind, (port: number) => Client> = {
  raw: (port) => {
    const request = Buffer.alloc(4 + 44);
    request.writeInt32BE(44);
    const socket: Socket = connect({ host: HOST, port, noDelay: true });
    const waiting: (() => void)[] = [];
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = eachFrame(rest, chunk, () => {
        waiting.shift()?.();
      });
    });
    const call: Call = (done) => {
      waiting.push(done);
      socket.write(request);
    };
    return { call, close: () => socket.destroy() };
  },
  ours: (port) => {
    const replica = new ReplicaConnection({ address: { host: HOST, port } });
    const call: Call = (done) =>
      replica.read({ key: KEY, needs: null }, 5000, (outcome) => {
        if (!outcome.ok) throw outcome.error;
        done();
      });
    return { call, close: () => replica.close() };
  },
  stock: (port) => {
    const { thrift, options } = stockThrift();
    const connection = thrift.createConnection(HOST, port, options);
    const client = new thrift.Multiplexer().createClient('KeyValue', generated('KeyValue') as StockModule, connection);
    const GetRequest = stockClass('GetRequest');
    const call: Call = (done) => void client.get(new GetRequest({ key: KEY })).then(done);
    return { call, close: () => connection.end() };
  },
};

async function main(): Promise<void> {
  const children = KINDS.map((kind) => fork(fileURLToPath(import.meta.url), [kind]));
  const clients = new Map<Kind, Client>();
  for (const [i, kind] of KINDS.entries()) {
    const port = await new Promise<number>((resolve, reject) => {
      children[i]?.once('message', (message) => resolve(Number(message)));
      children[i]?.once('exit', () => reject(new Error(`the server of ${kind} ended`)));
    });
    clients.set(kind, CLIENTS[kind](port));
  }
  const rows: Row[] = [];
  for (const inFlight of IN_FLIGHT) {
    const rates = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
    for (const { call } of clients.values()) await roundTripRate(call, inFlight, WARM_UP_MS);
    // Round by round, so that what else the machine does falls on all alike.
    for (let round = 0; round < ROUNDS; round++) {
      for (const [kind, { call }] of clients) rates.get(kind)?.push(await roundTripRate(call, inFlight, ROUND_MS));
    }
    const rate = (kind: Kind): number => median(rates.get(kind) ?? []);
    for (const kind of KINDS.filter((other) => other !== 'ours')) {
      const measured = `get, ${inFlight} in flight, beside ${kind} (round trips/s)`;
      const [ours, other] = [rate('ours'), rate(kind)];
      rows.push({ measure: measured, barista: whole(ours), beside: whole(other), ratio: (ours / other).toFixed(2) });
    }
  }
  for (const { close } of clients.values()) close();
  for (const child of children) child.kill();
  report('rpc', rows);
}

function whole(rate: number): string {
  return Math.round(rate).toLocaleString('en');
}

const kind = KINDS.find((name) => name === process.argv[2]);
if (kind === undefined) await main();
else {
  process.on('disconnect', () => process.exit());
  process.send?.(await SERVERS[kind]());
}
