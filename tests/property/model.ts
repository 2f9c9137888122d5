import { compareIds } from '../../src/base/ids.js';

interface ModelWrite {
  readonly time: number;
  readonly server: string;
  readonly incarnation: number;
  readonly client: string;
  readonly clientTime: number;
  readonly key: string;
  /** Null: a delete. */
  readonly value: string | null;
}

interface ModelServer {
  readonly id: string;
  readonly incarnation: number;
  /** Every write it ever accepted or received: nothing is ever dropped. */
  writes: Set<ModelWrite>;
  paused: boolean;
  /** What reached it while it hung. */
  readonly backlog: (() => void)[];
}

interface ModelClient {
  readonly id: string;
  clientTime: number;
  highest: number;
  readonly needs: Map<string, ModelWrite>;
}

/**
 * What a script must print, by the rules and nothing else: replicas are sets of all writes, the store is the fold of a
 * sorted set, links are pairs. It knows no vectors, no transfers, no pruning and no incremental store.
 */
export class Model {
  readonly output: string[] = [];
  readonly #servers = new Map<string, ModelServer>();
  readonly #clients = new Map<string, ModelClient>();
  readonly #incarnations = new Map<string, number>();
  readonly #links = new Set<string>();
  readonly #tieBreak: 'higher' | 'lower';

  constructor(tieBreak: 'higher' | 'lower') {
    this.#tieBreak = tieBreak;
  }

  joinServer(id: string): void {
    const incarnation = (this.#incarnations.get(id) ?? 0) + 1;
    this.#incarnations.set(id, incarnation);
    for (const other of this.#servers.keys()) this.#links.add(pair(id, other));
    this.#servers.set(id, { id, incarnation, writes: new Set(), paused: false, backlog: [] });
  }

  killServer(id: string): void {
    this.#servers.delete(id);
    for (const link of this.#links) if (link.split('|').includes(id)) this.#links.delete(link);
  }

  joinClient(id: string, server: string): void {
    this.#clients.set(id, { id, clientTime: 0, highest: 0, needs: new Map() });
    this.#links.add(pair(id, server));
  }

  breakConnection(a: string, b: string): void {
    this.#links.delete(pair(a, b));
  }

  createConnection(a: string, b: string): void {
    this.#links.add(pair(a, b));
  }

  pause(id: string): void {
    this.#server(id).paused = true;
  }

  resume(id: string): void {
    const server = this.#server(id);
    server.paused = false;
    for (const step of server.backlog.splice(0)) step();
  }

  stabilize(): void {
    const left = new Set([...this.#servers.values()].filter((server) => !server.paused));
    for (const server of left) {
      const part = [server];
      left.delete(server);
      for (const member of part) {
        for (const other of left) {
          if (!this.#links.has(pair(member.id, other.id))) continue;
          left.delete(other);
          part.push(other);
        }
      }
      const union = new Set(part.flatMap((member) => [...member.writes]));
      for (const member of part) member.writes = new Set(union);
    }
  }

  /** A put, or a delete if `value` is null. */
  write(clientId: string, key: string, value: string | null): void {
    const client = this.#client(clientId);
    const clientTime = ++client.clientTime;
    const after = client.highest;
    const accept = (server: ModelServer): ModelWrite => {
      const { id, incarnation } = server;
      const same = [...server.writes].filter(
        (w) => w.client === clientId && w.key === key && w.clientTime >= clientTime,
      );
      const first = this.#sorted(same).find((w) => w.clientTime === clientTime);
      if (first !== undefined) return first;
      if (same.length > 0) throw new Error(`client ${clientId} repeats its time ${clientTime} after a later one`);
      const time = Math.max(0, after, ...[...server.writes].map((w) => w.time)) + 1;
      const write = { time, server: id, incarnation, client: clientId, clientTime, key, value };
      server.writes.add(write);
      return write;
    };
    for (const server of this.#linkedServers(clientId)) {
      if (server.paused) {
        server.backlog.push(() => void accept(server));
        continue;
      }
      const write = accept(server);
      client.highest = Math.max(client.highest, write.time);
      client.needs.set(key, write);
      return;
    }
  }

  get(clientId: string, key: string): void {
    const client = this.#client(clientId);
    const need = client.needs.get(key);
    let outcome = 'ERR_CONN';
    for (const server of this.#linkedServers(clientId)) {
      if (server.paused) continue;
      outcome = 'ERR_DEP';
      if (need !== undefined && !server.writes.has(need)) continue;
      const write = this.#winner(server, key);
      outcome = write?.value ?? 'ERR_KEY';
      if (write != null && write.value !== null) {
        client.needs.set(key, write);
        client.highest = Math.max(client.highest, write.time);
      }
      break;
    }
    this.output.push(`${key}:${outcome}`);
  }

  printStore(id: string): void {
    const server = this.#server(id);
    const keys = [...new Set([...server.writes].map((w) => w.key))].sort();
    for (const key of keys) {
      const value = this.#winner(server, key)?.value ?? null;
      if (value !== null) this.output.push(`${key}:${value}`);
    }
  }

  /** The log without what may be pruned: a write whose client has a later one, in client time and in order, on the key. */
  printLog(id: string): void {
    const sorted = this.#sorted(this.#server(id).writes);
    for (const [i, w] of sorted.entries()) {
      const replaced = sorted
        .slice(i + 1)
        .some((x) => x.client === w.client && x.key === w.key && x.clientTime > w.clientTime);
      if (replaced) continue;
      const what = w.value === null ? `delete ${w.key}` : `put ${w.key}:${w.value}`;
      this.output.push(`${w.time}@${w.server}#${w.incarnation} ${w.client}:${w.clientTime} ${what}`);
    }
  }

  get servers(): readonly { readonly id: string; readonly paused: boolean }[] {
    return [...this.#servers.values()];
  }

  get clients(): readonly string[] {
    return [...this.#clients.keys()];
  }

  /** The last write of the key that takes effect: a client's write yields to its own same or later one before it. */
  #winner(server: ModelServer, key: string): ModelWrite | null {
    const sorted = this.#sorted(server.writes).filter((w) => w.key === key);
    const effective = sorted.filter(
      (w, i) => !sorted.slice(0, i).some((x) => x.client === w.client && x.clientTime >= w.clientTime),
    );
    return effective.at(-1) ?? null;
  }

  #sorted(writes: Iterable<ModelWrite>): ModelWrite[] {
    const direction = this.#tieBreak === 'higher' ? 1 : -1;
    return [...writes].sort(
      (a, b) => a.time - b.time || direction * (compareIds(a.server, b.server) || a.incarnation - b.incarnation),
    );
  }

  #linkedServers(client: string): ModelServer[] {
    return [...this.#servers.values()]
      .filter((server) => this.#links.has(pair(client, server.id)))
      .sort((a, b) => compareIds(a.id, b.id));
  }

  #server(id: string): ModelServer {
    const server = this.#servers.get(id);
    if (server === undefined) throw new Error(`no server ${id}`);
    return server;
  }

  #client(id: string): ModelClient {
    const client = this.#clients.get(id);
    if (client === undefined) throw new Error(`no client ${id}`);
    return client;
  }
}

function pair(a: string, b: string): string {
  return [a, b].sort(compareIds).join('|');
}
