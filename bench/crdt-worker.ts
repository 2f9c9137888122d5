import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { type Crdt, type CrdtName, type Entry, newCrdt } from './crdts.js';
import { keyOf, valueFor } from './load.js';
import { serveWorker } from './worker.js';

/** Run in a process of its own: it has one document, and does with it what it is asked. */
export type CrdtAsk =
  /** Sets the keys up to `keys`, a thousand a transaction, which is kinder to it than one each; then all of them again. */
  | { readonly kind: 'fill'; readonly name: CrdtName; readonly keys: number; readonly rounds: number }
  /** Gives every update to whoever connects. */
  | { readonly kind: 'serve' }
  /** Fetches them into a new document, and keeps them in `file`, synced. */
  | { readonly kind: 'fetch'; readonly name: CrdtName; readonly port: number; readonly file: string }
  | { readonly kind: 'measure' };

export interface CrdtAnswer {
  /** Of `serve`. */
  readonly port: number;
  /** Of `fetch`. */
  readonly seconds: number;
  readonly keys: number;
  /** Of `measure`. */
  readonly savedBytes: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

const TRANSACTION = 1_000;
const NOTHING: CrdtAnswer = { port: 0, seconds: 0, keys: 0, savedBytes: 0, rssBytes: 0, heapBytes: 0 };

let document: Crdt | null = null;

function fill(name: CrdtName, keys: number, rounds: number): void {
  const doc = newCrdt(name);
  for (let round = 0; round < rounds; round++) {
    for (let from = 0; from < keys; from += TRANSACTION) {
      const count = Math.min(TRANSACTION, keys - from);
      doc.set(Array.from({ length: count }, (_, i): Entry => [keyOf(from + i), valueFor(round * keys + from + i)]));
    }
  }
  document = doc;
}

function serve(doc: Crdt): Promise<number> {
  const server = createServer((socket) => socket.end(doc.updates()));
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : 0);
    });
  });
}

async function fetch(name: CrdtName, port: number, file: string): Promise<CrdtAnswer> {
  const startedAt = performance.now();
  const chunks: Buffer[] = [];
  for await (const chunk of connect({ host: '127.0.0.1', port })) chunks.push(chunk as Buffer);
  const updates = Buffer.concat(chunks);
  const doc = newCrdt(name);
  doc.apply(updates);
  const descriptor = openSync(file, 'a');
  writeSync(descriptor, updates);
  fdatasyncSync(descriptor);
  closeSync(descriptor);
  const seconds = (performance.now() - startedAt) / 1000;
  return { ...NOTHING, seconds, keys: doc.size };
}

serveWorker<CrdtAsk, CrdtAnswer>(async (ask) => {
  if (ask.kind === 'fill') fill(ask.name, ask.keys, ask.rounds);
  else if (ask.kind === 'fetch') return fetch(ask.name, ask.port, ask.file);
  else if (document === null) throw new Error('there is no document yet');
  else if (ask.kind === 'serve') return { ...NOTHING, port: await serve(document) };
  else {
    globalThis.gc?.();
    const savedBytes = document.save().length;
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    return { ...NOTHING, savedBytes, rssBytes: rss, heapBytes: heapUsed };
  }
  return NOTHING;
});
