import { BaristaError } from '../base/errors.js';
import type { Origin } from '../base/ids.js';
import { type Done, fail, type Outcome, succeed } from '../base/outcome.js';
import type { BundlePart, ExportReply, ExportRequest } from '../bayou/bundle-messages.js';
import type { StoreCursor, StorePage } from '../bayou/messages.js';
import type { BundleService } from '../bayou/ports.js';
import { VersionVector } from '../bayou/version-vector.js';
import type { KvOperation } from '../machine/kv.js';
import { bundleEnd, bundleHead, bundlePart, encoded } from '../rpc/bundle-codec.js';
import { type BlockKind, makeBlock, type Place, START } from './format.js';

/** A part ends at whichever of the two comes first. */
const PART_WRITES_MAX = 4_096;
const PART_BYTES_MAX = 1024 * 1024;

/** A replica that folds meanwhile, and takes another incarnation, may have the making begin again; not without end. */
const BEGINNINGS_MAX = 8;

/** Who gives what a bundle is made of: a replica in this process, or one that is reached. */
export type BundleSource = Pick<BundleService<KvOperation>, 'exportBatch'>;

/** Where the bytes of a bundle go. */
export interface BundleSink {
  /** Forgets all that was appended. */
  restart(done: Done<void>): void;
  append(bytes: Uint8Array, done: Done<void>): void;
}

/** What was made. */
export interface Made {
  readonly from: Origin;
  readonly seen: VersionVector;
  /** Writes, and keys of the base store. */
  readonly entries: number;
  readonly bytes: number;
}

/**
 * Makes a bundle of what a replica holds and `since` does not: for whoever holds `since`; if it is empty, or lacks a part of what
 * the replica has folded, for anyone. It is a pull that is written down, so the replica goes on meanwhile, and memory holds one
 * part at a time.
 */
export function exportBundle(source: BundleSource, sink: BundleSink, since: VersionVector, done: Done<Made>): void {
  new Export(source, sink, since, done).ask();
}

class Export {
  readonly #source: BundleSource;
  readonly #sink: BundleSink;
  #since: VersionVector;
  readonly #done: Done<Made>;
  /** The reply that the making began with; null until there is one. */
  #first: ExportReply<KvOperation> | null = null;
  #beginnings = 0;
  #received: VersionVector;
  #target: VersionVector | null = null;
  #store: StoreCursor | null = null;
  #entries = 0;
  #place: Place = START.next;

  constructor(source: BundleSource, sink: BundleSink, since: VersionVector, done: Done<Made>) {
    this.#source = source;
    this.#sink = sink;
    this.#since = since;
    this.#done = done;
    this.#received = since.clone();
  }

  ask(): void {
    const target = this.#target;
    const request: ExportRequest = {
      since: this.#since,
      resume: target === null ? null : { received: this.#received.clone(), target },
      store: this.#store,
      writesMax: PART_WRITES_MAX,
      bytesMax: PART_BYTES_MAX,
    };
    this.#source.exportBatch(request, (reply) => {
      if (!reply.ok) return this.#done(reply);
      if (this.#goesOn(reply.value)) return this.#take(reply.value);
      this.#begin(reply.value);
    });
  }

  /** False if the reply is no next part of what there is, but the first of another bundle. */
  #goesOn({ batch }: ExportReply<KvOperation>): boolean {
    if (this.#first === null || batch.from !== this.#first.batch.from) return false;
    if (batch.store !== null) return batch.store.after !== null && batch.store.after === this.#store?.after;
    return this.#store === null && batch.resumed === (this.#target !== null);
  }

  #begin(reply: ExportReply<KvOperation>): void {
    const { terms, batch } = reply;
    // Any other is the next part of what was made before.
    const isFirst = batch.store === null ? !batch.resumed : batch.store.after === null;
    this.#first = reply;
    // Who takes a base store over hears all that comes after it anew: it may hold repeats of what is folded.
    if (batch.store !== null) this.#since = new VersionVector();
    this.#received = this.#since.clone();
    this.#target = null;
    this.#store = null;
    this.#entries = 0;
    this.#place = START.next;
    if (++this.#beginnings > BEGINNINGS_MAX) {
      const message = `${batch.from} changes more quickly than a bundle of it is made`;
      return this.#done(fail(new BaristaError('ERR_OVERLOADED', message)));
    }
    const head = encoded(bundleHead, { terms, from: batch.from, since: this.#since });
    const goOn = (): void => (isFirst ? this.#take(reply) : this.ask());
    const start = this.#then(() => this.#append('head', head, goOn));
    this.#sink.restart(this.#then(() => this.#sink.append(START.bytes, start)));
  }

  #take({ batch }: ExportReply<KvOperation>): void {
    const { writes, store, seen, standing, report, more, replaced } = batch;
    if (store === null) this.#takeWrites(writes, seen);
    else this.#takePage(store, seen);
    const goOn = (): void => {
      if (more) return this.ask();
      if (report === null) return this.#done(fail(new BaristaError('ERR_PROTOCOL', 'the last part lacks a report')));
      const made = { seen, standing, report, entries: this.#entries };
      const end = encoded(bundleEnd, replaced === undefined ? made : { ...made, replaced });
      this.#append('end', end, () => {
        this.#done(succeed({ from: batch.from, seen, entries: this.#entries, bytes: this.#place.at }));
      });
    };
    if (writes.length === 0 && store === null) return goOn();
    this.#append('part', encoded(bundlePart, { writes, store }), goOn);
  }

  #takeWrites(writes: BundlePart<KvOperation>['writes'], seen: VersionVector): void {
    for (const { origin, acceptTime } of writes) this.#received.raise(origin, acceptTime);
    this.#target = seen;
    this.#entries += writes.length;
  }

  #takePage({ time, vector, entries, upTo }: StorePage<KvOperation>, seen: VersionVector): void {
    this.#entries += entries.length;
    this.#store = upTo === null ? null : { time, after: upTo };
    if (upTo !== null) return;
    this.#received.merge(vector);
    this.#target = seen;
  }

  #append(kind: BlockKind, content: Buffer, next: () => void): void {
    const block = makeBlock(kind, content, this.#place);
    this.#place = block.next;
    this.#sink.append(block.bytes, this.#then(next));
  }

  #then(next: () => void): Done<void> {
    return (outcome: Outcome<void>) => (outcome.ok ? next() : this.#done(outcome));
  }
}
