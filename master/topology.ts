import { compareIds } from '../src/base/ids.js';

/** One round of a sweep: each replica pulls from the neighbours named, all at the same time. */
export type Round = ReadonlyMap<string, readonly string[]>;

/** Which replicas and clients are linked. A link is symmetric. */
export class Topology {
  readonly #neighbours = new Map<string, Set<string>>();

  link(a: string, b: string): void {
    this.#of(a).add(b);
    this.#of(b).add(a);
  }

  unlink(a: string, b: string): void {
    this.#neighbours.get(a)?.delete(b);
    this.#neighbours.get(b)?.delete(a);
  }

  linked(a: string, b: string): boolean {
    return this.#neighbours.get(a)?.has(b) ?? false;
  }

  /** By id. */
  neighbours(id: string): readonly string[] {
    return [...(this.#neighbours.get(id) ?? [])].sort(compareIds);
  }

  /** Forgets an id and all its links. */
  remove(id: string): void {
    for (const neighbour of this.#neighbours.get(id) ?? []) this.#neighbours.get(neighbour)?.delete(id);
    this.#neighbours.delete(id);
  }

  /** The connected parts of the network that `ids` make among themselves. */
  parts(ids: readonly string[]): readonly Topology[] {
    const among = new Set(ids);
    const left = new Set(ids);
    const parts: Topology[] = [];
    for (const id of ids) {
      if (!left.has(id)) continue;
      const part = new Topology();
      const found = [id];
      part.#of(id);
      left.delete(id);
      for (let next = found.pop(); next !== undefined; next = found.pop()) {
        for (const neighbour of this.neighbours(next)) {
          if (!among.has(neighbour)) continue;
          part.link(next, neighbour);
          if (left.delete(neighbour)) found.push(neighbour);
        }
      }
      parts.push(part);
    }
    return parts;
  }

  get ids(): readonly string[] {
    return [...this.#neighbours.keys()].sort(compareIds);
  }

  /**
   * Rounds after which every replica of a connected topology holds what any held before: up a spanning tree, the
   * children's writes to the root, and down again. It takes twice the tree's depth in rounds and two pulls a replica,
   * whatever the topology; the root stands in the middle of a longest way, so a chain of 50 takes 50 rounds.
   */
  sweep(): readonly Round[] {
    const [first] = this.ids;
    if (first === undefined) return [];
    const { levels, parents } = this.#tree(this.#middle(first));
    const deeper = levels.slice(1);
    const up = deeper.toReversed().map((level) => {
      const round = new Map<string, string[]>();
      for (const child of level) {
        const parent = parents.get(child) as string;
        round.set(parent, [...(round.get(parent) ?? []), child]);
      }
      return round;
    });
    const down = deeper.map((level) => new Map(level.map((child) => [child, [parents.get(child) as string]])));
    return [...up, ...down];
  }

  /** The middle of a way from a replica farthest from `start` to one farthest from that. */
  #middle(start: string): string {
    const from = this.#tree(start).farthest;
    const { parents, farthest } = this.#tree(from);
    const way: string[] = [];
    for (let at: string | undefined = farthest; at !== undefined; at = parents.get(at)) way.push(at);
    return way[way.length >> 1] ?? start;
  }

  /** The breadth-first tree from `root`. */
  #tree(root: string): { levels: string[][]; parents: Map<string, string>; farthest: string } {
    const parents = new Map<string, string>();
    const levels = [[root]];
    for (let level = levels[0] as string[]; level.length > 0; level = levels.at(-1) as string[]) {
      const next: string[] = [];
      for (const id of level) {
        for (const neighbour of this.neighbours(id)) {
          if (neighbour === root || parents.has(neighbour)) continue;
          parents.set(neighbour, id);
          next.push(neighbour);
        }
      }
      levels.push(next);
    }
    levels.pop();
    return { levels, parents, farthest: levels.at(-1)?.[0] ?? root };
  }

  #of(id: string): Set<string> {
    let neighbours = this.#neighbours.get(id);
    if (neighbours === undefined) {
      neighbours = new Set();
      this.#neighbours.set(id, neighbours);
    }
    return neighbours;
  }
}
