import { peerPackage } from './peers.js';

/* Documents that merge, each a map of keys to bytes, behind one face. Their own types are not here: they may be absent. */

export type CrdtName = 'yjs' | 'loro' | 'automerge';

export const CRDT_PACKAGES: Readonly<Record<CrdtName, string>> = {
  yjs: 'yjs',
  loro: 'loro-crdt',
  automerge: '@automerge/automerge',
};

export type Entry = readonly [key: string, value: Uint8Array];

export interface Crdt {
  /** In one transaction. */
  set(entries: readonly Entry[]): void;
  /** Every update, for a document that has none. */
  updates(): Uint8Array;
  apply(updates: Uint8Array): void;
  /** As it is kept. */
  save(): Uint8Array;
  readonly size: number;
}

export function newCrdt(name: CrdtName): Crdt {
  return MAKERS[name]();
}

interface Yjs {
  readonly Doc: new () => { getMap(name: string): YMap; transact(work: () => void): void };
  encodeStateAsUpdate(doc: object): Uint8Array;
  applyUpdate(doc: object, update: Uint8Array): void;
}
interface YMap {
  readonly size: number;
  set(key: string, value: Uint8Array): void;
}

interface Loro {
  readonly LoroDoc: new () => LoroDoc;
}
interface LoroDoc {
  getMap(name: string): YMap;
  commit(): void;
  export(options: { mode: 'update' | 'snapshot' }): Uint8Array;
  import(updates: Uint8Array): void;
}

interface AutomergeDoc {
  readonly map?: Readonly<Record<string, Uint8Array>>;
}
interface Automerge {
  init(): AutomergeDoc;
  change(doc: AutomergeDoc, work: (doc: { map?: Record<string, Uint8Array> }) => void): AutomergeDoc;
  saveSince(doc: AutomergeDoc, heads: readonly string[]): Uint8Array;
  loadIncremental(doc: AutomergeDoc, updates: Uint8Array): AutomergeDoc;
  save(doc: AutomergeDoc): Uint8Array;
}

const MAKERS: Readonly<Record<CrdtName, () => Crdt>> = {
  yjs: () => {
    const Y = peerPackage<Yjs>('yjs') as Yjs;
    const doc = new Y.Doc();
    const map = doc.getMap('map');
    return {
      set: (entries) =>
        doc.transact(() => {
          for (const [key, value] of entries) map.set(key, value);
        }),
      updates: () => Y.encodeStateAsUpdate(doc),
      apply: (updates) => Y.applyUpdate(doc, updates),
      save: () => Y.encodeStateAsUpdate(doc),
      get size() {
        return map.size;
      },
    };
  },
  loro: () => {
    const { LoroDoc } = peerPackage<Loro>('loro-crdt') as Loro;
    const doc = new LoroDoc();
    return {
      set: (entries) => {
        const map = doc.getMap('map');
        for (const [key, value] of entries) map.set(key, value);
        doc.commit();
      },
      updates: () => doc.export({ mode: 'update' }),
      apply: (updates) => void doc.import(updates),
      save: () => doc.export({ mode: 'snapshot' }),
      get size() {
        return doc.getMap('map').size;
      },
    };
  },
  automerge: () => {
    const A = peerPackage<Automerge>('@automerge/automerge') as Automerge;
    let doc = A.init();
    return {
      set: (entries) => {
        doc = A.change(doc, (draft) => {
          draft.map ??= {};
          for (const [key, value] of entries) draft.map[key] = value;
        });
      },
      updates: () => A.saveSince(doc, []),
      apply: (updates) => {
        doc = A.loadIncremental(doc, updates);
      },
      save: () => A.save(doc),
      get size() {
        return Object.keys(doc.map ?? {}).length;
      },
    };
  },
};
