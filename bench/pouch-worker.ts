import { keyOf, valueFor } from './load.js';
import { peerPackage } from './peers.js';
import { serveWorker } from './worker.js';

/** Run in a process of its own: two PouchDB databases on LevelDB, and replication from one to the other. */
export type PouchAsk =
  | { readonly kind: 'fill'; readonly path: string; readonly keys: number }
  | { readonly kind: 'replicate'; readonly path: string };

/** How long it took in seconds, and how many documents are there. */
export interface PouchAnswer {
  readonly seconds: number;
  readonly keys: number;
}

interface PouchClass {
  new (path: string, options: { adapter: 'leveldb' }): PouchDatabase;
  plugin(plugin: object): void;
}
interface PouchDatabase {
  bulkDocs(docs: readonly object[]): Promise<unknown>;
  info(): Promise<{ readonly doc_count: number }>;
  close(): Promise<void>;
  readonly replicate: { to(target: PouchDatabase, options: object): Promise<unknown> };
}

/** Its own default is 100; larger batches than this bring nothing more. */
const BATCH = 1_000;

const module = peerPackage<PouchClass | { readonly default: PouchClass }>('pouchdb-core') as PouchClass;
const PouchDB = 'default' in module ? (module as unknown as { readonly default: PouchClass }).default : module;
for (const name of ['pouchdb-adapter-leveldb', 'pouchdb-replication']) {
  const plugin = peerPackage<object | { readonly default: object }>(name) as object;
  PouchDB.plugin('default' in plugin ? (plugin.default as object) : plugin);
}

let source: PouchDatabase | null = null;

serveWorker<PouchAsk, PouchAnswer>(async (ask) => {
  if (ask.kind === 'fill') {
    source = new PouchDB(ask.path, { adapter: 'leveldb' });
    for (let from = 0; from < ask.keys; from += BATCH) {
      const count = Math.min(BATCH, ask.keys - from);
      const docs = Array.from({ length: count }, (_, i) => ({ _id: keyOf(from + i), value: valueText(from + i) }));
      await source.bulkDocs(docs);
    }
    return { seconds: 0, keys: (await source.info()).doc_count };
  }
  if (source === null) throw new Error('there is no database yet');
  const target = new PouchDB(ask.path, { adapter: 'leveldb' });
  const startedAt = performance.now();
  await source.replicate.to(target, { batch_size: BATCH, batches_limit: 4 });
  const seconds = (performance.now() - startedAt) / 1000;
  const { doc_count: keys } = await target.info();
  await target.close();
  return { seconds, keys };
});

/** As many bytes as everyone's values, as text, since documents are JSON. */
function valueText(i: number): string {
  return Buffer.from(valueFor(i)).toString('base64').slice(0, valueFor(i).length);
}
