import { createServer, type Server } from 'node:net';
import type { Address } from '../base/address.js';
import { BaristaError, messageOf } from '../base/errors.js';
import { type Log, SILENT_LOG } from '../base/log.js';
import { type Done, fail, succeed } from '../base/outcome.js';
import type { CompressReplies } from './compression.js';
import { ConnectionTable } from './connection-table.js';
import { type KvService, servedMethods } from './dispatch.js';
import { CONNECTIONS_MAX, FRAME_BYTES_MAX, HELD_BYTES_MAX, IDLE_MS_MIN, STALL_MS_MAX } from './limits.js';
import { ServerConnection } from './server-connection.js';

export interface ListenOptions {
  readonly host: string;
  /** 0 for one that is free. */
  readonly port: number;
  readonly service: KvService;
  /** Defaults are in limits.ts, which says what each bounds. */
  readonly frameBytesMax?: number;
  readonly connectionsMax?: number;
  readonly stallMsMax?: number;
  readonly idleMsMin?: number;
  readonly heldBytesMax?: number;
  /** Unless over loopback, if it is not said. */
  readonly compressReplies?: CompressReplies;
  readonly log?: Log;
}

export interface Listener {
  /** Where it listens: the host that was asked for, the port that was given. */
  readonly address: Address;
  /** Sends what was answered so far, ends every connection, and answers when all are gone. */
  close(done: Done<void>): void;
}

/** Serves a replica to Thrift clients: framed, binary, multiplexed. */
export function listen(options: ListenOptions, done: Done<Listener>): void {
  const { host, port, log = SILENT_LOG } = options;
  const connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX;
  const table = new ConnectionTable<ServerConnection>({
    connectionsMax,
    heldBytesMax: options.heldBytesMax ?? HELD_BYTES_MAX,
    idleMsMin: options.idleMsMin ?? IDLE_MS_MIN,
  });
  const settings = {
    table,
    methods: servedMethods(options.service),
    frameBytesMax: options.frameBytesMax ?? FRAME_BYTES_MAX,
    stallMsMax: options.stallMsMax ?? STALL_MS_MAX,
    compressReplies: options.compressReplies ?? 'unless-loopback',
    log,
  };
  const server = createServer({ noDelay: true }, (socket) => {
    if (!table.makeRoom()) {
      log.warn({ connectionsMax }, 'a connection too many was closed');
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    const connection = new ServerConnection(socket, settings);
    table.add(connection);
    socket.on('close', () => table.remove(connection));
  });

  const onStartError = (cause: unknown): void => done(fail(startError(host, port, cause)));
  server.once('error', onStartError);
  try {
    server.listen(port, host, () => {
      server.off('error', onStartError);
      server.on('error', (error) => log.warn({ error: error.message }, 'a connection could not be accepted'));
      done(succeed(listenerOf(server, host, table)));
    });
  } catch (thrown) {
    onStartError(thrown);
  }
}

function listenerOf(server: Server, host: string, table: ConnectionTable<ServerConnection>): Listener {
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return {
    address: { host, port },
    close: (done) => {
      // A second close is told of an error, which only says that the first is enough.
      server.close(() => done(succeed(undefined)));
      for (const connection of table.connections()) connection.close();
    },
  };
}

function startError(host: string, port: number, cause: unknown): BaristaError {
  const reason = messageOf(cause);
  if (cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE') {
    return new BaristaError('ERR_PORT_IN_USE', `${host}:${port} is in use`, { cause });
  }
  return new BaristaError('ERR_START', `cannot listen on ${host}:${port}: ${reason}`, { cause });
}
