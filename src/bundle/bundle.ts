import { BaristaError } from '../base/errors.js';
import { compareKeys } from '../base/ids.js';
import { type Done, fail, succeed } from '../base/outcome.js';
import type { BundleEnd, BundleHead, BundlePart } from '../bayou/bundle-messages.js';
import { PROTOCOL_VERSION, type StorePage } from '../bayou/messages.js';
import { VersionVector } from '../bayou/version-vector.js';
import { areOneBatch } from '../bayou/write.js';
import type { KvOperation } from '../machine/kv.js';
import { bundleEnd, bundleHead, bundlePart, decoded } from '../rpc/bundle-codec.js';
import type { Codec } from '../rpc/schema.js';
import { type BlockKind, type BundleBytes, damaged, type Place, readBlock, readStart } from './format.js';

export type Part = BundlePart<KvOperation>;

/** A bundle that was read once from end to end: it is whole, and its parts go on from each other. */
export interface Bundle {
  readonly head: BundleHead;
  readonly end: BundleEnd;
  /** Names the base store that its first parts hold; null if they hold none. */
  readonly store: Pick<StorePage<KvOperation>, 'time' | 'vector'> | null;
  readonly bytes: BundleBytes;
  readonly firstPart: Place;
}

/**
 * Reads all of a bundle, and keeps no more of it than one part at a time. Fails with ERR_BUNDLE, which says what is wrong, or with
 * ERR_VERSION_MISMATCH if it is of another version and cannot be read.
 */
export function openBundle(bytes: BundleBytes, done: Done<Bundle>): void {
  readStart(bytes, (start) => {
    if (!start.ok) return done(start);
    readStruct(bytes, start.value, 'head', bundleHead, (outcome) => {
      if (!outcome.ok) return done(outcome);
      const { value: head, next: firstPart } = outcome.value;
      new Inspection(bytes, head, firstPart, done).go(firstPart);
    });
  });
}

/** The part at a place; null where the end is. Of another `protocol` than this version's it need not be one that can be read. */
export function readPart(
  bytes: BundleBytes,
  place: Place,
  protocol: number,
  done: Done<{ readonly part: Part | null; readonly next: Place }>,
): void {
  readBlock(bytes, place, (outcome) => {
    if (!outcome.ok) return done(outcome);
    const { kind, content, next } = outcome.value;
    if (kind === 'end') return done(succeed({ part: null, next }));
    if (kind === 'head') return done(fail(damaged(place.at, 'it has a second head')));
    const part = decoded(bundlePart, content);
    if (typeof part !== 'string') return done(succeed({ part, next }));
    done(fail(protocol === PROTOCOL_VERSION ? damaged(place.at, part) : foreign(protocol)));
  });
}

function foreign(protocol: number): BaristaError {
  const message = `the bundle is of protocol ${protocol}, this version reads ${PROTOCOL_VERSION}`;
  return new BaristaError('ERR_VERSION_MISMATCH', message);
}

/** One reading of a bundle from its first part on. */
class Inspection {
  readonly #bytes: BundleBytes;
  readonly #head: BundleHead;
  readonly #firstPart: Place;
  readonly #done: Done<Bundle>;
  /** What the parts so far hold. */
  readonly #brought = new VersionVector();
  #store: Bundle['store'] = null;
  /** The key that the last page speaks for at last; null if it speaks for all that were left, or there is none. */
  #upTo: string | null = null;
  #entries = 0;
  #hasWrites = false;

  constructor(bytes: BundleBytes, head: BundleHead, firstPart: Place, done: Done<Bundle>) {
    this.#bytes = bytes;
    this.#head = head;
    this.#firstPart = firstPart;
    this.#done = done;
  }

  go(place: Place): void {
    readPart(this.#bytes, place, this.#head.terms.protocol, (outcome) => {
      if (!outcome.ok) return this.#done(outcome);
      const { part, next } = outcome.value;
      if (part === null) return this.#end(place);
      const wrong = part.store === null ? this.#takeWrites(part) : this.#takePage(part, part.store);
      if (wrong !== null) return this.#done(fail(damaged(place.at, wrong)));
      this.go(next);
    });
  }

  #takePage({ writes }: Part, { time, vector, after, entries, upTo }: StorePage<KvOperation>): string | null {
    if (writes.length > 0 || this.#hasWrites) return 'a part of the base store stands among writes';
    const goesOn = this.#store === null ? after === null : this.#upTo !== null && after === this.#upTo;
    const isSame = this.#store === null || (this.#store.time === time && this.#store.vector.equals(vector));
    if (!goesOn || !isSame) return 'a part of the base store does not go on from the one before';
    if (upTo !== null && after !== null && compareKeys(upTo, after) <= 0) return 'a part of the base store goes back';
    this.#store = { time, vector };
    this.#brought.merge(vector);
    this.#upTo = upTo;
    this.#entries += entries.length;
    return null;
  }

  #takeWrites({ writes }: Part): string | null {
    if (this.#upTo !== null) return 'the base store ends too early';
    this.#hasWrites = true;
    this.#entries += writes.length;
    for (const [i, write] of writes.entries()) {
      const before = writes[i - 1];
      if (before !== undefined && areOneBatch(before, write)) continue;
      const { origin, acceptTime } = write;
      if (this.#head.since.covers(origin, acceptTime) || !this.#brought.raise(origin, acceptTime)) {
        return 'a write does not go on from those before';
      }
    }
    return null;
  }

  #end(place: Place): void {
    readStruct(this.#bytes, place, 'end', bundleEnd, (outcome) => {
      if (!outcome.ok) return this.#done(outcome);
      const { value: end, next } = outcome.value;
      const wrong = this.#wrongEnd(end) ?? (next.at < this.#bytes.size ? 'there are bytes after its end' : null);
      if (wrong !== null) return this.#done(fail(damaged(place.at, wrong)));
      this.#done(
        succeed({ head: this.#head, end, store: this.#store, bytes: this.#bytes, firstPart: this.#firstPart }),
      );
    });
  }

  #wrongEnd({ seen, entries }: BundleEnd): string | null {
    if (this.#upTo !== null) return 'the base store ends too early';
    if (entries !== this.#entries) return `it holds ${this.#entries} entries, and says ${entries}`;
    return seen.dominates(this.#brought) ? null : 'it holds writes that its vector does not cover';
  }
}

function readStruct<T>(
  bytes: BundleBytes,
  place: Place,
  kind: BlockKind,
  codec: Codec<T>,
  done: Done<{ readonly value: T; readonly next: Place }>,
): void {
  readBlock(bytes, place, (outcome) => {
    if (!outcome.ok) return done(outcome);
    const { content, next } = outcome.value;
    if (outcome.value.kind !== kind) return done(fail(damaged(place.at, `it has no ${kind} there`)));
    const value = decoded(codec, content);
    done(typeof value === 'string' ? fail(damaged(place.at, value)) : succeed({ value, next }));
  });
}
