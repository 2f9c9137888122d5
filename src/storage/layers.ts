import type { Write } from '../bayou/write.js';
import type { BytesPart } from './bytes.js';
import { type Entry, type Found, isEmpty, noEntry } from './entry.js';
import { EntryCache } from './entry-cache.js';
import { KnownKeys } from './known-keys.js';
import { Layer } from './layer.js';
import type { RecordFormat } from './record-format.js';
import type { Table } from './table.js';

/**
 * What there is of each key: what changed since the last checkpoint, in a layer; below it the layer that is being committed, if
 * one is; below both the table.
 */
export class Layers<Op> {
  readonly #format: RecordFormat<Op>;
  readonly #table: Table;
  #live: Layer<Op>;
  /** The layer that is being committed. */
  #frozen: Layer<Op> | null = null;
  /** Counts the times that what is below the live layer changed. */
  #generation = 0;
  /** The key asked for last, and where its entry is: a step asks for its key's base and history, and changes it. */
  #last: Found<Op> | null = null;
  /** Of the table. A layer is looked into first, so that what it has need not be right here until it is let go. */
  readonly #cache = new EntryCache<Op>();
  readonly #known: KnownKeys;

  /** `isTableEmpty`, and if not, `isTablePartial`: it has a part of what the layer will have again. */
  constructor(format: RecordFormat<Op>, table: Table, isTableEmpty: boolean, isTablePartial: boolean) {
    this.#format = format;
    this.#table = table;
    this.#live = new Layer(isTablePartial);
    this.#known = new KnownKeys(isTableEmpty);
  }

  /** Takes what is changed. */
  get live(): Layer<Op> {
    return this.#live;
  }

  get frozen(): Layer<Op> | null {
    return this.#frozen;
  }

  get generation(): number {
    return this.#generation;
  }

  find(key: string): Found<Op> {
    if (this.#last === null || this.#last.key !== key) this.#last = this.#lookUp(key);
    return this.#last;
  }

  /** True if there is nothing for the key, and nothing to be changed. */
  isFirst(key: string): boolean {
    const found = this.find(key);
    return found.in !== 'live layer' && isEmpty(found.entry);
  }

  /** Adds the write as all that there is of its key, which is none yet; where the live layer has it now. */
  addFirst(write: Write<Op>): BytesPart {
    const { key } = write;
    const { encoded } = this.#live;
    const number = this.#format.encodeFirst(write, encoded);
    this.#live.addEntry(key, number);
    this.#known.add(key);
    this.#last = { key, entry: { base: null, history: [write] }, in: 'bytes', bytes: 0 };
    return encoded.at(number);
  }

  /** The key's entry in the live layer, copied there if it is not yet. */
  toChange(key: string): Entry<Op> {
    const found = this.find(key);
    if (found.in === 'live layer') return found.entry;
    const entry = this.#copyOf(found);
    this.#live.setEntry(key, entry);
    this.#known.add(key);
    this.#last = { key, entry, in: 'live layer', bytes: 0 };
    return entry;
  }

  /** Begins a new layer; what is to be committed. */
  setAside(): Layer<Op> {
    const layer = this.#live;
    this.#frozen = layer;
    this.#known.setAside(layer.entries);
    this.#live = new Layer();
    this.#changedBelow();
    return layer;
  }

  /** What was set aside is in the table. */
  letGo(): void {
    this.#frozen = null;
    this.#cache.clear();
    this.#changedBelow();
  }

  /** What was set aside goes under the live layer again. */
  takeBack(): void {
    const layer = this.#frozen;
    this.#frozen = null;
    if (layer === null) return;
    layer.absorb(this.#live);
    this.#live = layer;
    this.#changedBelow();
  }

  /** To be changed, and kept. */
  #copyOf({ entry, in: place, bytes }: Found<Op>): Entry<Op> {
    if (isEmpty(entry)) return noEntry();
    if (place === 'frozen layer') return { base: entry.base, history: [...entry.history] };
    this.#live.copiedBytes += bytes;
    return this.#format.detached(entry);
  }

  #lookUp(key: string): Found<Op> {
    if (this.#known.isNew(key)) return absent(key);
    const live = this.#live.entries.get(key);
    if (live !== undefined) return this.#inLayer(this.#live, key, live, 'live layer');
    if (this.#known.isTableEmpty) return absent(key);
    const frozen = this.#frozen?.entries.get(key);
    if (this.#frozen !== null && frozen !== undefined) return this.#inLayer(this.#frozen, key, frozen, 'frozen layer');
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached;
    const stored = this.#table.entry(key);
    if (stored === undefined) return absent(key);
    const entry = this.#format.decodeEntry(key, stored);
    const found: Found<Op> = { key, entry, in: 'bytes', bytes: stored.end - stored.start };
    if (this.#cache.wants(found)) this.#cache.keep({ ...found, entry: this.#format.detached(entry) });
    return found;
  }

  #inLayer(layer: Layer<Op>, key: string, entry: Entry<Op> | number, place: Found<Op>['in']): Found<Op> {
    if (typeof entry !== 'number') return { key, entry, in: place, bytes: 0 };
    return { key, entry: this.#format.decodeEntry(key, layer.encoded.at(entry)), in: 'bytes', bytes: 0 };
  }

  /** What was found below the live layer may be found no more. */
  #changedBelow(): void {
    this.#generation += 1;
    this.#last = null;
  }
}

function absent<Op>(key: string): Found<Op> {
  return { key, entry: noEntry(), in: 'bytes', bytes: 0 };
}
