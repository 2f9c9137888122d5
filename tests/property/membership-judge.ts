import type { ClientId } from '../../src/base/ids.js';
import { type AcceptStamp, stampOrder, type Write } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';
import type { Node } from './membership-node.js';

const order = stampOrder('higher');

/** What was accepted of one operation: every stamp it ever had. */
interface Operation {
  readonly key: string;
  readonly client: ClientId;
  readonly clientTime: number;
  readonly isDelete: boolean;
  readonly stamps: AcceptStamp[];
}

/** Knows every stamp that was ever given, and says what replicas must show at the end, when all have heard from all. */
export class Judge {
  readonly #operations = new Map<string, Operation>();

  stamped({ key, client, clientTime, origin, acceptTime, operation }: Write<KvOperation>): void {
    const name = `${client}:${clientTime}`;
    const isDelete = operation.kind === 'delete';
    const known = this.#operations.get(name) ?? { key, client, clientTime, isDelete, stamps: [] };
    const stamp = { origin, acceptTime };
    if (!known.stamps.some((other) => order(other, stamp) === 0)) known.stamps.push(stamp);
    this.#operations.set(name, known);
  }

  /** True if who had seen `last` was shown something older. */
  isOlder(shown: AcceptStamp, last: AcceptStamp): boolean {
    return order(shown, this.#effective(last)) < 0;
  }

  /** What is wrong with what the replicas show; null if nothing is. */
  judge(nodes: readonly Node[], keys: readonly string[]): string | null {
    const [first] = nodes as readonly [Node];
    for (const node of nodes) {
      if (valuesOf(node) !== valuesOf(first)) return `the stores of ${node.id} and ${first.id} differ`;
      if (!node.replica.seen().equals(first.replica.seen())) return `the vectors of ${node.id} and ${first.id} differ`;
    }
    for (const key of keys) {
      const wrong = this.#judgeKey(first, key);
      if (wrong !== null) return wrong;
    }
    return null;
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
    const reply = replica.read({ key, needs: null });
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
  const store = [...replica.entries(null)].map(({ key, value }) => {
    const reply = replica.read({ key, needs: null });
    return `${key}=${value.join()}@${reply.kind === 'found' ? nameOf(reply.stamp) : ''}`;
  });
  const { base, retired } = replica;
  return `${store.join(' ')} | seen ${replica.seen()} | base ${base} retired ${retired} | log ${storage.size}: ${log}`;
}

export function nameOf({ origin, acceptTime }: AcceptStamp): string {
  return `${acceptTime}@${origin}`;
}

function valuesOf({ replica }: Node): string {
  return [...replica.entries(null)].map(({ key, value }) => `${key}=${value.join()}`).join(' ');
}

function firstOf(stamps: readonly AcceptStamp[]): AcceptStamp {
  return [...stamps].sort(order)[0] as AcceptStamp;
}

function lastOf(stamps: readonly AcceptStamp[]): AcceptStamp {
  return [...stamps].sort(order).at(-1) as AcceptStamp;
}
