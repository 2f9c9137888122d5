import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

// In a process of its own, as a replica is.
const SERVER = `
require('node:net')
  .createServer((socket) => socket.setNoDelay(true).on('data', (bytes) => socket.write(bytes)).on('error', () => {}))
  .listen(0, '127.0.0.1', function () { console.log(this.address().port) })
process.stdin.on('end', () => process.exit()).resume()
`;

export interface Echo {
  readonly socket: Socket;
  close(): void;
}

/** A raw TCP server that sends back what it gets, and a connection to it. */
export async function startEcho(): Promise<Echo> {
  const child = spawn(process.execPath, ['-e', SERVER], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  const socket = connect({ port: Number(port.toString()), host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return {
    socket,
    close: () => {
      socket.destroy();
      child.stdin.end();
    },
  };
}

/** Sends `message` and waits for all of it to come back, `rounds` times, one after another. */
export async function pingPong({ socket }: Echo, message: Uint8Array, rounds: number): Promise<void> {
  await new Promise<void>((resolve) => {
    let left = rounds;
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes < message.length) return;
      bytes = 0;
      left -= 1;
      if (left > 0) {
        socket.write(message);
        return;
      }
      socket.off('data', onData);
      resolve();
    };
    socket.on('data', onData);
    socket.write(message);
  });
}
