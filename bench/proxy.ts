import { connect, createServer, type Socket } from 'node:net';
import type { Address } from '../src/base/address.js';
import { eachFrame } from './round-trips.js';

/** What went through a proxy. */
export interface Traffic {
  bytesTo: number;
  bytesFrom: number;
  framesTo: number;
  framesFrom: number;
}

export interface Proxy {
  readonly address: Address;
  /** What went to the target and came from it since the last call. */
  take(): Traffic;
  close(): void;
}

/** Hands on what comes, and counts it. Frames are counted whole, each with its length before it. */
export async function startProxy(target: Address): Promise<Proxy> {
  let traffic = noTraffic();
  const sockets = new Set<Socket>();
  const handOn = (
    from: Socket,
    to: Socket,
    bytes: 'bytesTo' | 'bytesFrom',
    frames: 'framesTo' | 'framesFrom',
  ): void => {
    let rest: Buffer = Buffer.alloc(0);
    sockets.add(from);
    from.on('data', (chunk: Buffer) => {
      traffic[bytes] += chunk.length;
      rest = eachFrame(rest, chunk, () => {
        traffic[frames] += 1;
      });
      if (!to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    from.on('error', () => to.destroy()).on('close', () => to.destroy());
  };
  const server = createServer({ noDelay: true }, (socket) => {
    const onward = connect({ ...target, noDelay: true });
    handOn(socket, onward, 'bytesTo', 'framesTo');
    handOn(onward, socket, 'bytesFrom', 'framesFrom');
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : 0);
    });
  });
  return {
    address: { host: '127.0.0.1', port },
    take: () => {
      const taken = traffic;
      traffic = noTraffic();
      return taken;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function noTraffic(): Traffic {
  return { bytesTo: 0, bytesFrom: 0, framesTo: 0, framesFrom: 0 };
}
