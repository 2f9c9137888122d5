import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { VALUE_BYTES } from './load.js';
import { hasPackage, hasServer, notInstalled, peerPackage } from './peers.js';
import { type Call, gatheredWriter } from './round-trips.js';
import { freePort, freshPath, killed, minded } from './scratch.js';

/* Other key-value servers, in processes of their own, each put on disk before it is answered. */

export interface KeyValuePeer {
  readonly get: (key: string) => Call;
  readonly put: (key: string, value: Uint8Array) => Call;
  close(): Promise<void>;
}

/** The peer, or why there is none. */
export type MaybePeer = KeyValuePeer | string;

const START_MS_MAX = 20_000;

// --------------------------------------------------------------------------------------------------------------- Redis

/** The append-only file is synced before each answer, once for all that were read together. */
export async function startRedis(): Promise<MaybePeer> {
  if (!hasServer('redis-server')) return notInstalled('redis-server');
  const dir = freshPath('redis');
  mkdirSync(dir);
  const port = await freePort();
  const options = { port, dir, save: '', appendonly: 'yes', appendfsync: 'always', bind: '127.0.0.1' };
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = minded(spawn('redis-server', words, { stdio: ['ignore', 'ignore', 'inherit'] }));
  const socket = await connected(port, child);
  const send = respSender(socket);
  return {
    get: (key) => {
      const command = respCommand('GET', key);
      return (done) => send(command, done);
    },
    put: (key, value) => {
      const command = respCommand('SET', key, value);
      return (done) => send(command, done);
    },
    close: async () => {
      socket.destroy();
      await killed(child);
    },
  };
}

function respCommand(...words: readonly (string | Uint8Array)[]): Buffer {
  const parts = words.flatMap((word) => {
    const bytes = Buffer.from(word as string);
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}

/** Answers are simple or bulk strings. */
function respSender(socket: Socket): (command: Buffer, done: () => void) => void {
  const waiting: (() => void)[] = [];
  const write = gatheredWriter(socket);
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = respEnd(rest); end > 0; end = respEnd(rest)) {
      if (rest[0] === 0x2d) throw new Error(`Redis: ${rest.toString('utf8', 1, end)}`);
      rest = rest.subarray(end);
      waiting.shift()?.();
    }
  });
  return (command, done) => {
    waiting.push(done);
    write(command);
  };
}

/** Where the first answer ends; 0 if it is not whole yet. */
function respEnd(bytes: Buffer): number {
  const line = bytes.indexOf('\r\n') + 2;
  if (line < 2) return 0;
  if (bytes[0] !== 0x24) return line;
  const length = Number(bytes.toString('latin1', 1, line - 2));
  if (length !== VALUE_BYTES) throw new Error(`Redis answered with ${length} bytes`);
  return bytes.length >= line + length + 2 ? line + length + 2 : 0;
}

// ---------------------------------------------------------------------------------------------------------------- etcd

interface Etcd3 {
  readonly Etcd3: new (options: { hosts: string }) => EtcdClient;
}
interface EtcdClient {
  get(key: string): { serializable(): { exec(): Promise<{ readonly kvs: readonly unknown[] }> } };
  put(key: string): { value(value: Buffer): { exec(): Promise<unknown> } };
  close(): void;
}

/** One member, so that it waits for no other; gets are answered from what it holds, as a replica answers them. */
export async function startEtcd(): Promise<MaybePeer> {
  if (!hasServer('etcd')) return notInstalled('etcd');
  if (!hasPackage('etcd3')) return notInstalled('etcd3');
  const [clients, peers] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const options = {
    'data-dir': freshPath('etcd'),
    'listen-client-urls': clients,
    'advertise-client-urls': clients,
    'listen-peer-urls': peers,
    'initial-advertise-peer-urls': peers,
    'initial-cluster': `default=${peers}`,
  };
  const words = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const child = minded(spawn('etcd', words, { stdio: 'ignore' }));
  (await connected(Number(new URL(clients).port), child)).destroy();
  const { Etcd3 } = peerPackage<Etcd3>('etcd3') as Etcd3;
  const client = new Etcd3({ hosts: clients });
  await client.put('warm').value(Buffer.from('up')).exec();
  return {
    get: (key) => (done) => {
      const answer = client.get(key).serializable().exec();
      void answer.then(({ kvs }) => {
        if (kvs.length !== 1) throw new Error(`etcd has no ${key}`);
        done();
      });
    },
    put: (key, value) => (done) => void client.put(key).value(Buffer.from(value)).exec().then(done),
    close: async () => {
      client.close();
      await killed(child);
    },
  };
}

async function connected(port: number, child: ChildProcess): Promise<Socket> {
  for (let waited = 0; waited < START_MS_MAX && child.exitCode === null; waited += 20) {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    if (up) return socket;
    await delay(20);
  }
  throw new Error(`${child.spawnfile} did not start`);
}
