import groupBy from 'lodash/groupBy.js';
import intersection from 'lodash/intersection.js';
import type { ClientId } from '../../src/base/ids.js';
import { type AcceptStamp, stampOrder, type Write } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';
import type { Node } from './membership-node.js';

const order = stampOrder('higher');
const decoder = new TextDecoder();

/** What is written to a key; 'any' of all kinds. */
export type KeyUse = 'put' | 'increment' | 'append' | 'any';

export function useOf(key: string): KeyUse {
  if (key.startsWith('n')) return 'increment';
  if (key.startsWith('l')) return 'append';
  return key.startsWith('m') ? 'any' : 'put';
}

/** What was accepted of one operation: every stamp it ever had. */
interface Operation {
  readonly key: string;
  readonly client: ClientId;
  readonly clientTime: number;
  readonly isDelete: boolean;
  readonly operation: KvOperation;
  readonly stamps: AcceptStamp[];
}

/** Knows every stamp that was ever given, and says what replicas must show at the end, when all have heard from all. */
export class Judge {
  readonly #operations = new Map<string, Operation>();
  readonly #retryWindow: number;
  /** The keys of which one group's value was put, as it was folded apart: of what others had nothing is known any more. */
  readonly #put = new Set<string>();
  /** Stamps that were given to one key each. */
  readonly #single = new Set<string>();

  /** `retryWindow`: in accept times. */
  constructor(retryWindow: number) {
    this.#retryWindow = retryWindow;
  }

  /** `isPut`: what is left of a base store that was taken apart was put there, key by key. */
  stamped({ key, client, clientTime, origin, acceptTime, operation }: Write<KvOperation>, isPut: boolean): void {
    const name = `${client}:${clientTime} ${key}`;
    const isDelete = operation.kind === 'delete';
    const known = this.#operations.get(name) ?? { key, client, clientTime, isDelete, operation, stamps: [] };
    if (operation.kind === 'total') this.#put.add(key);
    const stamp = { origin, acceptTime };
    if (isPut) this.#single.add(nameOf(stamp));
    if (!known.stamps.some((other) => order(other, stamp) === 0)) known.stamps.push(stamp);
    this.#operations.set(name, known);
  }

