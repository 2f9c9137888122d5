import type { Vector } from './history.js';
import type { Claims, Origin, Place } from './place.js';

/** Every origin that the history names, each once, and the stamps it gave. */
export class Origins {
  readonly all: Origin[] = [];
  readonly #byReplica = new Map<string, Map<number, Origin>>();
  readonly #places: Map<number, Place[]>[] = [];
  /** What came last: successive events often show the same. */
  #last: Claims = [];
  #lastVector: Vector = [];

  at(replica: string, incarnation: number): Origin {
    let incarnations = this.#byReplica.get(replica);
    if (incarnations === undefined) {
      incarnations = new Map();
      this.#byReplica.set(replica, incarnations);
    }
    let origin = incarnations.get(incarnation);
    if (origin === undefined) {
      origin = { replica, incarnation, index: this.all.length };
      incarnations.set(incarnation, origin);
      this.all.push(origin);
      this.#places.push(new Map());
    }
    return origin;
  }

  /** By accept time: several only of a batch, one for each key. */
  placesOf(origin: Origin): Map<number, Place[]> {
    return this.#places[origin.index] as Map<number, Place[]>;
  }

  claims(vector: Vector): Claims {
    if (vector === this.#lastVector) return this.#last;
    this.#lastVector = vector;
    const claims: number[] = [];
    for (const [time, replica, incarnation] of vector) {
      const { index } = this.at(replica, incarnation);
      while (claims.length <= index) claims.push(0);
      claims[index] = Math.max(claims[index] as number, time);
    }
    while (claims.at(-1) === 0) claims.pop();
    const isSame = claims.length === this.#last.length && claims.every((time, i) => time === this.#last[i]);
    if (!isSame) this.#last = claims;
    return this.#last;
  }

  /** The incarnations of the origin's replica, and of no other, that came after it. */
  *laterOf({ replica, incarnation }: Origin): Generator<Origin> {
    for (const origin of this.#byReplica.get(replica)?.values() ?? []) {
      if (origin.incarnation > incarnation) yield origin;
    }
  }
}
