import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../src/base/errors.js';
import type { Random } from '../../src/base/random.js';
import type { Status } from '../../src/bayou/admin-messages.js';
import type { LifeEvent } from '../../src/check/history.js';
import { FaultyProxy } from './proxy.js';
import type { ChaosReplica } from './replica.js';

/** While nothing at all moves for so long, nothing will any more. */
const STUCK_MS = 90_000;
const POLL_MS = 100;

interface ClusterParts {
  readonly replicas: readonly ChaosReplica[];
  readonly random: Random;
  readonly now: () => number;
  readonly record: (event: LifeEvent) => void;
  readonly onCutInFrame: () => void;
}

/** Replicas, and a proxy for every way that one reaches another. */
export class ChaosCluster {
  readonly replicas: ReadonlyMap<string, ChaosReplica>;
  /** By `a>b`: from who makes the connection to whom. Those of clients are here too. */
  readonly proxies = new Map<string, FaultyProxy>();
  readonly #parts: ClusterParts;
  /** Those that have joined, whether they run or not. */
  readonly #joined = new Set<string>();
  readonly #incarnations = new Map<string, number>();

  private constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.replicas = new Map(parts.replicas.map((replica) => [replica.id, replica]));
  }

  /** With the proxies from every replica, and from each of `clients`, to every other replica. */
  static async open(parts: ClusterParts, clients: readonly string[]): Promise<ChaosCluster> {
    const cluster = new ChaosCluster(parts);
    for (const from of [...cluster.replicas.keys(), ...clients]) {
      for (const to of parts.replicas) {
        if (to.id === from) continue;
        const proxy = await FaultyProxy.start(() => to.address, parts.random, parts.onCutInFrame);
        cluster.proxies.set(`${from}>${to.id}`, proxy);
      }
    }
    return cluster;
  }

  replica(id: string): ChaosReplica {
    const replica = this.replicas.get(id);
    if (replica === undefined) throw new RangeError(`there is no replica ${id}`);
    return replica;
  }

  proxy(from: string, to: string): FaultyProxy {
    const proxy = this.proxies.get(`${from}>${to}`);
    if (proxy === undefined) throw new RangeError(`there is no link ${from}>${to}`);
    return proxy;
  }

  get joined(): readonly string[] {
    return [...this.#joined];
  }

  /** Starts a replica, for the first time or again, and links it with all that have joined. */
  async start(id: string): Promise<void> {
    const replica = this.replica(id);
    await replica.start();
    this.#joined.add(id);
    await this.noteIncarnation(id, 'start');
    for (const other of this.#joined) {
      if (other === id) continue;
      await replica.link(other, this.proxy(id, other).address);
      // Who does not run links all when it is started again.
      await this.#link(other, id).catch(() => undefined);
    }
  }

  /** Links all that have joined, and all of which run. What is linked already stays as it is. */
  async linkAll(): Promise<void> {
    for (const from of this.#joined) for (const to of this.#joined) if (to !== from) await this.#link(from, to);
  }

  async kill(id: string): Promise<void> {
    await this.replica(id).kill();
    this.#life(id, this.#incarnations.get(id) ?? 0, 'end');
  }

  /** Has another replica say that this one will not return. False if none could. */
  async retire(id: string): Promise<boolean> {
    for (const other of this.#joined) {
      if (other === id || !this.replica(other).isRunning) continue;
      try {
        await this.replica(other).retire(id);
        this.#life(id, this.#incarnations.get(id) ?? 0, 'retired');
        return true;
      } catch {
        // It went away in the middle, or knows of no such member: another may.
      }
    }
    return false;
  }

  /** Takes a replica out for good, disk and all; under its name a newcomer can join. */
  async remove(id: string): Promise<void> {
    await this.kill(id);
    if (!(await this.retire(id))) throw new Error(`nobody could retire ${id}`);
    const incarnation = this.#incarnations.get(id) ?? 0;
    this.#life(id, incarnation, 'lost');
    this.#joined.delete(id);
    this.replica(id).wipe(incarnation + 1);
  }

  /** Takes note of a new incarnation, which a replica may have taken by itself. True if it is one. */
  async noteIncarnation(id: string, event: 'start' | 'rejoin'): Promise<boolean> {
    const incarnation = await this.replica(id).incarnation();
    const known = this.#incarnations.get(id);
    if (event === 'start' || known !== incarnation) this.#life(id, incarnation, 'start');
    this.#incarnations.set(id, incarnation);
    return known !== undefined && known !== incarnation;
  }

  /** Names of the links that `from` make. */
  links(from: readonly string[]): readonly string[] {
    return [...this.proxies.keys()].filter((link) => from.some((id) => link.startsWith(`${id}>`)));
  }

  /** The links between replicas of the two sides. */
  between(side: readonly string[]): readonly FaultyProxy[] {
    const ids = [...this.replicas.keys()];
    return ids.flatMap((from) =>
      ids.filter((to) => to !== from && side.includes(from) !== side.includes(to)).map((to) => this.proxy(from, to)),
    );
  }

  /**
   * Waits until all claim the same, every pull succeeds, and nobody is still to learn that it was retired; for as long as
   * anything moves. Rejects saying who stands where.
   */
  async converge(): Promise<void> {
    await this.#waitUntil((all) => {
      const retired = new Set(all.flatMap((each) => each.retired));
      return all.every(
        ({ seen, origin, links }) =>
          all[0]?.seen.equals(seen) &&
          !retired.has(origin) &&
          links.length === all.length - 1 &&
          links.every(({ progress, lastError }) => progress === null && lastError === null),
      );
    });
  }

  /** Waits until all has left the logs. */
  async foldAll(): Promise<void> {
    await this.#waitUntil((all) => all.every(({ writes }) => writes === 0), true);
  }

  async close(): Promise<void> {
    await Promise.all([...this.replicas.values()].map((replica) => replica.close()));
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.close()));
  }

  async #waitUntil(isEnd: (all: readonly Status[]) => boolean, folds = false): Promise<void> {
    let moved = performance.now();
    let last = '';
    for (;;) {
      if (folds) for (const id of this.#joined) await this.replica(id).compact(1_000);
      const asked = await Promise.allSettled([...this.#joined].map((id) => this.replica(id).status()));
      const all = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      if (all.length === asked.length && isEnd(all)) return;
      const shown = all.map(whatMoves).join('\n');
      if (shown !== last) moved = performance.now();
      last = shown;
      if (performance.now() - moved > STUCK_MS) {
        const failed = asked.flatMap((each) => (each.status === 'rejected' ? [messageOf(each.reason)] : []));
        const standing = [...all.map(describeStatus), ...failed].join('\n');
        throw new Error(`the replicas stand still, and have not come to an end:\n${standing}`);
      }
      await delay(POLL_MS);
    }
  }

  #link(from: string, to: string): Promise<void> {
    return this.replica(from).link(to, this.proxy(from, to).address);
  }

  #life(replica: string, incarnation: number, event: LifeEvent['event']): void {
    this.#parts.record({ type: 'life', at: this.#parts.now(), replica, incarnation, event });
  }
}

function whatMoves({ origin, seen, writes, base, links }: Status): string {
  const claims = seen.sorted().map(([of, time]) => `${of}:${time}`);
  const taken = links.map(({ progress }) => progress?.done ?? '');
  return [origin, ...claims, writes, base, ...taken].join(' ');
}

function describeStatus(status: Status): string {
  const { origin, seen, writes, base, stable, waitsFor, retired, links } = status;
  const claims = seen.sorted().map(([of, time]) => `${of}:${time}`);
  const errors = links.map(({ peer, lastError }) => `${peer} ${lastError ?? 'ok'}`);
  return [
    `${origin} holds ${claims.join(' ')}`,
    `  ${writes} writes in the log, base ${base}, stable ${stable}, waits for ${waitsFor.join(' ') || 'none'}`,
    `  retired: ${retired.join(' ') || 'none'}; links: ${errors.join(', ')}`,
  ].join('\n');
}
