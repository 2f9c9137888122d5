import type { ClientId } from '../../base/ids.js';
import type { VersionVector } from '../../bayou/version-vector.js';
import { type AcceptStamp, nameStamp, type StampOrder, stampOrder } from '../../bayou/write.js';
import { canonical } from './canonical.js';
import { Interner } from './interner.js';

/** A write as some replica accepted it. */
export interface Accepted extends AcceptStamp {
  readonly client: ClientId;
  readonly clientTime: number;
  readonly key: string;
  readonly isDelete: boolean;
  /** What any replica that claims the write must claim too: what its client had read and written, as far as it was promised. */
  readonly needs: VersionVector;
}

/** The tie-break of the worlds that are searched. */
export const order: StampOrder = stampOrder('higher');

/** All that was ever accepted, in the total order. Nothing leaves it: it is what stores are compared with. */
export type Ledger = readonly Accepted[];

/** The ledgers a search meets, each numbered. */
export class Ledgers {
  readonly #ledgers = new Interner<Ledger>();
  readonly empty: number;

  constructor() {
    this.empty = this.#numberOf([]);
  }

  get size(): number {
    return this.#ledgers.size;
  }

  at(ledger: number): Ledger {
    return this.#ledgers.at(ledger);
  }

  /** The ledger with one more write; or what is wrong: the stamp was given before, to another operation. */
  add(ledger: number, write: Accepted): number | string {
    const before = this.at(ledger);
    const same = before.find((other) => order(other, write) === 0);
    if (same === undefined) return this.#numberOf([...before, write].sort(order));
    if (same.client === write.client && same.clientTime === write.clientTime) return ledger;
    return `${nameStamp(write)} was given twice, to ${same.client}:${same.clientTime} and ${write.client}:${write.clientTime}`;
  }

  #numberOf(ledger: Ledger): number {
    return this.#ledgers.numberOf(canonical(ledger), () => ledger);
  }
}

/**
 * The write that a key's value comes from, or the delete that left it absent, if exactly `writes`, in the total order, are
 * held: the last that takes effect. A client's write takes none behind its own same or later one. Null: there is none.
 */
export function lastEffective(writes: Iterable<Accepted>, key: string, yields: boolean): Accepted | null {
  const highest = new Map<ClientId, number>();
  let last: Accepted | null = null;
  for (const write of writes) {
    if (write.key !== key) continue;
    const before = highest.get(write.client) ?? 0;
    if (yields && before >= write.clientTime) continue;
    highest.set(write.client, Math.max(before, write.clientTime));
    last = write;
  }
  return last;
}

/** Where an operation stands that was accepted under several stamps: at the lowest. */
export function effectiveStamp(ledger: Ledger, stamp: AcceptStamp): AcceptStamp {
  const write = ledger.find((it) => order(it, stamp) === 0);
  if (write === undefined) return stamp;
  return ledger.find((it) => it.client === write.client && it.clientTime === write.clientTime) ?? stamp;
}
