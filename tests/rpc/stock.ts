import { createRequire } from 'node:module';
import type { Server } from 'node:net';
import type * as Thrift from 'thrift';
import type { Address } from '../../src/base/address.js';

/*
 * Apache Thrift's own runtime for Node with the code its compiler generates: what Barista must interoperate with. Both
 * are CommonJS, and load at run time.
 */

const require = createRequire(import.meta.url);

interface Multiplexed {
  /** What the published types leave out. */
  createMultiplexServer(processor: Thrift.MultiplexedProcessor, options: object): Server;
  readonly MultiplexedProcessor: new () => Thrift.MultiplexedProcessor & {
    registerProcessor(name: string, processor: object): void;
  };
}

const thrift = require('thrift') as Omit<typeof Thrift, keyof Multiplexed> & Multiplexed;

export interface StockStruct {
  read(input: Thrift.TProtocol): void;
  write(output: Thrift.TProtocol): void;
}

/** Fields by the names of barista.thrift; numbers of 64 bits are objects with `toNumber()`. */
export type StockFields = Readonly<Record<string, unknown>>;
type StockClass = new (fields?: StockFields) => StockStruct & StockFields;

const types = require('../../src/rpc/generated/barista_types.js') as Readonly<Record<string, StockClass>>;

export function stock(name: string, fields?: StockFields): StockStruct & StockFields {
  const Class = types[name];
  if (Class === undefined) throw new Error(`barista.thrift has no ${name}`);
  return new Class(fields);
}

/** The bytes the generated code writes, without message or frame. */
export function stockEncode(struct: StockStruct): Buffer {
  let written = Buffer.alloc(0);
  const transport = new thrift.TFramedTransport(undefined, (framed) => {
    if (framed !== undefined) written = Buffer.from(framed.subarray(4));
  });
  struct.write(new thrift.TBinaryProtocol(transport));
  transport.flush();
  return written;
}

export function stockDecode(name: string, bytes: Buffer): StockStruct {
  const struct = stock(name);
  struct.read(new thrift.TBinaryProtocol(new thrift.TFramedTransport(bytes)));
  return struct;
}

type StockMethod = (request: StockStruct) => Promise<StockFields>;
type StockService = Readonly<Record<string, StockMethod>>;

interface StockModule {
  readonly Client: new (
    output: Thrift.TTransport,
    protocol: new (transport: Thrift.TTransport) => Thrift.TProtocol,
  ) => StockService;
  readonly Processor: new (handler: object) => object;
}

const SERVICES = ['KeyValue', 'Replication', 'Admin'] as const;
const modules = Object.fromEntries(
  SERVICES.map((name) => [name, require(`../../src/rpc/generated/${name}.js`) as StockModule]),
);

const options = { transport: thrift.TFramedTransport, protocol: thrift.TBinaryProtocol };

export interface StockClient {
  /** Calls `method`, named as in barista.thrift. */
  call(service: (typeof SERVICES)[number], method: string, request: StockStruct): Promise<StockFields>;
  end(): void;
}

export function stockClient({ host, port }: Address): StockClient {
  const connection = thrift.createConnection(host, port, options);
  connection.on('error', () => undefined);
  const multiplexer = new thrift.Multiplexer();
  const clients = SERVICES.map((name) => multiplexer.createClient(name, moduleOf(name), connection));
  return {
    call: (service, method, request) => {
      const client = clients[SERVICES.indexOf(service)];
      const call = client?.[method];
      if (call === undefined) throw new Error(`no ${service}:${method}`);
      return call.call(client, request);
    },
    end: () => connection.end(),
  };
}

export type StockHandler = (request: StockFields) => Promise<StockStruct> | StockStruct;

export interface StockServer {
  readonly address: Address;
  close(): Promise<void>;
}

/** A server of generated code; `handlers` by method name. */
export async function stockServer(handlers: Readonly<Record<string, StockHandler>>): Promise<StockServer> {
  const processor = new thrift.MultiplexedProcessor();
  const handler = Object.fromEntries(
    // The generated code looks at the number of parameters.
    Object.entries(handlers).map(([name, handle]) => [name, async (request: StockFields) => handle(request)]),
  );
  for (const name of SERVICES) {
    const { Processor } = moduleOf(name);
    processor.registerProcessor(name, new Processor(handler));
  }
  const server = thrift.createMultiplexServer(processor, options);
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return {
    address: { host: '127.0.0.1', port },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function moduleOf(name: string): StockModule {
  const module = modules[name];
  if (module === undefined) throw new Error(`barista.thrift has no service ${name}`);
  return module;
}
