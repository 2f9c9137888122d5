import { fork } from 'node:child_process';
import { fdatasync, openSync, write } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Call, eachFrame, gatheredWriter } from './round-trips.js';
import { killed, minded } from './scratch.js';

/*
 * What the machine itself takes: a server that finds the frames, appends each to a file and syncs it (once for all that
 * came together) before it answers, if it was given a file, and no more. In a process of its own, as a replica is.
 */

export interface Raw {
  readonly call: Call;
  close(): Promise<void>;
}

/**
 * Requests and replies have these lengths, the four bytes of the frame included. `file`: null to answer at once. `gathers`:
 * what is sent in one turn leaves together.
 */
export async function startRaw(
  requestBytes: number,
  replyBytes: number,
  file: string | null,
  gathers = true,
): Promise<Raw> {
  const words = ['serve', String(replyBytes), String(gathers), file ?? ''];
  const child = minded(fork(fileURLToPath(import.meta.url), words));
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)));
    child.once('exit', () => reject(new Error('the raw server ended')));
  });
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const waiting: (() => void)[] = [];
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = eachFrame(rest, chunk, () => waiting.shift()?.());
  });
  const request = frameOf(requestBytes);
  const send = gathers ? gatheredWriter(socket) : (bytes: Buffer) => void socket.write(bytes);
  return {
    call: (done) => {
      waiting.push(done);
      send(request);
    },
    close: async () => {
      socket.destroy();
      await killed(child);
    },
  };
}

function frameOf(bytes: number): Buffer {
  const frame = Buffer.alloc(bytes);
  frame.writeInt32BE(bytes - 4);
  return frame;
}

type Answer = (socket: Socket, frames: readonly Buffer[]) => void;

function answerAtOnce(reply: Buffer, gathers: boolean): Answer {
  return (socket, frames) => {
    if (gathers) socket.write(frames.length === 1 ? reply : Buffer.concat(frames.map(() => reply)));
    else for (const _ of frames) socket.write(reply);
  };
}

/** One sync for all that wait, and one write for all that are answered together. */
function answerDurably(reply: Buffer, file: string): Answer {
  const descriptor = openSync(file, 'a');
  let waiting: { readonly socket: Socket; readonly frames: readonly Buffer[] }[] = [];
  let busy = false;
  const pump = async (): Promise<void> => {
    busy = true;
    while (waiting.length > 0) {
      const served = waiting;
      waiting = [];
      await promisify(write)(descriptor, Buffer.concat(served.flatMap(({ frames }) => frames)));
      await promisify(fdatasync)(descriptor);
      for (const { socket, frames } of served) socket.write(Buffer.concat(frames.map(() => reply)));
    }
    busy = false;
  };
  return (socket, frames) => {
    waiting.push({ socket, frames });
    if (!busy) void pump();
  };
}

function serve(replyBytes: number, gathers: boolean, file: string): void {
  const reply = frameOf(replyBytes);
  const answer = file === '' ? answerAtOnce(reply, gathers) : answerDurably(reply, file);
  const server = createServer({ noDelay: true }, (socket) => {
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      const frames: Buffer[] = [];
      rest = eachFrame(rest, chunk, (frame) => frames.push(frame));
      if (frames.length > 0) answer(socket, frames);
    });
    socket.on('error', () => socket.destroy());
  });
  process.on('disconnect', () => process.exit());
  server.listen(0, '127.0.0.1', () => {
    const bound = server.address();
    process.send?.(typeof bound === 'object' && bound !== null ? bound.port : 0);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  serve(Number(process.argv[3]), process.argv[4] === 'true', process.argv[5] ?? '');
}
