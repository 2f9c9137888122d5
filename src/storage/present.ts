import { compareKeys, compareKeysDown } from '../base/ids.js';
import type { Visit } from '../bayou/ports.js';
import { type Entry, isEmpty } from './entry.js';
import type { Layer } from './layer.js';
import { mergeByRank } from './merge.js';
import type { RecordFormat } from './record-format.js';
import type { Table } from './table.js';

/** The uppermost first; null: there is no such layer. */
type Layers<Op> = readonly (Layer<Op> | null)[];

/** The keys that there is something for in the layers and the table below them; after `after`. */
export function* presentKeys<Op>(table: Table, all: Layers<Op>, after?: string): Generator<string> {
  const layers = all.filter((layer) => layer !== null);
  for (const key of mergeByRank(
    [...layers, table].map((source) => source.keys(after)),
    compareKeys,
  )) {
    const entry = layers.find(({ entries }) => entries.has(key))?.entries.get(key);
    if (entry === undefined || typeof entry === 'number' || !isEmpty(entry)) yield key;
  }
}

interface Walk<Op> {
  readonly after: string | null;
  readonly reverse: boolean;
  readonly visit: Visit<Op>;
}

/** Gives these keys with what is under them, as `walk` of a storage: one pass over the table, with what the layers have in between. */
export function walkPresent<Op>(
  table: Table,
  all: Layers<Op>,
  format: RecordFormat<Op>,
  { after, reverse, visit }: Walk<Op>,
): void {
  const layers = all.filter((layer) => layer !== null && layer.entries.size > 0) as readonly Layer<Op>[];
  const decode = format.decodeEntry.bind(format);
  if (layers.length === 0) return table.walk(after, reverse, (key, found) => visit(key, decode(key, found)));
  const compare = reverse ? compareKeysDown : compareKeys;
  const changed = mergeByRank(
    layers.map((layer) => layer.keysBeyond(after, reverse)),
    compare,
  );
  let next = changed.next();
  let isOver = false;
  /** Gives what the layers have under their keys up to `upTo`. False if no more is wanted. */
  const give = (upTo: string | null): boolean => {
    while (!isOver && next.done !== true && (upTo === null || compare(next.value, upTo) <= 0)) {
      const key = next.value;
      const entry = entryIn(layers, format, key);
      next = changed.next();
      isOver = entry !== undefined && !isEmpty(entry) && !visit(key, entry);
    }
    return !isOver;
  };
  table.walk(after, reverse, (key, found) => {
    // Now, for what is found is good until the next read.
    const entry = layers.some(({ entries }) => entries.has(key)) ? null : decode(key, found);
    isOver = !give(key) || (entry !== null && !visit(key, entry));
    return !isOver;
  });
  give(null);
}

function entryIn<Op>(layers: readonly Layer<Op>[], format: RecordFormat<Op>, key: string): Entry<Op> | undefined {
  for (const { entries, encoded } of layers) {
    const entry = entries.get(key);
    if (entry !== undefined) return typeof entry === 'number' ? format.decodeEntry(key, encoded.at(entry)) : entry;
  }
  return undefined;
}
