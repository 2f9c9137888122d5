/** The operator's name for a replica. Servers and clients share one space of names. */
export type ReplicaId = string & { readonly __brand: 'ReplicaId' };

/** Names who wrote. A client that loses its counter must take a new id. */
export type ClientId = string & { readonly __brand: 'ClientId' };

/**
 * A replica in one life of its storage, written `id#incarnation`. Vectors, stamps and runs are keyed by origin, so a
 * replica that lost its disk and came back under its old name can never reuse a stamp.
 */
export type Origin = string & { readonly __brand: 'Origin' };

export function originOf(id: ReplicaId, incarnation: number): Origin {
  return `${id}#${incarnation}` as Origin;
}

export function replicaIdOf(origin: Origin): ReplicaId {
  return origin.slice(0, origin.lastIndexOf('#')) as ReplicaId;
}

export function incarnationOf(origin: Origin): number {
  return Number(origin.slice(origin.lastIndexOf('#') + 1));
}

/** Shortest first, then by character, so that ids that are numbers compare as numbers: "9" < "10". */
export function compareIds(a: string, b: string): number {
  if (a === b) return 0;
  return a.length - b.length || (a < b ? -1 : 1);
}

/** By replica id, then by incarnation. */
export function compareOrigins(a: Origin, b: Origin): number {
  if (a === b) return 0;
  return compareIds(replicaIdOf(a), replicaIdOf(b)) || incarnationOf(a) - incarnationOf(b);
}

/** The order of Unicode code points, which is also the order of the keys' UTF-8 bytes. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rankCodeUnit(x) - rankCodeUnit(y);
  }
  return a.length - b.length;
}

/** The other way round. */
export function compareKeysDown(a: string, b: string): number {
  return compareKeys(b, a);
}

/** Surrogates stand for code points above every other code unit. */
function rankCodeUnit(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
