import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../../src/base/address.js';
import type { Random } from '../../src/base/random.js';
import { CLEAR, type Conditions, Pipe } from './pipe.js';

/** Seen from who made the connection: to the target, or from it. */
export type Direction = 'to' | 'from';

export const DIRECTIONS: readonly Direction[] = ['to', 'from'];

interface Connection {
  readonly sockets: readonly [Socket, Socket];
  readonly pipes: Readonly<Record<Direction, Pipe>>;
}

/** Stands between two ends of a link, at an address that stays, and does to the bytes what networks do. */
export class FaultyProxy {
  readonly address: Address;
  readonly #server: Server;
  readonly #target: () => Address | null;
  readonly #random: Random;
  readonly #onCutInFrame: () => void;
  readonly #connections = new Set<Connection>();
  readonly #conditions: Record<Direction, Conditions> = { to: CLEAR, from: CLEAR };
  /** How many reasons there are for the link to be down. */
  #blocks = 0;

  private constructor(server: Server, target: () => Address | null, random: Random, onCutInFrame: () => void) {
    this.#server = server;
    this.#target = target;
    this.#random = random;
    this.#onCutInFrame = onCutInFrame;
    this.address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** `target`: where connections go at the moment they are made; null: nowhere. */
  static async start(
    target: () => Address | null,
    random: Random,
    onCutInFrame: () => void = () => undefined,
  ): Promise<FaultyProxy> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultyProxy(server, target, random, onCutInFrame);
  }

  get connections(): number {
    return this.#connections.size;
  }

  set(direction: Direction, conditions: Partial<Conditions>): void {
    this.#conditions[direction] = { ...CLEAR, ...conditions };
  }

  /** Ends what is under way; connections that were robbed of bytes are of no use any more. */
  clear(): void {
    for (const direction of DIRECTIONS) this.#conditions[direction] = CLEAR;
    for (const connection of [...this.#connections]) {
      const { to, from } = connection.pipes;
      if (to.hasSwallowed || from.hasSwallowed) this.#end(connection, true);
    }
  }

  /** Cuts every connection, and lets no new one through until as many `unblock`s. */
  block(): void {
    this.#blocks += 1;
    this.cut();
  }

  unblock(): void {
    this.#blocks -= 1;
  }

  cut(): void {
    for (const connection of [...this.#connections]) this.#end(connection, true);
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    const target = this.#blocks > 0 ? null : this.#target();
    socket.on('error', () => undefined);
    if (target === null) {
      socket.resetAndDestroy();
      return;
    }
    const onward = connect({ ...target, noDelay: true });
    const pipe = (from: Socket, to: Socket, direction: Direction): Pipe =>
      new Pipe(from, to, () => this.#conditions[direction], this.#random, {
        cut: () => this.#end(connection, true),
        cutInFrame: () => {
          this.#conditions[direction] = CLEAR;
          this.#onCutInFrame();
        },
      });
    const connection: Connection = {
      sockets: [socket, onward],
      pipes: { to: pipe(socket, onward, 'to'), from: pipe(onward, socket, 'from') },
    };
    this.#connections.add(connection);
    for (const end of connection.sockets) {
      end.on('error', () => undefined);
      end.on('end', () => this.#end(connection, false));
      end.on('close', () => this.#end(connection, false));
    }
  }

  #end(connection: Connection, abruptly: boolean): void {
    if (!this.#connections.delete(connection)) return;
    for (const pipe of Object.values(connection.pipes)) pipe.close();
    const byReset = abruptly && this.#random.below(2) === 0;
    for (const socket of connection.sockets) {
      if (byReset && !socket.connecting) socket.resetAndDestroy();
      else socket.destroy();
    }
  }
}