  /** True if who had seen `last` was shown something older. */
  isOlder(shown: AcceptStamp, last: AcceptStamp): boolean {
    return order(shown, this.#effective(last)) < 0;
  }

  /**
   * What is wrong with keys that were read in one state: `shown` has the stamp of each, null where there is nothing. A key that
   * shows a part of a batch goes with the others only if they show the batch, or what was accepted after its first stamp. Null if
   * nothing is wrong.
   */
  judgeTogether(shown: ReadonlyMap<string, AcceptStamp | null>): string | null {
    for (const [key, stamp] of shown) {
      if (stamp === null) continue;
      const part = [...this.#operations.values()].find(
        (other) => other.key === key && other.stamps.some((own) => order(own, stamp) === 0),
      );
      if (part === undefined) continue;
      const batch = [...this.#operations.values()].filter(
        ({ client, clientTime }) => client === part.client && clientTime === part.clientTime,
      );
      const first = firstOf(batch.flatMap(({ stamps }) => stamps));
      for (const { key: other } of batch) {
        const beside = shown.get(other);
        if (beside === undefined || useOf(other) === 'any' || this.#put.has(other)) continue;
        const isThere = beside === null ? this.#isDeletedSince(other, first) : order(beside, first) >= 0;
        if (isThere) continue;
        const what = beside === null ? 'nothing' : nameOf(beside);
        return `${key} shows ${nameOf(stamp)} of ${part.client}:${part.clientTime}, and beside it ${other} shows ${what}`;
      }
    }
    return null;
  }

  #isDeletedSince(key: string, stamp: AcceptStamp): boolean {
    return [...this.#operations.values()].some(
      (other) => other.key === key && other.isDelete && order(lastOf(other.stamps), stamp) >= 0,
    );
  }

  /** What is wrong with what the replicas show; null if nothing is. */
  judge(nodes: readonly Node[], keys: readonly string[], now: number): string | null {
    const [first] = nodes as readonly [Node];
    const asOf = Math.max(...nodes.map(({ replica }) => replica.reading(now)));
    for (const node of nodes) {
      if (valuesOf(node, asOf) !== valuesOf(first, asOf)) return `the stores of ${node.id} and ${first.id} differ`;
      if (!node.replica.seen().equals(first.replica.seen())) return `the vectors of ${node.id} and ${first.id} differ`;
    }
    const divided = this.#divided();
    if (divided !== null) return divided;
    for (const key of keys) {
      const use = useOf(key);
      if (use === 'any' || this.#put.has(key)) continue;
      const wrong = use === 'put' ? this.#judgeKey(first, key) : this.#judgeSum(first, key);
      if (wrong !== null) return `${key}: ${wrong}`;
    }
    return null;
  }

  /** A replica that gave parts of a batch, which stood under one stamp, stamps with no key in common; null if none did. */
  #divided(): string | null {
    for (const parts of Object.values(groupBy([...this.#operations.values()], nameOfBatch))) {
      const given = parts
        .flatMap(({ key, stamps }) => stamps.map((stamp) => ({ key, stamp })))
        .filter(({ stamp }) => !this.#single.has(nameOf(stamp)));
      for (const [origin, own] of Object.entries(groupBy(given, ({ stamp }) => stamp.origin))) {
        // What was accepted anew by several, and lost other parts at each, stands under several stamps.
        const others = given.filter(({ stamp }) => stamp.origin !== origin).map(({ stamp }) => nameOf(stamp));
        if (new Set(others).size > 1) continue;
        const keys = Object.values(groupBy(own, ({ stamp }) => stamp.acceptTime)).map((same) =>
          same.map(({ key }) => key),
        );
        if (keys.some((some) => keys.some((others) => some !== others && intersection(some, others).length === 0))) {
          return `${origin} divided ${nameOfBatch(parts[0] as Operation)}: ${own.map(({ key, stamp }) => `${key} ${nameOf(stamp)}`)}`;
        }
      }
    }
    return null;
  }

  /** Each operation counts once; one that has stamps further apart than the retry window may count more often. */
  #judgeSum({ replica }: Node, key: string): string | null {
    const reply = replica.read({ key, needs: null }, 0);
    const text = reply.kind === 'found' ? decoder.decode(reply.value) : '';
    const parts = text.split(';').slice(0, -1);
    let [least, most] = [0, 0];
    for (const { key: written, operation, stamps, client, clientTime } of this.#operations.values()) {
      if (written !== key) continue;
      if (operation.kind !== 'increment' && operation.kind !== 'append') continue;
      const times = stamps.map(({ acceptTime }) => acceptTime);
      const isOnce = Math.max(...times) - Math.min(...times) < this.#retryWindow;
      if (operation.kind === 'increment') {
        least += operation.by;
        most += (isOnce ? 1 : times.length) * operation.by;
        continue;
      }
      const part = decoder.decode(operation.bytes).slice(0, -1);
      const count = parts.filter((other) => other === part).length;
      if (count < 1 || count > (isOnce ? 1 : times.length)) {
        return `${part} of ${client}:${clientTime}, stamped ${stamps.map(nameOf)}, is there ${count} times: ${text}`;
      }
    }
    if (useOf(key) === 'append') return null;
    const sum = text === '' ? 0 : Number(text);
    return sum >= least && sum <= most ? null : `${sum}, where all come to ${least} to ${most}`;
  }

  /** An operation that was sent to two replicas has two stamps, and takes effect at the lower. */
  #effective(stamp: AcceptStamp): AcceptStamp {
    for (const { stamps } of this.#operations.values()) {
      if (stamps.some((other) => order(other, stamp) === 0)) return firstOf(stamps);
    }
    return stamp;
  }

  /** The key shows an operation that no other one stands after, whichever of its stamps one takes. */
  #judgeKey({ replica }: Node, key: string): string | null {
    const all = [...this.#operations.values()].filter((operation) => operation.key === key);
    const reply = replica.read({ key, needs: null }, 0);
    const shown =
      reply.kind === 'found'
        ? all.filter(({ stamps }) => stamps.some((stamp) => order(stamp, reply.stamp) === 0))
        : all.filter(({ isDelete }) => isDelete);
    if (reply.kind !== 'found' && shown.length === 0)
      return all.length === 0 ? null : `${key} is absent, and nobody deleted it`;
    const fits = shown.some((candidate) =>
      all.every((other) => other === candidate || order(firstOf(other.stamps), lastOf(candidate.stamps)) < 0),
    );
    if (fits) return null;
    const names = all.map(({ client, clientTime, isDelete, stamps }) => {
      return `${client}:${clientTime}${isDelete ? 'x' : ''} ${stamps.map(nameOf).join('/')}`;
    });
    const what = reply.kind === 'found' ? nameOf(reply.stamp) : 'nothing';
    return `${key} shows ${what}, which others stand after: ${names.join(', ')}`;
  }
}

/** All that a replica shows, as a text. */
export function stateOf({ replica, storage }: Node): string {
  const log = [...replica.log(null)].map(
    (write) => `${nameOf(write)} ${write.key} ${write.client}:${write.clientTime}`,
  );
  const store = [...replica.entries(null, 0)].map(({ key, value }) => {
    const reply = replica.read({ key, needs: null }, 0);
    return `${key}=${value.join()}@${reply.kind === 'found' ? nameOf(reply.stamp) : ''}`;
  });
  const { base, retired } = replica;
  return `${store.join(' ')} | seen ${replica.seen()} | base ${base} retired ${retired} | log ${storage.size}: ${log}`;
}

function nameOfBatch({ client, clientTime }: Operation): string {
  return `${client}:${clientTime}`;
}

export function nameOf({ origin, acceptTime }: AcceptStamp): string {
  return `${acceptTime}@${origin}`;
}

/** What it shows, but for what has expired by the accept time `asOf`. */
function valuesOf({ replica }: Node, asOf: number): string {
  return [...replica.entries(null, 0)]
    .map(({ key, value }) => {
      const reply = replica.read({ key, needs: null }, 0);
      const expires = reply.kind === 'found' ? reply.expires : undefined;
      return expires !== undefined && expires <= asOf
        ? ''
        : `${key}=${value.join()}${expires === undefined ? '' : ` until ${expires}`} `;
    })
    .join('');
}

function firstOf(stamps: readonly AcceptStamp[]): AcceptStamp {
  return [...stamps].sort(order)[0] as AcceptStamp;
}

function lastOf(stamps: readonly AcceptStamp[]): AcceptStamp {
  return [...stamps].sort(order).at(-1) as AcceptStamp;
}
